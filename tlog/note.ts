// Signed notes: a text, a blank line, and lines that each carry one signature.
//
//   This is an example message.
//
//   — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
//
// A signature line is an em dash, a space, the key name, a space, the base64 of a 4-byte key ID and
// the signature, a newline. Text may contain blank lines itself: the last one ends it. A signature
// under a known key must verify or the whole note is refused; one under an unknown key says nothing
// and is never passed on.
// Source: C2SP signed-note. What each type of key signs: cosignature.ts.
import { signNoteText, verifyNoteSignature } from './cosignature.js';
import {
  bytesUint,
  concatBytes,
  decodeBase64,
  decodeUtf8,
  encodeBase64,
  encodeUtf8,
  uintBytes,
} from './encoding.js';
import { TlogError, quote } from './errors.js';
import { checkDistinctKeys, isCosignatureType, isKeyName, keyIndex } from './vkey.js';
import type { SigningKey, Vkey } from './vkey.js';

/** Largest note read, in bytes. */
export const MAX_NOTE_BYTES: number = 1024 * 1024;
/** Most signature lines read; C2SP signed-note wants at least 16 accepted. */
export const MAX_NOTE_SIGNATURES = 128;

const ID_LENGTH = 4;
const DASH = '— ';

/** One signature line, parsed but not verified. */
export interface NoteSignature {
  readonly name: string;
  readonly keyId: number;
  /** What follows the four bytes of key ID; for cosignatures it begins with the timestamp. */
  readonly signature: Uint8Array;
  /** The line as it stood, with its newline. */
  readonly line: string;
}

