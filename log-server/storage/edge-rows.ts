import {
  CompactRange,
  type TileId,
  TILE_WIDTH,
  edgeNodes,
  formatTile,
  leafHash,
  tileHashReader,
  tileRoot,
} from '../../tlog/index.js';
import { damaged } from './error.js';

/** Hashes at one level of tiles, from the first tile that is not in a file yet. */
interface Row {
  /** Index of the first hash held, a multiple of 256. */
  base: number;
  hashes: Uint8Array[];
}

/** Hashes that a batch adds, by level of tiles. */
export type Grown = ReadonlyMap<number, Uint8Array[]>;

/**
 * The right edge of the tree as rows of tiles: all hashes of tiles that are not full and fsynced, so
 * at most 255 per level and what one batch adds. With the right edge proper it is all that appending,
 * tiles and proofs at the edge need; nothing here grows with the tree but the number of levels.
 */
export class EdgeRows {
  readonly #rows: Row[] = [];
  range: CompactRange = new CompactRange();

  /**
   * Rebuilds the rows for a tree of `size`, a multiple of 256, from its full tiles: those under the
   * rightmost tile of each level, at most 255 per level. Throws StorageError "state_damaged".
   */
  static async load(
    size: number,
    read: (tile: TileId) => Promise<Uint8Array | undefined>,
  ): Promise<EdgeRows> {
    const rows = new EdgeRows();
    let count = size;
    for (let level = 0; count > 0; level++) {
      const base = Math.floor(count / TILE_WIDTH) * TILE_WIDTH;
      const indexes = Array.from({ length: count - base }, (_, i) => base + i);
      const hashes = await Promise.all(
        indexes.map((index) => fullTileRoot({ level: level - 1, index, width: TILE_WIDTH }, read)),
      );
      rows.#rows.push({ base, hashes });
      count = Math.floor(count / TILE_WIDTH);
    }
    const reader = tileHashReader(size, (tile) => {
      const bytes = rows.tile(tile);
      if (bytes) return Promise.resolve(bytes);
      return readTile(tile, read);
    });
    rows.range = new CompactRange(size, await reader(edgeNodes(size)));
    return rows;
  }

  /** Hashes a batch without changing anything here: `adopt` does, once it is committed. */
  grow(entries: readonly Uint8Array[]): { range: CompactRange; leafHashes: Uint8Array[]; grown: Grown } {
    const range = this.range.clone();
    const grown = new Map<number, Uint8Array[]>();
    const leafHashes = entries.map(leafHash);
    for (const leaf of leafHashes) {
      range.appendVisiting(leaf, (level, _, hash) => {
        if (level % 8 !== 0) return;
        const row = grown.get(level / 8);
        if (row) row.push(hash);
        else grown.set(level / 8, [hash]);
      });
    }
    return { range, leafHashes, grown };
  }

  adopt(range: CompactRange, grown: Grown): void {
    this.range = range;
    for (const [level, hashes] of grown) {
      const row = (this.#rows[level] ??= { base: 0, hashes: [] });
      row.hashes.push(...hashes);
    }
  }

  /** A tile, if its hashes are held here. */
  tile({ level, index, width }: TileId): Uint8Array | undefined {
    const row = this.#rows[level];
    const start = index * TILE_WIDTH - (row?.base ?? 0);
    if (!row || start < 0 || start + width > row.hashes.length) return undefined;
    return formatTile(row.hashes.slice(start, start + width));
  }

  /** Full tiles of the tree of `size` that are not in files yet, lowest level first. */
  fullTiles(size: number): TileId[] {
    const tiles: TileId[] = [];
    let count = size;
    for (const [level, { base }] of this.#rows.entries()) {
      for (let start = base; start + TILE_WIDTH <= count; start += TILE_WIDTH) {
        tiles.push({ level, index: start / TILE_WIDTH, width: TILE_WIDTH });
      }
      count = Math.floor(count / TILE_WIDTH);
    }
    return tiles;
  }

  /** Forgets the hashes of full tiles that now are in files. */
  drop(tiles: readonly TileId[]): void {
    for (const { level } of tiles) {
      const row = this.#rows[level];
      if (!row) continue;
      row.hashes.splice(0, TILE_WIDTH);
      row.base += TILE_WIDTH;
    }
  }
}

async function readTile(
  tile: TileId,
  read: (tile: TileId) => Promise<Uint8Array | undefined>,
): Promise<Uint8Array> {
  const bytes = await read(tile);
  if (!bytes) {
    throw damaged(
      `tiles: expected tile ${tile.index} of level ${tile.level}, ${tile.width} wide, found no file`,
    );
  }
  return bytes;
}

async function fullTileRoot(
  tile: TileId,
  read: (tile: TileId) => Promise<Uint8Array | undefined>,
): Promise<Uint8Array> {
  const bytes = await readTile(tile, read);
  if (bytes.length === TILE_WIDTH * 32) return tileRoot(bytes);
  throw damaged(
    `tiles: tile ${tile.index} of level ${tile.level}: expected ${TILE_WIDTH * 32} bytes, found ${bytes.length}`,
  );
}
