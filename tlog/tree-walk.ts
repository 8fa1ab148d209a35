// What makers and checkers of proofs share: the way down the splits of RFC 6962 §2.1, where a range of n
// leaves is split after k, the largest power of two below n. What lies beside the way is the proof. Written
// with k and plain arithmetic, since bitwise operators cut at 32 bits.
import { encodeBase64, equalBytes } from './encoding.js';
import { TlogError } from './errors.js';
import { checkHash, nodeHash } from './merkle.js';

/** The hash of the perfect subtree over leaves [index*2^level, (index+1)*2^level). */
export interface NodeId {
  level: number;
  index: number;
}

/** Answers with the hashes of these nodes, in the same order. */
export type HashReader = (nodes: readonly NodeId[]) => Promise<Uint8Array[]>;

/** Leaves [lo, hi), and on which side of the way down they lie. */
export interface Sibling {
  lo: number;
  hi: number;
  side: 'left' | 'right';
}

/** The largest power of two that is at most n. Requires n >= 1. */
function powerUpTo(n: number): number {
  let k = 1;
  while (k * 2 <= n) k *= 2;
  return k;
}

/**
 * Walks from the root of [0, size) towards `target`, a leaf or the end of an older tree, and lists
 * what it leaves aside, lowest first as in a proof. `arrived` says when to stop; `goLeft` whether the
 * target lies in the left part, given where the right one begins.
 */
export function walk(
  size: number,
  arrived: (lo: number, hi: number) => boolean,
  goLeft: (middle: number) => boolean,
): { siblings: Sibling[]; lo: number; hi: number } {
  const siblings: Sibling[] = [];
  let lo = 0;
  let hi = size;
  let k = powerUpTo(size);
  while (!arrived(lo, hi)) {
    while (k >= hi - lo) k /= 2;
    const middle = lo + k;
    if (goLeft(middle)) {
      siblings.push({ lo: middle, hi, side: 'right' });
      hi = middle;
    } else {
      siblings.push({ lo, hi: middle, side: 'left' });
      lo = middle;
    }
  }
  return { siblings: siblings.reverse(), lo, hi };
}

/** The perfect subtrees of [lo, hi), largest first. Requires that one perfect subtree begins at lo and covers it. */
export function subtrees(lo: number, hi: number): NodeId[] {
  const nodes: NodeId[] = [];
  for (let start = lo; start < hi;) {
    let level = 0;
    let width = 1;
    while (width * 2 <= hi - start) {
      width *= 2;
      level++;
    }
    nodes.push({ level, index: start / width });
    start += width;
  }
  return nodes;
}

/** Hashes of whole ranges, asked for in one call so that a reader can fetch each tile once. */
export async function rangeHashes(
  ranges: readonly { lo: number; hi: number }[],
  read: HashReader,
): Promise<Uint8Array[]> {
  const wanted = ranges.map(({ lo, hi }) => subtrees(lo, hi));
  const nodes = wanted.flat();
  if (nodes.length === 0) return [];
  const hashes = await read(nodes);
  if (hashes.length !== nodes.length) {
    throw new TlogError(
      'bad_hash',
      `hash reader: expected ${nodes.length} hashes, found ${hashes.length}`,
      'the reader of hashes must answer each that it is asked for',
    );
  }
  let next = 0;
  return wanted.map((parts) => {
    const found = hashes.slice(next, (next += parts.length));
    return found.reduceRight((right, left) => nodeHash(left, right));
  });
}

export function checkProof(proof: readonly Uint8Array[], expected: number, what: string): void {
  if (proof.length !== expected) {
    throw new TlogError(
      'bad_proof',
      `${what}: expected ${expected} hashes, found ${proof.length}`,
      'the proof is of another index or size: fetch it again',
    );
  }
  for (const hash of proof) checkHash(hash, what);
}

export function checkRoot(computed: Uint8Array, expected: Uint8Array, what: string): void {
  if (!equalBytes(computed, expected)) {
    throw new TlogError(
      'root_mismatch',
      `${what}: expected root ${encodeBase64(expected)}, the proof gives ${encodeBase64(computed)}`,
      'the proof is for another tree or another entry, or somebody changed one of them',
    );
  }
}
