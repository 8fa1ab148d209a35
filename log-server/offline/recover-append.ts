// How a rebuilt folder gets its entries: those below the head, then those that were committed behind it.
import { TILE_WIDTH } from '../../tlog/index.js';
import { StorageError, reason } from '../storage/error.js';
import type { EffectsOf, LogStorage } from '../storage/types.js';
import type { Own } from './recover-own.js';
import { readBundle } from './recover-tree.js';

/** One commit, with what admission makes of each entry. */
export async function append(
  storage: LogStorage,
  entries: readonly Uint8Array[],
  effects: EffectsOf | undefined,
  treeRoot: (size: number) => Promise<Uint8Array>,
): Promise<void> {
  const oldSize = storage.size;
  const ledger = new Map<string, Uint8Array | null>();
  const ids: [Uint8Array, number][] = [];
  const store = {
    get: async (key: string): Promise<Uint8Array | undefined> => {
      const changed = ledger.get(key);
      return changed === undefined ? storage.ledger.get(key) : (changed ?? undefined);
    },
  };
  if (effects) {
    for (const [i, entry] of entries.entries()) {
      const result = await effects(store, oldSize + i, entry, treeRoot);
      if (result.id) ids.push([result.id, oldSize + i]);
      for (const [key, value] of result.ledger) ledger.set(key, value);
    }
  }
  await storage.commit({ oldSize, entries, ids, ledger });
  // Every bundle at once would be held in memory otherwise.
  if (storage.size - storage.readableSize >= 16 * TILE_WIDTH) await storage.makeReadable();
}

/**
 * Entries that were committed behind the head, and that no head found covers. In a folder that was not copied nobody
 * was promised anything of them, but a resubmission would get the same index; in a copy they may have been signed since,
 * which the witnesses say at a start.
 */
export async function appendUnsigned(
  storage: LogStorage,
  own: Own,
  effects: EffectsOf | undefined,
  remarks: string[],
): Promise<number> {
  const first = storage.size;
  const bundles = own.origins.find(({ name }) => name === 'bundles')?.source;
  try {
    for (;;) {
      const index = storage.size;
      const bundle = Math.floor(index / TILE_WIDTH);
      const sealed = bundles && (await readBundle(bundles, bundle, TILE_WIDTH));
      const from = index % TILE_WIDTH;
      const batch: Uint8Array[] = [];
      for (let i = from; i < TILE_WIDTH; i++) {
        const entry = own.loose.get(bundle * TILE_WIDTH + i) ?? sealed?.[i];
        if (!entry) break;
        batch.push(entry);
      }
      if (batch.length === 0) break;
      await appendInParts(storage, batch, effects);
    }
    const behind = [...own.loose.keys()].filter((index) => index > storage.size).length;
    if (behind > 0)
      remarks.push(
        `${behind} entries behind entry ${storage.size} are left out, since that one is in no place here: was the folder copied in another order?`,
      );
  } catch (error) {
    if (!isRefusal(error)) throw error;
    remarks.push(
      `entries from ${storage.size} on, which no head found covers, are left out: ${reason(error)}`,
    );
  }
  return storage.size - first;
}

/**
 * Appends what replays. An anchor may cover entries of its own batch, whose tree is known when they are committed: a
 * batch that is refused is tried in halves, until it is one entry that is.
 */
async function appendInParts(
  storage: LogStorage,
  entries: readonly Uint8Array[],
  effects: EffectsOf | undefined,
): Promise<void> {
  try {
    await append(storage, entries, effects, (size) => storage.rootAt(size));
  } catch (error) {
    if (!isRefusal(error) || entries.length === 1) throw error;
    const half = Math.ceil(entries.length / 2);
    await appendInParts(storage, entries.slice(0, half), effects);
    await appendInParts(storage, entries.slice(half), effects);
  }
}

/** Admission, or the storage, does not take the entries; nothing was written. */
function isRefusal(error: unknown): boolean {
  return !(error instanceof StorageError) || error.code === 'not_allowed';
}
