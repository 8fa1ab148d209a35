import { lstat, readlink, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { FolderDisk } from '../storage/disk.js';
import { StorageError } from '../storage/error.js';

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Links followed, one to the next. */
const MOST_LINKS = 40;

/**
 * Where a folder really lies, though nothing be there: the new one is made beside that, on the disk that was given to
 * it, and a link stays a link.
 */
export async function homeOf(folder: string): Promise<string> {
  let home = folder;
  for (let links = 0; links < MOST_LINKS; links++) {
    const target = await readlink(home).catch(() => undefined);
    if (target === undefined) break;
    home = resolve(dirname(home), target);
  }
  return home;
}

/** A run that was cut off between its two renames is finished; what it left otherwise is made anew. */
export async function finishEarlier(folder: string): Promise<boolean> {
  if (!(await exists(`${folder}.recovered`))) return false;
  if (await exists(folder)) {
    await rm(`${folder}.recovered`, { recursive: true });
    return false;
  }
  await rename(`${folder}.recovered`, folder);
  await new FolderDisk(dirname(folder)).syncFolder('.');
  return true;
}

/**
 * Sets the folder as it was aside and the new one in its place; `move` renames. Throws StorageError "storage_failed" where a
 * disk is mounted at the folder: that name can be given to nothing else.
 */
export async function swap(
  folder: string,
  now: Date,
  move: (from: string, to: string) => Promise<void> = rename,
): Promise<string | undefined> {
  let kept: string | undefined;
  if (await exists(folder)) {
    const stamp = now.toISOString().replace(/[-:]|\.[0-9]+/g, '');
    kept = `${folder}.damaged-${stamp}`;
    for (let i = 2; await exists(kept); i++) kept = `${folder}.damaged-${stamp}-${i}`;
    await move(folder, kept).catch((cause: unknown) => {
      if ((cause as NodeJS.ErrnoException).code !== 'EBUSY') throw cause;
      throw new StorageError(
        'storage_failed',
        `recover: expected a folder that can be renamed, found ${folder} in use: is a disk mounted there?`,
        'nothing of it was changed; mount the disk above it, or give a link to a folder on it that name, and run this again',
        { cause },
      );
    });
  }
  await move(`${folder}.recovered`, folder);
  await new FolderDisk(dirname(folder)).syncFolder('.');
  return kept;
}
