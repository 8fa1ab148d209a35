import { dirname } from 'node:path/posix';
import { failedAfter, failedBefore } from './file-tiles.js';
import type { Disk } from './types.js';

/**
 * Replaces a whole file so that a crash leaves the old or the new one. Throws StorageError
 * "storage_failed" if the old one is still there for certain, else "outcome_unknown".
 */
export async function replaceFile(
  disk: Disk,
  path: string,
  bytes: Uint8Array,
  hooks: { written: () => Promise<void>; renamed: () => Promise<void> },
): Promise<void> {
  try {
    await disk.write(`${path}.tmp`, bytes);
    await hooks.written();
  } catch (cause) {
    throw failedBefore(path, cause);
  }
  try {
    await disk.rename(`${path}.tmp`, path);
    await hooks.renamed();
    await disk.syncFolder(dirname(path));
  } catch (cause) {
    throw failedAfter(path, cause);
  }
}
