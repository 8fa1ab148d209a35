import { readFileSync } from 'node:fs';
import { lstat, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ClientError } from '../../client/errors.js';
import type { TileSource } from '../../client/source.js';
import { TILE_WIDTH, type TileId, entriesPath, tilePath } from '../../tlog/index.js';

/** Milliseconds above which a file was not in memory, or the program was not on a core: two in a row were not in memory. */
const SLOW_MS = 0.5;
/** Files read by other threads after those. */
const READ_ELSEWHERE = 64;

/** A C2SP tlog-tiles log in a folder: `checkpoint` and `tile/…`, as a static web server would show them. */
export class FolderSource implements TileSource {
  readonly folder: string;
  /** Files left to be read by other threads before the disk is tried again. */
  #waiting = 0;
  #slow = false;

  constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Throws ClientError "not_found". What is in the system's memory is read on the spot, at a quarter of what
   * handing it to another thread costs; a disk that has to be waited for is asked for several files at once.
   */
  async #read(path: string): Promise<Uint8Array> {
    const file = join(this.folder, path);
    try {
      let bytes: Buffer;
      if (this.#waiting > 0) {
        this.#waiting--;
        bytes = await readFile(file);
      } else {
        const begun = performance.now();
        bytes = readFileSync(file);
        const slow = performance.now() - begun > SLOW_MS;
        if (slow && this.#slow) this.#waiting = READ_ELSEWHERE;
        this.#slow = slow;
      }
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    } catch (cause) {
      throw new ClientError(
        'not_found',
        `${path}: expected a file in ${this.folder}, found none`,
        'give the folder in which the log’s checkpoint and tile/ lie',
        {
          cause,
        },
      );
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
