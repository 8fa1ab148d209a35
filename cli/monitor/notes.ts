// Signed notes as a monitor remembers them: with the lines that verified under keys of the policy, and no
// others. What an address adds to a note costs no room, and makes no other note of it.
import {
  bytesUint,
  equalBytes,
  formatNote,
  parseNote,
  SteleError,
  type NoteSignature,
  type OpenedCheckpoint,
  type Policy,
} from '../../tlog/index.js';

/** Bytes of a signature that states no time: Ed25519 by a log. */
const TIMELESS = 64;

/** What verified of a note, in the order of the policy's keys: the same lines are the same bytes. */
export function verifiedNote(opened: OpenedCheckpoint, policy: Policy): Uint8Array {
  const lines = [...opened.logSignatures, ...opened.cosignatures];
  const signatures = [...policy.logs, ...policy.witnesses].flatMap(({ vkey }) => {
    const line = lines.find((other) => other.vkey === vkey);
    return line === undefined ? [] : [line];
  });
  return formatNote({ text: opened.text, signatures });
}

/** Who signed a note, one word for each key. */
export function signersOf(note: Uint8Array): Set<string> {
  return new Set(parseNote(note).signatures.map(signer));
}

/**
 * Two notes of verified lines as one, with the newest line of each key; undefined where their texts differ. It
 * is `held`, byte for byte, where `met` has nothing newer.
 */
export function mergeNotes(held: Uint8Array, met: Uint8Array): Uint8Array | undefined {
  if (equalBytes(held, met)) return held;
  const [a, b] = [parseNote(held), parseNote(met)];
  if (a.text !== b.text) return undefined;
  const lines = new Map(a.signatures.map((line) => [signer(line), line]));
  for (const line of b.signatures) {
    const before = lines.get(signer(line));
    if (before === undefined || timeOf(line) > timeOf(before)) lines.set(signer(line), line);
  }
  return formatNote({ text: a.text, signatures: [...lines.values()] });
}

/** As mergeNotes, where `held` comes from a file that may be damaged: then `met` takes its place. */
export function renewNote(held: Uint8Array, met: Uint8Array): Uint8Array {
  try {
    return mergeNotes(held, met) ?? met;
  } catch (error) {
    if (error instanceof SteleError) return met;
    throw error;
  }
}

function signer({ name, keyId }: NoteSignature): string {
  return `${name}+${keyId}`;
}

function timeOf({ signature }: NoteSignature): number {
  return signature.length === TIMELESS ? 0 : bytesUint(signature.subarray(0, 8));
}
