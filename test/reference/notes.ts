// Keys, notes, cosignatures and tlog-proofs written down as the C2SP documents have them, with Node's own
// crypto for Ed25519. Only writes: what is wrong on purpose is made by taking what is right apart.
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** Who signs, and with which of the three kinds of key. */
export interface ReferenceKey {
  readonly name: string;
  readonly type: 1 | 4 | 6;
  readonly seed: Uint8Array;
}

/** Eight bytes, big-endian: u64 of RFC 8446 §3.3. */
export function u64(value: number | bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return new Uint8Array(bytes);
}

function ed25519Key(seed: Uint8Array): ReturnType<typeof createPrivateKey> {
  const pkcs8 = join(Buffer.from('302e020100300506032b657004220420', 'hex'), seed);
  return createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
}

export function referencePublicKey({ type, seed }: ReferenceKey): Uint8Array {
  if (type === 6) return ml_dsa44.keygen(seed).publicKey;
  const spki = createPublicKey(ed25519Key(seed)).export({ format: 'der', type: 'spki' });
  return new Uint8Array(spki.subarray(-32));
}

/** SHA-256(key name || 0x0A || signature type || public key)[:4]. C2SP signed-note "Signatures". */
export function referenceKeyId(name: string, type: number, publicKey: Uint8Array): Uint8Array {
  const hash = createHash('sha256').update(name).update('\n').update(Uint8Array.of(type)).update(publicKey);
  return new Uint8Array(hash.digest().subarray(0, 4));
}

/** `name+ID+base64(type || key)`, for any type and key. C2SP signed-note "Verifier keys". */
export function referenceVkeyOf(name: string, type: number, publicKey: Uint8Array): string {
  const id = Buffer.from(referenceKeyId(name, type, publicKey)).toString('hex');
  return `${name}+${id}+${base64(join(Uint8Array.of(type), publicKey))}`;
}

export const referenceVkey = (key: ReferenceKey): string =>
  referenceVkeyOf(key.name, key.type, referencePublicKey(key));

/** `PRIVATE+KEY+name+ID+base64(type || seed)`, as golang.org/x/mod/sumdb/note writes it. */
export function referenceSigningKey(key: ReferenceKey): string {
  const id = Buffer.from(referenceKeyId(key.name, key.type, referencePublicKey(key))).toString('hex');
  return `PRIVATE+KEY+${key.name}+${id}+${base64(join(Uint8Array.of(key.type), key.seed))}`;
}

/** The signature over any message, without key ID and timestamp. */
export function referenceSign(key: ReferenceKey, message: Uint8Array): Uint8Array {
  if (key.type === 6)
    return ml_dsa44.sign(message, ml_dsa44.keygen(key.seed).secretKey, { extraEntropy: false });
  return new Uint8Array(sign(null, message, ed25519Key(key.seed)));
}

/** `— name base64(key ID || bytes)` and a newline. C2SP signed-note "Format". */
export function referenceLine(name: string, keyId: Uint8Array, bytes: Uint8Array): string {
  return `\u2014 ${name} ${base64(join(keyId, bytes))}\n`;
}

const lineOf = (key: ReferenceKey, bytes: Uint8Array): string =>
  referenceLine(key.name, referenceKeyId(key.name, key.type, referencePublicKey(key)), bytes);

/** A signature line of type 1 over a note's text. */
export const referenceNoteLine = (key: ReferenceKey, text: string): string =>
  lineOf(key, referenceSign(key, utf8(text)));

/** What an Ed25519 cosigner signs. C2SP tlog-cosignature "Ed25519 signed message". */
export const referenceEd25519Message = (text: string, timestamp: number | bigint): Uint8Array =>
  utf8(`cosignature/v1\ntime ${timestamp}\n${text}`);

/** What an ML-DSA-44 cosigner signs. C2SP tlog-cosignature "ML-DSA-44 signed message". */
export function referenceSubtreeMessage(
  cosigner: string,
  timestamp: number | bigint,
  origin: string,
  start: number | bigint,
  end: number | bigint,
  hash: Uint8Array,
): Uint8Array {
  const short = (text: string): Uint8Array => join(Uint8Array.of(utf8(text).length), utf8(text));
  return join(
    utf8('subtree/v1\n\0'),
    short(cosigner),
    u64(timestamp),
    short(origin),
    u64(start),
    u64(end),
    hash,
  );
}

/** The text of a checkpoint. C2SP tlog-checkpoint "Note text". */
export const referenceCheckpoint = (
  origin: string,
  size: number | bigint | string,
  root: Uint8Array,
  extensions: readonly string[] = [],
): string => [origin, String(size), base64(root), ...extensions].map((line) => `${line}\n`).join('');

/** What a cosigner signs over a checkpoint's text. */
export function referenceCosignedMessage(
  key: ReferenceKey,
  text: string,
  timestamp: number | bigint,
): Uint8Array {
  if (key.type === 4) return referenceEd25519Message(text, timestamp);
  const [origin = '', size = '', root = ''] = text.split('\n');
  return referenceSubtreeMessage(key.name, timestamp, origin, 0, BigInt(size), Buffer.from(root, 'base64'));
}

/** A cosignature line of type 4 or 6 over a checkpoint's text. */
export const referenceCosignatureLine = (
  key: ReferenceKey,
  text: string,
  timestamp: number | bigint,
): string =>
  lineOf(key, join(u64(timestamp), referenceSign(key, referenceCosignedMessage(key, text, timestamp))));

/** A line with these bytes after the key ID, whatever they are. */
export const referenceLineWith = (key: ReferenceKey, bytes: Uint8Array): string => lineOf(key, bytes);

/** C2SP tlog-proof "Format". */
export function referenceTlogProof(
  index: number | string,
  proof: readonly Uint8Array[],
  note: string,
  extra?: string,
): string {
  const lines = [
    'c2sp.org/tlog-proof@v1',
    ...(extra === undefined ? [] : [`extra ${extra}`]),
    `index ${index}`,
    ...proof.map(base64),
    '',
  ];
  return lines.map((line) => `${line}\n`).join('') + note;
}
