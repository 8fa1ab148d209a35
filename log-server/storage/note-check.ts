import {
  type Checkpoint,
  type OpenedCheckpoint,
  encodeBase64,
  equalBytes,
  formatKeyId,
  openCheckpoint,
  type Vkey,
} from '../../tlog/index.js';
import { StorageError, reason } from './error.js';
import type { LogStorageOptions } from './types.js';

/** IDs of the log's keys of which a note has no line, and should. */
export function keysMissing(
  { logSignatures }: Pick<OpenedCheckpoint, 'logSignatures'>,
  logKeys: readonly Vkey[],
): string[] {
  const signed = new Set(logSignatures.map(({ vkey }) => vkey));
  return logKeys.filter((vkey) => !signed.has(vkey)).map(({ keyId }) => formatKeyId(keyId));
}

/**
 * What is signed or published must be signed by the log, of a size between two bounds and of this very
 * tree; what is signed, by all of the log's keys. Throws StorageError "not_allowed".
 */
export async function checkNote(
  claim: { note: Uint8Array; what: 'signed' | 'published'; least: number; most: number },
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
  let opened: OpenedCheckpoint;
  try {
    opened = openCheckpoint(claim.note, logKeys, [], origin);
  } catch (cause) {
    throw refuse(reason(cause), cause);
  }
  const missing = keysMissing(opened, logKeys);
  if (claim.what === 'signed' && missing.length > 0) {
    throw refuse(`expected a line by each key of the log, found none by ${missing.join(', ')}`);
  }
  const { size, rootHash } = opened.checkpoint;
  if (size < claim.least || size > claim.most) {
    throw refuse(`expected a size from ${claim.least} to ${claim.most}, found ${size}`);
  }
  const expected = await rootAt(size);
  if (!equalBytes(rootHash, expected)) {
    throw refuse(`expected root ${encodeBase64(expected)} at ${size}, found ${encodeBase64(rootHash)}`);
  }
  return opened.checkpoint;
}
