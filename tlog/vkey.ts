// Verifier keys and note signing keys, one line of text each.
//
//   <key name>+<hex of the 32-bit key ID>+<base64 of signature type || public key>
//   example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k
//
// The private form is the one Go's golang.org/x/mod/sumdb/note reads and writes:
//
//   PRIVATE+KEY+<key name>+<key ID>+<base64 of signature type || 32-byte seed>
//
// The key ID says which key to try and nothing more: 32 bits collide, so nobody may be configured
// with two keys of one name and ID.
// Source: C2SP signed-note "Verifier keys", "Signatures"; C2SP tlog-cosignature "Format".
import { mldsa44 } from '#platform';
import { isAcceptableKey, publicKeyFromSeed } from './ed25519.js';
import { concatBytes, decodeBase64, encodeBase64, encodeUtf8, equalBytes } from './encoding.js';
import { TlogError, quote } from './errors.js';
import { sha256 } from './merkle.js';

/** Ed25519 over the note's text (C2SP signed-note, type 0x01): what a log signs with. */
export const NOTE_ED25519 = 0x01;
/** Timestamped Ed25519 checkpoint cosignature (C2SP tlog-cosignature, type 0x04). */
export const COSIGNATURE_ED25519 = 0x04;
/** Timestamped ML-DSA-44 (sub)tree cosignature (C2SP tlog-cosignature, type 0x06). */
export const COSIGNATURE_MLDSA44 = 0x06;

/** A public key with the name it signs under. */
export interface Vkey {
  /** Key name: non-empty, without Unicode spaces, plus signs and control characters. */
  readonly name: string;
  /** First four bytes of SHA-256(name, newline, type, public key), read as big-endian. */
  readonly keyId: number;
  /** Signature type: 1, 4 or 6. */
  readonly type: number;
  /** 32 bytes for Ed25519, 1312 for ML-DSA-44. */
  readonly publicKey: Uint8Array;
}

/** A private key with the name it signs under. Never log or serialise it but by formatSigningKey. */
export interface SigningKey {
  readonly name: string;
  readonly keyId: number;
  /** Signature type: 1, 4 or 6. */
  readonly type: number;
  /** 32-byte seed: RFC 8032 §5.1.5 for Ed25519, FIPS 204's ξ for ML-DSA-44. */
  readonly secret: Uint8Array;
  readonly vkey: Vkey;
}

const PUBLIC_KEY_LENGTHS: ReadonlyMap<number, number> = new Map([
  [NOTE_ED25519, 32],
  [COSIGNATURE_ED25519, 32],
  [COSIGNATURE_MLDSA44, 1312],
]);
const SEED_LENGTH = 32;
const PRIVATE_PREFIX = 'PRIVATE+KEY+';

// Go's unicode.IsSpace, which decides in the field's other tools. JavaScript's \s differs: it has
// U+FEFF and lacks U+0085. Control characters cannot stand in a note at all, and an unpaired
// surrogate has no UTF-8.
const GO_SPACES: ReadonlySet<number> = new Set([
  0x20, 0x85, 0xa0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009,
  0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000,
]);

/**
 * Whether `name` can stand in a signature line: non-empty, no Unicode space, no plus, no control
 * character, no unpaired surrogate. C2SP signed-note "Format".
 */
export function isKeyName(name: string): boolean {
  if (name === '') return false;
  for (const character of name) {
    const point = character.codePointAt(0) ?? 0;
    // SPEC: "Key names MUST be non-empty and MUST NOT contain any Unicode spaces or plus (U+002B)".
    if (point < 0x20 || point === 0x2b || GO_SPACES.has(point)) return false;
    if (point >= 0xd800 && point <= 0xdfff) return false;
  }
  return true;
}

/** Whether keys of this signature type make timestamped cosignatures. */
export function isCosignatureType(type: number): boolean {
  return type === COSIGNATURE_ED25519 || type === COSIGNATURE_MLDSA44;
}

/**
 * The key of this name, type and public key, its ID computed.
 * `publicKey` is 32 bytes for types 1 and 4, 1312 for type 6.
 * Throws TlogError "bad_vkey". C2SP signed-note "Signatures".
 */
