// Inclusion and consistency proofs, made and checked: RFC 6962 §2.1.1 and §2.1.2. Maker and checker walk
// down the same splits: tree-walk.ts.
import { safeInteger } from './encoding.js';
import { TlogError } from './errors.js';
import { checkHash, emptyRoot, nodeHash } from './merkle.js';
import {
  checkProof,
  checkRoot,
  rangeHashes,
  subtrees,
  walk,
  type HashReader,
  type NodeId,
  type Sibling,
} from './tree-walk.js';

export type { HashReader, NodeId } from './tree-walk.js';

/** PATH(m, D[n]): RFC 6962 §2.1.1. */
function inclusionWalk(index: number, treeSize: number): Sibling[] {
  safeInteger(treeSize, 'tree size');
  if (safeInteger(index, 'leaf index') >= treeSize) {
    throw new TlogError(
      'bad_index',
      `inclusion proof: expected an index below the tree size ${treeSize}, found ${index}`,
      'the entry is not in this tree yet: use a later checkpoint',
    );
  }
  return walk(
    treeSize,
    (lo, hi) => hi - lo === 1,
    (middle) => index < middle,
  ).siblings;
}

/**
 * PROOF(m, D[n]): RFC 6962 §2.1.2. `start` is where the last subtree of the old tree begins; if that
 * is 0 the old root is its hash and the proof leaves it out.
 */
function consistencyWalk(oldSize: number, newSize: number): { siblings: Sibling[]; start: number } {
  safeInteger(newSize, 'new size');
  if (safeInteger(oldSize, 'old size') === 0 || oldSize > newSize) {
    throw new TlogError(
      'bad_size',
      `consistency proof: expected 0 < old size <= new size, found ${oldSize} and ${newSize}`,
      oldSize === 0 ? 'every tree is consistent with the empty one: there is nothing to prove' : '',
    );
  }
  const { siblings, lo } = walk(
    newSize,
    (_, hi) => hi === oldSize,
    (middle) => oldSize <= middle,
  );
  return { siblings, start: lo };
}

/**
 * The inclusion proof of leaf `index` in the tree of `treeSize` leaves, lowest sibling first. Calls
 * `read` at most once. Throws TlogError "bad_index". RFC 6962 §2.1.1.
 */
export async function proveInclusion(
  index: number,
  treeSize: number,
  read: HashReader,
): Promise<Uint8Array[]> {
  return rangeHashes(inclusionWalk(index, treeSize), read);
}

/**
 * The proof that the tree of `oldSize` leaves is a prefix of that of `newSize`; empty if they are the
 * same size. Requires 0 < oldSize <= newSize. Calls `read` at most once. Throws TlogError "bad_size".
 * RFC 6962 §2.1.2.
 */
export async function proveConsistency(
  oldSize: number,
  newSize: number,
  read: HashReader,
): Promise<Uint8Array[]> {
  const { siblings, start } = consistencyWalk(oldSize, newSize);
  return rangeHashes(start === 0 ? siblings : [{ lo: start, hi: oldSize }, ...siblings], read);
}

/** MTH of the first `size` leaves, 32 bytes. Calls `read` at most once. RFC 6962 §2.1. */
export async function treeRoot(size: number, read: HashReader): Promise<Uint8Array> {
  if (safeInteger(size, 'tree size') === 0) return emptyRoot();
  const [root] = await rangeHashes([{ lo: 0, hi: size }], read);
  return checkHash(root ?? new Uint8Array(0), 'root');
}

/** The hashes that the root of a tree of this size is folded from: CompactRange's, as node names. */
export function edgeNodes(size: number): NodeId[] {
  return subtrees(0, safeInteger(size, 'tree size'));
}

/**
 * Checks that the leaf with this 32-byte hash is at `index` in the tree of `treeSize` leaves with
 * this root. Throws TlogError "bad_proof" or "root_mismatch" if the proof does not hold, and
 * "bad_index", "bad_hash" or "unsafe_integer" for arguments no proof could have. RFC 6962 §2.1.1.
 */
export function verifyInclusion(claim: {
  index: number;
  treeSize: number;
  leafHash: Uint8Array;
  proof: readonly Uint8Array[];
  rootHash: Uint8Array;
}): void {
  const siblings = inclusionWalk(claim.index, claim.treeSize);
  checkHash(claim.rootHash, 'root hash');
  checkProof(claim.proof, siblings.length, 'inclusion proof');
  let hash = checkHash(claim.leafHash, 'leaf hash');
  claim.proof.forEach((sibling, i) => {
    hash = siblings[i]?.side === 'left' ? nodeHash(sibling, hash) : nodeHash(hash, sibling);
  });
  checkRoot(hash, claim.rootHash, 'inclusion proof');
}

/**
 * Checks that the tree with the old root is a prefix of the one with the new root. Requires
 * 0 < oldSize <= newSize: what an empty old tree means is the caller's business. Throws TlogError
 * "bad_proof" or "root_mismatch" if the proof does not hold, and "bad_size", "bad_hash" or
 * "unsafe_integer" for arguments no proof could have. RFC 6962 §2.1.2.
 */
export function verifyConsistency(claim: {
  oldSize: number;
  oldRoot: Uint8Array;
  newSize: number;
  newRoot: Uint8Array;
  proof: readonly Uint8Array[];
}): void {
  const { siblings, start } = consistencyWalk(claim.oldSize, claim.newSize);
  checkHash(claim.oldRoot, 'old root');
  checkHash(claim.newRoot, 'new root');
  const seeded = start !== 0;
  checkProof(claim.proof, siblings.length + (seeded ? 1 : 0), 'consistency proof');
  const seed = seeded ? claim.proof[0] : claim.oldRoot;
  const rest = seeded ? claim.proof.slice(1) : claim.proof;
  let oldHash = checkHash(seed ?? claim.oldRoot, 'consistency proof');
  let newHash = oldHash;
  rest.forEach((sibling, i) => {
    // What lies to the left is in both trees, what lies to the right only in the new one.
    if (siblings[i]?.side === 'left') {
      oldHash = nodeHash(sibling, oldHash);
      newHash = nodeHash(sibling, newHash);
    } else {
      newHash = nodeHash(newHash, sibling);
    }
  });
  checkRoot(oldHash, claim.oldRoot, 'consistency proof, old tree');
  checkRoot(newHash, claim.newRoot, 'consistency proof, new tree');
}
