/** The log's storage: open it, or make it, and the types it speaks. */
export { StorageError, type StorageErrorCode } from './error.js';
export { FORMAT, folderDrivers, initLogStorage, openLogStorage, type Drivers } from './open.js';
export { PUBLIC } from './log-storage.js';
export * from './types.js';
