// draft-ietf-plants-merkle-tree-certs-03 §4.1 and §4.4 transcribed as they are written, to judge the fast
// code by: the recursion that makes a proof, and the bit-shifting procedure that checks one.
import { createHash } from 'node:crypto';
import type { ReferenceTree } from './merkle.js';

/** §4.1: "0 <= start < end <= n", "start is a multiple of BIT_CEIL(end - start)". */
export function referenceIsSubtree(start: number, end: number, n: number): boolean {
  if (!(0 <= start && start < end && end <= n)) return false;
  let ceil = 1n;
  while (ceil < BigInt(end - start)) ceil <<= 1n;
  return BigInt(start) % ceil === 0n;
}

/** SUBTREE_PROOF(start, end, D_n). §4.4.1 */
export function referenceSubtreeProof(
  tree: ReferenceTree,
  start: number,
  end: number,
  n: number,
): Uint8Array[] {
  return subproof(tree, start, end, 0, n, true);
}

/** SUBTREE_SUBPROOF over D[base : base + n]; start and end count from base. */
function subproof(
  tree: ReferenceTree,
  start: number,
  end: number,
  base: number,
  n: number,
  b: boolean,
): Uint8Array[] {
  if (start === 0 && end === n) return b ? [] : [tree.mth(base, base + n)];
  let k = 1;
  while (2 * k < n) k = 2 * k;
  const left = tree.mth(base, base + k);
  if (end <= k) return [...subproof(tree, start, end, base, k, b), tree.mth(base + k, base + n)];
  if (k <= start) return [...subproof(tree, start - k, end - k, base + k, n - k, b), left];
  return [...subproof(tree, 0, end - k, base + k, n - k, false), left];
}

/** §4.4.3, step by step. */
export function referenceVerifySubtree(
  start: number,
  end: number,
  n: number,
  proof: readonly Uint8Array[],
  nodeHash: Uint8Array,
  rootHash: Uint8Array,
): boolean {
  // 1.
  if (!referenceIsSubtree(start, end, n)) return false;
  // 2.
  let [fn, sn, tn] = [BigInt(start), BigInt(end) - 1n, BigInt(n) - 1n];
  const shift = (): void => {
    [fn, sn, tn] = [fn >> 1n, sn >> 1n, tn >> 1n];
  };
  // 3. and 4.
  if (sn === tn) while (fn !== sn) shift();
  else while (fn !== sn && sn % 2n === 1n) shift();
  // 5. and 6.
  const rest = [...proof];
  const first = fn === sn ? nodeHash : rest.shift();
  if (first === undefined) return false;
  let [fr, sr] = [first, first];
  // 7.
  for (const c of rest) {
    if (tn === 0n) return false;
    if (sn % 2n === 1n || sn === tn) {
      if (fn < sn) fr = hash(c, fr);
      sr = hash(c, sr);
      while (sn % 2n === 0n) shift();
    } else {
      sr = hash(sr, c);
    }
    shift();
  }
  // 8.
  return tn === 0n && same(fr, nodeHash) && same(sr, rootHash);
}

function hash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(Uint8Array.of(1)).update(left).update(right).digest());
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
