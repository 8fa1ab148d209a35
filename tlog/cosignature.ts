// What a cosigner signs, and how the signature is laid out in a note's line.
//
// In the line, after the key ID, stand eight bytes of timestamp (POSIX seconds, big-endian) and the
// signature. What is signed differs:
//
//   Ed25519 (type 0x04)                       ML-DSA-44 (type 0x06)
//   cosignature/v1                            "subtree/v1\n\0"
//   time 1679315147                           length, cosigner name; timestamp (8 bytes)
//   the whole note text, extensions and all   length, log origin; start, end (8 bytes each); hash
//
// Source: C2SP tlog-cosignature. ML-DSA signing is deterministic (FIPS 204 §3.4 allows it), so that
// signing needs no randomness and a test can name the bytes.
import { mldsa44 } from '#platform';
import { parseCheckpoint } from './checkpoint.js';
import { signEd25519, verifyEd25519 } from './ed25519.js';
import { concatBytes, encodeUtf8, uintBytes } from './encoding.js';
import { TlogError } from './errors.js';
import { COSIGNATURE_ED25519, COSIGNATURE_MLDSA44, NOTE_ED25519, mldsaKeys } from './vkey.js';
import type { SigningKey, Vkey } from './vkey.js';

const ED25519_LENGTH = 64;
const MLDSA44_LENGTH = 2420;
const TIMESTAMP_LENGTH = 8;
const SUBTREE_LABEL = encodeUtf8('subtree/v1\n\0');

/** A subtree of a log, or (start = 0) its whole tree of size `end`. */
export interface Subtree {
  /** The log's origin, 1 to 255 bytes of UTF-8. */
  readonly origin: string;
  /** Index of the first leaf. */
  readonly start: number;
  /** Index of the last leaf plus one. */
  readonly end: number;
  /** 32-byte root of the leaves from start to end. */
  readonly hash: Uint8Array;
}

/**
 * The bytes an Ed25519 cosigner signs for the note text `text` at `timestamp` (POSIX seconds, a safe
 * integer). Throws TlogError "bad_timestamp". C2SP tlog-cosignature "Ed25519 signed message".
 */
export function ed25519CosignedMessage(text: string, timestamp: number): Uint8Array {
  checkTimestamp(timestamp);
  return encodeUtf8(`cosignature/v1\ntime ${timestamp}\n${text}`);
}

/**
 * The `cosigned_message` that an ML-DSA-44 cosigner signs. `timestamp` is POSIX seconds, zero where the
 * cosigner does not state that the tree is the largest it saw, and always zero when start is not.
 * Throws TlogError "bad_timestamp", "bad_subtree". C2SP tlog-cosignature "ML-DSA-44 signed message".
 */
export function mldsa44CosignedMessage(
  cosignerName: string,
  timestamp: number,
  subtree: Subtree,
): Uint8Array {
  checkTimestamp(timestamp);
  const { start, end, hash } = subtree;
  if (
    !Number.isSafeInteger(start) ||
    !Number.isSafeInteger(end) ||
    start < 0 ||
    end < start ||
    (start > 0 && start === end)
  ) {
    throw new TlogError(
      'bad_subtree',
      `subtree: expected 0 <= start < end, found ${start} and ${end}`,
      'give the range of leaves signed',
    );
  }
  if (hash.length !== 32) {
    throw new TlogError(
      'bad_subtree',
      `subtree: expected a hash of 32 bytes, found ${hash.length}`,
      'give the RFC 6962 root of the range',
    );
  }
  // SPEC: "If `start` is not zero, `timestamp` MUST be zero."
  if (start !== 0 && timestamp !== 0) {
    throw new TlogError(
      'bad_timestamp',
      `subtree from ${start}: expected the timestamp 0, found ${timestamp}`,
      'only the whole tree, from leaf 0, can be stated to be the largest observed at a time',
    );
  }
  return concatBytes(
    SUBTREE_LABEL,
    shortOpaque(cosignerName, 'cosigner name'),
    uintBytes(timestamp, 8),
    shortOpaque(subtree.origin, 'log origin'),
    uintBytes(start, 8),
    uintBytes(end, 8),
    hash,
  );
}

