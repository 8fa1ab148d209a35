import { copyFile, link, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesUint, decodeUtf8, parseDecimal } from '../../tlog/index.js';
import { openDatabase } from './database.js';
import { keysOf, unseal } from './records.js';

/**
 * Works on a copy of a state's folder: opening a LevelDB rewrites its files, and drops for good what
 * it finds damaged. Requires that no process has the original open. Tables never change, so they are
 * linked where that works. The copy is gone when this returns.
 */
export async function withStateCopy<T>(
  folder: string,
  scratch: string,
  work: (copy: string) => Promise<T>,
): Promise<T> {
  const parent = await mkdtemp(join(scratch, 'stele-state-'));
  try {
    const copy = join(parent, 'state');
    await mkdir(copy);
    // A folder that is gone gives an empty copy, which will not open.
    for (const name of await readdir(folder).catch(() => [])) {
      // The lock file must not even be opened, and the copy gets its own.
      if (name === 'LOCK') continue;
      const from = join(folder, name);
      const to = join(copy, name);
      if (name.endsWith('.ldb')) {
        try {
          await link(from, to);
          continue;
        } catch {
          // Another file system: copied like the rest.
        }
      }
      await copyFile(from, to);
    }
    return await work(copy);
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

/** What could be read of a state. */
export interface Salvage {
  /** Unsealed entries by index. */
  readonly entries: Map<number, Uint8Array>;
  /** What each witness last cosigned. */
  readonly witnesses: Map<string, number>;
  /** What kept the rest from being read; undefined where all was. */
  readonly trouble: unknown;
}

/**
 * The values of a state that fit their checksums, however damaged the rest is; none if it does not
 * open. Give it a copy: see {@link withStateCopy}.
 */
export async function salvageState(copy: string): Promise<Salvage> {
  const entries = new Map<number, Uint8Array>();
  const witnesses = new Map<string, number>();
  const collect = async (
    tag: 'e' | 'w',
    keep: (key: Uint8Array, payload: Uint8Array) => void,
  ): Promise<void> => {
    const { db, close } = await openDatabase(copy, false);
    try {
      for await (const [key, value] of db.iterator(keysOf(tag))) {
        try {
          keep(key.subarray(1), unseal(key, value).payload);
        } catch {
          // This one is lost; the tail or a mirror may have it.
        }
      }
    } finally {
      await close();
    }
  };
  try {
    await collect('e', (key, payload) => entries.set(bytesUint(key, 'index'), payload.slice()));
    await collect('w', (key, payload) =>
      witnesses.set(decodeUtf8(key), parseDecimal(decodeUtf8(payload), 'witness size')),
    );
  } catch (trouble) {
    // What was read so far is as good as ever.
    return { entries, witnesses, trouble };
  }
  return { entries, witnesses, trouble: undefined };
}
