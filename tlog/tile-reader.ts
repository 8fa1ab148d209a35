// Tree nodes from tiles (C2SP tlog-tiles). Two readers: one believes its tiles, as a log believes its
// own disk; one believes nothing but a root hash, as everybody else must.
import { encodeHex, equalBytes, safeInteger } from './encoding.js';
import { TlogError } from './errors.js';
import { HASH_SIZE, checkHash, nodeHash } from './merkle.js';
import { edgeNodes, treeRoot, type HashReader, type NodeId } from './proof.js';
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
export function tilesForNodes(nodes: readonly NodeId[], treeSize: number): TileId[] {
  const tiles = new Map<string, TileId>();
  for (const node of nodes) {
    const { tile } = locate(node, treeSize);
    tiles.set(tilePath(tile), tile);
  }
  return [...tiles.values()];
}

/** The root of the perfect subtree over these hashes. Requires a power of two of them, at least 1. */
export function perfectRoot(hashes: readonly Uint8Array[]): Uint8Array {
  let row = hashes;
  while (row.length > 1) {
    const above: Uint8Array[] = [];
    for (let i = 0; i + 1 < row.length; i += 2) {
      above.push(nodeHash(row[i] ?? new Uint8Array(0), row[i + 1] ?? new Uint8Array(0)));
    }
    row = above;
  }
  return checkHash(row[0] ?? new Uint8Array(0), 'tile');
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
  return perfectRoot(parseTile(bytes.subarray(first * HASH_SIZE, (first + count) * HASH_SIZE), count));
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

/** The hash one tile level up that a full tile must give: its parent's at this tile's index. */
function parentNode(tile: TileId): NodeId {
  return { level: (tile.level + 1) * TILE_HEIGHT, index: tile.index };
}

/**
 * Like tileHashReader, but lets nothing out, and calls `accept` with no tile, unless it hashes up to
 * `rootHash`, 32 bytes. The partial tiles of a tree are exactly the leaves of its right edge, so all of
 * them together give the root; every full tile is vouched for by a hash in the tile above it. So a call
 * fetches, beside the tiles it needs, those above them and the right edge (at most seven more levels).
 * `accept` is the place to cache, since tiles never change. Throws also TlogError "root_mismatch".
 */
export function verifiedTileReader(
  treeSize: number,
  rootHash: Uint8Array,
  fetchTile: FetchTile,
  accept?: (tile: TileId, bytes: Uint8Array) => void,
): HashReader {
  safeInteger(treeSize, 'tree size');
  checkHash(rootHash, 'root hash');
  return async (nodes) => {
    const wanted = new Map<string, TileId>();
    for (let next = tilesForNodes([...nodes, ...edgeNodes(treeSize)], treeSize); next.length > 0;) {
      const full = next.filter((tile) => tile.width === TILE_WIDTH && !wanted.has(tilePath(tile)));
      for (const tile of next) wanted.set(tilePath(tile), tile);
      next = tilesForNodes(full.map(parentNode), treeSize);
    }
    const tiles = await fetchTiles([...wanted.values()], fetchTile);
    const read = (node: NodeId): Uint8Array => nodeFrom(tiles, node, treeSize);
    const root = await treeRoot(treeSize, (edge) => Promise.resolve(edge.map(read)));
    if (!equalBytes(root, rootHash)) {
      throw new TlogError(
        'root_mismatch',
        `tiles of size ${treeSize}: expected root ${encodeHex(rootHash)}, they give ${encodeHex(root)}`,
        'the log serves other tiles than those whose root it signed',
      );
    }
    for (const [path, tile] of wanted) {
      if (tile.width !== TILE_WIDTH) continue;
      const expected = read(parentNode(tile));
      const found = perfectRoot(parseTile(tiles.get(path) ?? new Uint8Array(0), TILE_WIDTH));
      if (!equalBytes(expected, found)) {
        throw new TlogError(
          'root_mismatch',
          `${path}: expected hash ${encodeHex(expected)} as in the tile above, it gives ${encodeHex(found)}`,
          'the log serves other tiles than those whose root it signed',
        );
      }
    }
    for (const [path, tile] of wanted) accept?.(tile, tiles.get(path) ?? new Uint8Array(0));
    return nodes.map(read);
  };
}
