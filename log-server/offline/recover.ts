import { rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Fetch } from '../../client/index.js';
import {
  TILE_WIDTH,
  encodeBase64,
  encodeHex,
  equalBytes,
  formatCheckpoint,
  formatNote,
  leafHash,
  openCheckpoint,
  parseNote,
  tileWidth,
} from '../../tlog/index.js';
import { type KeyLock, acquireKeyLock } from '../lock.js';
import { append, appendUnsigned } from './recover-append.js';
import { checkKeysAt } from './recover-keys.js';
import { type Findings, type Origin, type SignedHead, findIn } from './recover-sources.js';
import { type Own, findOwn } from './recover-own.js';
import { finishEarlier, homeOf, swap } from './recover-swap.js';
import { type LeafHashes, findLeafHashes, readBundle } from './recover-tree.js';
import { StorageError } from '../storage/error.js';
import { keysAt, keysDue } from '../storage/note-check.js';
import { createForRecovery, openLogStorage } from '../storage/open.js';
import type { EffectsOf, LogStorageOptions } from '../storage/types.js';

/** Options of {@link recover}. */
export interface RecoverOptions extends Omit<LogStorageOptions, 'step'> {
  /** URLs of mirrors; folders with a mirror, a backup, a reader's cache, or submitters' proofs and envelopes. */
  readonly from: readonly string[];
  /** How identities and ledger come about from the entries; absent with `--admission none`. */
  readonly effects?: EffectsOf;
  /** For the name of the folder that is kept. */
  readonly now: Date;
  /**
   * Signs the head that the mark beside the key remembers, if its note is gone or lacks a line: the same
   * text again, with deterministic signatures, so nothing new is signed.
   */
  readonly signHead?: (text: string) => Uint8Array;
  readonly fetch?: Fetch;
  readonly onProgress?: (entries: number, size: number) => void;
}

/** What recover did. */
export interface RecoverResult {
  readonly size: number;
  readonly rootHash: Uint8Array;
  /** Where the head was found that all entries below its size hash to. */
  readonly headFrom: string;
  readonly headSize: number;
  /** Entries behind that head that were committed, and that no head found covers; they were kept. */
  readonly unsigned: number;
  /** Where the folder as it was now lies; undefined if there was none. */
  readonly kept: string | undefined;
  /** How many entries each place gave. */
  readonly taken: ReadonlyMap<string, number>;
  readonly remarks: readonly string[];
}

const SUCCESSOR =
  'bring more with --from: a mirror, a backup, a cache, envelopes of submitters. If there is nothing more, this log has ended: keep the folder, make a new key and a new origin with `stele-log init`, and publish that the new log succeeds this one at the size last published';

/** With what was wrong on the way: a state that could not be read is not one that holds nothing. */
function refuse(found: string, remarks: readonly string[]): StorageError {
  const words = remarks.length === 0 ? '' : ` (${remarks.join('; ')})`;
  return new StorageError('not_recoverable', `recover: ${found}${words}`, SUCCESSOR);
}

/**
 * Rebuilds a log's folder: from its own bundles, tail and readable values, then from the places
 * given, taking only what hashes to the largest head found under the log's signature. The folder as it
 * was is renamed and never written to. Throws StorageError "not_recoverable", before anything was
 * moved, if an entry below that head cannot be had; "locked" while the log runs; LogError "wrong_log_key", before
 * anything was signed, if the list of keys is of another time than that head.
 */
export async function recover(options: RecoverOptions): Promise<RecoverResult> {
  const folder = await homeOf(resolve(options.folder));
  const lock = await acquireKeyLock(resolve(options.keyFolder), options.logKeys[0].keyId);
  let built: Built;
  let kept: string | undefined;
  try {
    if (await finishEarlier(folder)) {
      built = { headFrom: 'an earlier run', headSize: 0, unsigned: 0, taken: new Map(), remarks: [] };
    } else {
      built = await build(folder, options, await plan(folder, options, lock));
      kept = await swap(folder, options.now);
    }
  } finally {
    await lock.close();
  }
  // Opening checks all of it once more, now with the real lock and mark.
  const storage = await openLogStorage(options);
  try {
    const { size } = storage;
    return { ...built, size, rootHash: storage.rootHash(), kept };
  } finally {
    await storage.close();
  }
}

