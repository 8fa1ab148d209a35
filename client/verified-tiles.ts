// Tiles and bundles of one tree, each shown to lead to the root before anybody sees it.
//
// The right edge (the partial tiles of all levels) is fetched first and folded into the root. Every
// full tile hashes to one entry of its parent, which is a full tile in turn or part of the edge; every
// bundle hashes to its tile of level 0. So a chain of parents ends at the signed root, and nothing has
// to be believed on the way.
import {
  CompactRange,
  emptyRoot,
  encodeBase64,
  encodeHex,
  entriesPath,
  equalBytes,
  leafHash,
  parseBundle,
  parseTile,
  partialWidth,
  perfectRoot,
  tileHashReader,
  tilePath,
  tileWidth,
  TILE_WIDTH,
  TlogError,
  type HashReader,
} from '../tlog/index.js';
import { ClientError } from './errors.js';
import { fetchBundle, fetchTile, type TileSource } from './source.js';

/**
 * Where full tiles and bundles are kept, by their path in the log. One cache belongs to one log. What
 * comes out is verified again, so a cache may lie on a disk that rots.
 */
export interface TileCache {
  get(path: string): Promise<Uint8Array | undefined>;
  put(path: string, bytes: Uint8Array): Promise<void>;
}

/** The entries of one bundle, verified, and their leaf hashes. */
export interface VerifiedBundle {
  /** Index of the first entry. */
  start: number;
  entries: Uint8Array[];
  leafHashes: Uint8Array[];
}

/** Tiles in memory: 8 KiB each. */
const KEPT_TILES = 512;

/** Reads the tree of `size` leaves with this root. Both come from a checkpoint that was verified. */
export class VerifiedTiles {
  readonly size: number;
  readonly root: Uint8Array;
  /** Any node of the tree, verified. */
  readonly hashes: HashReader;
  readonly #source: TileSource;
  readonly #cache: TileCache | undefined;
  #edge: Promise<Uint8Array[][]> | undefined;
  /** In order of use, the least recent first. */
  readonly #tiles = new Map<string, Promise<Uint8Array[]>>();

  constructor(source: TileSource, size: number, root: Uint8Array, cache?: TileCache) {
    this.size = size;
    this.root = root;
    this.#source = source;
    this.#cache = cache;
    const read = tileHashReader(size, async ({ level, index }) => {
      const hashes = await this.tile(level, index);
      const bytes = new Uint8Array(hashes.length * 32);
      hashes.forEach((hash, i) => bytes.set(hash, i * 32));
      return bytes;
    });
    this.hashes = read;
  }

