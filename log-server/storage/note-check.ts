import {
  type Checkpoint,
  type OpenedCheckpoint,
  encodeBase64,
  equalBytes,
  formatKeyId,
  openCheckpoint,
  parseNote,
  type Vkey,
} from '../../tlog/index.js';
import { StorageError, reason } from './error.js';
import type { LogStorageOptions } from './types.js';

type Keys = Pick<LogStorageOptions, 'logKeys' | 'keySpans'>;

/** The keys that sign a head of this size. */
export function keysAt({ logKeys, keySpans }: Keys, size: number): Vkey[] {
  return logKeys.filter((_, i) => {
    const { from, until } = keySpans?.[i] ?? ALWAYS;
    return from <= size && (until === null || size <= until);
  });
}

const ALWAYS = { from: 0, until: null };

/** Keys that had retired before a head of this size was signed: a line by one is nobody's to write. */
function keysRetired({ logKeys, keySpans }: Keys, size: number): Vkey[] {
  return logKeys.filter((_, i) => {
    const { until } = keySpans?.[i] ?? ALWAYS;
    return until !== null && until < size;
  });
}

/** Of these keys, the IDs of those that have no line in a note. */
export function keysMissing(
  { logSignatures }: Pick<OpenedCheckpoint, 'logSignatures'>,
  keys: readonly Vkey[],
): string[] {
  const signed = new Set(logSignatures.map(({ vkey }) => vkey));
  return keys.filter((vkey) => !signed.has(vkey)).map(({ keyId }) => formatKeyId(keyId));
}

/** Of the keys that sign a head of this size, those that sign still: of the others a line may be lost for good. */
export function keysDue(options: Keys, size: number): Vkey[] {
  const { logKeys, keySpans } = options;
  const signing = new Set(logKeys.filter((_, i) => (keySpans?.[i] ?? ALWAYS).until === null));
  return keysAt(options, size).filter((vkey) => signing.has(vkey));
}

/** IDs of the keys that signed this note after they had retired. */
export function keysTooLate(
  { logSignatures, checkpoint }: Pick<OpenedCheckpoint, 'logSignatures' | 'checkpoint'>,
  keys: Keys,
): string[] {
  const retired = new Set(keysRetired(keys, checkpoint.size));
  return logSignatures.filter(({ vkey }) => retired.has(vkey)).map(({ vkey }) => formatKeyId(vkey.keyId));
}

/** IDs on the lines of a note that this log signed, no one else's, that are by none of its keys. */
export function keysUnlisted(note: Uint8Array, { logKeys }: Pick<Keys, 'logKeys'>): string[] {
  const listed = new Set(logKeys.map(({ keyId }) => keyId));
  return parseNote(note).signatures.flatMap(({ keyId }) => (listed.has(keyId) ? [] : [formatKeyId(keyId)]));
}

/**
 * What is signed or published must be signed by the log, of a size between two bounds and of this very
 * tree; what is signed, by every key that signs heads of its size; nothing by a key that has retired before.
 * A key that has retired since may be missing: it signs no more. Throws StorageError "not_allowed".
 */
export async function checkNote(
  claim: { note: Uint8Array; what: 'signed' | 'published'; least: number; most: number },
  options: LogStorageOptions,
  rootAt: (size: number) => Promise<Uint8Array>,
): Promise<Checkpoint> {
  const { logKeys, origin } = options;
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
  const { size, rootHash } = opened.checkpoint;
  const late = keysTooLate(opened, options);
  if (late.length > 0)
    throw refuse(`expected no line by a key that has retired, found one by ${late.join(', ')}`);
  const missing = keysMissing(opened, keysDue(options, size));
  if (claim.what === 'signed' && missing.length > 0) {
    throw refuse(`expected a line by each key of the log, found none by ${missing.join(', ')}`);
  }
  if (size < claim.least || size > claim.most) {
    throw refuse(`expected a size from ${claim.least} to ${claim.most}, found ${size}`);
  }
  const expected = await rootAt(size);
  if (!equalBytes(rootHash, expected)) {
    throw refuse(`expected root ${encodeBase64(expected)} at ${size}, found ${encodeBase64(rootHash)}`);
  }
  return opened.checkpoint;
}
