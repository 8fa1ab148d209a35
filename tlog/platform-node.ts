// The platform of servers and the command line. A project of its own (tsconfig.node.json), so that
// Node's types stay out of what runs in a browser.
import { createPrivateKey, createPublicKey, hash, sign, verify, type KeyObject } from 'node:crypto';
import { createRequire } from 'node:module';
import type { MlDsa44 } from '#platform';
import { isSmallOrder } from './ed25519-bytes.js';

const require = createRequire(import.meta.url);

/**
 * What Node has not, as in a browser. Loaded when it is first asked for, at once (Node from 20.19 on can): ML-DSA's tables and
 * noble's dozen modules take as long as starting Node, and most commands never need them.
 */
function portable(): typeof import('./platform-browser.js') {
  return require('./platform-browser.js') as typeof import('./platform-browser.js');
}

/** DER before a raw key: RFC 8410 §4 (SubjectPublicKeyInfo) and §7 (PKCS #8). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A map that forgets what was used longest ago. A key object costs a third of a verification. */
class KeyCache {
  readonly #keys = new Map<string, KeyObject>();

  constructor(
    readonly limit: number,
    readonly make: (raw: Uint8Array) => KeyObject,
  ) {}

  get(raw: Uint8Array): KeyObject {
    const id = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('latin1');
    let key = this.#keys.get(id);
    if (key === undefined) {
      key = this.make(raw);
      const [oldest] = this.#keys.keys();
      if (this.#keys.size >= this.limit && oldest !== undefined) this.#keys.delete(oldest);
    } else {
      this.#keys.delete(id);
    }
    this.#keys.set(id, key);
    return key;
  }
}

const publicKeys = new KeyCache(4096, (raw) =>
  createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' }),
);
const privateKeys = new KeyCache(16, (seed) =>
  createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' }),
);

/** A plain Uint8Array over a Buffer's bytes, so that no caller meets Buffer's own slice and equality. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

export function sha256(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(32);
  sha256Into(data, out, 0);
  return out;
}

/** Asked for as a string, a byte a character: a Buffer made by Node costs twice what hashing a node does. */
export function sha256Into(data: Uint8Array, out: Uint8Array, at: number): void {
  const digest = hash('sha256', data, 'binary');
  for (let i = 0; i < 32; i++) out[at + i] = digest.charCodeAt(i);
}

export function sha512(data: Uint8Array): Uint8Array {
  return plain(hash('sha512', data, 'buffer'));
}

/**
 * OpenSSL compares R with the encoding it computes, byte by byte, and does not multiply by the
 * cofactor, which is our rule. Since 24.19 Node itself refuses every R of small order before it asks
 * OpenSSL, and older ones do not; so these, which no honest signer makes, are computed from points as
 * in a browser.
 */
export function verifyPrechecked(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  if (isSmallOrder(signature.subarray(0, 32)))
    return portable().verifyPrechecked(signature, message, publicKey);
  return verify(null, message, publicKeys.get(publicKey), signature);
}

export function mldsa44(): MlDsa44 {
  return portable().mldsa44();
}

export function signEd25519(message: Uint8Array, seed: Uint8Array): Uint8Array {
  return plain(sign(null, message, privateKeys.get(seed)));
}

export function publicKeyFromSeed(seed: Uint8Array): Uint8Array {
  const spki = createPublicKey(privateKeys.get(seed)).export({ format: 'der', type: 'spki' });
  return new Uint8Array(spki.subarray(SPKI_PREFIX.length));
}