/** A note, parsed but not verified: its text is not to be believed. */
export interface Note {
  /** Ends in a newline; the blank line that separates is not part of it. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A signature line that verified. */
export interface VerifiedSignature extends NoteSignature {
  readonly vkey: Vkey;
  /** POSIX seconds, for cosignatures (types 4 and 6) only; zero where no time is stated. */
  readonly timestamp?: number;
}

/** A note of which at least one signature by a known key verified, and none failed. */
export interface OpenedNote {
  readonly text: string;
  /** One per key, in the order of the note; of several by one key the latest. */
  readonly verified: readonly VerifiedSignature[];
  /** How many lines are by keys not given. They are counted and dropped. */
  readonly unknown: number;
}

/**
 * Splits a note into text and signature lines, verifying nothing. At most MAX_NOTE_BYTES and
 * MAX_NOTE_SIGNATURES. Throws TlogError "bad_note". C2SP signed-note "Format".
 */
export function parseNote(bytes: Uint8Array): Note {
  // SPEC: "Verifiers SHOULD apply a maximum limit to the number of signatures in a note (or,
  // equivalently, to the overall size of a note)".
  if (bytes.length > MAX_NOTE_BYTES)
    throw bad(`expected at most ${MAX_NOTE_BYTES} bytes, found ${bytes.length}`);
  const note = decodeNoteText(bytes);
  // SPEC: "the text is separated from the signatures by the last empty line in the note."
  const split = note.lastIndexOf('\n\n');
  if (split < 0) throw bad('expected a blank line between text and signatures, found none');
  return { text: note.slice(0, split + 1), signatures: parseLines(note.slice(split + 2)) };
}

/**
 * Parses signature lines alone, as a witness answers with. One or more, each ending in a newline.
 * Throws TlogError "bad_note". C2SP signed-note "Format"; C2SP tlog-witness "add-checkpoint".
 */
export function parseSignatureLines(bytes: Uint8Array): NoteSignature[] {
  if (bytes.length > MAX_NOTE_BYTES)
    throw bad(`expected at most ${MAX_NOTE_BYTES} bytes, found ${bytes.length}`);
  return parseLines(decodeNoteText(bytes));
}

/**
 * The bytes of a note: text, blank line, the signatures' lines in their order.
 * Throws TlogError "bad_note" if what it would write is not a note with that text.
 */
export function formatNote(note: {
  readonly text: string;
  readonly signatures: readonly { readonly line: string }[];
}): Uint8Array {
  const bytes = textBytes(`${note.text}\n${note.signatures.map((signature) => signature.line).join('')}`);
  const parsed = parseNote(bytes);
  if (parsed.text !== note.text || parsed.signatures.length !== note.signatures.length) {
    throw bad('expected a text ending in a newline and one signature per line, found others');
  }
  return bytes;
}

/**
 * Verifies a note against the keys given. A bad signature under one of them refuses the whole note,
 * and so does the lack of any good one; lines by other keys are only counted.
 * Throws TlogError "bad_note", "bad_signature", "no_known_signature", "duplicate_key".
 * C2SP signed-note "Signatures".
 */
export function openNote(bytes: Uint8Array, vkeys: readonly Vkey[]): OpenedNote {
  return verifyNote(parseNote(bytes), vkeys);
}

/** As openNote, for a note already parsed. Throws all but "bad_note". */
export function verifyNote(note: Note, vkeys: readonly Vkey[]): OpenedNote {
  const known = indexKeys(vkeys);
  const latest = new Map<string, VerifiedSignature>();
  const verified = new Set<string>();
  let unknown = 0;
  for (const signature of note.signatures) {
    const vkey = known.get(keyIndex(signature.name, signature.keyId));
    // A line repeated a hundred times costs one verification: ML-DSA-44 takes milliseconds.
    if (vkey !== undefined && verified.has(signature.line)) continue;
    verified.add(signature.line);
    if (vkey === undefined) {
      // SPEC: "Verifiers MUST ignore signatures from unknown keys, even if they share a name or ID
      // (but not both) with a known key."
      unknown++;
      continue;
    }
    // SPEC: "If the key name and ID match a known key, verifiers MUST verify the signature. If a
    // signature from a known key fails to verify, clients SHOULD reject the whole note."
    keepLatest(latest, { ...signature, vkey, ...verifyNoteSignature(vkey, note.text, signature.signature) });
  }
  // SPEC: "If no signature from a known key verifies successfully, clients MUST reject the note."
  if (latest.size === 0) {
    throw new TlogError(
      'no_known_signature',
      `note: expected a signature by one of ${vkeys.length} known keys, found ${unknown} by others only`,
      'check that the policy or key given belongs to this log; if it did, the log may have changed its keys: its operator names the new one',
    );
  }
  return { text: note.text, verified: [...latest.values()], unknown };
}

/**
 * Verifies one signature line by itself over the note text `text`: what somebody else sent is
 * verified alone before it is merged, since one bad line would spoil the whole note.
 * Throws TlogError "bad_note" (not one line), "unknown_key", "bad_signature", "duplicate_key".
 */
export function verifySignatureLine(
  line: string | NoteSignature,
  text: string,
  vkeys: readonly Vkey[],
): VerifiedSignature {
  const signature = typeof line === 'string' ? onlyLine(line) : line;
  const vkey = indexKeys(vkeys).get(keyIndex(signature.name, signature.keyId));
  if (vkey === undefined) {
    throw new TlogError(
      'unknown_key',
      `signature line: expected one by a known key, found one by ${quote(signature.name)}`,
      'the key is not configured here; the line is dropped',
    );
  }
  return { ...signature, vkey, ...verifyNoteSignature(vkey, text, signature.signature) };
}

/**
 * Signs `text`, which ends in a newline, with each key in turn. `timestamp` (POSIX seconds) is for keys
 * of types 4 and 6, which only sign checkpoints.
 * Throws TlogError "bad_note", "bad_timestamp", "bad_checkpoint", "duplicate_key".
 */
export function signNote(text: string, keys: readonly SigningKey[], timestamp?: number): Uint8Array {
  checkDistinctKeys(keys.map((key) => key.vkey));
  const signatures = keys.map((key) => ({ line: signNoteLine(text, key, timestamp) }));
  return formatNote({ text, signatures });
}

/** One signature line over `text`, with its newline. Throws as signNote does. */
export function signNoteLine(text: string, key: SigningKey, timestamp?: number): string {
  if (!text.endsWith('\n')) throw bad('expected a text that ends in a newline, found none at its end');
  checkCharacters(text);
  textBytes(text);
  return signatureLine(key.name, key.keyId, signNoteText(key, text, timestamp));
}

/** The line `— name base64(key ID || signature)` with its newline. */
export function signatureLine(name: string, keyId: number, signature: Uint8Array): string {
  return `${DASH}${name} ${encodeBase64(concatBytes(uintBytes(keyId, ID_LENGTH), signature))}\n`;
}

/** What mergeCosignatures made. */
export interface MergedNote {
  /** The note with what verified in it. */
  readonly note: Uint8Array;
  /** The lines now in the note, in its order. */
  readonly verified: readonly VerifiedSignature[];
  /** Lines that were not merged, and the code of what was wrong with each. */
  readonly refused: readonly { readonly line: string; readonly code: string; readonly message: string }[];
}

/**
 * Merges cosignature lines into a note. `keys` are all keys whose lines the result may carry, the
 * log's first and then the cosigners': it is in their order, so that the same set of lines gives the
 * same bytes whichever came first. Each new line is verified by itself; one that is malformed, by an
 * unknown key or does not verify is listed in `refused` and spoils nothing. A later cosignature by a
 * key replaces an earlier one. Lines of the note itself by keys not in `keys` are dropped.
 * Throws what openNote throws for the note itself.
 */
export function mergeCosignatures(
  note: Uint8Array,
  lines: readonly (string | NoteSignature)[],
  keys: readonly Vkey[],
): MergedNote {
  const { text, verified } = openNote(note, keys);
  const latest = new Map<string, VerifiedSignature>();
  for (const signature of verified) keepLatest(latest, signature);
  const refused: { line: string; code: string; message: string }[] = [];
  const cosigners = keys.filter((key) => isCosignatureType(key.type));
  for (const line of lines) {
    try {
      keepLatest(latest, verifySignatureLine(line, text, cosigners));
    } catch (error) {
      if (!(error instanceof TlogError)) throw error;
      refused.push({
        line: typeof line === 'string' ? line : line.line,
        code: error.code,
        message: error.message,
      });
    }
  }
  const merged = keys.flatMap((key) => latest.get(keyIndex(key.name, key.keyId)) ?? []);
  return { note: formatNote({ text, signatures: merged }), verified: merged, refused };
}

function keepLatest(latest: Map<string, VerifiedSignature>, signature: VerifiedSignature): void {
  const index = keyIndex(signature.name, signature.keyId);
  const held = latest.get(index);
  if (held === undefined || (signature.timestamp ?? 0) > (held.timestamp ?? 0)) latest.set(index, signature);
}

function indexKeys(vkeys: readonly Vkey[]): Map<string, Vkey> {
  checkDistinctKeys(vkeys);
  return new Map(vkeys.map((vkey) => [keyIndex(vkey.name, vkey.keyId), vkey]));
}

function textBytes(text: string): Uint8Array {
  try {
    return encodeUtf8(text, 'note');
  } catch (cause) {
    throw new TlogError('bad_note', 'note: expected Unicode text, found an unpaired surrogate', HINT, {
      cause,
    });
  }
}

function decodeNoteText(bytes: Uint8Array): string {
  let text: string;
  try {
    text = decodeUtf8(bytes, 'note');
  } catch (cause) {
    // SPEC: "Signed notes MUST be valid UTF-8".
    throw new TlogError('bad_note', 'note: expected valid UTF-8, found other bytes', HINT, { cause });
  }
  checkCharacters(text);
  return text;
}

function checkCharacters(text: string): void {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // SPEC: "MUST NOT contain any ASCII control characters (those below U+0020) other than newline."
    if (code < 0x20 && code !== 0x0a) {
      throw bad(`expected no control character but newline, found U+${code.toString(16).padStart(4, '0')}`);
    }
  }
}

