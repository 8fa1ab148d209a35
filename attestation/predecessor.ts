// A successor: a log of a new origin and new keys whose charter names the last tree of the one before.
import { encodeHex, openCheckpoint, quote } from '../tlog/index.js';
import type { Vkey } from '../tlog/index.js';
import { AttestationError } from './errors.js';
import type { Terms } from './generated/types.js';

/** What a charter says of the log before; null where there was none. */
export type Predecessor = Terms['predecessor'];

/** The tree of the log before as its reader verified it: a LogReader after `checkpoint()` is one, with its origin and size. */
export interface EarlierTree {
  readonly origin: string;
  readonly size: number;
  /** 32 bytes. Requires size <= this tree's. */
  rootAt(size: number): Promise<Uint8Array>;
}

/**
 * What a charter is to say of a log of which this is the last checkpoint, signed by a key of its own. `vkeys` are
 * those that are known, from elsewhere, to be that log's. Throws TlogError as openCheckpoint does, and
 * AttestationError "bad_predecessor" for a tree without entries: nothing continues that.
 */
export function predecessorOf(note: Uint8Array, vkeys: readonly Vkey[]): NonNullable<Predecessor> {
  const { origin, size, rootHash } = openCheckpoint(note, vkeys).checkpoint;
  if (size === 0) {
    throw new AttestationError(
      'bad_predecessor',
      `predecessor ${quote(origin)}: expected a checkpoint of a tree with entries, found size 0`,
      'a log that never published an entry has no successor',
    );
  }
  return { origin, size, rootHash: encodeHex(rootHash) };
}

/**
 * Holds a charter's predecessor against the tree of that log. Somebody who was shown another history of the
 * log before finds here that the successor does not continue it. Throws AttestationError "bad_predecessor"
 * (the charter names none, or another log), "predecessor_unseen" (its reader has seen less of it: not
 * checkable), "not_a_successor" (another tree).
 */
export async function checkPredecessor(terms: Pick<Terms, 'predecessor'>, tree: EarlierTree): Promise<void> {
  const { predecessor } = terms;
  if (predecessor?.origin !== tree.origin) {
    throw new AttestationError(
      'bad_predecessor',
      `charter: expected ${quote(tree.origin)} as the predecessor, found ${predecessor === null ? 'none' : quote(predecessor.origin)}`,
      'look at entry 0 of the successor, and read the log that it names',
    );
  }
  const { origin, size, rootHash } = predecessor;
  if (size > tree.size) {
    throw new AttestationError(
      'predecessor_unseen',
      `predecessor ${quote(origin)}: expected to have seen a tree of ${size} entries or more, found ${tree.size}`,
      'read that log, or a mirror of it, up to there first',
    );
  }
  const found = encodeHex(await tree.rootAt(size));
  if (found !== rootHash) {
    throw new AttestationError(
      'not_a_successor',
      `predecessor ${quote(origin)}: at size ${size} the charter has the root ${rootHash}, and the log that was read ${found}`,
      'it continues another history than the one you were shown: two checkpoints of one key are evidence',
    );
  }
}
