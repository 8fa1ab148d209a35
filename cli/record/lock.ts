// One recorder at a time for a run. Node has no flock, and a file with a process number goes stale: so a
// LevelDB of its own, whose lock falls with the process that holds it.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { lockTrouble } from '../../system/index.js';
import { CliError, EXIT } from '../errors.js';

/** Takes the lock; the function gives it back. Throws CliError "recorder_running", "cannot_write". */
export async function lockRun(records: string, run: string): Promise<() => Promise<void>> {
  const folder = join(records, `.${run}.lock`);
  await mkdir(folder, { recursive: true });
  // Loaded here: no other command has a use for it.
  const { Level } = await import('level');
  const lock = new Level(folder);
  try {
    await lock.open();
  } catch (error) {
    const { kind, text } = lockTrouble(error);
    if (kind === 'held') {
      throw new CliError(
        EXIT.network,
        'recorder_running',
        `${folder}: expected no other recorder of ${run}, found one at work`,
        'one process at a time records a run: end the other one first',
        { cause: error },
      );
    }
    throw new CliError(
      EXIT.usage,
      'cannot_write',
      `${folder}: expected to take the lock of ${run}, found ${text}`,
      kind === 'damaged'
        ? 'nothing is kept in that folder: delete it'
        : 'look at its rights and the free space',
      { cause: error },
    );
  }
  return () => lock.close();
}
