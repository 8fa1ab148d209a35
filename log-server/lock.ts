import { join } from 'node:path';
import { makeFolder } from '../system/index.js';
import { concatBytes, equalBytes, formatKeyId, parseDecimal, sha256 } from '../tlog/index.js';
import { FolderDisk } from './storage/disk.js';
import { type Database, openDatabase, readKey } from './storage/database.js';
import { StorageError, reason } from './storage/error.js';

/** The largest head ever signed with a key on this machine. */
export interface SignedMark {
  readonly size: number;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
}

/**
 * The exclusive right to sign with a log's key: one holder on this machine, whatever folder it works
 * in. It also remembers the last head signed, so that an older copy of a folder is found out where
 * the key stayed in place. It cannot stop a copy of the key on another machine: witnesses do.
 */
export interface KeyLock {
  /** undefined if nothing was signed here yet. */
  readonly mark: SignedMark | undefined;
  /** Synced when it returns. Throws StorageError "outcome_unknown". */
  writeMark(mark: SignedMark): Promise<void>;
  close(): Promise<void>;
}

const MARK = new TextEncoder().encode('last signed head');

function formatMark({ size, rootHash }: SignedMark): Uint8Array {
  const payload = concatBytes(rootHash, new TextEncoder().encode(String(size)));
  return concatBytes(sha256(payload), payload);
}

/** undefined for a mark that does not fit its checksum: it is a second guard, not the first. */
function parseMark(bytes: Uint8Array): SignedMark | undefined {
  const payload = bytes.subarray(32);
  if (payload.length < 33 || !equalBytes(bytes.subarray(0, 32), sha256(payload))) return undefined;
  return {
    rootHash: payload.slice(0, 32),
    size: parseDecimal(new TextDecoder().decode(payload.subarray(32)), 'signed mark'),
  };
}

/**
 * Takes the lock `lock-<key ID>` in the folder of the key, a database of its own since Node has no
 * flock and a file with a process number goes stale. Throws StorageError "locked" if another process,
 * or this one, has it; "storage_failed" if it cannot be told, with what the system or LevelDB said.
 */
export async function acquireKeyLock(keyFolder: string, keyId: number): Promise<KeyLock> {
  const folder = join(keyFolder, `lock-${formatKeyId(keyId)}`);
  await makeFolder(keyFolder);
  let opened: { db: Database; close: () => Promise<void> };
  try {
    opened = await openDatabase(folder, true);
  } catch (error) {
    if (error instanceof StorageError && error.code === 'locked') {
      throw new StorageError(
        'locked',
        `the log key ${formatKeyId(keyId)} is in use: ${folder} is held by another process`,
        'one process at a time signs with a key: stop the other one first',
        { cause: error },
      );
    }
    const isDamaged = error instanceof StorageError && error.code === 'state_damaged';
    throw new StorageError(
      'storage_failed',
      `the lock beside the log key cannot be taken: ${reason(error)}`,
      isDamaged
        ? `if no process uses this key, move ${folder} away; it is made anew`
        : 'free space, mend the disk or its rights, and start again',
      { cause: error },
    );
  }
  const { db, close } = opened;
  try {
    // The database syncs what is in its folder, not the name of the folder itself.
    await new FolderDisk(keyFolder).syncFolder('.');
  } catch (cause) {
    await close();
    throw new StorageError(
      'storage_failed',
      `${keyFolder} cannot be synced: ${reason(cause)}`,
      'free space or mend the disk, and start again',
      { cause },
    );
  }
  const stored = await readKey(db, MARK);
  let mark = stored && parseMark(stored);
  return {
    get mark() {
      return mark;
    },
    async writeMark(next) {
      try {
        await db.batch([{ type: 'put', key: MARK, value: formatMark(next) }], { sync: true });
      } catch (cause) {
        throw new StorageError(
          'outcome_unknown',
          `the mark of the last signed head failed and may have landed or not: ${reason(cause)}`,
          'the log stops; starting it again finds out which',
          { cause },
        );
      }
      mark = next;
    },
    close,
  };
}
