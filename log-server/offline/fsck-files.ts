import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TileSource, fetchBundle, fetchTile } from '../../client/source.js';
import {
  TILE_WIDTH,
  type TileId,
  entriesPath,
  equalBytes,
  formatBundle,
  parseTilePath,
  tileHashReader,
  tileWidth,
  treeRoot,
} from '../../tlog/index.js';
import { EdgeRows } from '../storage/edge-rows.js';
import { reason } from '../storage/error.js';
import type { FolderSource } from '../storage/folder-source.js';
import type { Problem } from './tree-check.js';

/** Entries from the sealed mark on, which are in no bundle for certain. */
export interface Unsealed {
  readonly sealedTo: number;
  readonly pending: readonly Uint8Array[];
}

/** Roots of earlier trees, from the full tiles and the unsealed entries. */
export function earlierRoots(files: FolderSource, found: Unsealed): (size: number) => Promise<Uint8Array> {
  const read = (tile: TileId): Promise<Uint8Array | undefined> =>
    files.tile({ ...tile, width: TILE_WIDTH }).catch(() => undefined);
  let edge: Promise<EdgeRows> | undefined;
  return async (size) => {
    edge ??= EdgeRows.load(found.sealedTo, read).then((rows) => {
      const { range, grown } = rows.grow(found.pending);
      rows.adopt(range, grown);
      return rows;
    });
    const rows = await edge;
    const reader = tileHashReader(size, async (tile) => {
      const bytes = rows.tile(tile) ?? (await files.tile({ ...tile, width: TILE_WIDTH }));
      return bytes.subarray(0, tile.width * 32);
    });
    return treeRoot(size, reader);
  };
}

/** A folder's files, and behind them what the state still holds. */
export class OverlaySource implements TileSource {
  readonly #files: FolderSource;
  readonly #sealedTo: number;
  readonly #pending: readonly Uint8Array[];

  constructor(files: FolderSource, sealedTo: number, pending: readonly Uint8Array[]) {
    this.#files = files;
    this.#sealedTo = sealedTo;
    this.#pending = pending;
  }

  checkpoint(): Promise<Uint8Array> {
    return this.#files.checkpoint();
  }

  tile(tile: TileId): Promise<Uint8Array> {
    return this.#files.tile(tile);
  }

  async bundle(index: number, width: number): Promise<Uint8Array> {
    const at = index * TILE_WIDTH - this.#sealedTo;
    if (at < 0) return this.#files.bundle(index, width);
    const held = formatBundle(this.#pending.slice(at, at + width));
    if (width < TILE_WIDTH) return held;
    // Sealed already, while the state is yet to hear of it: then the file has to be the same.
    try {
      return await this.#files.bundle(index, width);
    } catch {
      return held;
    }
  }
}

/** Every partial file is the beginning of the wider one. Answers with how many were compared. */
export async function checkPartials(
  files: FolderSource,
  source: TileSource,
  size: number,
  report: (problem: Problem) => void,
): Promise<number> {
  let checked = 0;
  for (const name of partialFolders(files.folder)) {
    const full = name.slice(0, -2);
    let whole: Promise<Uint8Array | undefined> | undefined;
    for (const width of await files.partials(full)) {
      const file = `${name}/${width}`;
      try {
        const parsed = parseTilePath(file);
        const level = parsed.kind === 'tile' ? parsed.level : 0;
        // Written before its checkpoint was: nobody was told of it yet.
        if (tileWidth(level, parsed.index, size) < width) continue;
        checked++;
        const wide = tileWidth(level, parsed.index, size);
        const narrow = await (parsed.kind === 'tile'
          ? files.tile(parsed)
          : files.bundle(parsed.index, width));
        whole ??=
          parsed.kind === 'tile'
            ? fetchTile(source, { ...parsed, width: wide }).catch(() => undefined)
            : fetchBundle(source, parsed.index, wide);
        const wider = await whole;
        if (!wider || equalBytes(narrow, wider.subarray(0, narrow.length))) continue;
        report({
          file,
          expected: `the beginning of ${parsed.kind === 'tile' ? full : entriesPath(parsed.index, wide)}`,
          found: 'other bytes',
        });
      } catch (error) {
        report({ file, expected: 'a partial tile or bundle', found: reason(error) });
      }
    }
  }
  return checked;
}

/** Folders of partial files. As `readdir` with `recursive` finds them, which takes six times as long. */
function partialFolders(folder: string, path = 'tile'): string[] {
  try {
    return readdirSync(join(folder, path), { withFileTypes: true }).flatMap((found) => {
      const inside = `${path}/${found.name}`;
      const below = found.isDirectory() || found.isSymbolicLink() ? partialFolders(folder, inside) : [];
      return found.name.endsWith('.p') ? [inside, ...below] : below;
    });
  } catch {
    return [];
  }
}