/** Reads everything at hand, and proves the leaf hashes of the tree to be rebuilt. Writes nothing. */
async function plan(folder: string, options: RecoverOptions, lock: KeyLock): Promise<Plan> {
  const own = await findOwn(folder, options);
  const others: Findings[] = [];
  for (const from of options.from) others.push(await findIn(from, options, options.fetch));
  const all = [own, ...others];
  const remarks = all.flatMap((findings) => findings.remarks);
  const heads = all.flatMap((findings) => findings.heads);
  if (lock.mark) {
    heads.push({ ...lock.mark, from: 'the mark beside the key', note: undefined, published: false });
  }
  if (!heads.some(({ from }) => from === 'signed' || from === 'the mark beside the key')) {
    remarks.push(
      'what was signed last is known from others alone: the witnesses have the last word at start',
    );
  }
  const head = largest(heads, remarks);
  const origins = all.flatMap((findings) => findings.origins);
  const hashes = await provenHashes(origins, head, remarks);
  for (const other of heads) {
    if (!equalBytes(hashes.rootAt(other.size), other.rootHash)) throw forked(head, other);
  }
  return { head, heads, hashes, origins, own, remarks };
}

function forked(a: SignedHead, b: SignedHead): StorageError {
  const show = ({ from, size, rootHash }: SignedHead): string => `${from}: ${size} ${encodeBase64(rootHash)}`;
  return new StorageError(
    'not_recoverable',
    `recover: two heads under this key are of different trees: ${show(a)}; ${show(b)}`,
    'this key has signed two histories. Keep both notes: they are evidence, and the key cannot be used any more',
  );
}

/** The largest head; where its note was found too, that one. */
function largest(heads: readonly SignedHead[], remarks: readonly string[]): SignedHead {
  const [first, ...rest] = [...heads].sort(
    (a, b) => b.size - a.size || Number(b.note !== undefined) - Number(a.note !== undefined),
  );
  if (!first) throw refuse('no head under the log key was found, here or with --from', remarks);
  for (const other of rest) {
    if (other.size === first.size && !equalBytes(other.rootHash, first.rootHash)) throw forked(first, other);
  }
  return first;
}

async function provenHashes(
  origins: readonly Origin[],
  head: SignedHead,
  remarks: readonly string[],
): Promise<LeafHashes> {
  const found = await findLeafHashes(origins, head.size, head.rootHash);
  if ('missing' in found) {
    const ranges = found.missing.map((index) => {
      const first = index * TILE_WIDTH;
      return `[${first}, ${first + tileWidth(0, index, head.size)})`;
    });
    throw refuse(
      `nothing here hashes to the head of size ${head.size} from ${head.from}; missing or doubtful: entries ${ranges.slice(0, 10).join(', ') || 'unknown'}${ranges.length > 10 ? ` and ${ranges.length - 10} more ranges` : ''}`,
      remarks,
    );
  }
  return found;
}

interface Plan {
  readonly head: SignedHead;
  readonly heads: readonly SignedHead[];
  readonly hashes: LeafHashes;
  readonly origins: readonly Origin[];
  readonly own: Own;
  readonly remarks: string[];
}

type Built = Omit<RecoverResult, 'size' | 'rootHash' | 'kept'>;

/** Fills `<folder>.recovering` and renames it to `<folder>.recovered` when it is whole. */
async function build(folder: string, options: RecoverOptions, plan: Plan): Promise<Built> {
  const { head, hashes, origins, own, remarks } = plan;
  const taken = new Map<string, number>();
  const work = `${folder}.recovering`;
  await rm(work, { recursive: true, force: true });
  const storage = await createForRecovery({ ...options, folder: work });
  try {
    const missing: number[] = [];
    for (let index = 0; index * TILE_WIDTH < head.size; index++) {
      const leaves = hashes.tile(index);
      const entries = await bundleFor(origins, index, leaves, taken);
      entries.forEach((entry, i) => !entry && missing.push(index * TILE_WIDTH + i));
      // Goes on only to name everything that is missing.
      if (missing.length > 0) continue;
      const whole = entries.flatMap((entry) => entry ?? []);
      await append(storage, whole, options.effects, (size) => Promise.resolve(hashes.rootAt(size)));
      options.onProgress?.(storage.size, head.size);
    }
    if (missing.length > 0) {
      const shown = missing.slice(0, 20).join(', ');
      throw refuse(
        `${missing.length} entries are in no place that was given: ${shown}${missing.length > 20 ? ', …' : ''}`,
        remarks,
      );
    }
    await checkKeysAt(head, storage.ledger, options);
    const unsigned = await appendUnsigned(storage, own, options.effects, remarks);
    await storage.makeReadable();
    await storage.writeSigned(ownNote(head, options));
    const published = publishedOf(plan.heads);
    if (published?.note) {
      const note = withOwnLines(published, published.note, options);
      await storage.writePublished(note, published.policy ?? new Uint8Array(0));
    } else {
      remarks.push('no published note was found: the log publishes anew once a quorum cosigns');
    }
    if (own.salvage.witnesses.size > 0) await storage.putWitnessSizes(own.salvage.witnesses);
    await storage.close();
    await rename(work, `${folder}.recovered`);
    return { headFrom: head.from, headSize: head.size, unsigned, taken, remarks };
  } catch (error) {
    await storage.close();
    await rm(work, { recursive: true, force: true });
    throw error;
  }
}

