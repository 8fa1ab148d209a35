// Whom a file of evidence convicts, if anybody: by the reader's own keys, and nothing else.
// Source: spec/evidence.md "The verdict".
import {
  COSIGNATURE_MLDSA44,
  SteleError,
  checkDistinctKeys,
  emptyRoot,
  encodeHex,
  equalBytes,
  quote,
  verifyConsistency,
  verifyInclusion,
  verifySignatureLine,
  type Checkpoint,
  type Vkey,
} from '../tlog/index.js';
import { EvidenceError } from './errors.js';
import { parseEvidence, type AccusedNote, type Claim, type EvidenceKind } from './format.js';

/**
 * The keys that a reader trusts, and so can find guilty. A Policy of `tlog` is one. A log's key speaks
 * for the origin that is its name, or for `origin` where that is given.
 */
export interface EvidenceKeys {
  readonly logs: readonly { readonly vkey: Vkey; readonly origin?: string }[];
  readonly witnesses: readonly { readonly vkey: Vkey }[];
}

/** A tree that somebody signed. */
export interface TreeHead {
  readonly size: number;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
}

/** What a file of evidence proves. */
export interface Verdict {
  readonly kind: EvidenceKind;
  /** Whose keys are convicted: with a log's, the origin itself. */
  readonly role: 'log' | 'witness';
  readonly origin: string;
  /** The one key that signed, or the two of a rotation in the order of the trees. */
  readonly convicted: readonly Vkey[];
  /** The smaller tree first; of one size, the smaller root first. One for `empty-tree`. */
  readonly trees: readonly TreeHead[];
}

/** Whose a signature is. */
interface Signer {
  readonly role: 'log' | 'witness';
  readonly vkey: Vkey;
}

/**
 * Verifies a file of evidence by the reader's keys: who signed what, and that it is misbehaviour. Nothing
 * in the file is believed, and what it says of anybody else's keys convicts nobody.
 * Throws EvidenceError "bad_evidence", "unknown_key", "bad_signature", "not_proven"; TlogError
 * "duplicate_key" for keys of the reader's that cannot be told apart.
 */
export function verifyEvidence(bytes: Uint8Array, keys: EvidenceKeys): Verdict {
  const { claim, notes } = parseEvidence(bytes);
  const signers = notes.map((note) => signerOf(note, keys));
  const [first, second] = notes;
  const [signer, other = signer] = signers;
  if (first === undefined || signer === undefined || other === undefined)
    throw bad('expected a note, found none');
  if (claim.kind === 'empty-tree') checkEmptyTree(first.checkpoint, signer);
  else if (second !== undefined) checkPair(claim, first.checkpoint, second.checkpoint, signer, other);
  for (const [i, note] of notes.entries()) checkSignature(note, signers[i] ?? signer);
  return {
    kind: claim.kind,
    role: signer.role,
    origin: first.checkpoint.origin,
    convicted: [...new Set(signers.map(({ vkey }) => vkey))],
    trees: notes.map(({ checkpoint: { size, rootHash } }) => ({ size, rootHash })),
  };
}

/** Finds the key of the reader's that a note's line claims to be by. The line itself is not yet checked. */
function signerOf({ checkpoint, signature }: AccusedNote, { logs, witnesses }: EvidenceKeys): Signer {
  const speaking = logs.filter(({ vkey, origin }) => (origin ?? vkey.name) === checkpoint.origin);
  checkDistinctKeys([...speaking, ...witnesses].map(({ vkey }) => vkey));
  const mine = ({ vkey }: { vkey: Vkey }): boolean =>
    vkey.name === signature.name && vkey.keyId === signature.keyId;
  const log = speaking.find(mine);
  if (log !== undefined) return { role: 'log', vkey: log.vkey };
  const witness = witnesses.find(mine);
  if (witness !== undefined) return { role: 'witness', vkey: witness.vkey };
  throw new EvidenceError(
    'unknown_key',
    `evidence: expected signatures by keys that the policy lists for ${quote(checkpoint.origin)} or as witnesses, found one by ${quote(signature.name)}`,
    'add the key to the policy only if you know from elsewhere whose it is',
  );
}

