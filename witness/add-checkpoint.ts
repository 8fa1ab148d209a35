// C2SP tlog-witness, "add-checkpoint": what a request says and what a witness decides about it. No
// clock, no disk, no HTTP: those are in witness.ts and http.ts.
import {
  emptyRoot,
  equalBytes,
  parseDecimal,
  SteleError,
  verifyConsistency,
  verifyNote,
  type Checkpoint,
  type Note,
  type Vkey,
} from '../tlog/index.js';
import { badRequest, parseRequest } from './request-body.js';

/** A request that is well-formed. Nothing in it has been verified. */
export interface AddCheckpoint {
  oldSize: number;
  /** 32-byte hashes. */
  proof: Uint8Array[];
  note: Note;
  checkpoint: Checkpoint;
}

/** What a witness last cosigned for a log. */
export interface LatestCheckpoint {
  size: number;
  /** 32 bytes. */
  rootHash: Uint8Array;
}

/** What is decided. Each kind has one status in http.ts. */
export type Verdict =
  | { kind: 'cosign' }
  /** The old size is above the checkpoint's. */
  | { kind: 'malformed'; detail: string }
  /** The old size is not that of the latest checkpoint cosigned, which is `size`. */
  | { kind: 'conflict'; size: number }
  | { kind: 'inconsistent'; detail: string };

/**
 * Parses a request body: an `old <size>` line, up to 63 proof lines, an empty line, a checkpoint.
 * Throws WitnessError or TlogError, whichever found the fault; all of them are 400.
 */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpoint {
  const { head, proof, note, checkpoint } = parseRequest(body, 'add-checkpoint', 1);
  const [oldLine = ''] = head;
  if (!oldLine.startsWith('old ')) {
    throw badRequest('add-checkpoint', 'expected the first line to be "old <size>"');
  }
  return { oldSize: parseDecimal(oldLine.slice(4), 'old size'), proof, note, checkpoint };
}

/**
 * The signature lines of the log's trusted keys, all verified; undefined if there is none, or if one
 * that names a trusted key is bad.
 *
 * SPEC: the witness "MUST ignore signatures from unknown keys"; 403 "if either no signature from a
 * trusted key for the origin is present, or a signature line's key name and ID match a trusted key but
 * the signature itself fails to verify".
 */
export function trustedLines(request: AddCheckpoint, logKeys: readonly Vkey[]): string[] | undefined {
  try {
    return verifyNote(request.note, [...logKeys]).verified.map(({ line }) => line);
  } catch (error) {
    if (error instanceof SteleError) return undefined;
    throw error;
  }
}

/**
 * Decides about a request whose signature was found good, against the latest checkpoint cosigned for
 * its origin; undefined if there is none yet. Pure; its answer holds only as long as `latest` does.
 */
export function decide(request: AddCheckpoint, latest: LatestCheckpoint | undefined): Verdict {
  const { oldSize, proof, checkpoint } = request;
  // SPEC: "The old size MUST be equal to or lower than the checkpoint size. Otherwise, … 400".
  if (oldSize > checkpoint.size) {
    return {
      kind: 'malformed',
      detail: `expected an old size of at most ${checkpoint.size}, the checkpoint's, found ${oldSize}`,
    };
  }
  // SPEC: "the old size matches the size of the latest checkpoint it cosigned for the checkpoint's
  // origin (or zero if it never cosigned a checkpoint for that origin). If it doesn't match, … 409".
  const known = latest?.size ?? 0;
  if (oldSize !== known) return { kind: 'conflict', size: known };
  // SPEC: "A checkpoint of size zero MUST have the root hash of the empty tree … Otherwise, … 422".
  if (checkpoint.size === 0 && !equalBytes(checkpoint.rootHash, emptyRoot())) {
    return { kind: 'inconsistent', detail: 'expected the root of the empty tree for size 0, found another' };
  }
  // SPEC: "If the old size is zero, the consistency proof MUST be empty"; otherwise 422.
  if (oldSize === 0 || !latest) {
    if (proof.length === 0) return { kind: 'cosign' };
    return { kind: 'inconsistent', detail: 'expected an empty proof from old size 0, found hashes' };
  }
  // SPEC: "If the old size matches the checkpoint size, the witness MUST check that the root hashes are
  // also identical." The proof is empty then, and verifyConsistency compares the roots.
  try {
    verifyConsistency({
      oldSize,
      oldRoot: latest.rootHash,
      newSize: checkpoint.size,
      newRoot: checkpoint.rootHash,
      proof,
    });
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    return { kind: 'inconsistent', detail: error.message };
  }
  return { kind: 'cosign' };
}
