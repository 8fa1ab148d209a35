import {
  type TileId,
  TILE_WIDTH,
  entriesPath,
  formatBundle,
  tilePath,
  tilesBetween,
} from '../../tlog/index.js';
import { failedBefore } from './file-tiles.js';
import type { Disk, TileStore } from './types.js';

/**
 * Writes the partial tiles and the partial bundle of the tree of `size` that one of `oldSize` did not
 * have. `rest` are its last size % 256 entries.
 */
export async function writePartials(
  store: TileStore,
  oldSize: number,
  size: number,
  tile: (id: TileId) => Uint8Array,
  rest: readonly Uint8Array[],
): Promise<void> {
  const objects: [string, Uint8Array][] = [];
  for (const id of tilesBetween(oldSize, size)) {
    if (id.width < TILE_WIDTH) objects.push([tilePath(id), tile(id)]);
  }
  if (rest.length > 0 && size !== oldSize) {
    const index = Math.floor(size / TILE_WIDTH);
    objects.push([entriesPath(index, rest.length), formatBundle(rest)]);
  }
  if (objects.length > 0) await store.put(objects);
}

/**
 * Removes partial files that nobody can still need. SPEC (tlog-tiles): a log "MAY delete any
 * partial tile once the corresponding full tile is […] available". They stay until the tile behind
 * it is full as well, for readers in the middle of a walk. `full` are the tiles just written.
 */
export async function removeOldPartials(disk: Disk, prefix: string, full: readonly TileId[]): Promise<void> {
  for (const { level, index } of full) {
    if (index === 0) continue;
    const before = index - 1;
    const paths = [tilePath({ level, index: before, width: TILE_WIDTH })];
    if (level === 0) paths.push(entriesPath(before, TILE_WIDTH));
    for (const path of paths) {
      try {
        await disk.remove(`${prefix}/${path}.p`);
      } catch (cause) {
        throw failedBefore(`${path}.p`, cause);
      }
    }
  }
}
