import { safeInteger } from './encoding.js';
import { TlogError } from './errors.js';
import { checkHash, emptyRoot, nodeHash } from './merkle.js';

/** Told of each perfect subtree as it is completed: the hash of leaves [index*2^level, (index+1)*2^level). */
export type NodeVisitor = (level: number, index: number, hash: Uint8Array) => void;

/** How many perfect subtrees [0, size) splits into: the number of one bits in size. */
function subtreeCount(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

/**
 * The right edge of a tree: the hashes of the perfect subtrees that [0, size) splits into, largest
 * first. It is all that appending a leaf and computing the root need, about log2(size) hashes.
 */
export class CompactRange {
  #size: number;
  readonly #hashes: Uint8Array[];

  /**
   * Empty, or as another range's `size` and `hashes` were. Throws TlogError "unsafe_integer", or
   * "bad_edge" if the number of hashes is not that of size's one bits.
   */
  constructor(size = 0, hashes: readonly Uint8Array[] = []) {
    const expected = subtreeCount(safeInteger(size, 'tree size'));
    if (hashes.length !== expected) {
      throw new TlogError(
        'bad_edge',
        `right edge: expected ${expected} hashes for a tree of size ${size}, found ${hashes.length}`,
        'the hashes must be those of the perfect subtrees that make up a tree of that size',
      );
    }
    this.#size = size;
    this.#hashes = hashes.map((hash) => checkHash(hash, 'right edge'));
  }

  /** Number of leaves. */
  get size(): number {
    return this.#size;
  }

  /** A copy of the list, largest subtree first. */
  get hashes(): Uint8Array[] {
    return this.#hashes.slice();
  }

  /** Appends one leaf by its 32-byte hash. Throws TlogError "unsafe_integer" when the tree is full. */
  append(leaf: Uint8Array): void {
    this.appendVisiting(leaf, () => undefined);
  }

  /** Like append, and tells `visit` of the leaf and of every subtree it completes, bottom up. */
  appendVisiting(leaf: Uint8Array, visit: NodeVisitor): void {
    safeInteger(this.#size + 1, 'tree size');
    let hash = checkHash(leaf, 'leaf hash');
    let index = this.#size;
    let level = 0;
    visit(level, index, hash);
    // Each trailing one bit of the old size is a subtree as large as the one in hand, to its left.
    while (index % 2 === 1) {
      const left = this.#hashes.pop();
      if (left === undefined) throw new RangeError('right edge shorter than its size says');
      hash = nodeHash(left, hash);
      index = (index - 1) / 2;
      level++;
      visit(level, index, hash);
    }
    this.#hashes.push(hash);
    this.#size++;
  }

  /** MTH of all leaves, 32 bytes. RFC 6962 §2.1. */
  root(): Uint8Array {
    if (this.#size === 0) return emptyRoot();
    return this.#hashes.reduceRight((right, left) => nodeHash(left, right));
  }

  /** An independent copy. */
  clone(): CompactRange {
    return new CompactRange(this.#size, this.#hashes);
  }
}
