import { mkdir, open, readFile, readdir, rename, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Disk } from './types.js';

/** No such file; a folder of that name is none either. */
function isMissing(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ENOENT' || error.code === 'EISDIR' || error.code === 'ENOTDIR')
  );
}

/** A folder of the file system. Every writing call has synced what its contract says when it returns. */
export class FolderDisk implements Disk {
  readonly #root: string;
  /** Folders whose name this process has made durable: a crash may have come between mkdir and fsync. */
  readonly #made = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  #path(path: string): string {
    return join(this.#root, path);
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    try {
      const bytes = await readFile(this.#path(path));
      // A plain array: a Buffer's slice() shares its memory.
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async list(folder: string): Promise<string[]> {
    try {
      return (await readdir(this.#path(folder))).sort();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const file = await open(this.#path(path), 'w', 0o644);
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  async append(path: string, offset: number, bytes: Uint8Array): Promise<void> {
    const file = await open(this.#path(path), 'r+');
    try {
      const { size } = await file.stat();
      if (size < offset) throw new Error(`${path}: expected at least ${offset} bytes, found ${size}`);
      if (size > offset) await file.truncate(offset);
      for (let done = 0; done < bytes.length;) {
        done += (await file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
      }
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  async sync(path: string): Promise<void> {
    const file = await open(this.#path(path), 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(this.#path(from), this.#path(to));
  }

  async makeFolder(path: string): Promise<void> {
    if (path === '.' || path === '' || this.#made.has(path)) return;
    const parent = dirname(path);
    await this.makeFolder(parent);
    try {
      await mkdir(this.#path(path));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    await this.syncFolder(parent);
    this.#made.add(path);
  }

  async syncFolder(path: string): Promise<void> {
    await this.sync(path);
  }

  async remove(path: string): Promise<void> {
    await rm(this.#path(path), { force: true, recursive: true });
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#root);
    return bavail * bsize;
  }
}
