// The quick way through a folder whose every full bundle is as its tile says: what `walkTree` would find out of it,
// without an object for anything. It judges nothing: where anything at all is out of the way it says so, and the
// walk looks for itself. Only Node's own modules, so that a second thread has it soon.
import { hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';

const WIDTH = 256;
const HASH = 32;
/** A node as it is hashed (RFC 6962 §2.1): NODE and two hashes. */
const PAIR = 1 + 2 * HASH;
const NODE = '\x01';
/** Bytes of the largest bundle: 256 entries of 65,535, each behind its length. */
const LARGEST = WIDTH * (2 + 65_535);
/** Bytes of a bundle for which there is room at first. */
const ROOM = 512 * 1024;

/** Where a bundle is. */
const FREE = 0;
const TAKEN = 1;
const GOOD = 2;
const OTHER = 3;

/** What the threads of one check write into: for each full bundle where it is, and the root of its tile. */
export interface Board {
  readonly states: Int32Array;
  readonly roots: Uint8Array;
}

/** What a thread is given. */
export interface Job {
  /** Of `tile/…`. */
  readonly folder: string;
  readonly board: Board;
}

/** A board for so many full bundles, in memory that threads share. */
export function newBoard(bundles: number): Board {
  return {
    states: new Int32Array(new SharedArrayBuffer(4 * bundles)),
    roots: new Uint8Array(new SharedArrayBuffer(HASH * bundles)),
  };
}

/** Takes bundle `index`; false where another has taken it. Whoever takes it must {@link settle} it. */
export function take({ states }: Board, index: number): boolean {
  return Atomics.compareExchange(states, index, FREE, TAKEN) === FREE;
}

/** Says what came out: a root, or that somebody has to look. */
export function settle({ states, roots }: Board, index: number, root: Uint8Array | undefined): void {
  if (root) roots.set(root, index * HASH);
  Atomics.store(states, index, root ? GOOD : OTHER);
  Atomics.notify(states, index);
}

/** What came out of a bundle that another thread took, which is waited for so long; undefined: somebody has to look. */
export function settled({ states, roots }: Board, index: number, patienceMs: number): Uint8Array | undefined {
  Atomics.wait(states, index, TAKEN, patienceMs);
  return Atomics.load(states, index) === GOOD ? roots.slice(index * HASH, (index + 1) * HASH) : undefined;
}

/** Takes and reads what is left, from the end on: whoever began at the beginning meets it somewhere. */
export function fromTheEnd({ folder, board }: Job): void {
  const reader = new FullTiles(folder);
  for (let index = board.states.length - 1; index >= 0; index--) {
    if (take(board, index)) settle(board, index, reader.root(index));
  }
}

/** Reads full bundles and the tiles over them, into the same memory each time. */
export class FullTiles {
  /** Milliseconds that the files of the last root were waited for. */
  waitedMs = 0;
  readonly #folder: string;
  readonly #tile = Buffer.alloc(WIDTH * HASH + 1);
  /** The pairs of a row, one behind the other, and each by itself. */
  readonly #row = Buffer.alloc((WIDTH / 2) * PAIR);
  readonly #pairs = Array.from({ length: WIDTH / 2 }, (_, i) => this.#row.subarray(i * PAIR, (i + 1) * PAIR));
  #bundle = Buffer.allocUnsafe(ROOM);

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Root of tile `index` of level 0, if its bundle holds 256 entries and nothing else, and they hash to the tile;
   * undefined otherwise, and where a file cannot be read.
   */
  root(index: number): Uint8Array | undefined {
    const path = pathOf(index);
    const from = performance.now();
    try {
      const tile = read(`${this.#folder}/tile/0/${path}`, this.#tile);
      const length = this.#readBundle(`${this.#folder}/tile/entries/${path}`);
      this.waitedMs = performance.now() - from;
      const leaves = this.#hashEntries(length);
      if (tile !== WIDTH * HASH || leaves !== this.#tile.toString('latin1', 0, tile)) return undefined;
      return this.#fold(leaves);
    } catch {
      this.waitedMs = performance.now() - from;
      return undefined;
    }
  }

  /** Bytes of a bundle, which then lies at the beginning of `#bundle`. */
  #readBundle(file: string): number {
    let length = read(file, this.#bundle);
    while (length === this.#bundle.length && length <= LARGEST) {
      const larger = Buffer.allocUnsafe(Math.min(2 * length, LARGEST + 1));
      this.#bundle = larger;
      length = read(file, larger);
    }
    return length;
  }

  /** The leaf hashes of `#bundle`, one behind the other; undefined if it is not a full one. */
  #hashEntries(length: number): string | undefined {
    const bundle = this.#bundle;
    let hashes = '';
    let at = 0;
    for (let i = 0; i < WIDTH; i++) {
      if (at + 2 > length) return undefined;
      const end = at + 2 + bundle.readUInt16BE(at);
      if (end > length) return undefined;
      // A leaf is 0x00 and the entry (RFC 6962 §2.1): the second byte of its length, which has been read, becomes that.
      bundle[at + 1] = 0;
      hashes += digest(new Uint8Array(bundle.buffer, bundle.byteOffset + at + 1, end - at - 1));
      at = end;
    }
    return at === length ? hashes : undefined;
  }

  /** Root of so many hashes, a power of two. Each row is one text and written at once: V8 has yet to compile this, and loops cost. */
  #fold(leaves: string): Uint8Array {
    let hashes = leaves;
    while (hashes.length > HASH) {
      let row = '';
      for (let at = 0; at < hashes.length; at += 2 * HASH) row += NODE + hashes.slice(at, at + 2 * HASH);
      this.#row.write(row, 'latin1');
      hashes = '';
      for (const pair of this.#pairs.slice(0, row.length / PAIR)) hashes += digest(pair);
    }
    return Uint8Array.from(Buffer.from(hashes, 'latin1'));
  }
}

/** SHA-256, a byte a character: the Buffer that Node would make costs more than hashing a node. */
function digest(data: Uint8Array): string {
  return hash('sha256', data, 'binary');
}

/** Bytes read of a file; all that there is room for where the file is larger. */
function read(file: string, into: Buffer): number {
  const fd = openSync(file, 'r');
  try {
    let at = 0;
    for (;;) {
      const bytes = readSync(fd, into, at, into.length - at, null);
      at += bytes;
      if (bytes === 0 || at === into.length) return at;
    }
  } finally {
    closeSync(fd);
  }
}

/** C2SP tlog-tiles: an index as groups of three digits, all but the last behind an "x". */
export function pathOf(index: number): string {
  const group = String(index % 1000).padStart(3, '0');
  let path = group;
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`;
  return path;
}
