import type { Disk } from './types.js';

interface File {
  bytes: Uint8Array;
}

interface Folder {
  /** What a running program sees. */
  now: Map<string, File | Folder>;
  /** What a power cut leaves for certain: names synced by syncFolder. */
  durable: Map<string, File | Folder>;
}

function isFolder(node: File | Folder | undefined): node is Folder {
  return node !== undefined && 'now' in node;
}

function newFolder(): Folder {
  return { now: new Map(), durable: new Map() };
}

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: no such file or folder, ${path}`), { code: 'ENOENT' });
}

/**
 * Disk in memory, for simulations: a file's content is durable when its call returns, but a name only
 * after its folder was synced. `crash` forgets, at random, what was not.
 */
export class MemoryDisk implements Disk {
  readonly #root: Folder = newFolder();
  /** What freeBytes answers. */
  free: number = Number.MAX_SAFE_INTEGER;

  #parts(path: string): string[] {
    return path.split('/').filter((part) => part !== '' && part !== '.');
  }

  #folder(parts: readonly string[], path: string): Folder {
    let folder = this.#root;
    for (const part of parts) {
      const next = folder.now.get(part);
      if (!isFolder(next)) throw missing(path);
      folder = next;
    }
    return folder;
  }

  #locate(path: string): { folder: Folder; name: string } {
    const parts = this.#parts(path);
    return { folder: this.#folder(parts.slice(0, -1), path), name: parts.at(-1) ?? '' };
  }

  #file(path: string): File {
    const { folder, name } = this.#locate(path);
    const file = folder.now.get(name);
    if (!file || isFolder(file)) throw missing(path);
    return file;
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    await Promise.resolve();
    try {
      return this.#file(path).bytes.slice();
    } catch {
      return undefined;
    }
  }

  async list(folder: string): Promise<string[]> {
    await Promise.resolve();
    try {
      return [...this.#folder(this.#parts(folder), folder).now.keys()].sort();
    } catch {
      return [];
    }
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    await Promise.resolve();
    const { folder, name } = this.#locate(path);
    const existing = folder.now.get(name);
    if (existing && !isFolder(existing)) existing.bytes = bytes.slice();
    else folder.now.set(name, { bytes: bytes.slice() });
  }

  async append(path: string, offset: number, bytes: Uint8Array): Promise<void> {
    await Promise.resolve();
    const file = this.#file(path);
    if (file.bytes.length < offset) throw new Error(`${path} is shorter than ${offset}`);
    const grown = new Uint8Array(offset + bytes.length);
    grown.set(file.bytes.subarray(0, offset));
    grown.set(bytes, offset);
    file.bytes = grown;
  }

  async sync(path: string): Promise<void> {
    await Promise.resolve();
    this.#file(path);
  }

  async rename(from: string, to: string): Promise<void> {
    await Promise.resolve();
    const source = this.#locate(from);
    const target = this.#locate(to);
    const node = source.folder.now.get(source.name);
    if (!node) throw missing(from);
    source.folder.now.delete(source.name);
    target.folder.now.set(target.name, node);
  }

  async makeFolder(path: string): Promise<void> {
    await Promise.resolve();
    let folder = this.#root;
    for (const part of this.#parts(path)) {
      let next = folder.now.get(part);
      if (!isFolder(next)) {
        next = newFolder();
        folder.now.set(part, next);
      }
      folder.durable.set(part, next);
      folder = next;
    }
  }

  async syncFolder(path: string): Promise<void> {
    await Promise.resolve();
    const folder = this.#folder(this.#parts(path), path);
    folder.durable = new Map(folder.now);
  }

  async remove(path: string): Promise<void> {
    await Promise.resolve();
    try {
      const { folder, name } = this.#locate(path);
      folder.now.delete(name);
    } catch {
      // Its folder is not there either.
    }
  }

  freeBytes(): Promise<number> {
    return Promise.resolve(this.free);
  }

  /** A power cut: each name that was not synced is lost or not, as `random` (0 to 1) falls. */
  crash(random: () => number): void {
    const visit = (folder: Folder): void => {
      const names = [...new Set([...folder.now.keys(), ...folder.durable.keys()])].sort();
      const kept = new Map<string, File | Folder>();
      for (const name of names) {
        const now = folder.now.get(name);
        const durable = folder.durable.get(name);
        const node = now === durable || random() < 0.5 ? now : durable;
        if (node) kept.set(name, node);
      }
      folder.now = kept;
      folder.durable = new Map(kept);
      for (const node of kept.values()) if (isFolder(node)) visit(node);
    };
    visit(this.#root);
  }
}
