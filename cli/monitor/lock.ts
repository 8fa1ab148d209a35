// One monitor per folder: two would tell everything twice. LevelDB holds a kernel lock on its folder for as
// long as the process lives; nothing is kept in it.
import { mkdir, realpath } from 'node:fs/promises';
import { Level } from 'level';
import { lockTrouble } from '../../system/index.js';
import { CliError, EXIT } from '../errors.js';

/** Folders held by this process: the kernel's lock falls when the same process opens it once more. */
const held = new Set<string>();

/** Takes the lock in `folder`. Gives what releases it. Throws CliError "locked", "lock_failed", status 3. */
export async function takeLock(folder: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = await realpath(folder);
  const level = held.has(path) ? undefined : new Level(path);
  if (level === undefined) throw locked(folder);
  held.add(path);
  try {
    await level.open();
  } catch (error) {
    held.delete(path);
    const { kind, text } = lockTrouble(error);
    if (kind === 'held') throw locked(folder);
    throw new CliError(
      EXIT.network,
      'lock_failed',
      `${folder}: expected to take the lock, found ${text}`,
      kind === 'failed'
        ? 'free space, mend the disk or its rights, and start again'
        : 'the folder holds no data: if no monitor runs on it, remove it and start again',
      { cause: error },
    );
  }
  return async () => {
    await level.close();
    held.delete(path);
  };
}

function locked(folder: string): CliError {
  return new CliError(
    EXIT.network,
    'locked',
    `${folder}: expected to be the only one here, found that another monitor runs on this folder`,
    'stop the other one, or give --folder',
  );
}