function checkSignature({ text, checkpoint, signature }: AccusedNote, { vkey }: Signer): void {
  try {
    verifySignatureLine(signature, text, [vkey]);
  } catch (cause) {
    if (!(cause instanceof SteleError)) throw cause;
    throw new EvidenceError('bad_signature', `evidence: ${cause.message}`, HINT_ALTERED, { cause });
  }
  // C2SP tlog-cosignature: extension lines "are not included in the signed message for ML-DSA-44", so
  // here they would be bytes that anybody can change.
  if (vkey.type === COSIGNATURE_MLDSA44 && checkpoint.extensions.length > 0)
    throw bad('expected no extension lines over an ML-DSA-44 signature, which does not cover them');
}

/** The root of no leaves is the hash of nothing (RFC 6962 §2.1), whoever signs otherwise. */
function checkEmptyTree({ size, rootHash }: Checkpoint, { role }: Signer): void {
  // Witnesses of the field cosign what a log signs at size 0 without looking at the root.
  if (role !== 'log') throw notProven('an empty tree with a wrong root convicts a log only, not a witness');
  if (size !== 0) throw notProven(`expected a tree of size 0, found ${size}`);
  if (equalBytes(rootHash, emptyRoot())) throw notProven('this is the root of the empty tree');
}

function checkPair(
  claim: Exclude<Claim, { kind: 'empty-tree' }>,
  a: Checkpoint,
  b: Checkpoint,
  signer: Signer,
  other: Signer,
): void {
  if (a.origin !== b.origin)
    throw notProven(`expected two trees of one origin, found ${quote(a.origin)} and ${quote(b.origin)}`);
  // Two keys that the reader lists for this origin are one log's; two witnesses' keys are never one.
  const oneLog = signer.role === 'log' && other.role === 'log';
  if (signer.vkey !== other.vkey && !oneLog)
    throw notProven(`they are signed by different parties, ${quote(signer.vkey.name)} and another`);
  if (a.size === 0) throw notProven('every tree is consistent with the empty one');
  if (claim.kind === 'same-size') checkSameSize(a, b);
  else {
    if (a.size >= b.size)
      throw bad(`expected the note of the smaller tree first, found sizes ${a.size} and ${b.size}`);
    if (claim.kind === 'not-a-prefix') checkPrefix(claim, a, b);
    else checkEntries(claim, a, b);
  }
}

function checkSameSize(a: Checkpoint, b: Checkpoint): void {
  if (a.size !== b.size) throw notProven(`expected one size, found ${a.size} and ${b.size}`);
  if (equalBytes(a.rootHash, b.rootHash)) throw notProven('the two are the same tree');
  if (encodeHex(a.rootHash) > encodeHex(b.rootHash)) throw bad('expected the note of the smaller root first');
}

function checkPrefix(
  { oldRoot, proof }: Extract<Claim, { kind: 'not-a-prefix' }>,
  a: Checkpoint,
  b: Checkpoint,
): void {
  if (equalBytes(oldRoot, a.rootHash)) throw notProven('the smaller tree is a prefix of the larger');
  // A proof that fails shows nothing: anybody can make one up. This one has to hold.
  holds(() => verifyConsistency({ oldSize: a.size, oldRoot, newSize: b.size, newRoot: b.rootHash, proof }));
}

function checkEntries(
  { index, entries }: Extract<Claim, { kind: 'two-entries' }>,
  a: Checkpoint,
  b: Checkpoint,
): void {
  const [first, second] = entries;
  if (equalBytes(first.leafHash, second.leafHash)) throw notProven('both trees hold the same entry there');
  holds(() => verifyInclusion({ index, treeSize: a.size, rootHash: a.rootHash, ...first }));
  holds(() => verifyInclusion({ index, treeSize: b.size, rootHash: b.rootHash, ...second }));
}

function holds(check: () => void): void {
  try {
    check();
  } catch (cause) {
    if (!(cause instanceof SteleError)) throw cause;
    throw new EvidenceError('not_proven', `evidence: ${cause.message}`, HINT_ALTERED, { cause });
  }
}

const HINT_ALTERED = 'the file was altered, or whoever made it proved nothing: it convicts nobody';

function bad(message: string): EvidenceError {
  return new EvidenceError('bad_evidence', `evidence: ${message}`, HINT_ALTERED);
}

function notProven(message: string): EvidenceError {
  return new EvidenceError('not_proven', `evidence: ${message}`, 'it convicts nobody');
}
