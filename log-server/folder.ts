import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, whatStandsAt } from '../system/commands.js';
import { LogError } from './errors.js';

/** The names in a log's folder. Keys lie beside the data, never in it: a copy of the data holds no key. */
export const FILES = {
  /** Which keys the log has and had: log-keys.ts. */
  logKeys: 'log-keys.json',
  /** The keys that init made; those that came later lie in `log-<key ID>.key`. */
  logKey: 'log.key',
  logMldsaKey: 'log-mldsa.key',
  anchorKey: 'anchor.key',
  operatorKey: 'operator.key',
  policy: 'policy',
  charter: 'charter.json',
  /** There while a change of the keys is under way: rotation-plan.ts. */
  rotation: 'rotation.json',
  /** Terms that wait for the consent of registrars. */
  nextTerms: 'next-terms.json',
  data: 'data',
  /** Derived from the data: may be deleted. */
  search: 'search',
} as const;

/**
 * Throws LogError `no_log_here` for what is no folder, and for one in which nothing has a name of a log's: of a damaged
 * one something is left; `no_permission` and the like for one that cannot be read.
 */
export async function checkFolder(folder: string): Promise<void> {
  const { found, names, error } = await whatStandsAt(folder);
  const known: ReadonlySet<string> = new Set(Object.values(FILES));
  if (names?.some((name) => known.has(name)) === true) return;
  const { code, hint } =
    error === undefined
      ? {
          code: 'no_log_here',
          hint: 'check --folder, and that its disk is mounted; a new log is made with: stele-log init',
        }
      : describeError(error);
  throw new LogError(code, `expected the folder of a log at ${folder}, found ${found}`, hint, {
    cause: error,
  });
}

/** Reads the policy of a log's folder. Throws LogError `no_policy`. */
export async function readPolicyFile(folder: string): Promise<Uint8Array> {
  const path = join(folder, FILES.policy);
  try {
    return await readFile(path);
  } catch (cause) {
    throw new LogError(
      'no_policy',
      `expected a tlog-policy at ${path}, found none`,
      'restore it from its backup: of a log with a charter it is terms.policy, byte for byte; of another --policy may name one',
      { cause },
    );
  }
}

/** Whether there is a file or a folder of this name. Throws where that cannot be told. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}