export function newVkey(name: string, type: number, publicKey: Uint8Array): Vkey {
  if (!isKeyName(name)) {
    throw new TlogError(
      'bad_vkey',
      `key name ${quote(name)}: expected a non-empty name without spaces, plus signs and control characters`,
      'use a schema-less URL such as example.com/log42',
    );
  }
  const length = PUBLIC_KEY_LENGTHS.get(type);
  if (length === undefined) {
    throw new TlogError(
      'bad_vkey',
      `key of ${name}: expected signature type 1, 4 or 6, found ${type}`,
      'logs sign with type 1 (Ed25519) or 6 (ML-DSA-44), witnesses with type 4 (Ed25519) or 6',
    );
  }
  if (publicKey.length !== length) {
    throw new TlogError(
      'bad_vkey',
      `key of ${name}: expected ${length} bytes of public key for signature type ${type}, found ${publicKey.length}`,
      'the vkey may have been cut when it was copied; ask its owner for it again',
    );
  }
  if (type !== COSIGNATURE_MLDSA44 && !isAcceptableKey(publicKey)) {
    throw new TlogError(
      'bad_vkey',
      `key of ${name}: expected an Ed25519 public key, found a point that is not canonical or of small order`,
      'no signature can verify under it; get the key again from its owner',
    );
  }
  // SPEC: key ID = SHA-256(key name || 0x0A || signature type || public key)[:4]
  const digest = sha256(concatBytes(encodeUtf8(name), Uint8Array.of(0x0a, type), publicKey));
  const keyId = new DataView(digest.buffer, digest.byteOffset).getUint32(0);
  return { name, keyId, type, publicKey: Uint8Array.from(publicKey) };
}

/** The vkey as one line of text without a newline. C2SP signed-note "Verifier keys". */
export function formatVkey(vkey: Vkey): string {
  return `${vkey.name}+${formatKeyId(vkey.keyId)}+${encodeBase64(concatBytes(Uint8Array.of(vkey.type), vkey.publicKey))}`;
}

/** Eight lowercase hex digits. */
export function formatKeyId(keyId: number): string {
  return keyId.toString(16).padStart(8, '0');
}

/**
 * Parses one vkey, checking that the key ID is the one its content has. The signature types 1, 4 and
 * 6 are known; any other is refused, since nothing signed with it could be checked.
 * Throws TlogError "bad_vkey". C2SP signed-note "Verifier keys".
 */
export function parseVkey(text: string): Vkey {
  const [name, id, material] = splitKey(text, 'bad_vkey', 'vkey');
  const vkey = newVkey(name, material[0] ?? 0, material.subarray(1));
  checkId(vkey.keyId, id, 'bad_vkey', 'vkey', name);
  return vkey;
}

/**
 * The signing key of this name and type made from a 32-byte seed.
 * Throws TlogError "bad_signing_key". RFC 8032 §5.1.5; FIPS 204 algorithm 6.
 */
export function newSigningKey(name: string, type: number, seed: Uint8Array): SigningKey {
  if (seed.length !== SEED_LENGTH) {
    throw new TlogError(
      'bad_signing_key',
      `signing key of ${quote(name)}: expected a seed of ${SEED_LENGTH} bytes, found ${seed.length}`,
      'make a new key, or restore this one from its backup',
    );
  }
  const secret = Uint8Array.from(seed);
  let vkey: Vkey;
  try {
    vkey = newVkey(
      name,
      type,
      type === COSIGNATURE_MLDSA44 ? mldsaKeys(secret).publicKey : publicKeyFromSeed(secret),
    );
  } catch (cause) {
    if (!(cause instanceof TlogError)) throw cause;
    throw new TlogError('bad_signing_key', cause.message, cause.hint, { cause });
  }
  return { name, keyId: vkey.keyId, type, secret, vkey };
}

/** The private key as one line of text without a newline, as Go's sumdb/note has it. */
export function formatSigningKey(key: SigningKey): string {
  const material = encodeBase64(concatBytes(Uint8Array.of(key.type), key.secret));
  return `${PRIVATE_PREFIX}${key.name}+${formatKeyId(key.keyId)}+${material}`;
}

