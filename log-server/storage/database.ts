import { realpath } from 'node:fs/promises';
import { type GetOptions, Level } from 'level';
import { lockTrouble } from '../../system/index.js';
import { StorageError, damaged } from './error.js';

/** A LevelDB of byte keys and values. */
export type Database = Level<Uint8Array, Uint8Array>;

/**
 * Folders open in this process. LevelDB's own lock is a POSIX one: it does not keep out the process
 * that holds it, and falls when that process closes any other descriptor of the lock file. So a
 * second open must not even be tried, and nothing of ours ever opens a file in such a folder.
 */
const open = new Set<string>();

/** Whether the system refused something, which LevelDB passes on; else it did not like what it read. */
function isSystemError(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return code === 'LEVEL_IO_ERROR' || code === 'LEVEL_LOCKED';
}

/**
 * Opens a LevelDB folder, or with `create` makes one where there is none; the folder above it must
 * exist. Throws StorageError "locked", "state_damaged", "storage_failed".
 */
export async function openDatabase(
  folder: string,
  create: boolean,
): Promise<{ db: Database; close: () => Promise<void> }> {
  // The folder itself may not exist yet: the one above it gives the registry its one name for it.
  const split = folder.lastIndexOf('/');
  const name = `${await realpath(split <= 0 ? (split === 0 ? '/' : '.') : folder.slice(0, split))}/${folder.slice(split + 1)}`;
  if (open.has(name)) throw inUse(folder);
  open.add(name);
  // In the constructor: it opens by itself on the next tick and would create what is missing.
  const db: Database = new Level<Uint8Array, Uint8Array>(folder, {
    createIfMissing: create,
    keyEncoding: 'view',
    valueEncoding: 'view',
  });
  try {
    await db.open();
  } catch (error) {
    open.delete(name);
    const { kind, text } = lockTrouble(error);
    if (kind === 'held') throw inUse(folder, error);
    // Opening writes too. A file that is gone is damage; a disk that is full or fails need not be.
    if (kind === 'damaged' || (!create && !isSystemError(error))) {
      throw damaged(`state: ${folder} does not open: ${text}`, error);
    }
    throw new StorageError(
      'storage_failed',
      `${folder} does not open: ${text}`,
      'free space, mend the disk or its rights, and start again',
      { cause: error },
    );
  }
  return {
    db,
    close: async () => {
      try {
        await db.close();
      } finally {
        open.delete(name);
      }
    },
  };
}

/**
 * A value, or undefined, which the types of `level` leave out. Read on the spot: handing a look-up to a thread and back
 * takes several times as long as the look-up, and admission makes a dozen for each entry, one after the other.
 */
export function readKey(
  db: Database,
  key: Uint8Array,
  options: GetOptions<Uint8Array, Uint8Array> = {},
): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => resolve(db.getSync(key, options)));
}

function inUse(folder: string, cause?: unknown): StorageError {
  return new StorageError(
    'locked',
    `${folder} is in use by another process, or twice in this one`,
    'one process at a time writes a log: stop the other one first',
    { cause },
  );
}