/** What verifyNoteSignature learnt; only cosignatures have a timestamp. */
export interface VerifiedBytes {
  /** POSIX seconds; zero where an ML-DSA-44 cosigner states no time. */
  readonly timestamp?: number;
}

/**
 * Verifies the bytes that follow the key ID in a signature line over the note text `text`.
 * Throws TlogError "bad_signature", whose message says what was wrong.
 * C2SP signed-note "Ed25519 signatures"; C2SP tlog-cosignature "Format".
 */
export function verifyNoteSignature(vkey: Vkey, text: string, signature: Uint8Array): VerifiedBytes {
  if (vkey.type === NOTE_ED25519) {
    expectLength(vkey, signature, ED25519_LENGTH);
    if (!verifyEd25519(signature, encodeUtf8(text), vkey.publicKey)) throw doesNotVerify(vkey);
    return {};
  }
  if (vkey.type === COSIGNATURE_ED25519) {
    expectLength(vkey, signature, TIMESTAMP_LENGTH + ED25519_LENGTH);
    const timestamp = readTimestamp(vkey, signature);
    // A cosignature is a signature on a checkpoint: what is not one cannot carry it.
    checkpointOf(vkey, text);
    const message = ed25519CosignedMessage(text, timestamp);
    if (!verifyEd25519(signature.subarray(TIMESTAMP_LENGTH), message, vkey.publicKey))
      throw doesNotVerify(vkey);
    return { timestamp };
  }
  if (vkey.type === COSIGNATURE_MLDSA44) {
    expectLength(vkey, signature, TIMESTAMP_LENGTH + MLDSA44_LENGTH);
    const timestamp = readTimestamp(vkey, signature);
    verifyMldsa(vkey, timestamp, checkpointOf(vkey, text), signature.subarray(TIMESTAMP_LENGTH));
    return { timestamp };
  }
  throw badSignature(vkey, `expected a key of signature type 1, 4 or 6, found ${vkey.type}`);
}

/**
 * Signs the note text `text`, giving the bytes that follow the key ID in the signature line.
 * Keys of types 4 and 6 need `timestamp` in POSIX seconds and a text that is a checkpoint; type 1 takes none.
 * Throws TlogError "bad_timestamp", "bad_checkpoint", "bad_subtree".
 */
export function signNoteText(key: SigningKey, text: string, timestamp?: number): Uint8Array {
  if (key.type === NOTE_ED25519) return signEd25519(encodeUtf8(text), key.secret);
  if (timestamp === undefined) {
    throw new TlogError(
      'bad_timestamp',
      `cosignature by ${key.name}: expected a timestamp, found none`,
      'keys of signature type 4 and 6 sign the time along with the checkpoint',
    );
  }
  const checkpoint = parseCheckpoint(text);
  if (key.type === COSIGNATURE_ED25519) {
    // SPEC: the Ed25519 message is a statement "as of the specified time"; only ML-DSA-44 may omit it.
    if (timestamp === 0) {
      throw new TlogError(
        'bad_timestamp',
        `cosignature by ${key.name}: expected POSIX seconds above zero, found 0`,
        'only ML-DSA-44 cosignatures can leave the time out',
      );
    }
    return concatBytes(
      uintBytes(timestamp, 8),
      signEd25519(ed25519CosignedMessage(text, timestamp), key.secret),
    );
  }
  return signSubtree(
    key,
    { origin: checkpoint.origin, start: 0, end: checkpoint.size, hash: checkpoint.rootHash },
    timestamp,
  );
}

/**
 * Signs a subtree with an ML-DSA-44 key: eight bytes of timestamp and the signature, as they follow the
 * key ID in a signature line. `timestamp` must be zero unless start is.
 * Throws TlogError "bad_timestamp", "bad_subtree", "bad_signing_key".
 */
export function signSubtree(key: SigningKey, subtree: Subtree, timestamp: number): Uint8Array {
  if (key.type !== COSIGNATURE_MLDSA44) {
    throw new TlogError(
      'bad_signing_key',
      `subtree cosignature by ${key.name}: expected a key of signature type 6, found ${key.type}`,
      'only ML-DSA-44 cosigners sign subtrees',
    );
  }
  const message = mldsa44CosignedMessage(key.name, timestamp, subtree);
  const signature = mldsa44().sign(message, mldsaKeys(key.secret).secretKey, { extraEntropy: false });
  return concatBytes(uintBytes(timestamp, 8), signature);
}

