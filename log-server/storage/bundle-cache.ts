import { MAX_ENTRY_SIZE, TILE_WIDTH } from '../../tlog/index.js';

/** Bytes that an entry takes in memory beside its own, about. */
const BESIDE = 128;

/** Bytes kept where nothing is said: two bundles of the largest entries, some dozens of usual ones. */
export const BUNDLE_BYTES: number = 2 * TILE_WIDTH * (MAX_ENTRY_SIZE + BESIDE);

/**
 * The sealed bundles read last, as their entries: a run of entries out of one is read and parsed once. Bounded by bytes,
 * since entries differ by a factor of a thousand.
 */
export class BundleCache {
  readonly #bundles = new Map<number, { readonly entries: readonly Uint8Array[]; readonly bytes: number }>();
  readonly #limit: number;
  #bytes = 0;

  constructor(limit: number = BUNDLE_BYTES) {
    this.#limit = limit;
  }

  /** Bytes kept now. */
  get bytes(): number {
    return this.#bytes;
  }

  get(index: number): readonly Uint8Array[] | undefined {
    const bundle = this.#bundles.get(index);
    if (bundle === undefined) return undefined;
    // A Map keeps its order of insertion: the first key is the one unused for longest.
    this.#bundles.delete(index);
    this.#bundles.set(index, bundle);
    return bundle.entries;
  }

  /** Keeps a bundle; nobody writes into its entries. */
  keep(index: number, entries: readonly Uint8Array[]): void {
    this.forget(index);
    const bytes = entries.reduce((sum, entry) => sum + entry.length + BESIDE, 0);
    if (bytes > this.#limit) return;
    this.#bundles.set(index, { entries, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#bundles.keys()) {
      if (this.#bytes <= this.#limit) break;
      this.forget(oldest);
    }
  }

  forget(index: number): void {
    this.#bytes -= this.#bundles.get(index)?.bytes ?? 0;
    this.#bundles.delete(index);
  }
}
