import { mkdirSync, statSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What makes one folder, and what says whether there is one; a test gives its own. */
export interface FolderMaker {
  readonly make: (folder: string, mode: number) => Promise<unknown>;
  readonly isFolder: (path: string) => Promise<boolean>;
}

const SYSTEM: FolderMaker = {
  make: (folder, mode) => mkdir(folder, { mode }),
  isFolder: (path) =>
    stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    ),
};

/**
 * Makes a folder, and those above it that are missing; one that is there stays as it is. Throws what the
 * system says: ENOENT where a folder cannot be although the one above it is there, EEXIST for a file.
 *
 * Not mkdir's own `recursive`: it asks for ever where the system answers ENOENT in a folder that exists, as
 * Linux does in /proc.
 */
export async function makeFolder(
  folder: string,
  mode = 0o777,
  { make, isFolder }: FolderMaker = SYSTEM,
): Promise<void> {
  try {
    await make(folder, mode);
  } catch (error) {
    if (await isFolder(folder)) return;
    const parent = dirname(folder);
    if (!isMissing(error) || parent === folder || (await isFolder(parent))) throw error;
    await makeFolder(parent, mode, { make, isFolder });
    // Once more and no more often, unless somebody else was faster.
    await make(folder, mode).catch(async (again: unknown) => {
      if (!(await isFolder(folder))) throw again;
    });
  }
}

/** The same, for programs that do one thing at a time. */
export function makeFolderSync(folder: string, mode = 0o777): void {
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    if (isFolderSync(folder)) return;
    const parent = dirname(folder);
    if (!isMissing(error) || parent === folder || isFolderSync(parent)) throw error;
    makeFolderSync(parent, mode);
    try {
      mkdirSync(folder, { mode });
    } catch (again) {
      if (!isFolderSync(folder)) throw again;
    }
  }
}

function isFolderSync(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
