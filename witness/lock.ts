// One process per folder. Node has no flock, and a PID file goes stale; LevelDB holds a kernel lock on
// its folder for as long as the process lives, so an empty one is the lock. Nothing is kept in it.
import { mkdir, realpath } from 'node:fs/promises';
import { Level } from 'level';
import { lockTrouble } from '../system/index.js';
import { WitnessError } from './errors.js';

/**
 * Folders held by this process. The kernel's lock belongs to the process and falls when the same
 * process opens and closes the lock file once more, so it is never opened twice.
 */
const held = new Set<string>();

export interface Lock {
  release(): Promise<void>;
}

/** Takes the lock in `folder`, which is made if it is missing. Throws WitnessError "locked", "lock_failed". */
export async function takeLock(folder: string): Promise<Lock> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = await realpath(folder);
  if (held.has(path)) throw locked(folder);
  held.add(path);
  const level = new Level(path);
  try {
    await level.open();
  } catch (error) {
    held.delete(path);
    const { kind, text } = lockTrouble(error);
    if (kind === 'held') throw locked(folder);
    throw new WitnessError(
      'lock_failed',
      `${folder}: expected to take the lock, found ${text}`,
      kind === 'failed'
        ? 'free space, mend the disk or its rights, and start again'
        : 'the folder holds no data: if no witness runs on it, remove it and start again',
      { cause: error },
    );
  }
  return {
    async release() {
      await level.close();
      held.delete(path);
    },
  };
}

function locked(folder: string): WitnessError {
  return new WitnessError(
    'locked',
    `${folder}: expected to be the only one here, found that another witness serves this folder`,
    'stop the other process first; two would sign contradicting histories',
  );
}
