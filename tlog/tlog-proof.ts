// A proof that something is in a log, in one file that needs no network to check.
//
//   c2sp.org/tlog-proof@v1
//   extra <base64>                 optional, unauthenticated, left out when there is none
//   index 73894
//   <base64 hash>                  the inclusion proof, leaf's sibling first, perhaps no line at all
//
//   <the checkpoint, a signed note, verbatim>
//
// Source: C2SP tlog-proof.
import {
  concatBytes,
  decodeBase64,
  decodeUtf8,
  encodeBase64,
  encodeUtf8,
  parseDecimal,
  safeInteger,
} from './encoding.js';
import { TlogError, quote } from './errors.js';
import { checkHash } from './merkle.js';
import { parseCheckpoint } from './checkpoint.js';
import type { Checkpoint } from './checkpoint.js';
import { MAX_NOTE_BYTES, parseNote } from './note.js';
import { evaluatePolicy } from './policy.js';
import type { Policy, PolicyEvaluation } from './policy.js';
import { verifyInclusion } from './proof.js';

/** Largest proof file read, in bytes: a note of the largest size and as much before it. */
export const MAX_PROOF_BYTES: number = 2 * MAX_NOTE_BYTES;
/** A tree of 2^63 leaves has proofs of 63 hashes. */
const MAX_PROOF_HASHES = 63;
const MAGIC = 'c2sp.org/tlog-proof@v1';

/** A parsed tlog-proof: nothing in it is verified. */
export interface TlogProof {
  /** Application data, at least one byte, which no signature covers. */
  readonly extra?: Uint8Array;
  /** Index of the entry in the log, from 0. */
  readonly index: number;
  /** RFC 6962 §2.1.1 inclusion proof: 32-byte hashes, the leaf's sibling first. */
  readonly proof: readonly Uint8Array[];
  /** The signed note of the checkpoint, verbatim. */
  readonly checkpoint: Uint8Array;
}

/** What a good tlog-proof says. */
export interface VerifiedTlogProof {
  readonly index: number;
  readonly checkpoint: Checkpoint;
  readonly evaluation: PolicyEvaluation;
  /** As in the file: not authenticated. */
  readonly extra?: Uint8Array;
}

/**
 * Parses a tlog-proof file; the checkpoint must be a signed note of one but is not verified.
 * Throws TlogError "bad_tlog_proof". C2SP tlog-proof "Format".
 */
export function parseTlogProof(bytes: Uint8Array): TlogProof {
  if (bytes.length > MAX_PROOF_BYTES)
    throw bad(`expected at most ${MAX_PROOF_BYTES} bytes, found ${bytes.length}`);
  const end = firstBlankLine(bytes);
  const checkpoint = Uint8Array.from(bytes.subarray(end + 2));
  return within(() => {
    const [magic, ...lines] = decodeUtf8(bytes.subarray(0, end), 'header').split('\n');
    // SPEC: "The first line MUST be the string `c2sp.org/tlog-proof@v1`."
    if (magic !== MAGIC) throw bad(`expected the first line ${MAGIC}, found ${quote(magic ?? '')}`);
    const extra = lines[0]?.startsWith('extra ')
      ? decodeBase64(lines.shift()?.slice(6) ?? '', 'extra')
      : undefined;
    // SPEC: "If no extra data is present, this line is omitted."
    if (extra?.length === 0)
      throw bad('expected no extra line where there is no extra data, found an empty one');
    const line = lines.shift();
    if (line?.startsWith('index ') !== true)
      throw bad(`expected a line "index <decimal>", found ${quote(line ?? '')}`);
    const index = parseDecimal(line.slice(6), 'index');
    if (lines.length > MAX_PROOF_HASHES)
      throw bad(`expected at most ${MAX_PROOF_HASHES} hashes, found ${lines.length}`);
    const proof = lines.map((hash) => checkHash(decodeBase64(hash, 'inclusion proof'), 'inclusion proof'));
    parseCheckpoint(parseNote(checkpoint).text);
    return { ...(extra && { extra }), index, proof, checkpoint };
  });
}

