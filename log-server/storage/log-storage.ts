import {
  type Checkpoint,
  type HashReader,
  MAX_ENTRY_SIZE,
  type OpenedCheckpoint,
  TILE_WIDTH,
  type TileId,
  emptyRoot,
  entriesPath,
  equalBytes,
  formatBundle,
  leafHash,
  openCheckpoint,
  parseBundle,
  sliceBundle,
  sliceTile,
  tileHashReader,
  tilePath,
  tileWidth,
  treeRoot,
} from '../../tlog/index.js';
import { replaceFile } from './atomic-file.js';
import { BundleCache } from './bundle-cache.js';
import { StorageError, damaged, reason } from './error.js';
import type { EdgeRows } from './edge-rows.js';
import { type NoteFile, formatNoteFile } from './note-file.js';
import { removeOldPartials, writePartials } from './partials.js';
import type { Beneath, Found } from './start-check.js';
import { checkNote } from './note-check.js';
import { TileCache } from './tile-cache.js';
import { Turns } from './turns.js';
import type { Batch, Committed, KeyedReader, LogStorage, StepName } from './types.js';

/** Folder, within the log's, that a static web server may show to everyone. */
export const PUBLIC = 'public';

/** Roots of the sizes committed last that are remembered: of those that may be signed next. */
const ROOTS_KEPT = 64;

/** Bytes that must be free for a commit to be begun, where nothing is said. */
export const RESERVE_BYTES: number = 64 * 1024 * 1024;

/** What is said where less is free than that. */
export const diskFull = (free: number, reserve: number): string =>
  `disk full: ${free} bytes are free, ${reserve} must be before anything is committed`;

/** What `open` has put together and checked. */
export type Parts = Beneath & Found;

