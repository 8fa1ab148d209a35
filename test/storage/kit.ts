/** What the tests of storage share: a log key, notes, entries, folders that vanish afterwards. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  COSIGNATURE_ED25519,
  CompactRange,
  NOTE_ED25519,
  type SigningKey,
  concatBytes,
  encodeUtf8,
  formatCheckpoint,
  leafHash,
  newSigningKey,
  sha256,
  signNote,
} from '../../tlog/index.js';
import type { EffectsOf, LogStorage, LogStorageOptions } from '../../log-server/storage/index.js';

export const ORIGIN = 'log.example/storage';
export const KEY: SigningKey = newSigningKey(ORIGIN, NOTE_ED25519, new Uint8Array(32).fill(3));
const WITNESS: SigningKey = newSigningKey('w.example', COSIGNATURE_ED25519, new Uint8Array(32).fill(4));
export const POLICY: Uint8Array = encodeUtf8('quorum none\n');

export function optionsFor(folder: string, more: Partial<LogStorageOptions> = {}): LogStorageOptions {
  return {
    folder: join(folder, 'data'),
    keyFolder: folder,
    origin: ORIGIN,
    logKeys: [KEY.vkey],
    reserveBytes: 0,
    ...more,
  };
}

/** Entry data that tells its index, of varying length. */
export function entryAt(index: number, salt = ''): Uint8Array {
  return encodeUtf8(`entry ${index} ${salt}${'x'.repeat((index * 37) % 90)}`);
}

export function entriesFrom(first: number, count: number, salt = ''): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => entryAt(first + i, salt));
}

/** RFC 6962 root, by appending one leaf after the other. */
export function rootOf(entries: readonly Uint8Array[]): Uint8Array {
  const range = new CompactRange();
  for (const entry of entries) range.append(leafHash(entry));
  return range.root();
}

/** Signed once: tests that fail at each operation in turn come to the same few heads again and again. */
const notes = new Map<string, Uint8Array>();

export function noteFor(size: number, rootHash: Uint8Array, cosigned = false): Uint8Array {
  const text = formatCheckpoint({ origin: ORIGIN, size, rootHash, extensions: [] });
  const name = `${text}${cosigned}`;
  const note = notes.get(name) ?? signNote(text, cosigned ? [KEY, WITNESS] : [KEY], 1_700_000_000);
  notes.set(name, note);
  return note.slice();
}

/** Identity and ledger changes of an entry, in the manner of an admission: the ledger depends on its past. */
export const effects: EffectsOf = async (store, index, entry) => {
  const before = (await store.get('chain')) ?? new Uint8Array(0);
  return {
    id: sha256(entry),
    ledger: new Map([
      [`length/${index}`, encodeUtf8(String(entry.length))],
      ['chain', sha256(concatBytes(before, entry.subarray(0, 8)))],
    ]),
  };
};

/** Commits one batch with the identities and the ledger changes of its entries. */
export async function commitBatch(storage: LogStorage, entries: readonly Uint8Array[]): Promise<void> {
  const first = storage.size;
  const ids: [Uint8Array, number][] = [];
  const ledger = new Map<string, Uint8Array | null>();
  const store = {
    get: async (key: string): Promise<Uint8Array | undefined> =>
      ledger.get(key) ?? (await storage.ledger.get(key)),
  };
  for (const [i, entry] of entries.entries()) {
    const made = await effects(store, first + i, entry, (size) => storage.rootAt(size));
    if (made.id) ids.push([made.id, first + i]);
    for (const [key, value] of made.ledger) ledger.set(key, value);
  }
  await storage.commit({ oldSize: first, entries, ids, ledger });
}

/** The whole way of one batch, as the sequencer and the publisher go it. */
export async function publishBatch(storage: LogStorage, entries: readonly Uint8Array[]): Promise<void> {
  await commitBatch(storage, entries);
  await publishHead(storage);
}

export async function publishHead(storage: LogStorage): Promise<void> {
  const size = await storage.makeReadable();
  const rootHash = await storage.rootAt(size);
  await storage.writeSigned(noteFor(size, rootHash));
  await storage.writePublished(noteFor(size, rootHash, true), POLICY);
}

/** A folder for one test. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-storage-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The `code` of what a promise is rejected with; fails if it is not. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code);
    throw error;
  }
  throw new Error('expected an error, found none');
}
