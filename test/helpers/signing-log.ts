// A log that exists only to talk to witnesses: a tree of small leaves, signed at whatever size is asked.
import { ClientError, type TileSource } from '../../client/index.js';
import {
  CompactRange,
  encodeUtf8,
  formatCheckpoint,
  formatTile,
  leafHash,
  newSigningKey,
  NOTE_ED25519,
  parseNote,
  proveConsistency,
  proveSubtree,
  signNote,
  signNoteLine,
  type HashReader,
  tilePath,
  tileWidth,
  type SigningKey,
  type Vkey,
} from '../../tlog/index.js';

export class SigningLog {
  readonly origin: string;
  readonly key: SigningKey;
  readonly #text: (index: number) => string;
  readonly #roots: Uint8Array[] = [new CompactRange().root()];
  readonly #nodes = new Map<string, Uint8Array>();
  readonly #range = new CompactRange();

  /**
   * Another `text` is another history, from leaf `fork` on; the key depends on `origin` alone, so that
   * the two contradict each other.
   */
  constructor(origin = 'log.example/test', text = 'entry', fork = 0) {
    this.origin = origin;
    this.#text = (index) => `${index < fork ? 'entry' : text} ${index}`;
    const seed = new Uint8Array(32).fill(17);
    seed.set(encodeUtf8(origin).slice(0, 31));
    this.key = newSigningKey(origin, NOTE_ED25519, seed);
  }

  get vkey(): Vkey {
    return this.key.vkey;
  }

  /** 32 bytes. */
  root(size: number): Uint8Array {
    while (this.#range.size < size) {
      const leaf = leafHash(encodeUtf8(this.#text(this.#range.size)));
      this.#range.appendVisiting(leaf, (level, index, hash) => this.#nodes.set(`${level}/${index}`, hash));
      this.#roots.push(this.#range.root());
    }
    return this.#roots[size] ?? new Uint8Array();
  }

  /** The text of a checkpoint, with another root if one is given. */
  text(size: number, rootHash: Uint8Array = this.root(size)): string {
    return formatCheckpoint({ origin: this.origin, size, rootHash, extensions: [] });
  }

  /** A signed checkpoint. */
  note(size: number, rootHash?: Uint8Array): Uint8Array {
    return signNote(this.text(size, rootHash), [this.key]);
  }

  /** 32-byte root of the leaves from start to end. */
  hash(start: number, end: number): Uint8Array {
    const range = new CompactRange();
    for (let i = start; i < end; i++) range.append(leafHash(encodeUtf8(this.#text(i))));
    return range.root();
  }

  /** Subtree consistency proof. */
  subtreeProof(start: number, end: number, size: number): Promise<Uint8Array[]> {
    this.root(size);
    return proveSubtree(start, end, size, this.#read);
  }

  /** Hash of a perfect subtree of the leaves made so far. */
  node(level: number, index: number): Uint8Array {
    return this.#nodes.get(`${level}/${index}`) ?? new Uint8Array();
  }

  /** Consistency proof; empty from or to size 0. */
  proof(oldSize: number, newSize: number): Promise<Uint8Array[]> {
    this.root(newSize);
    if (oldSize === 0 || oldSize >= newSize) return Promise.resolve([]);
    return proveConsistency(oldSize, newSize, this.#read);
  }

  readonly #read: HashReader = (nodes) =>
    Promise.resolve(
      nodes.map(({ level, index }) => this.#nodes.get(`${level}/${index}`) ?? new Uint8Array()),
    );
}

/** The tiles of a log up to the size that `size` gives when it is asked, and its checkpoint. It has no entries. */
export function tilesOf(log: SigningLog, size: () => number): TileSource {
  return {
    checkpoint: () => Promise.resolve(log.note(size())),
    bundle: () => Promise.reject(new ClientError('not_found', 'no entries')),
    tile({ level, index, width }) {
      if (tileWidth(level, index, size()) < width) {
        return Promise.reject(new ClientError('not_found', tilePath({ level, index, width })));
      }
      const hashes = Array.from({ length: width }, (_, i) => log.node(8 * level, index * 256 + i));
      return Promise.resolve(formatTile(hashes));
    },
  };
}

/** The text of a note and one more line under it. */
export function addLine(note: Uint8Array, key: SigningKey, timestamp?: number): string {
  return signNoteLine(parseNote(note).text, key, timestamp);
}
