import { lstat, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ClientError, type TileSource } from '../../client/index.js';
import { TILE_WIDTH, type TileId, entriesPath, tilePath } from '../../tlog/index.js';

/** A C2SP tlog-tiles log in a folder: `checkpoint` and `tile/…`, as a static web server would show them. */
export class FolderSource implements TileSource {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Throws ClientError "not_found". */
  async #read(path: string): Promise<Uint8Array> {
    try {
      const bytes = await readFile(join(this.folder, path));
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    } catch (cause) {
      throw new ClientError('not_found', `${path}: expected a file in ${this.folder}, found none`, '', {
        cause,
      });
    }
  }

  checkpoint(): Promise<Uint8Array> {
    return this.#read('checkpoint');
  }

  tile(tile: TileId): Promise<Uint8Array> {
    return this.#read(tilePath(tile));
  }

  bundle(index: number, width: number): Promise<Uint8Array> {
    return this.#read(entriesPath(index, width));
  }

  /** Widths of the partial files of a full path, smallest first; files that are no width are -1. */
  async partials(fullPath: string): Promise<number[]> {
    try {
      const names = (await readdir(join(this.folder, `${fullPath}.p`))).filter((n) => !n.endsWith('.tmp'));
      const widths = names.map((name) => (/^[1-9][0-9]{0,2}$/.test(name) ? Number(name) : -1));
      return widths.map((width) => (width < TILE_WIDTH ? width : -1)).sort((a, b) => a - b);
    } catch {
      return [];
    }
  }
}

/** Whether a path is a folder that holds tiles. */
export async function holdsTiles(folder: string): Promise<boolean> {
  try {
    return (await lstat(join(folder, 'tile'))).isDirectory();
  } catch {
    return false;
  }
}