/**
 * The head as the log signed it: a line by each key whose turn it was, and no others. A key that has retired
 * since signs nothing again: its line is there where somebody kept it.
 */
function ownNote(head: SignedHead, options: RecoverOptions): Uint8Array {
  const { origin, logKeys } = options;
  const { size, rootHash } = head;
  const due = new Set(keysDue(options, size).map(({ keyId }) => keyId));
  const turn = new Set(keysAt(options, size).map(({ keyId }) => keyId));
  const found = head.note === undefined ? [] : openCheckpoint(head.note, logKeys, [], origin).logSignatures;
  const lines = found.filter(({ vkey }) => turn.has(vkey.keyId));
  const has = (keyId: number): boolean => lines.some(({ vkey }) => vkey.keyId === keyId);
  const text = formatCheckpoint({ origin, size, rootHash, extensions: [] });
  if (lines.length > 0 && [...due].every(has)) return formatNote({ text, signatures: lines });
  const note = options.signHead?.(text);
  if (!note)
    throw refuse(
      `the note of the last signed head, size ${size}, is gone or lacks a line; the log's keys are needed to sign it again`,
      [],
    );
  const signed = parseNote(note).signatures.filter(({ keyId }) => due.has(keyId));
  const kept = lines.filter(({ vkey }) => !due.has(vkey.keyId));
  if (signed.length + kept.length === 0)
    throw refuse(`no key that signs still signed heads of size ${size}, and its note is gone`, []);
  return formatNote({ text, signatures: [...kept, ...signed] });
}

/**
 * A published note in which a line of the log's own is missing (a witness keeps those it knows) gets it back, and
 * one by a key that had retired before goes.
 */
function withOwnLines(head: SignedHead, note: Uint8Array, options: RecoverOptions): Uint8Array {
  const { text, signatures } = parseNote(note);
  const own = parseNote(ownNote(head, options)).signatures;
  const isOwn = (line: { name: string; keyId: number }): boolean =>
    options.logKeys.some(({ name, keyId }) => line.name === name && line.keyId === keyId);
  return formatNote({ text, signatures: [...own, ...signatures.filter((line) => !isOwn(line))] });
}

/** The largest published note, the one with a policy if there is a choice. */
function publishedOf(heads: readonly SignedHead[]): SignedHead | undefined {
  const published = heads.filter((head) => head.published);
  const best = published.sort(
    (a, b) => b.size - a.size || Number(b.policy !== undefined) - Number(a.policy !== undefined),
  )[0];
  const policy = best?.policy ?? published.find((head) => head.policy)?.policy;
  return best && { ...best, ...(policy && { policy }) };
}

/** The entries of one bundle, each the one that its proven hash asks for; undefined where nobody has it. */
async function bundleFor(
  origins: readonly Origin[],
  index: number,
  leaves: readonly Uint8Array[],
  taken: Map<string, number>,
): Promise<(Uint8Array | undefined)[]> {
  const entries: (Uint8Array | undefined)[] = leaves.map(() => undefined);
  const offer = (name: string, i: number, entry: Uint8Array | undefined): void => {
    const leaf = leaves[i];
    if (!leaf || !entry || entries[i] || !equalBytes(leafHash(entry), leaf)) return;
    entries[i] = entry;
    taken.set(name, (taken.get(name) ?? 0) + 1);
  };
  for (const { name, source, entries: single, byHash } of origins) {
    if (entries.every((entry) => entry)) break;
    if (source) {
      const bundle = await readBundle(source, index, leaves.length);
      bundle?.forEach((entry, i) => offer(name, i, entry));
    }
    for (const [i, leaf] of leaves.entries()) {
      if (entries[i]) continue;
      offer(name, i, single?.get(index * TILE_WIDTH + i));
      offer(name, i, await byHash?.get(encodeHex(leaf))?.());
    }
  }
  return entries;
}
