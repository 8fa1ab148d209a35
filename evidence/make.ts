// Makes evidence of two checkpoints as soon as they can be shown to contradict each other.
// Source: spec/evidence.md "Making it".
import type { InconsistentError } from '../client/index.js';
import {
  COSIGNATURE_MLDSA44,
  SteleError,
  emptyRoot,
  encodeHex,
  equalBytes,
  formatCheckpoint,
  parseCheckpoint,
  parseNote,
  proveConsistency,
  quote,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
  verifySignatureLine,
  type Checkpoint,
  type HashReader,
  type NoteSignature,
  type Vkey,
} from '../tlog/index.js';
import { EvidenceError } from './errors.js';
import { formatEvidence, type Claim, type EntryProof } from './format.js';
import { verifyEvidence, type EvidenceKeys, type Verdict } from './verify.js';

/** What shows how two trees of different sizes stand to each other. Nothing of it is believed. */
export type Witnessed =
  /** Reads nodes of the larger tree. */
  | { readonly read: HashReader }
  /** The root that the larger tree had at the smaller size, 32 bytes, and the proof that leads from it. */
  | { readonly oldRoot: Uint8Array; readonly proof: readonly Uint8Array[] }
  /** What the two trees hold at one index, in the order of the notes given. */
  | { readonly index: number; readonly entries: readonly [EntryProof, EntryProof] };

/** A file of evidence, already verified, and what it proves. */
export interface MadeEvidence {
  readonly bytes: Uint8Array;
  readonly verdict: Verdict;
}

/** How two checkpoints stand to each other, and whom that convicts. */
export interface Comparison {
  /** Whether the smaller tree is a prefix of the larger; undefined where nothing given shows it. */
  readonly consistent: boolean | undefined;
  /**
   * One file for each key that signed both, and one for each two keys of a log of which either signed only
   * one. Empty where the trees contradict each other but no known key signed both.
   */
  readonly evidence: readonly MadeEvidence[];
}

/** A note as far as it can convict. */
interface Read {
  readonly checkpoint: Checkpoint;
  readonly logs: readonly Accused[];
  readonly witnesses: readonly Accused[];
}
interface Accused {
  readonly vkey: Vkey;
  readonly text: string;
  readonly signature: NoteSignature;
}

/**
 * Compares two signed checkpoints of one log, in any order, and makes what evidence they give. Lines that
 * are by other keys or do not verify are left aside: they spoil nothing.
 * `shown` is needed only where both sizes are above 0 and differ. Throws EvidenceError "other_log", TlogError
 * "bad_note", "bad_checkpoint", and "bad_proof" or "root_mismatch" where `shown` is not of these trees.
 */
export async function compareCheckpoints(
  notes: readonly [Uint8Array, Uint8Array],
  keys: EvidenceKeys,
  shown?: Witnessed,
): Promise<Comparison> {
  const [a, b] = [readNote(notes[0], keys), readNote(notes[1], keys)];
  if (a.checkpoint.origin !== b.checkpoint.origin) {
    throw new EvidenceError(
      'other_log',
      `expected two checkpoints of one log, found ${quote(a.checkpoint.origin)} and ${quote(b.checkpoint.origin)}`,
      'compare checkpoints log by log',
    );
  }
  const empty = [a, b].filter(({ checkpoint }) => checkpoint.size === 0);
  if (empty.length > 0) {
    const evidence = empty.flatMap((note) => emptyTree(note, keys));
    return { consistent: empty.every(({ checkpoint }) => isEmptyRoot(checkpoint)), evidence };
  }
  const [first, second, swapped] = inOrder(a, b) ? [a, b, false] : [b, a, true];
  if (a.checkpoint.size === b.checkpoint.size) {
    const same = equalBytes(a.checkpoint.rootHash, b.checkpoint.rootHash);
    const evidence = same ? [] : makeAll({ kind: 'same-size' }, first, second, keys);
    return { consistent: same, evidence };
  }
  if (shown === undefined) return { consistent: undefined, evidence: [] };
  const claim = await contradiction(first.checkpoint, second.checkpoint, shown, swapped);
  if (typeof claim !== 'object') return { consistent: claim, evidence: [] };
  return { consistent: false, evidence: makeAll(claim, first, second, keys) };
}

/**
 * Evidence of one checkpoint alone: of size 0, with a root that no empty tree has. Empty for any other.
 * Throws TlogError "bad_note", "bad_checkpoint".
 */
export function checkAlone(note: Uint8Array, keys: EvidenceKeys): MadeEvidence[] {
  return emptyTree(readNote(note, keys), keys);
}

