// Histories of a log and what is true about them, which no party of a simulation is told.
import {
  CompactRange,
  encodeHex,
  encodeUtf8,
  equalBytes,
  leafHash,
  type HashReader,
  type TileId,
} from '../../tlog/index.js';

/** A tree of small leaves that grows on demand. Leaves before `fork` are those of every other history. */
export class History {
  readonly name: string;
  readonly fork: number;
  readonly #range = new CompactRange();
  readonly #roots: Uint8Array[] = [new CompactRange().root()];
  /** By level, then index. */
  readonly #nodes: Uint8Array[][] = [];

  constructor(name: string, fork: number) {
    this.name = name;
    this.fork = fork;
  }

  /** 32 bytes. */
  root(size: number): Uint8Array {
    this.#grow(size);
    return this.#roots[size] ?? new Uint8Array();
  }

  readonly read: HashReader = (nodes) =>
    Promise.resolve(nodes.map(({ level, index }) => this.#nodes[level]?.[index] ?? new Uint8Array()));

  /** A tile as a log of this size serves it; undefined if it has none so wide. */
  tile({ level, index, width }: TileId, size: number): Uint8Array | undefined {
    this.#grow(size);
    const first = index * 256;
    if ((first + width) * 256 ** level > size) return undefined;
    const bytes = new Uint8Array(width * 32);
    for (let i = 0; i < width; i++) bytes.set(this.#nodes[8 * level]?.[first + i] ?? [], i * 32);
    return bytes;
  }

  #grow(size: number): void {
    while (this.#range.size < size) {
      const index = this.#range.size;
      const text = index < this.fork ? `entry ${index}` : `${this.name} ${index}`;
      this.#range.appendVisiting(leafHash(encodeUtf8(text)), (level, at, hash) => {
        (this.#nodes[level] ??= [])[at] = hash;
      });
      this.#roots.push(this.#range.root());
    }
  }
}

/** A tree head, by whoever signed it. */
export interface Head {
  readonly size: number;
  readonly rootHash: Uint8Array;
}

/** All histories there are. What has a root of none of them is nobody's: rubbish that a liar signed. */
export class Truth {
  readonly #histories: readonly History[];
  readonly #sizes: number;

  /** `sizes` is above every size that a history reaches. */
  constructor(histories: readonly History[], sizes: number) {
    this.#histories = histories;
    this.#sizes = sizes;
  }

  /** The first history that this is a head of. */
  historyOf({ size, rootHash }: Head): History | undefined {
    if (size > this.#sizes) return undefined;
    return this.#histories.find((history) => equalBytes(history.root(size), rootHash));
  }

  /** Whether one of these trees is a prefix of the other. */
  consistent(a: Head, b: Head): boolean {
    const [small, large] = a.size <= b.size ? [a, b] : [b, a];
    if (small.size === large.size) return equalBytes(small.rootHash, large.rootHash);
    const history = this.historyOf(large);
    return (
      small.size === 0 || (history !== undefined && equalBytes(history.root(small.size), small.rootHash))
    );
  }
}

/** A head as traces have it. */
export function headText({ size, rootHash }: Head): string {
  return `${size}/${encodeHex(rootHash).slice(0, 8)}`;
}
