// A signed tree head as gossip keeps it: the text, and only those signature lines that a known key made.
import {
  COSIGNATURE_MLDSA44,
  encodeHex,
  equalBytes,
  formatNote,
  formatVkey,
  NOTE_ED25519,
  parseCheckpoint,
  parseNote,
  SteleError,
  verifySignatureLine,
  type Checkpoint,
  type NoteSignature,
  type Vkey,
} from '../../tlog/index.js';
import { ED25519_UNITS, MLDSA44_UNITS, type Effort } from './effort.js';

/** Lines by one key that are tried whoever shows them; more where their source has something left to spend. */
const TRIES = 4;
const TRIES_MLDSA44 = 1;

/** A line that was verified. */
export interface KnownLine {
  readonly vkey: Vkey;
  readonly line: string;
  /** Seconds since the epoch; 0 for a log's own signature. */
  readonly timestamp: number;
}

/** A tree head with a verified line of at least one known key. */
export interface Head {
  readonly origin: string;
  readonly size: number;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
  readonly text: string;
  /** By key, log keys first. */
  readonly lines: ReadonlyMap<string, KnownLine>;
}

/** Who may vouch for a head of one log. */
export interface KnownKeys {
  readonly logs: readonly Vkey[];
  readonly witnesses: readonly Vkey[];
}

/** One key, whoever names it. */
export function keyOf(vkey: Vkey): string {
  return formatVkey(vkey);
}

/** One tree, whatever its extension lines say. */
export function treeKey({ size, rootHash }: Pick<Checkpoint, 'size' | 'rootHash'>): string {
  return `${size}/${encodeHex(rootHash)}`;
}

export function sameTree(a: Pick<Head, 'size' | 'rootHash'>, b: Pick<Head, 'size' | 'rootHash'>): boolean {
  return a.size === b.size && equalBytes(a.rootHash, b.rootHash);
}

/** A note before anything in it is believed. */
export interface ReadNote {
  readonly text: string;
  readonly checkpoint: Checkpoint;
  readonly signatures: readonly NoteSignature[];
}

/** Throws TlogError "bad_note", "bad_checkpoint". */
export function readNote(bytes: Uint8Array): ReadNote {
  const { text, signatures } = parseNote(bytes);
  return { text, signatures, checkpoint: parseCheckpoint(text) };
}

/**
 * What of a note is by known keys; undefined if nothing is. Lines by others, and forged ones, are left
 * aside and spoil nothing, however many: where several stand under one key, all are tried, the latest first, as
 * far as `effort` goes. Lines that `held`, a head of the same text, has are not verified again.
 */
export function openHead(note: ReadNote, keys: KnownKeys, held?: Head, effort?: Effort): Head | undefined {
  const lines = new Map<string, KnownLine>();
  for (const vkey of [...keys.logs, ...keys.witnesses]) {
    const before = held?.text === note.text ? held.lines.get(keyOf(vkey)) : undefined;
    const found = latestLine(note, vkey, before, effort);
    if (found) lines.set(keyOf(vkey), found);
  }
  const { origin, size, rootHash } = note.checkpoint;
  return lines.size === 0 ? undefined : { origin, size, rootHash, text: note.text, lines };
}

/** The latest good line of one key; `before` is one that is known to be good. */
function latestLine(
  { text, signatures }: ReadNote,
  vkey: Vkey,
  before: KnownLine | undefined,
  effort: Effort | undefined,
): KnownLine | undefined {
  const own = signatures.filter(({ name, keyId }) => name === vkey.name && keyId === vkey.keyId);
  const known = own.some(({ line }) => line === before?.line) ? before : undefined;
  const claims = new Map<string, Claim>();
  for (const signature of own) {
    // Of another length it is refused unread, and takes no turn from one that is not.
    if (signature.signature.length !== lengthOf(vkey)) continue;
    claims.set(signature.line, { signature, timestamp: timestampOf(signature, vkey) });
  }
  const mldsa = vkey.type === COSIGNATURE_MLDSA44;
  let tries = mldsa ? TRIES_MLDSA44 : TRIES;
  for (const { signature, timestamp } of [...claims.values()].sort((a, b) => b.timestamp - a.timestamp)) {
    if (known && timestamp <= known.timestamp) return known;
    if (tries-- <= 0 && effort?.spend(mldsa ? MLDSA44_UNITS : ED25519_UNITS) !== true) return known;
    const found = verified(signature, text, vkey);
    if (found) return found;
  }
  return known;
}

/** A line before it is verified, and the time that it states. */
interface Claim {
  readonly signature: NoteSignature;
  readonly timestamp: number;
}

/** Bytes of a signature behind its key ID. SPEC (signed-note, tlog-cosignature): 64, and 2,420 of ML-DSA-44, after 8 of a timestamp but for type 1. */
function lengthOf({ type }: Vkey): number {
  return (type === NOTE_ED25519 ? 0 : 8) + (type === COSIGNATURE_MLDSA44 ? 2420 : 64);
}

/** The head that our own state holds: what is in it was verified before it was signed. */
export function ownHead(bytes: Uint8Array, keys: KnownKeys): Head {
  const { text, checkpoint, signatures } = readNote(bytes);
  const lines = new Map<string, KnownLine>();
  for (const vkey of [...keys.logs, ...keys.witnesses]) {
    const found = signatures.find(({ name, keyId }) => name === vkey.name && keyId === vkey.keyId);
    if (found) lines.set(keyOf(vkey), { vkey, line: found.line, timestamp: timestampOf(found, vkey) });
  }
  const { origin, size, rootHash } = checkpoint;
  return { origin, size, rootHash, text, lines };
}

/** Both heads' lines, the later one of each key; `a` itself if `b` adds nothing. Requires equal texts. */
export function mergeLines(a: Head, b: Head): Head {
  const lines = new Map(a.lines);
  let added = false;
  for (const [key, line] of b.lines) {
    const held = lines.get(key);
    if (held && held.timestamp >= line.timestamp) continue;
    lines.set(key, line);
    added = true;
  }
  return added ? { ...a, lines } : a;
}

/** The note, with the lines kept. */
export function noteOf(head: Head): Uint8Array {
  return formatNote({ text: head.text, signatures: [...head.lines.values()] });
}

/** Whether one of these keys signed. */
export function signedBy(head: Head, vkeys: readonly Vkey[]): boolean {
  return vkeys.some((vkey) => head.lines.has(keyOf(vkey)));
}

/** The latest time that one of these keys states; 0 if none does. */
export function timeBy(head: Head, vkeys: readonly Vkey[]): number {
  return Math.max(0, ...vkeys.map((vkey) => head.lines.get(keyOf(vkey))?.timestamp ?? 0));
}

function verified(signature: NoteSignature, text: string, vkey: Vkey): KnownLine | undefined {
  try {
    const { timestamp = 0 } = verifySignatureLine(signature, text, [vkey]);
    return { vkey, line: signature.line, timestamp };
  } catch (error) {
    if (error instanceof SteleError) return undefined;
    throw error;
  }
}

/** SPEC (tlog-cosignature): the signature begins with a 64-bit timestamp. A log's type 1 has none. */
function timestampOf({ signature }: NoteSignature, { type }: Vkey): number {
  if (type === NOTE_ED25519 || signature.length < 8) return 0;
  const view = new DataView(signature.buffer, signature.byteOffset, 8);
  return view.getUint32(0) * 2 ** 32 + view.getUint32(4);
}
