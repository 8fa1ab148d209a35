// A leaf of the log: a DSSE envelope in canonical JSON.
//
//   {"payload":"<base64>","payloadType":"application/vnd.in-toto+json",
//    "signatures":[{"keyid":"<hex>","sig":"<base64>"}]}          (without the line break and spaces)
//
// Exactly one signature, Ed25519 over PAE(payloadType, payload). keyid is the SHA-256 of the raw public
// key: a hint for finding it, never a reason to trust it. An entry's identity is the digest of its
// payload, since one payload names its one signer but may be signed twice.
// Sources: DSSE v1.0.2 (protocol.md, envelope.md); RFC 8785; spec/attestations.md "The envelope".
import {
  concatBytes,
  decodeBase64,
  decodeBase64Bytes,
  encodeBase64,
  encodeHex,
  encodeUtf8,
  publicKeyFromSeed,
  quote,
  sha256,
  signEd25519,
  verifyEd25519,
} from '../tlog/index.js';
import { AttestationError } from './errors.js';
import { canonicalJson, parseJson } from './json.js';
import type { Json } from './json.js';

/** The one payload type: an in-toto Statement. */
export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
/** Largest leaf in bytes: what the length prefix of a C2SP tlog-tiles entry bundle can say. */
export const MAX_ENTRY_BYTES = 65535;
/** Largest encoding of an envelope that is read, in bytes: any white space and escapes included. */
export const MAX_ENVELOPE_BYTES: number = 4 * MAX_ENTRY_BYTES;

/** A parsed DSSE envelope with one signature; nothing in it is verified. */
export interface Envelope {
  /** The signed bytes. */
  readonly payload: Uint8Array;
  readonly payloadType: string;
  /** Hex SHA-256 of the raw public key, says the sender. */
  readonly keyid: string;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** Hex SHA-256 of a raw 32-byte Ed25519 public key. */
export function keyId(publicKey: Uint8Array): string {
  return encodeHex(sha256(publicKey));
}

/** What is signed. DSSE protocol.md: "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body. */
export function pae(payloadType: string, payload: Uint8Array): Uint8Array {
  const { length } = payloadType === PAYLOAD_TYPE ? PAYLOAD_TYPE : encodeUtf8(payloadType);
  return concatBytes(encodeUtf8(`DSSEv1 ${length} ${payloadType} ${payload.length} `), payload);
}

/** Signs a statement: canonical JSON, PAE, Ed25519. `seed` is 32 bytes. Throws AttestationError. */
export function signEnvelope(statement: object, seed: Uint8Array): Envelope {
  const payload = canonicalJson(statement);
  const envelope = {
    payload,
    payloadType: PAYLOAD_TYPE,
    keyid: keyId(publicKeyFromSeed(seed)),
    signature: signEd25519(pae(PAYLOAD_TYPE, payload), seed),
  };
  formatEnvelope(envelope);
  return envelope;
}

/** Does the signature verify under this 32-byte key? Says nothing about whose key it is. */
export function verifyEnvelopeSignature(envelope: Envelope, publicKey: Uint8Array): boolean {
  return verifyEd25519(envelope.signature, pae(envelope.payloadType, envelope.payload), publicKey);
}

/** An entry's identity: SHA-256 of its payload, 32 bytes. */
export function entryId(envelope: Envelope): Uint8Array {
  return sha256(envelope.payload);
}

/** The leaf: canonical JSON. Throws AttestationError "entry_too_large" above MAX_ENTRY_BYTES. */
export function formatEnvelope(envelope: Envelope): Uint8Array {
  // The strings hold nothing that JSON escapes once they are checked, so this is RFC 8785 as it stands.
  checkEnvelope(envelope);
  const leaf = encodeUtf8(
    `{"payload":"${encodeBase64(envelope.payload)}","payloadType":"${PAYLOAD_TYPE}","signatures":[{"keyid":"${envelope.keyid}","sig":"${encodeBase64(envelope.signature)}"}]}`,
  );
  if (leaf.length > MAX_ENTRY_BYTES) {
    throw new AttestationError(
      'entry_too_large',
      `envelope: expected at most ${MAX_ENTRY_BYTES} bytes in canonical form, found ${leaf.length}`,
      'state long lists as a Merkle root',
    );
  }
  return leaf;
}

/**
 * Reads a DSSE envelope in any JSON encoding; base64 may be standard or URL-safe, padded, as DSSE allows.
 * Throws AttestationError "bad_json", "bad_envelope", "entry_too_large".
 */
export function parseEnvelope(bytes: Uint8Array): Envelope {
  return parseLeaf(bytes) ?? parseAnyEnvelope(bytes);
}

/** As parseEnvelope, by way of JSON, whatever the spelling. */
export function parseAnyEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length > MAX_ENVELOPE_BYTES) {
    throw new AttestationError(
      'entry_too_large',
      `envelope: expected at most ${MAX_ENVELOPE_BYTES} bytes, found ${bytes.length}`,
      'long lists travel as Merkle roots',
    );
  }
  return envelopeFromJson(parseJson(bytes));
}

// What stands between the four values of a leaf, which is so spelled that all but the payload has one length.
const [BEFORE_PAYLOAD, BEFORE_KEYID, BEFORE_SIG, AFTER_SIG] = [
  '{"payload":"',
  `","payloadType":"${PAYLOAD_TYPE}","signatures":[{"keyid":"`,
  '","sig":"',
  '"}]}',
].map((text) => encodeUtf8(text)) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
const KEYID_LENGTH = 64;
const SIG_LENGTH = 88;

/**
 * The envelope whose leaf this is: read where it must lie, not as JSON, and therefore only what formatEnvelope
 * writes. Undefined for all else: it may be another spelling, or nothing. Of what a log serves and most of what it is
 * sent, a tenth of parseAnyEnvelope's time.
 */
