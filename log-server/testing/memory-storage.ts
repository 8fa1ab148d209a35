import {
  CompactRange,
  TILE_WIDTH,
  equalBytes,
  formatBundle,
  formatTile,
  leafHash,
  nodeHash,
  parseCheckpoint,
  parseNote,
  treeRoot,
} from '../../tlog/index.js';
import { StorageError } from '../storage/error.js';
import type { HashReader, NodeId, TileId } from '../../tlog/index.js';
import type { Batch, Committed, KeyedReader, LogStorage } from '../storage/types.js';

/** What a pipeline test may make fail, once each: the next call of that name throws it. */
export type Faults = Partial<
  Record<'commit' | 'makeReadable' | 'writeSigned' | 'writePublished', StorageError>
>;

/**
 * A LogStorage in memory with the contract's checks and nothing durable, for tests of the pipeline.
 * Quadratic, so for small logs only.
 */
export class MemoryStorage implements LogStorage {
  readonly origin: string;
  readonly mended: readonly string[] = [];
  readonly faults: Faults = {};
  readonly ledgerMap: Map<string, Uint8Array> = new Map();
  /** The names of the calls so far, in order. */
  readonly calls: string[] = [];
  readableSize: number = 0;
  signed: Uint8Array | undefined;
  published: { note: Uint8Array; policy: Uint8Array } | undefined;
  readonly #entries: Uint8Array[] = [];
  readonly #hashes: Uint8Array[] = [];
  readonly #ids = new Map<string, number>();
  readonly #witnessSizes = new Map<string, number>();

  constructor(origin: string) {
    this.origin = origin;
  }

  get size(): number {
    return this.#entries.length;
  }

  rootHash(): Uint8Array {
    return range(this.#hashes).root();
  }

  readonly ledger: KeyedReader = {
    get: (key: string): Promise<Uint8Array | undefined> => Promise.resolve(this.ledgerMap.get(key)),
  };

  async commit(batch: Batch): Promise<Committed> {
    this.#call('commit');
    await Promise.resolve();
    if (batch.oldSize !== this.size)
      throw new StorageError('size_conflict', `${batch.oldSize} is not ${this.size}`);
    const leafHashes = batch.entries.map(leafHash);
    this.#entries.push(...batch.entries);
    this.#hashes.push(...leafHashes);
    for (const [id, index] of batch.ids ?? []) this.#ids.set(String(id), index);
    for (const [key, value] of batch.ledger ?? []) {
      if (value === null) this.ledgerMap.delete(key);
      else this.ledgerMap.set(key, value);
    }
    return { size: this.size, rootHash: this.rootHash(), leafHashes };
  }

  makeReadable(): Promise<number> {
    this.#call('makeReadable');
    this.readableSize = this.size;
    return Promise.resolve(this.size);
  }

  async writeSigned(note: Uint8Array): Promise<void> {
    this.#call('writeSigned');
    await this.#check(note, this.signed, this.readableSize);
    this.signed = note;
  }

  async writePublished(note: Uint8Array, policy: Uint8Array): Promise<void> {
    this.#call('writePublished');
    await this.#check(note, this.published?.note, this.signed === undefined ? -1 : sizeOf(this.signed));
    this.published = { note, policy };
  }

  lookup(id: Uint8Array): Promise<number | undefined> {
    return Promise.resolve(this.#ids.get(String(id)));
  }

  witnessSize(name: string): Promise<number | undefined> {
    return Promise.resolve(this.#witnessSizes.get(name));
  }

  putWitnessSizes(sizes: ReadonlyMap<string, number>): Promise<void> {
    for (const [name, size] of sizes) this.#witnessSizes.set(name, size);
    return Promise.resolve();
  }

  readEntry(index: number): Promise<Uint8Array> {
    const entry = this.#entries[index];
    return entry === undefined
      ? Promise.reject(new StorageError('state_damaged', 'no entry'))
      : Promise.resolve(entry);
  }

  readTile({ level, index, width }: TileId): Promise<Uint8Array | undefined> {
    const span = TILE_WIDTH ** level;
    const start = index * TILE_WIDTH;
    if ((start + width) * span > this.readableSize) return Promise.resolve(undefined);
    const hashes = Array.from({ length: width }, (_, i) =>
      range(this.#hashes.slice((start + i) * span, (start + i + 1) * span)).root(),
    );
    return Promise.resolve(formatTile(hashes));
  }

  readBundle(index: number, width: number): Promise<Uint8Array | undefined> {
    const start = index * TILE_WIDTH;
    if (start + width > this.readableSize) return Promise.resolve(undefined);
    return Promise.resolve(formatBundle(this.#entries.slice(start, start + width)));
  }

  hashReader(): HashReader {
    return (nodes) => Promise.resolve(nodes.map((node) => this.#node(node)));
  }

  rootAt(treeSize: number): Promise<Uint8Array> {
    return treeRoot(treeSize, this.hashReader());
  }

  scrub(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.calls.push('close');
    return Promise.resolve();
  }

  #node({ level, index }: NodeId): Uint8Array {
    if (level === 0) return this.#hashes[index] ?? new Uint8Array(0);
    const half = { level: level - 1, index: 2 * index };
    return nodeHash(this.#node(half), this.#node({ level: level - 1, index: 2 * index + 1 }));
  }

  #call(name: keyof Faults): void {
    this.calls.push(name);
    const fault = this.faults[name];
    this.faults[name] = undefined as never;
    if (fault !== undefined) throw fault;
  }

  async #check(note: Uint8Array, last: Uint8Array | undefined, limit: number): Promise<void> {
    const { size, rootHash } = parseCheckpoint(parseNote(note).text);
    if (size > limit || (last !== undefined && size < sizeOf(last))) {
      throw new StorageError('not_allowed', `size ${size}: limit ${limit}`);
    }
    if (!equalBytes(rootHash, await this.rootAt(size))) throw new StorageError('not_allowed', 'another root');
  }
}

function range(hashes: readonly Uint8Array[]): CompactRange {
  const edge = new CompactRange();
  for (const hash of hashes) edge.append(hash);
  return edge;
}

function sizeOf(note: Uint8Array): number {
  return parseCheckpoint(parseNote(note).text).size;
}
