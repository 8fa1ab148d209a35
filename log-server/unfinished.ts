import { readdir } from 'node:fs/promises';
import { FILES } from './folder.js';

/**
 * Whether `init` was cut off in this folder before its last key, which is `log.key`: it has files that `init` makes before, and
 * nothing that comes later, so nothing was ever signed in it.
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

/** What is to be done then. */
export const UNFINISHED_HINT =
  'init was cut off here, and nothing was ever signed: delete what is in the folder and run stele-log init again';
