/**
 * What the programs ask of the operating system: its clocks, files that survive a crash, keys in files,
 * locks, threads that sign, and connections that take turns and have room for who asks; and `commands.js`.
 */
export * from './commands.js';
export { Bodies, type Body } from './body.js';
export { Connections, networkOf } from './connections.js';
export { createFile, replaceFile, syncFolder, writeTemporary } from './durable-file.js';
export { jsonLines, type Level } from './logger.js';
export { allowedMethods } from './other-methods.js';
export { METRICS_TYPE, Metrics, type Sample } from './metrics.js';
export { PAGE_POLICY, duration, escapeHtml, formatPage, grouped, keyList, shorten, time } from './page.js';
export { measureProcess } from './process-metrics.js';
export { KeyFileError, readKeyFile } from './key-file.js';
export { checkOwner } from './owner.js';
export { lockFolder } from './folder-lock.js';
export { makeFolder, makeFolderSync } from './make-folder.js';
export { lockTrouble, type LockTrouble } from './lock-trouble.js';
export {
  SigningError,
  SigningPool,
  type SigningPoolOptions,
  type SigningPoolStatus,
  type SigningRequest,
} from './signing-pool.js';
export { inTurn } from './turns.js';
