import { readdir } from 'node:fs/promises';
import { FILES } from './folder.js';

/**
 * Whether this folder has files that `init` makes before its last key, which is `log.key`, and nothing that comes later. So
 * an `init` leaves it that was cut off, before anything was signed; and so does a backup of which a part was put back.
 */
export async function isUnfinished(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((): string[] => []);
  const before: readonly string[] = [
    FILES.anchorKey,
    FILES.operatorKey,
    FILES.charter,
    FILES.policy,
    FILES.logMldsaKey,
    FILES.logKeys,
  ];
  const isMade = names.includes(FILES.anchorKey) || names.includes(FILES.logKeys);
  return isMade && names.every((name) => before.includes(name) || TEMPORARY.test(name));
}

const TEMPORARY = /\.tmp$/;

/** What is to be done then: which of the two it is, only the operator knows. */
export const UNFINISHED_HINT =
  'init was cut off here, or a part of a backup was put back: if this log never ran, delete what is in the folder and run stele-log init again; else restore the rest, log.key and data, from the backup';
