import { realpath } from 'node:fs/promises';
import { lockTrouble, type LockTrouble } from './lock-trouble.js';
import { makeFolder } from './make-folder.js';

/**
 * Folders held by this process. The kernel's lock belongs to the process and falls when the same process
 * opens and closes the lock file once more, so it is never opened twice.
 */
const held = new Set<string>();

/**
 * Lets one process at a time past, and gives what lets the next one. `folder` is made if it is missing; nothing
 * is kept in it. Node has no flock, and a file with a process number goes stale: LevelDB holds a kernel lock
 * on its folder for as long as the process lives, so an empty one is the lock.
 *
 * Throws what `refused` makes of why it cannot be had.
 */
export async function lockFolder(
  folder: string,
  refused: (trouble: LockTrouble, cause: unknown) => Error,
): Promise<() => Promise<void>> {
  let path: string;
  try {
    await makeFolder(folder, 0o700);
    path = await realpath(folder);
  } catch (error) {
    throw refused(lockTrouble(error), error);
  }
  if (held.has(path)) throw refused({ kind: 'held', text: 'held by this very process' }, undefined);
  held.add(path);
  try {
    // Loaded here: most commands never take a lock.
    const { Level } = await import('level');
    const level = new Level(path);
    await level.open();
    return async () => {
      await level.close();
      held.delete(path);
    };
  } catch (error) {
    held.delete(path);
    throw refused(lockTrouble(error), error);
  }
}
