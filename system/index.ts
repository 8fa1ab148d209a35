/**
 * What the programs ask of the operating system: its clocks, files that survive a crash, keys in files,
 * locks, and connections that take turns.
 */
export { SHELLS, addCompletion, completionScript, type Shell } from './completion.js';
export { systemClock } from './clock.js';
export { createFile, replaceFile, syncFolder, writeTemporary } from './durable-file.js';
export { exitStatusHelp, packageVersion } from './program.js';
export { KeyFileError, readKeyFile } from './key-file.js';
export { lockTrouble, type LockTrouble } from './lock-trouble.js';
export { inTurn } from './turns.js';