/** LogStorage over the two seams. Made by initLogStorage and openLogStorage, which check first. */
export class SeamStorage implements LogStorage {
  readonly origin: string;
  readonly mended: readonly string[];
  readonly ledger: KeyedReader;
  readonly #parts: Parts;
  readonly #rows: EdgeRows;
  readonly #cache = new TileCache();
  readonly #bundles = new BundleCache();
  /** Entries from #sealedTo on. */
  readonly #pending: Uint8Array[];
  /** Entries below are in fsynced bundles; the state hears of it with the next commit. */
  #sealedTo: number;
  #readable: number;
  #signed: Uint8Array | undefined;
  #signedSize: number;
  #published: NoteFile | undefined;
  #publishedSize: number;
  readonly #turns = new Turns();
  /** By tree size, oldest first. */
  readonly #roots = new Map<number, Uint8Array>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.origin = parts.options.origin;
    this.mended = parts.mended;
    this.ledger = parts.state.ledger;
    this.#rows = parts.rows;
    this.#pending = parts.pending;
    this.#sealedTo = parts.state.head.sealedTo;
    this.#readable = parts.readableSize;
    this.#signed = parts.signed;
    this.#signedSize = parts.signed ? this.#open(parts.signed).checkpoint.size : 0;
    this.#published = parts.published;
    this.#publishedSize = parts.published ? this.#open(parts.published.note).checkpoint.size : 0;
  }

  get size(): number {
    return this.#rows.range.size;
  }

  get readableSize(): number {
    return this.#readable;
  }

  get signed(): Uint8Array | undefined {
    return this.#signed;
  }

  get published(): NoteFile | undefined {
    return this.#published;
  }

  rootHash(): Uint8Array {
    return this.#rows.range.root();
  }

  commit(batch: Batch): Promise<Committed> {
    return this.#turns.run('commit', async () => {
      if (batch.oldSize !== this.size) {
        throw new StorageError(
          'size_conflict',
          `commit: expected a tree of size ${batch.oldSize}, found ${this.size}`,
          'admit the batch against the tree as it is',
        );
      }
      const long = batch.entries.findIndex((entry) => entry.length > MAX_ENTRY_SIZE);
      if (long >= 0) {
        throw new StorageError(
          'not_allowed',
          `commit: entry ${long} of the batch has ${batch.entries[long]?.length ?? 0} bytes, at most ${MAX_ENTRY_SIZE} fit`,
          'split it, or commit to it by its hash',
        );
      }
      await this.#checkSpace();
      const { range, leafHashes, grown } = this.#rows.grow(batch.entries);
      await this.#step('commit:before');
      await this.#parts.state.commit({
        oldSize: batch.oldSize,
        entries: batch.entries,
        edge: range.hashes,
        ids: batch.ids ?? [],
        ledger: batch.ledger ?? new Map<string, Uint8Array | null>(),
        sealedTo: this.#sealedTo,
        signedSize: this.#signedSize,
        publishedSize: this.#publishedSize,
      });
      this.#rows.adopt(range, grown);
      this.#pending.push(...batch.entries);
      const rootHash = range.root();
      this.#remember(range.size, rootHash);
      await this.#step('commit:after');
      return { size: range.size, rootHash, leafHashes };
    });
  }

  makeReadable(): Promise<number> {
    return this.#turns.run('readable', async () => {
      const size = this.size;
      const { tiles: store, tail, disk, options } = this.#parts;
      const sealTo = Math.floor(size / TILE_WIDTH) * TILE_WIDTH;
      const full = this.#rows.fullTiles(size);
      const rest = this.#pending.slice(sealTo - this.#sealedTo, size - this.#sealedTo);
      const held = full.map((tile): [string, Uint8Array] => [tilePath(tile), this.#heldTile(tile)]);
      if (full.length > 0) {
        const objects: [string, Uint8Array][] = [];
        for (let first = this.#sealedTo; first < sealTo; first += TILE_WIDTH) {
          const at = first - this.#sealedTo;
          const bundle = formatBundle(this.#pending.slice(at, at + TILE_WIDTH));
          objects.push([entriesPath(first / TILE_WIDTH, TILE_WIDTH), bundle]);
        }
        for (const [path, bytes] of held) objects.push([path, bytes]);
        await this.#step('seal:before');
        await store.put(objects);
        await this.#step('seal:after');
      }
      if (options.publishPartials) {
        await this.#step('partials:before');
        const tile = (id: TileId): Uint8Array => this.#heldTile(id);
        await writePartials(store, this.#readable, size, tile, rest);
        await removeOldPartials(disk, PUBLIC, full);
        await this.#step('partials:after');
      }
      await this.#step('tail:before');
      // Once a bundle is sealed its entries exist twice without the tail: in the bundle, and in the
      // state until the next commit.
      if (full.length > 0 || tail.end === undefined) await tail.replace(sealTo, rest);
      else await tail.append(this.#pending.slice(tail.end - this.#sealedTo, size - this.#sealedTo));
      await this.#step('tail:after');
      for (const [path, bytes] of held) this.#cache.set(path, bytes);
      this.#rows.drop(full);
      this.#pending.splice(0, sealTo - this.#sealedTo);
      this.#sealedTo = sealTo;
      this.#readable = size;
      await this.#step('readable');
      return size;
    });
  }

  writeSigned(note: Uint8Array): Promise<void> {
    return this.#turns.run('notes', async () => {
      const { size, rootHash } = await this.#checkNote(note, 'signed', this.#signedSize, this.#readable);
      await this.#step('signed:before');
      await replaceFile(this.#parts.disk, 'signed', formatNoteFile({ note, policy: new Uint8Array(0) }), {
        written: () => this.#step('signed:written'),
        renamed: () => this.#step('signed:renamed'),
      });
      // After the file: a mark above what the file says would refuse the next start.
      const { mark } = this.#parts.lock;
      if (mark?.size !== size) await this.#parts.lock.writeMark({ size, rootHash });
      await this.#step('signed:marked');
      this.#signed = note.slice();
      this.#signedSize = size;
      await this.#step('signed:after');
    });
  }

  writePublished(note: Uint8Array, policy: Uint8Array): Promise<void> {
    return this.#turns.run('notes', async () => {
      const { size } = await this.#checkNote(note, 'published', this.#publishedSize, this.#signedSize);
      await this.#step('published:before');
      await replaceFile(this.#parts.disk, 'published', formatNoteFile({ note, policy }), {
        written: () => this.#step('published:written'),
        renamed: () => this.#step('published:renamed'),
      });
      if (this.#parts.options.publishPartials) {
        await replaceFile(this.#parts.disk, `${PUBLIC}/checkpoint`, note, {
          written: () => Promise.resolve(),
          renamed: () => this.#step('published:checkpoint'),
        });
      }
      this.#published = { note: note.slice(), policy: policy.slice() };
      this.#publishedSize = size;
      await this.#step('published:after');
    });
  }

  lookup(id: Uint8Array): Promise<number | undefined> {
    return this.#parts.state.lookup(id);
  }

  witnessSize(name: string): Promise<number | undefined> {
    return this.#parts.state.witnessSize(name);
  }

  putWitnessSizes(sizes: ReadonlyMap<string, number>): Promise<void> {
    return this.#turns.run('commit', () => this.#parts.state.putWitnessSizes(sizes));
  }

  async readEntry(index: number): Promise<Uint8Array> {
    if (!Number.isSafeInteger(index) || index < 0 || index >= this.size) {
      throw new RangeError(`entry ${index} is not in the tree of ${this.size}`);
    }
    const held = index < this.#sealedTo ? undefined : this.#pending[index - this.#sealedTo];
    if (held) return held;
    const bundle = Math.floor(index / TILE_WIDTH);
    const path = entriesPath(bundle, TILE_WIDTH);
    const tile = await this.#tile({ level: 0, index: bundle, width: TILE_WIDTH });
    let entries = this.#bundles.get(bundle);
    const bytes = entries ? undefined : await this.#parts.tiles.get(path);
    try {
      if (!entries) {
        if (!bytes) throw new Error('the file is gone');
        entries = parseBundle(bytes, TILE_WIDTH);
        this.#bundles.keep(bundle, entries);
      }
      const entry = entries[index % TILE_WIDTH];
      const at = (index % TILE_WIDTH) * 32;
      if (!entry || !equalBytes(leafHash(entry), tile.subarray(at, at + 32))) {
        throw new Error('the entry does not hash to its leaf in the tile');
      }
      return entry;
    } catch (cause) {
      // The file may be mended.
      this.#bundles.forget(bundle);
      throw damaged(`entry ${index}: ${path}: ${reason(cause)}`, cause);
    }
  }

  async readTile(tile: TileId): Promise<Uint8Array | undefined> {
    if (tileWidth(tile.level, tile.index, this.#readable) < tile.width) return undefined;
    return this.#tile(tile);
  }

  async readBundle(index: number, width: number): Promise<Uint8Array | undefined> {
    if (tileWidth(0, index, this.#readable) < width) return undefined;
    const at = index * TILE_WIDTH - this.#sealedTo;
    if (at >= 0) return formatBundle(this.#pending.slice(at, at + width));
    const path = entriesPath(index, TILE_WIDTH);
    const bytes = await this.#parts.tiles.get(path);
    if (!bytes) throw damaged(`${path} is gone`);
    return width === TILE_WIDTH ? bytes : sliceBundle(bytes, width);
  }

  hashReader(treeSize: number): HashReader {
    if (treeSize > this.size) throw new RangeError(`a tree of ${treeSize} is above ${this.size}`);
    return tileHashReader(treeSize, (tile) => this.#tile(tile));
  }

  async rootAt(treeSize: number): Promise<Uint8Array> {
    const known = this.#roots.get(treeSize);
    if (known !== undefined) return known.slice();
    if (treeSize === this.size) return this.rootHash();
    return treeSize === 0 ? emptyRoot() : treeRoot(treeSize, this.hashReader(treeSize));
  }

  async scrub(signal?: AbortSignal): Promise<void> {
    await this.#parts.state.scrub(signal);
  }

  async close(): Promise<void> {
    await this.#turns.close();
    await this.#parts.state.close();
    await this.#parts.lock.close();
  }

  #remember(size: number, rootHash: Uint8Array): void {
    this.#roots.set(size, rootHash.slice());
    const [oldest] = this.#roots.keys();
    if (this.#roots.size > ROOTS_KEPT && oldest !== undefined) this.#roots.delete(oldest);
  }

  #step(name: StepName): Promise<void> {
    return Promise.resolve(this.#parts.options.step?.(name));
  }

  async #checkSpace(): Promise<void> {
    const reserve = this.#parts.options.reserveBytes ?? RESERVE_BYTES;
    const free = await this.#parts.disk.freeBytes();
    if (free >= reserve) return;
    throw new StorageError(
      'storage_failed',
      diskFull(free, reserve),
      'free space; nothing was written and nothing is lost',
    );
  }

  #open(note: Uint8Array): OpenedCheckpoint {
    return openCheckpoint(note, this.#parts.options.logKeys, [], this.origin);
  }

  #checkNote(
    note: Uint8Array,
    what: 'signed' | 'published',
    least: number,
    most: number,
  ): Promise<Checkpoint> {
    return checkNote({ note, what, least, most }, this.#parts.options, (size) => this.rootAt(size));
  }

  #heldTile(tile: TileId): Uint8Array {
    const bytes = this.#rows.tile(tile);
    if (!bytes) throw new RangeError(`tile ${tilePath(tile)} is not held`);
    return bytes;
  }

  /** A tile of the committed tree: held, cached, or read and cut to its width. */
  async #tile(tile: TileId): Promise<Uint8Array> {
    const held = this.#rows.tile(tile);
    if (held) return held;
    const path = tilePath({ ...tile, width: TILE_WIDTH });
    let bytes = this.#cache.get(path);
    if (!bytes) {
      bytes = await this.#parts.tiles.get(path);
      if (bytes?.length !== TILE_WIDTH * 32) {
        throw damaged(`${path}: expected ${TILE_WIDTH * 32} bytes, found ${bytes?.length ?? 'no file'}`);
      }
      this.#cache.set(path, bytes);
    }
    return tile.width === TILE_WIDTH ? bytes : sliceTile(bytes, tile.width);
  }
}