function parseLines(block: string): NoteSignature[] {
  if (!block.endsWith('\n')) {
    throw bad(
      block === '' ? 'expected signature lines, found none' : 'expected a newline at the end, found none',
    );
  }
  const lines = block.slice(0, -1).split('\n');
  if (lines.length > MAX_NOTE_SIGNATURES) {
    throw bad(`expected at most ${MAX_NOTE_SIGNATURES} signatures, found ${lines.length}`);
  }
  return lines.map(parseLine);
}

function onlyLine(line: string): NoteSignature {
  const [signature, ...more] = parseSignatureLines(textBytes(line));
  if (signature === undefined || more.length > 0)
    throw bad(`expected one signature line, found ${more.length + 1}`);
  return signature;
}

function parseLine(line: string): NoteSignature {
  // SPEC: "em dash (U+2014), space (U+0020), key name, space, base64-encoded signature, newline."
  if (!line.startsWith(DASH))
    throw bad(`expected a signature line that starts with an em dash, found ${quote(line)}`);
  const space = line.indexOf(' ', DASH.length);
  if (space < 0)
    throw bad(`expected a key name, a space and base64 in a signature line, found ${quote(line)}`);
  const name = line.slice(DASH.length, space);
  if (!isKeyName(name)) throw bad(`expected a key name without spaces and plus signs, found ${quote(name)}`);
  let bytes: Uint8Array;
  try {
    bytes = decodeBase64(line.slice(space + 1), `signature by ${quote(name)}`);
  } catch (cause) {
    if (!(cause instanceof TlogError)) throw cause;
    throw new TlogError('bad_note', `note: ${cause.message}`, HINT, { cause });
  }
  if (bytes.length <= ID_LENGTH) {
    throw bad(
      `signature by ${quote(name)}: expected a key ID of 4 bytes and a signature, found ${bytes.length} bytes`,
    );
  }
  const keyId = bytesUint(bytes.subarray(0, ID_LENGTH));
  return { name, keyId, signature: bytes.subarray(ID_LENGTH), line: `${line}\n` };
}

const HINT = 'a note is text, a blank line, and lines of an em dash, a key name and base64';

function bad(message: string): TlogError {
  return new TlogError('bad_note', `note: ${message}`, HINT);
}
