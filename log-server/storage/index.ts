/** The log's storage: open it, or make it, and the types it speaks. */
export { StorageError } from './error.js';
export { FORMAT, initLogStorage, openLogStorage, type Drivers } from './open.js';
export { MemoryDisk } from './memory-disk.js';
export { MemoryTreeState, memoryKeyLock, newMemoryStateData, type MemoryStateData } from './memory-state.js';
export { LevelTreeState } from './level-state.js';
export { FolderDisk } from './disk.js';
export { FileTileStore } from './file-tiles.js';
export { PUBLIC } from './log-storage.js';
export * from './types.js';