/**
 * Verifies a subtree cosignature (eight bytes of timestamp, then the ML-DSA-44 signature); returns the
 * timestamp. Throws TlogError "bad_signature". C2SP tlog-cosignature "ML-DSA-44 signed message".
 */
export function verifySubtree(vkey: Vkey, subtree: Subtree, signature: Uint8Array): number {
  if (vkey.type !== COSIGNATURE_MLDSA44) {
    throw badSignature(vkey, `expected a key of signature type 6 for a subtree, found ${vkey.type}`);
  }
  expectLength(vkey, signature, TIMESTAMP_LENGTH + MLDSA44_LENGTH);
  const timestamp = readTimestamp(vkey, signature);
  verifyMldsa(vkey, timestamp, subtree, signature.subarray(TIMESTAMP_LENGTH));
  return timestamp;
}

function verifyMldsa(vkey: Vkey, timestamp: number, subtree: Subtree, signature: Uint8Array): void {
  let message: Uint8Array;
  try {
    message = mldsa44CosignedMessage(vkey.name, timestamp, subtree);
  } catch (cause) {
    if (!(cause instanceof TlogError)) throw cause;
    throw badSignature(vkey, cause.message, cause);
  }
  if (!mldsa44().verify(signature, message, vkey.publicKey)) throw doesNotVerify(vkey);
}

function checkpointOf(vkey: Vkey, text: string): Subtree {
  try {
    const { origin, size, rootHash } = parseCheckpoint(text);
    return { origin, start: 0, end: size, hash: rootHash };
  } catch (cause) {
    if (!(cause instanceof TlogError)) throw cause;
    throw badSignature(
      vkey,
      `a cosignature stands on a checkpoint, and this text is none: ${cause.message}`,
      cause,
    );
  }
}

function readTimestamp(vkey: Vkey, signature: Uint8Array): number {
  const value = new DataView(signature.buffer, signature.byteOffset, TIMESTAMP_LENGTH).getBigUint64(0);
  // SPEC: timestamp "MUST NOT exceed 2^63 - 1". Ours is stricter: seconds are safe integers in memory,
  // which reach 285 million years ahead.
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw badSignature(vkey, `expected a timestamp of at most 2^53 - 1 seconds, found ${value.toString()}`);
  }
  return Number(value);
}

function checkTimestamp(timestamp: number): void {
  if (Number.isSafeInteger(timestamp) && timestamp >= 0) return;
  throw new TlogError(
    'bad_timestamp',
    `cosignature: expected POSIX seconds from 0 to 2^53 - 1, found ${timestamp}`,
    'give whole seconds since 1970, not milliseconds and no fraction',
  );
}

function shortOpaque(text: string, what: string): Uint8Array {
  const bytes = encodeUtf8(text);
  // SPEC: opaque cosigner_name<1..2^8-1>, log_origin<1..2^8-1>
  if (bytes.length < 1 || bytes.length > 255) {
    throw new TlogError(
      'bad_subtree',
      `${what}: expected 1 to 255 bytes for an ML-DSA-44 cosignature, found ${bytes.length}`,
      'use a shorter name, or an Ed25519 cosigner',
    );
  }
  return concatBytes(Uint8Array.of(bytes.length), bytes);
}

function expectLength(vkey: Vkey, signature: Uint8Array, length: number): void {
  if (signature.length === length) return;
  throw badSignature(vkey, `expected ${length} bytes after the key ID, found ${signature.length}`);
}

function doesNotVerify(vkey: Vkey): TlogError {
  return badSignature(vkey, 'it does not verify over this text');
}

function badSignature(vkey: Vkey, message: string, cause?: unknown): TlogError {
  return new TlogError(
    'bad_signature',
    `signature by ${vkey.name}: ${message}`,
    'the note was altered, or the configured key is not the one that signed it',
    cause === undefined ? undefined : { cause },
  );
}
