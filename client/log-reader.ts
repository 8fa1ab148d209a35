import {
  emptyRoot,
  encodeBase64,
  equalBytes,
  evaluatePolicy,
  formatTlogProof,
  parseCheckpoint,
  parseNote,
  proveConsistency,
  proveInclusion,
  quote,
  TILE_WIDTH,
  treeRoot,
  type Policy,
} from '../tlog/index.js';
import { ClientError, InconsistentError, RefusedCheckpointError } from './errors.js';
import type { TileSource } from './source.js';
import { VerifiedTiles, type TileCache, type VerifiedBundle } from './verified-tiles.js';

/** The last checkpoint of each log that this reader believed, by origin. It should outlive the process. */
export interface LastSeen {
  load(origin: string): Promise<Uint8Array | undefined>;
  /** Must be durable when it resolves, or a restart forgets what the log once showed. */
  save(origin: string, note: Uint8Array): Promise<void>;
}

/** What a reader remembers, and where; all of it may be left out. */
export interface LogReaderOptions {
  cache?: TileCache;
  lastSeen?: LastSeen;
  /** The log that is expected, where the policy accepts several. The first one read, unless given. */
  origin?: string;
  /** Bundles fetched ahead while entries are iterated. Default 8. */
  parallel?: number;
}

/** A checkpoint that was believed once: from this run or from an earlier one. */
type TreeHead = Pick<VerifiedCheckpoint, 'origin' | 'size' | 'rootHash' | 'note'>;

/** What evaluatePolicy found in a note. */
export type Evaluation = ReturnType<typeof evaluatePolicy>;

/** A checkpoint that is signed by the log, meets the policy and contradicts none that was seen before. */
export interface VerifiedCheckpoint {
  origin: string;
  size: number;
  /** 32 bytes. */
  rootHash: Uint8Array;
  /** The signed note it was found in. */
  note: Uint8Array;
  evaluation: Evaluation;
  /** The smaller size that the log served just now, when this checkpoint is the one seen earlier. */
  servedSize?: number;
}

/** One entry with its place in the log. */
export interface LogEntry {
  index: number;
  entry: Uint8Array;
  leafHash: Uint8Array;
}

/**
 * Reads any C2SP tlog-tiles log and believes nothing that does not lead to a checkpoint which the
 * policy accepts. Not for concurrent calls of `checkpoint()`; all else may run side by side.
 */
export class LogReader {
  readonly #source: TileSource;
  readonly #policy: Policy;
  readonly #options: LogReaderOptions;
  #origin: string | undefined;
  #current: { checkpoint: VerifiedCheckpoint; tiles: VerifiedTiles } | undefined;

  constructor(source: TileSource, policy: Policy, options: LogReaderOptions = {}) {
    this.#source = source;
    this.#policy = policy;
    this.#options = options;
    this.#origin = options.origin;
  }

  /**
   * Fetches the log's checkpoint, verifies it against the policy and checks that it is consistent with
   * the last one seen. All later reads are of this tree.
   *
   * A log that shows a smaller tree than before lags (a cache, a replica): if the smaller is a prefix,
   * the larger stays current. Throws ClientError `quorum_not_met`, `went_back`, `bad_tile` and the
   * network's codes, TlogError for a note that is not what it should be, and InconsistentError.
   */
  async checkpoint(): Promise<VerifiedCheckpoint> {
    const served = this.#evaluate(await this.#source.checkpoint());
    const seen = await this.#lastSeen(served.origin);
    if (!seen) {
      await this.#options.lastSeen?.save(served.origin, served.note);
      return this.#adopt(served);
    }
    if (served.size >= seen.size) {
      await this.#checkPrefix(seen, served, this.#tiles(served));
      // Equal trees are saved too: the newer note has the fresher cosignatures.
      if (!equalBytes(seen.note, served.note)) await this.#options.lastSeen?.save(served.origin, served.note);
      return this.#adopt(served);
    }
    const larger = this.#evaluate(seen.note);
    try {
      await this.#checkPrefix(served, larger, this.#tiles(larger));
    } catch (error) {
      const missing = error instanceof ClientError && ['not_found', 'bad_tile'].includes(error.code);
      if (!missing) throw error;
      throw new ClientError(
        'went_back',
        `expected a checkpoint of size ${seen.size} or more, found ${served.size}, and the tiles of the larger tree cannot be read`,
        'a stale cache mends itself: try again later; if it lasts, the log has lost entries or hides them',
        { cause: error },
      );
    }
    return this.#adopt({ ...larger, servedSize: served.size });
  }