/**
 * Parses `PRIVATE+KEY+<name>+<key ID>+<base64>`; the key ID must be the one of its public key.
 * Never puts the key's material into a message. Throws TlogError "bad_signing_key".
 */
export function parseSigningKey(text: string): SigningKey {
  if (!text.startsWith(PRIVATE_PREFIX)) {
    throw new TlogError(
      'bad_signing_key',
      'signing key: expected one line that starts with PRIVATE+KEY+',
      'this may be a public vkey, or a file with a comment or newline before the key',
    );
  }
  const [name, id, material] = splitKey(text.slice(PRIVATE_PREFIX.length), 'bad_signing_key', 'signing key');
  const key = newSigningKey(name, material[0] ?? 0, material.subarray(1));
  checkId(key.keyId, id, 'bad_signing_key', 'signing key', name);
  return key;
}

/**
 * Refuses a configuration in which two keys share name and key ID: a line by one would be checked
 * under the other. Throws TlogError "duplicate_key".
 */
export function checkDistinctKeys(vkeys: readonly Vkey[]): void {
  const seen = new Set<string>();
  for (const vkey of vkeys) {
    const id = keyIndex(vkey.name, vkey.keyId);
    if (seen.has(id)) {
      throw new TlogError(
        'duplicate_key',
        `expected keys that differ in name or key ID, found two with the name ${vkey.name} and the key ID ${formatKeyId(vkey.keyId)}`,
        'remove one of them: their signatures cannot be told apart',
      );
    }
    seen.add(id);
  }
}

/** One string per (name, key ID); no key name contains a plus. */
export function keyIndex(name: string, keyId: number): string {
  return `${name}+${formatKeyId(keyId)}`;
}

const expanded = new WeakMap<Uint8Array, { publicKey: Uint8Array; secretKey: Uint8Array }>();

/** FIPS 204 key generation takes milliseconds, so each seed array is expanded once. */
export function mldsaKeys(seed: Uint8Array): { publicKey: Uint8Array; secretKey: Uint8Array } {
  let keys = expanded.get(seed);
  if (keys === undefined) {
    keys = mldsa44().keygen(seed);
    expanded.set(seed, keys);
  }
  return keys;
}

function splitKey(
  text: string,
  code: string,
  what: string,
): [name: string, id: string, material: Uint8Array] {
  // The base64 part may itself contain plus signs; the name may not.
  const first = text.indexOf('+');
  const second = text.indexOf('+', first + 1);
  if (first < 0 || second < 0) {
    throw new TlogError(
      code,
      `${what}: expected <name>+<key ID>+<base64>, found ${first < 0 ? 'no' : 'only one'} plus sign`,
      `give the whole ${what} on one line`,
    );
  }
  const name = text.slice(0, first);
  const id = text.slice(first + 1, second);
  if (!isKeyName(name)) {
    throw new TlogError(
      code,
      `${what}: expected a non-empty key name without spaces and control characters, found ${quote(name)}`,
      'remove what stands before the name',
    );
  }
  if (!/^[0-9a-f]{8}$/.test(id)) {
    throw new TlogError(
      code,
      `${what} of ${name}: expected a key ID of 8 lowercase hex digits, found ${quote(id)}`,
      `give the whole ${what} as its owner published it`,
    );
  }
  try {
    const material = decodeBase64(text.slice(second + 1), `${what} of ${name}`);
    return [name, id, material];
  } catch (cause) {
    // The cause may quote what it read, which for a private key must not travel.
    throw new TlogError(
      code,
      `${what} of ${name}: expected canonical base64 after the key ID`,
      `give the whole ${what}; a line break or a missing character at its end is the usual reason`,
      what === 'vkey' ? { cause } : undefined,
    );
  }
}

function checkId(found: number, stated: string, code: string, what: string, name: string): void {
  if (formatKeyId(found) === stated) return;
  throw new TlogError(
    code,
    `${what} of ${name}: it states the key ID ${stated}, its name and key have ${formatKeyId(found)}`,
    'name or key was changed after the key was made; get it again from its owner',
  );
}

/** Whether two keys are the same public key, whatever name and type they go by. */
export function samePublicKey(a: Vkey, b: Vkey): boolean {
  return equalBytes(a.publicKey, b.publicKey);
}
