import { type Checkpoint, encodeHex, equalBytes, openCheckpoint } from '../../tlog/index.js';
import { StorageError, reason } from './error.js';
import type { LogStorageOptions } from './types.js';

/**
 * What is signed or published must be signed by the log, of a size between two bounds and of this very
 * tree. Throws StorageError "not_allowed".
 */
export async function checkNote(
  claim: { note: Uint8Array; what: string; least: number; most: number },
  { logKeys, origin }: LogStorageOptions,
  rootAt: (size: number) => Promise<Uint8Array>,
): Promise<Checkpoint> {
  const refuse = (found: string, cause?: unknown): StorageError =>
    new StorageError(
      'not_allowed',
      `${claim.what} note: ${found}`,
      'a bug of the caller; nothing was written',
      { cause },
    );
  let checkpoint: Checkpoint;
  try {
    ({ checkpoint } = openCheckpoint(claim.note, logKeys, [], origin));
  } catch (cause) {
    throw refuse(reason(cause), cause);
  }
  const { size, rootHash } = checkpoint;
  if (size < claim.least || size > claim.most) {
    throw refuse(`expected a size from ${claim.least} to ${claim.most}, found ${size}`);
  }
  const expected = await rootAt(size);
  if (!equalBytes(rootHash, expected)) {
    throw refuse(`expected root ${encodeHex(expected)} at ${size}, found ${encodeHex(rootHash)}`);
  }
  return checkpoint;
}
