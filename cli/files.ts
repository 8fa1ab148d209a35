// Files: read within a limit, written so that they are there after a crash and never half there.
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makeFolderSync } from '../system/index.js';
import { CliError, EXIT } from './errors.js';

/** Largest input file read, in bytes: a bundle of the largest entries stays far below. */
const MAX_INPUT_BYTES = 16 * 1024 * 1024;

/** The file's bytes. `shown` is how the user named it. Throws CliError, status 2. */
export function readInput(path: string, shown: string = path): Uint8Array {
  try {
    const stat = statSync(path);
    if (!stat.isFile())
      throw unreadable(shown, `expected a file, found ${stat.isDirectory() ? 'a folder' : 'something else'}`);
    if (stat.size > MAX_INPUT_BYTES) {
      throw unreadable(shown, `expected at most ${MAX_INPUT_BYTES} bytes, found ${stat.size}`);
    }
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw unreadable(shown, reason(cause, 'expected a file that can be read'), cause);
  }
}

/** As readInput, but undefined where there is no such file. */
export function readIfThere(path: string): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw unreadable(path, reason(cause, 'expected a file that can be read'), cause);
  }
}

/**
 * Writes a whole file durably: into a temporary file, fsynced, then put in place, the folder fsynced.
 * With `exclusive`, throws CliError `file_exists` where there is one already, without a window in
 * which two processes could both win; otherwise the old file is replaced. Creates the folder.
 */
export function writeDurably(
  path: string,
  data: string | Uint8Array,
  { mode = 0o644, exclusive = false }: { mode?: number; exclusive?: boolean } = {},
): void {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.tmp`);
  try {
    makeFolderSync(folder);
    rmSync(temporary, { force: true });
    const file = openSync(temporary, 'wx', mode);
    try {
      const bytes = typeof data === 'string' ? Buffer.from(data) : data;
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    if (exclusive) {
      linkSync(temporary, path); // fails where a file is, which rename would replace
      rmSync(temporary);
    } else {
      renameSync(temporary, path);
    }
    syncFolder(folder);
  } catch (cause) {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // What went wrong first is what the caller wants to know.
    }
    if (exclusive && codeOf(cause) === 'EEXIST' && existsSync(path)) {
      throw new CliError(
        EXIT.usage,
        'file_exists',
        `${path}: expected no such file, found one`,
        'name another, or move it away',
      );
    }
    throw new CliError(
      EXIT.usage,
      'cannot_write',
      `${path}: expected to write it, found ${codeOf(cause) ?? String(cause)}`,
      'look at the permissions and the free space of its folder',
      { cause },
    );
  }
}

function syncFolder(folder: string): void {
  if (process.platform === 'win32') return; // a folder cannot be opened there
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** The `code` of a Node system error. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function reason(cause: unknown, otherwise: string): string {
  switch (codeOf(cause)) {
    case 'ENOENT':
      return 'expected a file, found none';
    case 'EACCES':
      return `${otherwise}, found that permission is denied`;
    default:
      return `${otherwise}, found ${codeOf(cause) ?? String(cause)}`;
  }
}

function unreadable(path: string, message: string, cause?: unknown): CliError {
  return new CliError(EXIT.usage, 'unreadable', `${path}: ${message}`, 'check the path', { cause });
}
