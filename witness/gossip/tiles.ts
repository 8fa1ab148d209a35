// Tiles that prove how trees of one log stand to each other. After a fork heals, one address serves one
// history only: so what our own history is made of near its right edge is kept while it can be had.
import { ClientError, VerifiedTiles, type TileCache, type TileSource } from '../../client/index.js';
import {
  formatTile,
  parseTilePath,
  partialWidth,
  proveConsistency,
  sliceTile,
  SteleError,
  tilePath,
  treeRoot,
  TILE_WIDTH,
  type TileId,
} from '../../tlog/index.js';
import type { GossipStore, Owed } from './ports.js';

/** Full tiles kept for each level of each log: 2 MiB a level. The newest stay. */
export const KEPT_PER_LEVEL = 256;
/** Full tiles fetched for each level when a tree has grown; at first only the last one. */
const FETCHED_PER_LEVEL = 64;
/** Tiles that one question may cost a log's server: a proof in a tree of 2^53 leaves needs about forty. */
const MAX_FETCHES = 160;

/** A tree whose root is signed. */
interface Tree {
  readonly size: number;
  readonly rootHash: Uint8Array;
}

/** The tiles kept of one log. What comes out of the store is verified against a root each time. */
export class KeptTiles {
  readonly #store: GossipStore;
  readonly #origin: string;
  #paths: Promise<Set<string>> | undefined;

  constructor(store: GossipStore, origin: string) {
    this.#store = store;
    this.#origin = origin;
  }

  /** Full tiles, for VerifiedTiles of any tree: it may be a liar's, so nothing of it is kept here. */
  readonly cache: TileCache = { get: (path) => this.#get(path), put: () => Promise.resolve() };

  /** Only what is kept: a narrower tile is cut from a wider one. */
  readonly source: TileSource = {
    checkpoint: () => Promise.reject(missing('checkpoint')),
    bundle: () => Promise.reject(missing('bundle')),
    tile: (tile) => this.#tile(tile),
  };

  /**
   * Fetches the right edge of a tree and the full tiles since the last one kept, and drops what is too old.
   * `others` are trees whose edges stay. Throws ClientError.
   */
  async keep(remote: TileSource, tree: Tree, others: readonly Tree[]): Promise<void> {
    // What is put is verified: it hashes to this root, which is of our own history.
    const cache: TileCache = { get: (path) => this.#get(path), put: (path, bytes) => this.#put(path, bytes) };
    const tiles = new VerifiedTiles(limited(remote), tree.size, tree.rootHash, cache);
    const edge = await tiles.edge();
    for (const [level, hashes] of edge.entries()) {
      if (hashes.length > 0) await this.#put(edgePath(level, tree.size), formatTile(hashes));
    }
    const held = await this.#fullTiles();
    for (const level of edge.keys()) {
      const full = Math.floor(tree.size / TILE_WIDTH ** (level + 1));
      const [newest] = held.get(level) ?? [];
      const from = newest === undefined ? full - 1 : newest.index + 1;
      for (let index = Math.max(0, from, full - FETCHED_PER_LEVEL); index < full; index++) {
        await tiles.tile(level, index);
      }
    }
    await this.#prune([tree, ...others]);
  }

  async #tile(tile: TileId): Promise<Uint8Array> {
    const paths = await this.#index();
    for (let width = tile.width; width <= TILE_WIDTH; width++) {
      const path = tilePath({ ...tile, width });
      const bytes = paths.has(path) ? await this.#get(path) : undefined;
      if (bytes && bytes.length >= tile.width * 32 && bytes.length % 32 === 0) {
        return sliceTile(bytes, tile.width);
      }
    }
    throw missing(tilePath(tile));
  }

  async #get(path: string): Promise<Uint8Array | undefined> {
    return (await this.#index()).has(path) ? this.#store.getTile(this.#origin, path) : undefined;
  }

  async #put(path: string, bytes: Uint8Array): Promise<void> {
    await this.#store.putTile(this.#origin, path, bytes);
    (await this.#index()).add(path);
  }

  #index(): Promise<Set<string>> {
    this.#paths ??= this.#store.listTiles(this.#origin).then((paths) => new Set(paths));
    return this.#paths;
  }

  /** By level, the newest first. */
  async #fullTiles(): Promise<Map<number, { index: number; path: string }[]>> {
    const full = new Map<number, { index: number; path: string }[]>();
    for (const path of await this.#index()) {
      const tile = parseTilePath(path);
      if (tile.kind !== 'tile' || tile.width < TILE_WIDTH) continue;
      const level = full.get(tile.level) ?? [];
      level.push({ index: tile.index, path });
      full.set(tile.level, level);
    }
    for (const tiles of full.values()) tiles.sort((a, b) => b.index - a.index);
    return full;
  }

  async #prune(trees: readonly Tree[]): Promise<void> {
    const paths = await this.#index();
    const edges = new Set(trees.flatMap(({ size }) => edgePaths(size)));
    const old = [...paths].filter((path) => parseTilePath(path).width < TILE_WIDTH && !edges.has(path));
    for (const tiles of (await this.#fullTiles()).values()) {
      old.push(...tiles.slice(KEPT_PER_LEVEL).map(({ path }) => path));
    }
    for (const path of old) {
      paths.delete(path);
      await this.#store.removeTile(this.#origin, path);
    }
  }
}

/**
 * The root that a tree had at an earlier size, and the consistency proof to `newSize`, at most its own, from
 * its tiles: undefined if they cannot be had or are not of this tree. At most MAX_FETCHES tiles, however
 * large the tree says it is.
 */
export async function proofFromTiles(
  source: TileSource,
  tree: Tree,
  oldSize: number,
  newSize: number,
  cache?: TileCache,
): Promise<Owed | undefined> {
  const { hashes } = new VerifiedTiles(limited(source), tree.size, tree.rootHash, cache);
  try {
    const oldRoot = await treeRoot(oldSize, hashes);
    return { oldRoot, proof: await proveConsistency(oldSize, newSize, hashes) };
  } catch (error) {
    if (error instanceof SteleError) return undefined;
    throw error;
  }
}

function limited(source: TileSource): TileSource {
  let left = MAX_FETCHES;
  return {
    checkpoint: () => source.checkpoint(),
    bundle: (index, width) => source.bundle(index, width),
    tile: (tile) =>
      left-- > 0
        ? source.tile(tile)
        : Promise.reject(
            new ClientError(
              'too_large',
              `expected at most ${MAX_FETCHES} tiles, found more asked for`,
              'a tree that needs more is not looked into',
            ),
          ),
  };
}

function edgePaths(size: number): string[] {
  const paths: string[] = [];
  for (let level = 0, rest = size; rest > 0; level++, rest = Math.floor(rest / TILE_WIDTH)) {
    if (partialWidth(level, size) > 0) paths.push(edgePath(level, size));
  }
  return paths;
}

/** The partial tile of this level. Requires that there is one. */
function edgePath(level: number, size: number): string {
  const index = Math.floor(size / TILE_WIDTH ** (level + 1));
  return tilePath({ level, index, width: partialWidth(level, size) });
}

function missing(what: string): ClientError {
  return new ClientError('not_found', `${what}: not kept`, 'only the right edge of the newest tree is kept');
}
