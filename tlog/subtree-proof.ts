// Subtrees and their consistency proofs: that leaves [start, end), hashed as a tree of their own, are the
// leaves that a larger tree has there. Source: draft-ietf-plants-merkle-tree-certs-03 §4.1 and §4.4, which
// C2SP tlog-witness (sign-subtree) and tlog-cosignature name.
//
// From start 0 it is RFC 6962's consistency proof, for a single leaf its inclusion proof.
import { safeInteger } from './encoding.js';
import { TlogError } from './errors.js';
import { checkHash, nodeHash } from './merkle.js';
import { checkProof, checkRoot, rangeHashes, walk, type HashReader, type Sibling } from './tree-walk.js';

/**
 * Whether [start, end) is a subtree: 0 <= start < end, and start a multiple of the smallest power of two
 * that is at least end - start. Both are safe integers. Draft §4.1.
 */
export function isSubtree(start: number, end: number): boolean {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) return false;
  if (start < 0 || start >= end) return false;
  let width = 1;
  while (width < end - start) width *= 2;
  return start % width === 0;
}

/**
 * SUBTREE_PROOF(start, end, D[n]): the way from the whole tree to the subtree. Where the subtree ends
 * inside a node of the tree, the way goes on to the last node that they share, which begins at `seed`;
 * what it leaves on the left from start on is then in both.
 */
function subtreeWalk(start: number, end: number, treeSize: number): { siblings: Sibling[]; seed: number } {
  safeInteger(treeSize, 'tree size');
  // SPEC (draft §4.4): "Check that [start, end) is a valid subtree, and that end <= n."
  if (!isSubtree(start, end) || end > treeSize) {
    throw new TlogError(
      'bad_subtree',
      `subtree consistency proof: expected a subtree of a tree of ${treeSize} leaves, found [${start}, ${end})`,
      'its start is a multiple of the smallest power of two that is at least its size',
    );
  }
  let seed = start;
  const { siblings } = walk(
    treeSize,
    (lo, hi) => lo === seed && hi === end,
    (middle) => {
      if (end <= middle) return true;
      seed = Math.max(seed, middle);
      return false;
    },
  );
  return { siblings, seed };
}

/**
 * The proof that leaves [start, end) are those that the tree of `treeSize` leaves has there. Requires
 * isSubtree(start, end) and end <= treeSize. Calls `read` at most once. Throws TlogError "bad_subtree".
 * Draft §4.4.1.
 */
export async function proveSubtree(
  start: number,
  end: number,
  treeSize: number,
  read: HashReader,
): Promise<Uint8Array[]> {
  const { siblings, seed } = subtreeWalk(start, end, treeSize);
  return rangeHashes(seed === start ? siblings : [{ lo: seed, hi: end }, ...siblings], read);
}

/**
 * Checks that the subtree [start, end) with this hash is consistent with the tree that has this root, both
 * hashes of 32 bytes. Throws TlogError "bad_proof" or "root_mismatch" if the proof does not hold, and
 * "bad_subtree", "bad_hash" or "unsafe_integer" for arguments no proof could have. Draft §4.4.3.
 */
export function verifySubtreeConsistency(claim: {
  start: number;
  end: number;
  treeSize: number;
  subtreeHash: Uint8Array;
  rootHash: Uint8Array;
  proof: readonly Uint8Array[];
}): void {
  const { siblings, seed } = subtreeWalk(claim.start, claim.end, claim.treeSize);
  checkHash(claim.subtreeHash, 'subtree hash');
  checkHash(claim.rootHash, 'root hash');
  const seeded = seed !== claim.start;
  checkProof(claim.proof, siblings.length + (seeded ? 1 : 0), 'subtree consistency proof');
  const first = (seeded ? claim.proof[0] : undefined) ?? claim.subtreeHash;
  const rest = seeded ? claim.proof.slice(1) : claim.proof;
  let inner = first;
  let outer = first;
  rest.forEach((sibling, i) => {
    const { side, lo } = siblings[i] ?? { side: 'right', lo: 0 };
    if (side === 'right') {
      outer = nodeHash(outer, sibling);
      return;
    }
    outer = nodeHash(sibling, outer);
    // What lies left of the subtree is only in the tree.
    if (lo >= claim.start) inner = nodeHash(sibling, inner);
  });
  checkRoot(inner, claim.subtreeHash, 'subtree consistency proof, subtree');
  checkRoot(outer, claim.rootHash, 'subtree consistency proof, tree');
}