export function parseLeaf(bytes: Uint8Array): Envelope | undefined {
  const { length } = bytes;
  if (length > MAX_ENTRY_BYTES) return undefined;
  const sigEnd = length - AFTER_SIG.length;
  const sigStart = sigEnd - SIG_LENGTH;
  const keyidEnd = sigStart - BEFORE_SIG.length;
  const keyidStart = keyidEnd - KEYID_LENGTH;
  const payloadEnd = keyidStart - BEFORE_KEYID.length;
  if (
    payloadEnd <= BEFORE_PAYLOAD.length ||
    !hasAt(bytes, BEFORE_PAYLOAD, 0) ||
    !hasAt(bytes, BEFORE_KEYID, payloadEnd) ||
    !hasAt(bytes, BEFORE_SIG, keyidEnd) ||
    !hasAt(bytes, AFTER_SIG, sigEnd)
  )
    return undefined;
  const keyid = lowerHex(bytes, keyidStart, keyidEnd);
  const payload = decodeBase64Bytes(bytes.subarray(BEFORE_PAYLOAD.length, payloadEnd));
  const signature = decodeBase64Bytes(bytes.subarray(sigStart, sigEnd));
  if (keyid === undefined || payload === undefined || signature?.length !== 64) return undefined;
  return { payload, payloadType: PAYLOAD_TYPE, keyid, signature };
}

function hasAt(bytes: Uint8Array, part: Uint8Array, at: number): boolean {
  for (let i = 0; i < part.length; i++) if (bytes[at + i] !== part[i]) return false;
  return true;
}

/** The text, if it is lower-case hexadecimal digits. */
function lowerHex(bytes: Uint8Array, from: number, to: number): string | undefined {
  let text = '';
  for (let i = from; i < to; i++) {
    const code = bytes[i] ?? 0;
    if (!((code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66))) return undefined;
    text += String.fromCharCode(code);
  }
  return text;
}

/** As parseEnvelope, from parsed JSON. */
export function envelopeFromJson(value: Json): Envelope {
  const outer = fields(value, ['payload', 'payloadType', 'signatures'], 'envelope');
  const { payloadType } = outer;
  if (payloadType !== PAYLOAD_TYPE)
    throw bad(`expected payloadType ${PAYLOAD_TYPE}, found ${shown(payloadType)}`);
  if (!Array.isArray(outer['signatures']) || outer['signatures'].length !== 1)
    throw bad('expected exactly one signature');
  const [signature] = outer['signatures'] as [Json];
  const inner = fields(signature, ['keyid', 'sig'], 'signature');
  const envelope = {
    payload: base64(outer['payload'], 'payload'),
    payloadType: PAYLOAD_TYPE,
    keyid: typeof inner['keyid'] === 'string' ? inner['keyid'] : '',
    signature: base64(inner['sig'], 'sig'),
  };
  formatEnvelope(envelope);
  return envelope;
}

/** The envelope as it is embedded in a statement. */
export function envelopeToJson(envelope: Envelope): {
  payload: string;
  payloadType: typeof PAYLOAD_TYPE;
  signatures: { keyid: string; sig: string }[];
} {
  checkEnvelope(envelope);
  return {
    payload: encodeBase64(envelope.payload),
    payloadType: PAYLOAD_TYPE,
    signatures: [{ keyid: envelope.keyid, sig: encodeBase64(envelope.signature) }],
  };
}

function checkEnvelope(envelope: Envelope): void {
  if (envelope.payloadType !== PAYLOAD_TYPE)
    throw bad(`expected payloadType ${PAYLOAD_TYPE}, found ${quote(envelope.payloadType)}`);
  if (envelope.payload.length === 0) throw bad('expected a payload, found an empty one');
  if (!/^[0-9a-f]{64}$/.test(envelope.keyid))
    throw bad(`expected keyid to be 64 lower-case hexadecimal digits, found ${quote(envelope.keyid)}`);
  if (envelope.signature.length !== 64)
    throw bad(`expected an Ed25519 signature of 64 bytes, found ${envelope.signature.length}`);
}

function fields(value: Json | undefined, names: readonly string[], what: string): Record<string, Json> {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw bad(`expected ${what} to be an object`);
  const object = value as Record<string, Json>;
  for (const name of names)
    if (!Object.hasOwn(object, name)) throw bad(`expected ${name} in ${what}, found none`);
  for (const name of Object.keys(object))
    // Nothing signs the envelope's own fields: one we dropped silently might have mattered to its sender.
    if (!names.includes(name))
      throw bad(`expected only ${names.join(', ')} in ${what}, found ${quote(name)}`);
  return object;
}

function base64(value: Json | undefined, what: string): Uint8Array {
  if (typeof value !== 'string') throw bad(`expected ${what} to be a string`);
  try {
    // SPEC (DSSE envelope.md): "Either standard or URL-safe encoding is allowed."
    return decodeBase64(/[-_]/.test(value) && !/[+/]/.test(value) ? fromUrlSafe(value) : value, what);
  } catch (cause) {
    throw bad(`${what}: expected canonical base64 with padding, found ${quote(value)}`, { cause });
  }
}

function shown(value: Json | undefined): string {
  return typeof value === 'string' ? quote(value) : 'no string';
}

function fromUrlSafe(text: string): string {
  return text.replaceAll('-', '+').replaceAll('_', '/');
}

function bad(message: string, options?: ErrorOptions): AttestationError {
  return new AttestationError(
    'bad_envelope',
    `envelope: ${message}`,
    'send one DSSE envelope with one Ed25519 signature over an in-toto Statement',
    options,
  );
}