/**
 * The bytes of a tlog-proof file. `extra` of no bytes is left out, as if it were not given.
 * Throws TlogError "bad_tlog_proof".
 */
export function formatTlogProof(proof: TlogProof): Uint8Array {
  return within(() => {
    const { extra, index, proof: hashes, checkpoint } = proof;
    if (hashes.length > MAX_PROOF_HASHES)
      throw bad(`expected at most ${MAX_PROOF_HASHES} hashes, found ${hashes.length}`);
    const header = [
      MAGIC,
      ...(extra && extra.length > 0 ? [`extra ${encodeBase64(extra)}`] : []),
      `index ${safeInteger(index, 'index')}`,
      ...hashes.map((hash) => encodeBase64(checkHash(hash, 'inclusion proof'))),
    ];
    parseCheckpoint(parseNote(checkpoint).text);
    return concatBytes(encodeUtf8(header.map((line) => `${line}\n`).join('') + '\n'), checkpoint);
  });
}

/**
 * Verifies that the entry with this 32-byte leaf hash is in a log of the policy at the index the proof
 * states: the checkpoint is signed by the log, the policy's witnesses cosigned it in sufficient number,
 * and the inclusion proof leads to its root. The leaf hash is the caller's own computation, never
 * something that came with the proof.
 * Throws TlogError "bad_tlog_proof", "quorum_not_met", "bad_proof", "root_mismatch", and what
 * evaluatePolicy throws. C2SP tlog-proof "Verifying a tlog proof".
 */
export function verifyTlogProof(claim: {
  readonly proof: Uint8Array;
  readonly leafHash: Uint8Array;
  readonly policy: Policy;
}): VerifiedTlogProof {
  const { extra, index, proof, checkpoint: note } = parseTlogProof(claim.proof);
  // SPEC: "Check that the checkpoint origin line is acceptable, and that the checkpoint is signed by a log
  // public key configured for that origin line." "Verify all cosignatures for witnesses known".
  const evaluation = evaluatePolicy(claim.policy, note);
  const { checkpoint } = evaluation;
  if (!evaluation.met) {
    const names = evaluation.cosignatures.map(({ witness }) => quote(witness.name)).join(', ');
    throw new TlogError(
      'quorum_not_met',
      `checkpoint of ${quote(checkpoint.origin)}: expected cosignatures that meet the policy's quorum, found ${names || 'none'}`,
      'fetch a newer proof once more witnesses have cosigned, or check that the policy is the right one',
    );
  }
  // SPEC: "Check that the inclusion proof is valid".
  if (index >= checkpoint.size) {
    throw new TlogError(
      'bad_proof',
      `inclusion proof: expected an index below the tree size ${checkpoint.size}, found ${index}`,
      'the proof is of another tree: fetch it again',
    );
  }
  verifyInclusion({
    index,
    treeSize: checkpoint.size,
    leafHash: claim.leafHash,
    proof,
    rootHash: checkpoint.rootHash,
  });
  return { index, checkpoint, evaluation, ...(extra && { extra }) };
}

function firstBlankLine(bytes: Uint8Array): number {
  for (let i = 0; i + 1 < bytes.length; i++) if (bytes[i] === 0x0a && bytes[i + 1] === 0x0a) return i;
  throw bad('expected a blank line between inclusion proof and checkpoint, found none');
}

const HINT = `a tlog-proof is ${MAGIC}, an index line, hashes, a blank line and a signed checkpoint`;

function bad(message: string): TlogError {
  return new TlogError('bad_tlog_proof', `tlog-proof: ${message}`, HINT);
}

/** Any fault found inside is a fault of the tlog-proof. */
function within<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof TlogError) || cause.code === 'bad_tlog_proof') throw cause;
    throw new TlogError('bad_tlog_proof', `tlog-proof: ${cause.message}`, cause.hint || HINT, { cause });
  }
}
