// RFC 6962 §2.1 transcribed as it is written, to judge the fast code by. Slow on purpose: recursive,
// over the whole list of leaves. Only the hash of a range already computed is remembered, without
// which the tests over all trees would take hours.
import { createHash } from 'node:crypto';

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** The largest power of two smaller than n, n > 1. */
function splitPoint(n: number): number {
  let k = 1;
  while (2 * k < n) k = 2 * k;
  return k;
}

/** A list of entries D[n] and what §2.1 defines over it. */
export class ReferenceTree {
  readonly #known = new Map<string, Uint8Array>();

  constructor(readonly entries: readonly Uint8Array[]) {}

  /** MTH(D[lo:hi]). §2.1 */
  mth(lo: number, hi: number): Uint8Array {
    const n = hi - lo;
    if (n === 0) return sha256();
    const name = `${lo}:${hi}`;
    let hash = this.#known.get(name);
    if (hash === undefined) {
      if (n === 1) {
        const entry = this.entries[lo];
        if (entry === undefined) throw new RangeError(`no entry ${lo}`);
        hash = sha256(Uint8Array.of(0), entry);
      } else {
        const k = splitPoint(n);
        hash = sha256(Uint8Array.of(1), this.mth(lo, lo + k), this.mth(lo + k, hi));
      }
      this.#known.set(name, hash);
    }
    return hash;
  }

  /** MTH of the first `size` entries. */
  root(size: number): Uint8Array {
    return this.mth(0, size);
  }

  leafHash(index: number): Uint8Array {
    return this.mth(index, index + 1);
  }

  /** PATH(m, D[n]). §2.1.1 */
  path(m: number, n: number): Uint8Array[] {
    return this.#path(m, 0, n);
  }

  #path(m: number, lo: number, hi: number): Uint8Array[] {
    const n = hi - lo;
    if (n === 1) return [];
    const k = splitPoint(n);
    if (m < k) return [...this.#path(m, lo, lo + k), this.mth(lo + k, hi)];
    return [...this.#path(m - k, lo + k, hi), this.mth(lo, lo + k)];
  }

  /** PROOF(m, D[n]). §2.1.2 */
  proof(m: number, n: number): Uint8Array[] {
    return this.#subproof(m, 0, n, true);
  }

  #subproof(m: number, lo: number, hi: number, b: boolean): Uint8Array[] {
    const n = hi - lo;
    if (m === n) return b ? [] : [this.mth(lo, hi)];
    const k = splitPoint(n);
    if (m <= k) return [...this.#subproof(m, lo, lo + k, b), this.mth(lo + k, hi)];
    return [...this.#subproof(m - k, lo + k, hi, false), this.mth(lo, lo + k)];
  }

  /** Tile `index` of tile level `level`, `width` hashes: MTH(D[(n*256+i)*256^l : (n*256+i+1)*256^l]). */
  tile(level: number, index: number, width: number): Uint8Array {
    let span = 1;
    for (let i = 0; i < level; i++) span *= 256;
    const hashes: Uint8Array[] = [];
    for (let i = 0; i < width; i++) {
      hashes.push(this.mth((index * 256 + i) * span, (index * 256 + i + 1) * span));
    }
    return new Uint8Array(Buffer.concat(hashes));
  }
}

/** `count` entries whose bytes nobody would confuse: "entry 0", "entry 1", … */
export function numberedEntries(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => new TextEncoder().encode(`entry ${i}`));
}
