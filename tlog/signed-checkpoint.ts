// A checkpoint together with the signatures that make it worth something: the log's own, and its
// cosigners'. Source: C2SP tlog-checkpoint "Signatures"; C2SP tlog-cosignature.
import { parseCheckpoint } from './checkpoint.js';
import type { Checkpoint } from './checkpoint.js';
import { TlogError, quote } from './errors.js';
import { openNote } from './note.js';
import type { VerifiedSignature } from './note.js';
import type { Vkey } from './vkey.js';

/** A verified line by a cosigner. */
export interface Cosignature extends VerifiedSignature {
  /** POSIX seconds; zero where an ML-DSA-44 cosigner states no time. */
  readonly timestamp: number;
}

/** A checkpoint with a good signature by its log. */
export interface OpenedCheckpoint {
  readonly checkpoint: Checkpoint;
  /** The note's text: the bytes that were signed. */
  readonly text: string;
  /** By keys of the log, at least one. */
  readonly logSignatures: readonly VerifiedSignature[];
  /** By the cosigners given, perhaps none. Whether they suffice is a policy's business. */
  readonly cosignatures: readonly Cosignature[];
}

/**
 * Verifies a signed checkpoint. Every line by a key given must verify, and at least one must be by a
 * log key of the checkpoint's own origin: a key speaks for the origin that is its name, or for
 * `origin` where that is given.
 * Throws TlogError as openNote does, and "bad_checkpoint", "unknown_log".
 */
export function openCheckpoint(
  bytes: Uint8Array,
  logKeys: readonly Vkey[],
  cosigners: readonly Vkey[] = [],
  origin?: string,
): OpenedCheckpoint {
  const { text, verified } = openNote(bytes, [...logKeys, ...cosigners]);
  const checkpoint = parseCheckpoint(text);
  const ofLog = new Set(logKeys);
  const logSignatures = verified.filter(
    ({ vkey }) => ofLog.has(vkey) && (origin ?? vkey.name) === checkpoint.origin,
  );
  if (logSignatures.length === 0) {
    throw new TlogError(
      'unknown_log',
      `checkpoint of ${quote(checkpoint.origin)}: expected a signature by a key known for that origin, found none`,
      'check that the policy or key given belongs to this log; if it did, the log may have changed its keys: its operator names the new one',
    );
  }
  const cosignatures = verified.flatMap((signature) =>
    ofLog.has(signature.vkey) || signature.timestamp === undefined
      ? []
      : [{ ...signature, timestamp: signature.timestamp }],
  );
  return { checkpoint, text, logSignatures, cosignatures };
}
