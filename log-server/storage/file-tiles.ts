import { dirname } from 'node:path/posix';
import { equalBytes } from '../../tlog/index.js';
import { StorageError, damaged, reason } from './error.js';
import type { Disk, TileStore } from './types.js';

/** TileStore on plain files under `prefix`. A name appears only once its content is synced. */
export class FileTileStore implements TileStore {
  readonly #disk: Disk;
  readonly #prefix: string;
  readonly #written: () => Promise<void>;
  readonly #renamed: () => Promise<void>;

  /** The hooks are called between the writing of all files and the first rename, and after the last. */
  constructor(
    disk: Disk,
    prefix: string,
    hooks: { written?: () => Promise<void>; renamed?: () => Promise<void> } = {},
  ) {
    this.#disk = disk;
    this.#prefix = prefix;
    this.#written = hooks.written ?? (() => Promise.resolve());
    this.#renamed = hooks.renamed ?? (() => Promise.resolve());
  }

  async get(path: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#disk.read(`${this.#prefix}/${path}`);
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
      // Out of descriptors or memory: the file is none the worse for it.
      if (code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM') throw failedBefore(path, cause);
      throw damaged(`${path} cannot be read: ${reason(cause)}`, cause);
    }
  }

  async put(objects: readonly (readonly [path: string, bytes: Uint8Array])[]): Promise<void> {
    const files = objects.map(([path, bytes]) => ({ file: `${this.#prefix}/${path}`, bytes }));
    const folders = [...new Set(files.map(({ file }) => dirname(file)))];
    const fresh: string[] = [];
    try {
      for (const folder of folders) await this.#disk.makeFolder(folder);
      await allDone(
        files.map(async ({ file, bytes }) => {
          const existing = await this.#disk.read(file);
          if (existing === undefined) {
            await this.#disk.write(`${file}.tmp`, bytes);
            fresh.push(file);
          } else if (equalBytes(existing, bytes)) {
            // What wrote it may have died between the rename and the sync of its folder.
            await this.#disk.sync(file);
          } else {
            throw damaged(
              `${file} exists with ${existing.length} bytes that differ from the ${bytes.length} the tree gives`,
            );
          }
        }),
      );
      await this.#written();
    } catch (cause) {
      await Promise.allSettled(fresh.map((file) => this.#disk.remove(`${file}.tmp`)));
      throw failedBefore('tiles', cause);
    }
    try {
      await allDone(fresh.map((file) => this.#disk.rename(`${file}.tmp`, file)));
      await this.#renamed();
      await allDone(folders.map((folder) => this.#disk.syncFolder(folder)));
    } catch (cause) {
      throw failedAfter('tiles', cause);
    }
  }
}

/** Like Promise.all, but waits for the others before it throws: nothing goes on behind an error. */
export async function allDone(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}

/** The error of a file operation before which nothing got its name. */
export function failedBefore(what: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause;
  return new StorageError(
    'storage_failed',
    `${what}: cannot be written: ${reason(cause)}`,
    'free space or mend the disk; it is tried again',
    { cause },
  );
}

/** The error of a rename, or of the sync that makes it last. */
export function failedAfter(what: string, cause: unknown): StorageError {
  return new StorageError(
    'outcome_unknown',
    `${what}: renaming into place failed and may have landed or not: ${reason(cause)}`,
    'the log stops; starting it again finds out which',
    { cause },
  );
}