  /** The inclusion proof of an entry, in the current tree or an earlier size of it. */
  async inclusionProof(index: number, treeSize?: number): Promise<Uint8Array[]> {
    const { tiles } = await this.#ready();
    const size = this.#within(treeSize ?? tiles.size, tiles.size);
    return proveInclusion(index, size, tiles.hashes);
  }

  /** The consistency proof between two sizes, 0 < oldSize <= newSize <= the current size. */
  async consistencyProof(oldSize: number, newSize?: number): Promise<Uint8Array[]> {
    const { tiles } = await this.#ready();
    const size = this.#within(newSize ?? tiles.size, tiles.size);
    return proveConsistency(oldSize, size, tiles.hashes);
  }

  /** The root, 32 bytes, that the current tree had at an earlier size. */
  async rootAt(size: number): Promise<Uint8Array> {
    const { tiles } = await this.#ready();
    return treeRoot(this.#within(size, tiles.size), tiles.hashes);
  }

  /** A C2SP tlog-proof of one entry under the current checkpoint. */
  async tlogProof(index: number): Promise<Uint8Array> {
    const { checkpoint } = await this.#ready();
    const proof = await this.inclusionProof(index, checkpoint.size);
    return formatTlogProof({ index, proof, checkpoint: checkpoint.note });
  }

  /** One entry. Throws ClientError `out_of_range` beyond the current tree. */
  async entry(index: number): Promise<Uint8Array> {
    const { tiles } = await this.#ready();
    if (index >= tiles.size) throw outOfRange(`index below ${tiles.size}`, index);
    const bundle = await tiles.bundle(Math.floor(index / TILE_WIDTH));
    const entry = bundle.entries[index % TILE_WIDTH];
    if (!entry) throw outOfRange(`index below ${tiles.size}`, index);
    return entry;
  }

  /** Entries `from` up to but not including `to`, which is the current size unless given. */
  async *entries(from = 0, to?: number): AsyncGenerator<LogEntry, void, undefined> {
    for await (const { start, entries, leafHashes } of this.bundles(from, to)) {
      for (const [i, entry] of entries.entries()) {
        yield { index: start + i, entry, leafHash: leafHashes[i] ?? new Uint8Array() };
      }
    }
  }

  /** Like `entries`, a bundle at a time: the fastest way through a log. Cut to the range asked for. */
  async *bundles(from = 0, to?: number): AsyncGenerator<VerifiedBundle, void, undefined> {
    const { tiles } = await this.#ready();
    const end = this.#within(to ?? tiles.size, tiles.size);
    this.#within(from, tiles.size);
    if (from >= end) return;
    await tiles.edge();
    const last = Math.ceil(end / TILE_WIDTH);
    const ahead: Promise<VerifiedBundle>[] = [];
    let next = Math.floor(from / TILE_WIDTH);
    for (;;) {
      while (next < last && ahead.length < (this.#options.parallel ?? 8)) {
        const bundle = tiles.bundle(next++);
        // Whoever stops early never awaits what was fetched ahead.
        bundle.catch(() => undefined);
        ahead.push(bundle);
      }
      const bundle = await ahead.shift();
      if (!bundle) return;
      const skip = Math.max(0, from - bundle.start);
      const count = Math.min(bundle.entries.length, end - bundle.start);
      yield {
        start: bundle.start + skip,
        entries: bundle.entries.slice(skip, count),
        leafHashes: bundle.leafHashes.slice(skip, count),
      };
    }
  }

  #evaluate(note: Uint8Array): VerifiedCheckpoint {
    const evaluation = evaluatePolicy(this.#policy, note);
    const { origin, size, rootHash } = evaluation.checkpoint;
    if (this.#origin !== undefined && origin !== this.#origin) {
      throw new ClientError(
        'bad_checkpoint',
        `checkpoint: expected origin ${quote(this.#origin)}, found ${quote(origin)}`,
        'the address serves another log than before, or than it was taken for',
      );
    }
    // RFC 6962 §2.1: the root of no leaves is the hash of the empty string, whoever signed otherwise.
    if (size === 0 && !equalBytes(rootHash, emptyRoot())) {
      throw new RefusedCheckpointError(
        'bad_checkpoint',
        `checkpoint of size 0: expected the root ${encodeBase64(emptyRoot())}, found ${encodeBase64(rootHash)}`,
        'keep it: it proves by itself that the log lied',
        note,
      );
    }
    if (!evaluation.met) {
      throw new RefusedCheckpointError(
        'quorum_not_met',
        `checkpoint of size ${size}: expected the cosignatures that the policy asks for, found ${evaluation.cosignatures.length} that count`,
        'wait for the witnesses, or look at the policy',
        note,
      );
    }
    return { origin, size, rootHash, note, evaluation };
  }

  async #lastSeen(origin: string): Promise<TreeHead | undefined> {
    const note = await this.#options.lastSeen?.load(origin);
    const current = this.#current?.checkpoint;
    const own = current?.origin === origin ? current : undefined;
    if (!note) return own;
    // Not by the policy: it may have changed since, and what was seen was seen.
    const { size, rootHash, origin: found } = parseCheckpoint(parseNote(note).text);
    if (found !== origin) {
      throw new ClientError(
        'bad_checkpoint',
        `last seen checkpoint: expected origin ${quote(origin)}, found ${quote(found)}`,
        'the store of last seen checkpoints mixes logs up',
      );
    }
    return own && own.size > size ? own : { origin, size, rootHash, note };
  }

  /** Throws unless the smaller tree is a prefix of the larger one, whose tiles these are. */
  async #checkPrefix(smaller: TreeHead, larger: TreeHead, tiles: VerifiedTiles): Promise<void> {
    if (smaller.size === 0) return; // every tree extends the empty one
    const found = smaller.size === larger.size ? larger.rootHash : await treeRoot(smaller.size, tiles.hashes);
    if (equalBytes(found, smaller.rootHash)) return;
    const message = `${smaller.origin}: its tree of size ${smaller.size} had the root ${encodeBase64(smaller.rootHash)}, the one of size ${larger.size} contains ${encodeBase64(found)}`;
    const notes = [smaller.note, larger.note] as const;
    if (smaller.size === larger.size) throw new InconsistentError(message, notes);
    const proof = await proveConsistency(smaller.size, larger.size, tiles.hashes);
    throw new InconsistentError(message, notes, { rootHash: found, proof });
  }

  #tiles({ size, rootHash }: TreeHead): VerifiedTiles {
    const current = this.#current?.tiles;
    if (current && current.size === size && equalBytes(current.root, rootHash)) return current;
    return new VerifiedTiles(this.#source, size, rootHash, this.#options.cache);
  }

  #adopt(checkpoint: VerifiedCheckpoint): VerifiedCheckpoint {
    this.#origin = checkpoint.origin;
    this.#current = { checkpoint, tiles: this.#tiles(checkpoint) };
    return checkpoint;
  }

  async #ready(): Promise<{ checkpoint: VerifiedCheckpoint; tiles: VerifiedTiles }> {
    if (!this.#current) await this.checkpoint();
    if (!this.#current)
      throw new ClientError('not_found', 'no checkpoint was adopted', 'read the checkpoint first');
    return this.#current;
  }

  #within(size: number, limit: number): number {
    if (!Number.isSafeInteger(size) || size < 0 || size > limit)
      throw outOfRange(`size up to ${limit}`, size);
    return size;
  }
}

function outOfRange(expected: string, found: number): ClientError {
  return new ClientError(
    'out_of_range',
    `expected ${expected}, found ${found}`,
    'read a newer checkpoint, if the log has grown',
  );
}
