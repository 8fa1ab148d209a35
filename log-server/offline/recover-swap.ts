import { lstat, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FolderDisk } from '../storage/disk.js';

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
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

/** Sets the folder as it was aside and the new one in its place. */
export async function swap(folder: string, now: Date): Promise<string | undefined> {
  let kept: string | undefined;
  if (await exists(folder)) {
    const stamp = now.toISOString().replace(/[-:]|\.[0-9]+/g, '');
    kept = `${folder}.damaged-${stamp}`;
    for (let i = 2; await exists(kept); i++) kept = `${folder}.damaged-${stamp}-${i}`;
    await rename(folder, kept);
  }
  await rename(`${folder}.recovered`, folder);
  await new FolderDisk(dirname(folder)).syncFolder('.');
  return kept;
}
