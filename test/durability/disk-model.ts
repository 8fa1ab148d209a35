import { dirname } from 'node:path';
import type { Call } from './strace.js';

/** Bytes of one write. They are durable in the file once it was synced after they were written. */
interface Chunk {
  readonly data: string;
  synced: boolean;
}

interface File {
  chunks: Chunk[];
}

/** What a crash may leave under a name: the settled file or none, or any of those that came after it. */
interface Name {
  settled: File | undefined;
  pending: File[];
}

/** A file that was there before the trace began; a folder is one too, without data. */
export interface SavedFile {
  readonly path: string;
  /** One character per byte. */
  readonly data: string;
}

const WRITES = new Set(['write', 'writev', 'pwrite64', 'pwritev']);
const RENAMES = new Set(['rename', 'renameat', 'renameat2', 'link', 'linkat']);

/**
 * What a power cut would leave of one folder, by POSIX alone: bytes last from the end of an fsync or
 * fdatasync of their file that began after they were written; a name lasts from the end of an fsync of
 * its folder that began after it was made; nothing else does, whatever a file system may do of its own.
 * Bytes that an injected error answered for do not last.
 *
 * What the folder held before the trace began is told by `before` and counts as durable; what is
 * neither there nor in the trace does not exist.
 */
export class DiskModel {
  readonly #root: string;
  readonly #names = new Map<string, Name>();
  /** What a sync that has begun will have made durable when it ends. */
  readonly #syncing = new Map<Call, () => void>();
  /** A name that was given to bytes not yet synced: after a crash it may hold anything. */
  readonly unsyncedRenames: string[] = [];
  syncs = 0;
  renames = 0;

  /** `root`: absolute path of the folder, itself durable. */
  constructor(root: string, before: readonly SavedFile[] = []) {
    this.#root = root;
    for (const { path, data } of before) {
      this.#names.set(path, { settled: { chunks: [{ data, synced: true }] }, pending: [] });
    }
  }

  begin(call: Call): void {
    if (call.name !== 'fsync' && call.name !== 'fdatasync') return;
    const path = call.target;
    if (path === undefined || !this.#ours(path)) return;
    const file = this.#latest(path);
    const chunks = file ? [...file.chunks] : [];
    const names = [...this.#names].filter(([name]) => dirname(name) === path);
    const latest = names.map(([, name]) => ({ name, last: name.pending.at(-1) }));
    this.#syncing.set(call, () => {
      this.syncs++;
      for (const chunk of chunks) chunk.synced = true;
      for (const { name, last } of latest) {
        // Another sync may have settled it meanwhile.
        if (last === undefined || !name.pending.includes(last)) continue;
        name.pending.splice(0, name.pending.indexOf(last) + 1);
        name.settled = last;
      }
    });
  }

  end(call: Call): void {
    const { name, strings, result, target } = call;
    if (result === undefined || result < 0 || call.injected) return;
    this.#syncing.get(call)?.();
    if (WRITES.has(name) && target !== undefined && this.#ours(target)) {
      this.#latest(target)?.chunks.push({ data: strings.join(''), synced: false });
    } else if (name === 'openat' || name === 'open' || name === 'creat') {
      this.#opened(strings[0] ?? '', call.args);
    } else if (name === 'mkdir' || name === 'mkdirat') {
      this.#make(strings[0] ?? '', { chunks: [] });
    } else if (RENAMES.has(name)) {
      this.#renamed(strings[0] ?? '', strings[1] ?? '', name.startsWith('rename'));
    } else if (name === 'unlink' || name === 'unlinkat') {
      this.#names.delete(strings[0] ?? '');
    }
  }

  /** Whether every state that a power cut could leave holds `needle` in the file, under this name. */
  holds(path: string, needle: string): boolean {
    const name = this.#names.get(path);
    if (!name?.settled || !this.#foldersSettled(path)) return false;
    return [name.settled, ...name.pending].every((file) =>
      file.chunks.some(({ synced, data }) => synced && data.includes(needle)),
    );
  }

  /** Whether the file would be there after a power cut, with all that was written to it. */
  isWhole(path: string): boolean {
    const name = this.#names.get(path);
    if (!name?.settled || !this.#foldersSettled(path)) return false;
    return [name.settled, ...name.pending].every(({ chunks }) => chunks.every(({ synced }) => synced));
  }

  /** The synced bytes of the file that a power cut would leave, one string for each that it could. */
  possible(path: string): (string | undefined)[] {
    const name = this.#names.get(path);
    if (!name || !this.#foldersSettled(path)) return [undefined];
    return [name.settled, ...name.pending].map((file) =>
      file?.chunks
        .filter(({ synced }) => synced)
        .map(({ data }) => data)
        .join(''),
    );
  }

  /** The names below a folder, at any depth. */
  below(folder: string): string[] {
    return [...this.#names.keys()].filter((path) => path.startsWith(`${folder}/`));
  }

  #ours(path: string): boolean {
    return path === this.#root || path.startsWith(`${this.#root}/`);
  }

  #latest(path: string): File | undefined {
    const name = this.#names.get(path);
    return name?.pending.at(-1) ?? name?.settled;
  }

  #opened(path: string, args: string): void {
    if (!this.#ours(path)) return;
    const file = this.#latest(path);
    if (!file && args.includes('O_CREAT')) this.#make(path, { chunks: [] });
    else if (file && args.includes('O_TRUNC')) file.chunks = [];
  }

  #make(path: string, file: File): void {
    if (!this.#ours(path)) return;
    const name = this.#names.get(path) ?? { settled: undefined, pending: [] };
    name.pending.push(file);
    this.#names.set(path, name);
  }

  #renamed(from: string, to: string, moved: boolean): void {
    const file = this.#latest(from);
    if (!file || !this.#ours(to)) return;
    this.renames++;
    if (file.chunks.some(({ synced }) => !synced)) this.unsyncedRenames.push(to);
    this.#make(to, file);
    if (moved) this.#names.delete(from);
  }

  #foldersSettled(path: string): boolean {
    for (let folder = dirname(path); folder !== this.#root && folder.length > 1; folder = dirname(folder)) {
      if (!this.#names.get(folder)?.settled) return false;
    }
    return true;
  }
}
