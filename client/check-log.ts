import {
  encodeBase64,
  entriesPath,
  equalBytes,
  formatTile,
  leafHash,
  parseBundle,
  perfectRoot,
  tilePath,
  TILE_WIDTH,
  tileWidth,
  TlogError,
  type TileId,
} from '../tlog/index.js';
import { ClientError } from './errors.js';
import { fetchBundle, fetchTile, type TileSource } from './source.js';
import { foldEdge } from './verified-tiles.js';

/** How a whole log is read. */
export interface CheckLogOptions {
  /** Bundles, each with its tile, fetched ahead. Default 8. */
  parallel?: number;
  /** Called with the number of entries checked so far, after each bundle. */
  onProgress?: (entries: number) => void;
}

/** What a full check looked at. */
export interface CheckedLog {
  entries: number;
  bundles: number;
  tiles: number;
}

/**
 * Checks every resource of a tree: each bundle is well-formed and hashes to its tile of level 0, each
 * tile above is made of the hashes below it, and all of it folds into the root. Trusts nothing but
 * `size` and `rootHash`, 32 bytes, which the caller takes from a verified checkpoint. Constant memory.
 *
 * Throws ClientError `bad_bundle` or `bad_tile`, naming the resource, `not_found`, or the network's codes.
 */
export async function checkLog(
  source: TileSource,
  { size, rootHash }: { size: number; rootHash: Uint8Array },
  options: CheckLogOptions = {},
): Promise<CheckedLog> {
  const counts: CheckedLog = { entries: 0, bundles: 0, tiles: 0 };
  /** Per level, the hashes of the tile that is being filled, and how many full ones came before it. */
  const levels: { hashes: Uint8Array[]; full: number }[] = [];

  /** Compares a tile with what lies below it; a full one becomes one hash of the level above. */
  async function finish(level: number, served?: Uint8Array): Promise<void> {
    const { hashes, full } = levels[level] ?? { hashes: [], full: 0 };
    const tile: TileId = { level, index: full, width: hashes.length };
    const bytes = served ?? (await fetchTile(source, tile));
    counts.tiles++;
    if (!equalBytes(bytes, formatTile(hashes))) {
      throw new ClientError(
        'bad_tile',
        `${tilePath(tile)}: expected the hashes of ${level === 0 ? 'its entries' : 'the tiles below it'}, found others`,
        'the file was damaged, or the log serves a tree that it does not have',
      );
    }
    if (hashes.length < TILE_WIDTH) return;
    levels[level] = { hashes: [], full: full + 1 };
    await push(level + 1, perfectRoot(hashes));
  }

  async function push(level: number, hash: Uint8Array): Promise<void> {
    const row = (levels[level] ??= { hashes: [], full: 0 });
    row.hashes.push(hash);
    if (level > 0 && row.hashes.length === TILE_WIDTH) await finish(level);
  }

  async function fetchPair(index: number): Promise<{ bundle: Uint8Array; tile: Uint8Array }> {
    const width = tileWidth(0, index, size);
    const [bundle, tile] = await Promise.all([
      fetchBundle(source, index, width),
      fetchTile(source, { level: 0, index, width }),
    ]);
    return { bundle, tile };
  }

  const last = Math.ceil(size / TILE_WIDTH);
  const ahead: ReturnType<typeof fetchPair>[] = [];
  let next = 0;
  for (let index = 0; index < last; index++) {
    while (next < last && ahead.length < (options.parallel ?? 8)) {
      const pair = fetchPair(next++);
      // After the first failure nobody awaits the rest.
      pair.catch(() => undefined);
      ahead.push(pair);
    }
    const pair = await ahead.shift();
    if (!pair) break;
    const entries = parse(index, tileWidth(0, index, size), pair.bundle);
    levels[0] = { hashes: entries.map((entry) => leafHash(entry)), full: index };
    await finish(0, pair.tile);
    counts.bundles++;
    counts.entries += entries.length;
    options.onProgress?.(counts.entries);
  }
  // What is left above level 0 are the partial tiles of the right edge.
  for (const [level, { hashes }] of levels.entries()) {
    if (level > 0 && hashes.length > 0) await finish(level);
  }
  const found = foldEdge(
    size,
    levels.map(({ hashes }) => hashes),
  );
  if (!equalBytes(found, rootHash)) {
    throw new ClientError(
      'bad_tile',
      `tree of size ${size}: expected the root ${encodeBase64(rootHash)}, its entries give ${encodeBase64(found)}`,
      'entries and tiles agree with each other but not with what the log signed',
    );
  }
  return counts;
}

function parse(index: number, width: number, bytes: Uint8Array): Uint8Array[] {
  try {
    return parseBundle(bytes, width);
  } catch (cause) {
    if (!(cause instanceof TlogError)) throw cause;
    throw new ClientError('bad_bundle', `${entriesPath(index, width)}: ${cause.message}`, cause.hint, {
      cause,
    });
  }
}
