import { KEYS, encodeLedgerLine, ledgerDigest } from '../../attestation/index.js';
import { decodeHex, encodeHex, equalBytes } from '../../tlog/index.js';
import { reason } from '../storage/error.js';
import type { LevelTreeState } from '../storage/level-state.js';
import type { EffectsOf, KeyedReader, StateCounts } from '../storage/types.js';
import type { Problem } from './tree-check.js';

/** Identities and ledger as the entries make them, computed anew from the first entry on. */
export interface Effects {
  /** Entries replayed so far. */
  readonly size: number;
  /** As the entries replayed so far make it. */
  readonly store: KeyedReader;
  /** The first thing that admission would not have let in; nothing is replayed behind it. */
  readonly refused: string | undefined;
  add(first: number, entries: readonly Uint8Array[]): Promise<void>;
  /** The ledger's line after the entries replayed so far; undefined where they keep no ledger. */
  line(): Promise<string | undefined>;
  /** Compares with what a state has, both ways: each key, and how many there are. */
  compare(
    state: LevelTreeState,
    counts: StateCounts | undefined,
    report: (problem: Problem) => void,
  ): Promise<{ identities: number; ledgerKeys: number }>;
}

/**
 * Replays in memory: of the size of the ledger and of one identity per entry. `treeRoot` answers for
 * any earlier size, since an anchor names the tree it covers.
 */
export function replayEffects(effects: EffectsOf, treeRoot: (size: number) => Promise<Uint8Array>): Effects {
  const ledger = new Map<string, Uint8Array>();
  const ids = new Map<string, number>();
  let size = 0;
  let refused: string | undefined;
  const store = { get: (key: string): Promise<Uint8Array | undefined> => Promise.resolve(ledger.get(key)) };
  return {
    store,
    get size() {
      return size;
    },
    get refused() {
      return refused;
    },
    async add(first, entries) {
      for (const [i, entry] of entries.entries()) {
        if (refused !== undefined || first + i !== size) return;
        try {
          const { id, ledger: changes } = await effects(store, size, entry, treeRoot);
          if (id) ids.set(encodeHex(id), size);
          for (const [key, value] of changes) {
            if (value === null) ledger.delete(key);
            else ledger.set(key, value);
          }
        } catch (error) {
          refused = `entry ${size}: ${reason(error)}`;
          return;
        }
        size++;
      }
    },
    async line() {
      return ledger.has(KEYS.digest) ? encodeLedgerLine(await ledgerDigest(store)) : undefined;
    },
    async compare(state, counts, report) {
      // The digest lies beside the ledger and is not one of its keys: spec/attestations.md "The ledger".
      const ledgerKeys = ledger.has(KEYS.digest) ? ledger.size - 1 : ledger.size;
      const done = { identities: ids.size, ledgerKeys };
      // Nobody could scrub it: then each key has to be looked up to tell which are left.
      if (counts && state.holdsExactly(idPairs(ids), ledger)) return done;
      for (const [id, index] of ids) {
        const found = await state.lookup(decodeHex(id)).catch(reason);
        if (found === index) continue;
        report({ file: 'state', expected: `index ${index} for identity ${id}`, found: String(found) });
      }
      for (const [key, value] of ledger) {
        const found = await state.ledger.get(key).catch(reason);
        if (found instanceof Uint8Array && equalBytes(found, value)) continue;
        const what = found instanceof Uint8Array ? 'another value' : (found ?? 'no such key');
        report({ file: 'state', expected: `the value that the entries give ${key}`, found: what });
      }
      if (counts && (counts.ids !== ids.size || counts.ledger !== ledger.size)) {
        report({
          file: 'state',
          expected: `${ids.size} identities and ${ledger.size} ledger keys`,
          found: `${counts.ids} and ${counts.ledger}`,
        });
      }
      return done;
    },
  };
}

function* idPairs(ids: ReadonlyMap<string, number>): Generator<[Uint8Array, number]> {
  for (const [id, index] of ids) yield [decodeHex(id), index];
}