/** Evidence of what a LogReader found. Throws as compareCheckpoints does. */
export async function evidenceOf(error: InconsistentError, keys: EvidenceKeys): Promise<Comparison> {
  const { notes, proven } = error;
  return compareCheckpoints(notes, keys, proven && { oldRoot: proven.rootHash, proof: proven.proof });
}

/** The claim that the trees contradict each other; or whether they are known to agree. 0 < a.size < b.size. */
async function contradiction(
  a: Checkpoint,
  b: Checkpoint,
  shown: Witnessed,
  swapped: boolean,
): Promise<Claim | boolean | undefined> {
  if ('entries' in shown) {
    const { index, entries } = shown;
    const [first, second] = swapped ? [entries[1], entries[0]] : entries;
    verifyInclusion({ index, treeSize: a.size, rootHash: a.rootHash, ...first });
    verifyInclusion({ index, treeSize: b.size, rootHash: b.rootHash, ...second });
    // One equal entry says nothing about the others.
    if (equalBytes(first.leafHash, second.leafHash)) return undefined;
    return { kind: 'two-entries', index, entries: [first, second] };
  }
  const { oldRoot, proof } =
    'read' in shown
      ? {
          oldRoot: await treeRoot(a.size, shown.read),
          proof: await proveConsistency(a.size, b.size, shown.read),
        }
      : shown;
  verifyConsistency({ oldSize: a.size, oldRoot, newSize: b.size, newRoot: b.rootHash, proof });
  return equalBytes(oldRoot, a.rootHash) || { kind: 'not-a-prefix', oldRoot, proof };
}

/** A file for each key that stands under both notes, and for each pair of a log's keys that is new in it. */
function makeAll(claim: Claim, first: Read, second: Read, keys: EvidenceKeys): MadeEvidence[] {
  const made: MadeEvidence[] = [];
  const convicted = new Set<Vkey>();
  const accuse = (one: Accused, other: Accused): void => {
    convicted.add(one.vkey).add(other.vkey);
    made.push(make(claim, [one, other], keys));
  };
  for (const role of ['logs', 'witnesses'] as const) {
    for (const one of first[role]) {
      const other = second[role].find(({ vkey }) => vkey === one.vkey);
      if (other !== undefined) accuse(one, other);
    }
  }
  for (const one of first.logs) {
    for (const other of second.logs) {
      if (!convicted.has(one.vkey) || !convicted.has(other.vkey)) accuse(one, other);
    }
  }
  return made;
}

function emptyTree(note: Read, keys: EvidenceKeys): MadeEvidence[] {
  if (note.checkpoint.size !== 0 || isEmptyRoot(note.checkpoint)) return [];
  return note.logs.map((one) => make({ kind: 'empty-tree' }, [one], keys));
}

/** Never lets out a file that its reader would not accept. */
function make(claim: Claim, notes: readonly Accused[], keys: EvidenceKeys): MadeEvidence {
  const bytes = formatEvidence({ claim, notes });
  return { bytes, verdict: verifyEvidence(bytes, keys) };
}

function readNote(bytes: Uint8Array, { logs, witnesses }: EvidenceKeys): Read {
  const { text, signatures } = parseNote(bytes);
  const checkpoint = parseCheckpoint(text);
  const speaking = logs.filter(({ vkey, origin }) => (origin ?? vkey.name) === checkpoint.origin);
  const accused = (keys: readonly { vkey: Vkey }[]): Accused[] =>
    keys.flatMap(({ vkey }) => {
      const signature = signatures.find((line) => verifies(line, text, vkey));
      return signature === undefined ? [] : [{ vkey, signature, text: signedText(checkpoint, text, vkey) }];
    });
  return { checkpoint, logs: accused(speaking), witnesses: accused(witnesses) };
}

/** The text as far as the signature covers it: for ML-DSA-44, without extension lines. */
function signedText(checkpoint: Checkpoint, text: string, { type }: Vkey): string {
  return type === COSIGNATURE_MLDSA44 ? formatCheckpoint({ ...checkpoint, extensions: [] }) : text;
}

function verifies(line: NoteSignature, text: string, vkey: Vkey): boolean {
  if (line.name !== vkey.name || line.keyId !== vkey.keyId) return false;
  try {
    verifySignatureLine(line, text, [vkey]);
    return true;
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    return false;
  }
}

function isEmptyRoot({ rootHash }: Checkpoint): boolean {
  return equalBytes(rootHash, emptyRoot());
}

function inOrder({ checkpoint: a }: Read, { checkpoint: b }: Read): boolean {
  if (a.size !== b.size) return a.size < b.size;
  return encodeHex(a.rootHash) <= encodeHex(b.rootHash);
}