  /**
   * The hashes of one tile of this tree: 256, or fewer at the right edge. Throws ClientError
   * "bad_tile" if what the log serves does not lead to the root, "out_of_range" if there is no such tile.
   */
  async tile(level: number, index: number): Promise<Uint8Array[]> {
    const width = tileWidth(level, index, this.size);
    if (width === 0) {
      throw new ClientError(
        'out_of_range',
        `expected a tile of the tree of size ${this.size}, found number ${index} of level ${level}`,
        'ask for one that exists, or read a newer checkpoint',
      );
    }
    if (width < TILE_WIDTH) return (await this.edge())[level] ?? [];
    const path = tilePath({ level, index, width });
    const known = this.#tiles.get(path);
    const wanted = known ?? this.#fullTile(level, index, path);
    this.#tiles.delete(path);
    this.#tiles.set(path, wanted);
    if (this.#tiles.size > KEPT_TILES) {
      const [oldest] = this.#tiles.keys();
      if (oldest !== undefined) this.#tiles.delete(oldest);
    }
    try {
      return await wanted;
    } catch (error) {
      // A failure is not kept: the next caller tries again.
      if (this.#tiles.get(path) === wanted) this.#tiles.delete(path);
      throw error;
    }
  }

  /** The partial tile of each level, empty where there is none, verified together against the root. */
  edge(): Promise<Uint8Array[][]> {
    this.#edge ??= this.#readEdge().catch((error: unknown) => {
      this.#edge = undefined;
      throw error;
    });
    return this.#edge;
  }

  /** One bundle of this tree. Throws ClientError "bad_bundle" if it does not lead to the root. */
  async bundle(index: number): Promise<VerifiedBundle> {
    const width = tileWidth(0, index, this.size);
    if (width === 0) {
      throw new ClientError(
        'out_of_range',
        `expected a bundle of the tree of size ${this.size}, found number ${index}`,
        'ask for one that exists, or read a newer checkpoint',
      );
    }
    const path = entriesPath(index, width);
    const cache = width === TILE_WIDTH ? this.#cache : undefined;
    const kept = await cache?.get(path);
    if (kept) {
      const entries = await this.#checkBundle(index, width, kept).catch(() => undefined);
      if (entries) return entries;
    }
    const bytes = await fetchBundle(this.#source, index, width);
    const bundle = await this.#checkBundle(index, width, bytes);
    await cache?.put(path, bytes);
    return bundle;
  }

  async #checkBundle(index: number, width: number, bytes: Uint8Array): Promise<VerifiedBundle> {
    const path = entriesPath(index, width);
    const entries = malformed(path, 'bad_bundle', () => parseBundle(bytes, width));
    const leafHashes = entries.map((entry) => leafHash(entry));
    // Comparing with the parent, or with the edge, spares the download of the tile of level 0: were it
    // asked for, it would have to hash to the same.
    if (width === TILE_WIDTH) {
      await this.#checkParent(0, index, leafHashes, path, 'bad_bundle');
    } else {
      const expected = (await this.edge())[0] ?? [];
      leafHashes.forEach((hash, i) => {
        if (!equalBytes(hash, expected[i] ?? new Uint8Array())) {
          throw new ClientError(
            'bad_bundle',
            `${path}: entry ${index * TILE_WIDTH + i} does not hash to its leaf in the tree`,
            'the log serves entries that are not in its tree: report it, and try a mirror',
          );
        }
      });
    }
    return { start: index * TILE_WIDTH, entries, leafHashes };
  }

  async #fullTile(level: number, index: number, path: string): Promise<Uint8Array[]> {
    const kept = await this.#cache?.get(path);
    if (kept) {
      const hashes = await this.#checkTile(level, index, path, kept).catch(() => undefined);
      if (hashes) return hashes;
    }
    const bytes = await this.#source.tile({ level, index, width: TILE_WIDTH });
    const hashes = await this.#checkTile(level, index, path, bytes);
    await this.#cache?.put(path, bytes);
    return hashes;
  }

  async #checkTile(level: number, index: number, path: string, bytes: Uint8Array): Promise<Uint8Array[]> {
    const hashes = malformed(path, 'bad_tile', () => parseTile(bytes, TILE_WIDTH));
    await this.#checkParent(level, index, hashes, path, 'bad_tile');
    return hashes;
  }

  /** Every full tile is one hash of the tile above it, which exists as soon as the tile is full. */
  async #checkParent(
    level: number,
    index: number,
    hashes: readonly Uint8Array[],
    path: string,
    code: string,
  ): Promise<void> {
    const parent = await this.tile(level + 1, Math.floor(index / TILE_WIDTH));
    const expected = parent[index % TILE_WIDTH] ?? new Uint8Array();
    const found = perfectRoot(hashes);
    if (!equalBytes(found, expected)) {
      throw new ClientError(
        code,
        `${path}: expected it to hash to ${encodeHex(expected)}, found ${encodeHex(found)}`,
        'the log serves bytes that are not in its tree: report it, and try a mirror',
      );
    }
  }

  async #readEdge(): Promise<Uint8Array[][]> {
    const levels: number[] = [];
    for (let level = 0, rest = this.size; rest > 0; level++, rest = Math.floor(rest / TILE_WIDTH)) {
      levels.push(level);
    }
    const edge = await Promise.all(
      levels.map(async (level) => {
        const width = partialWidth(level, this.size);
        if (width === 0) return [];
        const tile = { level, index: Math.floor(this.size / TILE_WIDTH ** (level + 1)), width };
        const bytes = await fetchTile(this.#source, tile);
        return malformed(tilePath(tile), 'bad_tile', () => parseTile(bytes, width));
      }),
    );
    const found = foldEdge(this.size, edge);
    if (!equalBytes(found, this.root)) {
      throw new ClientError(
        'bad_tile',
        `right edge of the tree of size ${this.size}: expected the root ${encodeBase64(this.root)}, its tiles give ${encodeBase64(found)}`,
        'the log serves tiles that are not of the tree it signed: report it, and try a mirror',
      );
    }
    return edge;
  }
}

/** The root of a tree from its partial tiles, lowest level first. */
export function foldEdge(size: number, edge: readonly (readonly Uint8Array[])[]): Uint8Array {
  if (size === 0) return emptyRoot();
  const subtrees: Uint8Array[] = [];
  for (const hashes of edge.toReversed()) {
    // A tile of width 100 is the perfect subtrees of 64, 32 and 4 hashes, in this order.
    for (let start = 0, part = TILE_WIDTH / 2; part >= 1; part /= 2) {
      if (hashes.length - start >= part) {
        subtrees.push(perfectRoot(hashes.slice(start, start + part)));
        start += part;
      }
    }
  }
  return new CompactRange(size, subtrees).root();
}

function malformed<T>(path: string, code: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof TlogError)) throw cause;
    throw new ClientError(code, `${path}: ${cause.message}`, cause.hint, { cause });
  }
}
