// Tree nodes from tiles (C2SP tlog-tiles) that are believed, as a log believes its own disk. Whoever
// believes nothing but a root reads through client/verified-tiles.ts, which vouches for each tile first.
import { sha256Into } from '#platform';
import { safeInteger } from './encoding.js';
import { TlogError } from './errors.js';
import { HASH_SIZE, checkHash } from './merkle.js';
import type { HashReader, NodeId } from './proof.js';
import { TILE_WIDTH, parseTile, tilePath, tileWidth, type TileId } from './tiles.js';

/** Tree levels that one tile spans. */
const TILE_HEIGHT = 8;

/** Answers with the bytes of a tile, `width` hashes. Falling back from a partial tile that is gone to
 * the full one is the answerer's business: sliceTile cuts it. */
export type FetchTile = (tile: TileId) => Promise<Uint8Array>;

/** Where a tree node is found: in which tile, and as the root of which of its hashes. */
function locate(node: NodeId, treeSize: number): { tile: TileId; first: number; count: number } {
  safeInteger(node.level, 'node level');
  safeInteger(node.index, 'node index');
  // 2^52 leaves are the largest perfect subtree of a safe size.
  const span = node.level <= 52 ? 2 ** node.level : Infinity;
  if (node.index >= Math.floor(treeSize / span)) {
    throw new TlogError(
      'bad_node',
      `node ${node.index} of level ${node.level} does not exist in a tree of size ${treeSize}`,
      'use a checkpoint of a larger tree',
    );
  }
  const level = Math.floor(node.level / TILE_HEIGHT);
  const count = 2 ** (node.level % TILE_HEIGHT);
  const start = node.index * count;
  const index = Math.floor(start / TILE_WIDTH);
  return {
    tile: { level, index, width: tileWidth(level, index, treeSize) },
    first: start % TILE_WIDTH,
    count,
  };
}

/** The tiles of a tree of `treeSize` leaves that hold these nodes, each once. Throws TlogError "bad_node". */
function tilesForNodes(nodes: readonly NodeId[], treeSize: number): TileId[] {
  const tiles = new Map<string, TileId>();
  for (const node of nodes) {
    const { tile } = locate(node, treeSize);
    tiles.set(tilePath(tile), tile);
  }
  return [...tiles.values()];
}

/** The root of the perfect subtree over these hashes. Requires a power of two of them, at least 1. */
export function perfectRoot(hashes: readonly Uint8Array[]): Uint8Array {
  const tile = new Uint8Array(hashes.length * HASH_SIZE);
  hashes.forEach((hash, i) => tile.set(checkHash(hash, 'tile'), i * HASH_SIZE));
  return tileRoot(tile);
}

/** The same, of the bytes of a tile. Throws TlogError "bad_tile". */
export function tileRoot(tile: Uint8Array): Uint8Array {
  let count = tile.length / HASH_SIZE;
  if (!Number.isInteger(Math.log2(count))) {
    throw new TlogError(
      'bad_tile',
      `tile: expected the hashes of a perfect subtree, found ${tile.length} bytes`,
      'the tile is not the one of that place: it may be damaged on its way or at its source',
    );
  }
  // Each row takes the place of the one below. The byte before a pair is of the pair before it, which has been
  // hashed: it becomes the 0x01 of RFC 6962 §2.1, so that no pair is copied.
  const row = new Uint8Array(1 + tile.length);
  row.set(tile, 1);
  for (; count > 1; count /= 2) {
    for (let i = 0; i < count / 2; i++) {
      const at = 2 * i * HASH_SIZE;
      row[at] = 1;
      sha256Into(row.subarray(at, at + 1 + 2 * HASH_SIZE), row, 1 + i * HASH_SIZE);
    }
  }
  return row.slice(1, 1 + HASH_SIZE);
}

/** Fetches these tiles at once, each one once, and requires their lengths. Keyed by path. */
async function fetchTiles(tiles: readonly TileId[], fetchTile: FetchTile): Promise<Map<string, Uint8Array>> {
  const fetched = new Map<string, Uint8Array>();
  await Promise.all(
    tiles.map(async (tile) => {
      const bytes = await fetchTile(tile);
      if (bytes.length !== tile.width * HASH_SIZE) parseTile(bytes, tile.width);
      fetched.set(tilePath(tile), bytes);
    }),
  );
  return fetched;
}

function nodeFrom(tiles: ReadonlyMap<string, Uint8Array>, node: NodeId, treeSize: number): Uint8Array {
  const { tile, first, count } = locate(node, treeSize);
  const bytes = tiles.get(tilePath(tile)) ?? new Uint8Array(0);
  return tileRoot(bytes.subarray(first * HASH_SIZE, (first + count) * HASH_SIZE));
}

/**
 * Computes any node of a tree of `treeSize` leaves from its tiles, believing them. Each call fetches
 * the tiles it needs at once, each one once, and only tiles that a tree of that size has. Throws
 * TlogError "bad_node" for a node outside the tree, "bad_tile" for a tile of the wrong length.
 */
export function tileHashReader(treeSize: number, fetchTile: FetchTile): HashReader {
  safeInteger(treeSize, 'tree size');
  return async (nodes) => {
    const tiles = await fetchTiles(tilesForNodes(nodes, treeSize), fetchTile);
    return nodes.map((node) => nodeFrom(tiles, node, treeSize));
  };
}
