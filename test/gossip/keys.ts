import {
  COSIGNATURE_ED25519,
  encodeUtf8,
  formatNote,
  newSigningKey,
  parseNote,
  sha256,
  signNoteLine,
  type SigningKey,
} from '../../tlog/index.js';

export type { SigningKey };

/** A witness's key that follows from its name. */
export function cosignerKey(name: string): SigningKey {
  return newSigningKey(name, COSIGNATURE_ED25519, sha256(encodeUtf8(`${name} gossip`)));
}

/** The note with one more line. */
export function addSignature(note: Uint8Array, key: SigningKey, timestamp?: number): Uint8Array {
  const { text, signatures } = parseNote(note);
  return formatNote({ text, signatures: [...signatures, { line: signNoteLine(text, key, timestamp) }] });
}
