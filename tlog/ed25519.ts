// Ed25519 with one verdict (RFC 8032 §5.1, made strict). Verifiers in the field disagree about
// signatures made on purpose with small-order keys, unreduced scalars or points spelled twice; two
// people must never judge one piece of evidence differently. So a signature (R, S) by key A over M is
// good if and only if
//
//   - S < L;
//   - A is the canonical encoding of a curve point and that point is not of small order;
//   - R, byte by byte, is the encoding of [S]B - [k]A with k = SHA-512(R || A || M): cofactorless,
//     and R needs no check of its own, since an encoding we compute is canonical.
//
// What the platforms agree about anyway, the last line, is theirs; the rest is decided here, once.
// These checks are some comparisons of bytes: cheaper than looking up whether they were made before.
import {
  publicKeyFromSeed as platformPublicKey,
  signEd25519 as platformSign,
  verifyPrechecked,
} from '#platform';
import { decodeHex } from './encoding.js';
import { TlogError } from './errors.js';

/** Group order 2^252 + 27742317777372353535851937790883648493, little-endian. */
const L = decodeHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');
/** Field prime 2^255 - 19, little-endian. */
const P = decodeHex('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f');

/**
 * y of the eight points of small order: 1 (identity), -1 (order 2), 0 (order 4, two points), and two
 * values of order 8 with two points each. Canonical, sign bit clear.
 */
const SMALL_ORDER_Y = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
].map((hex) => decodeHex(hex));

/** a < b as little-endian integers of 32 bytes; `topMask` is applied to a's highest byte. */
function below(a: Uint8Array, b: Uint8Array, topMask: number): boolean {
  for (let i = 31; i >= 0; i--) {
    const x = i === 31 ? (a[i] ?? 0) & topMask : (a[i] ?? 0);
    const y = b[i] ?? 0;
    if (x !== y) return x < y;
  }
  return false;
}

/** y of an encoded point without the sign of x, compared with a known one. */
function sameY(encoded: Uint8Array, y: Uint8Array): boolean {
  for (let i = 0; i < 31; i++) if (encoded[i] !== y[i]) return false;
  return ((encoded[31] ?? 0) & 0x7f) === y[31];
}

/**
 * Is this 32-byte public key one that may verify anything: y below the field's prime and not that of
 * a point of small order? (Whether y is on the curve at all is found out when verifying.)
 */
export function isAcceptableKey(publicKey: Uint8Array): boolean {
  return (
    publicKey.length === 32 && below(publicKey, P, 0x7f) && !SMALL_ORDER_Y.some((y) => sameY(publicKey, y))
  );
}

/**
 * The verdict described at the head of this file; the same on every platform. `signature` is 64
 * bytes, `publicKey` 32. Answers false, never throws, for bytes of any other length or content.
 */
export function verifyEd25519(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== 64 || !isAcceptableKey(publicKey)) return false;
  if (!below(signature.subarray(32), L, 0xff)) return false;
  return verifyPrechecked(signature, message, publicKey);
}

function checkSeed(seed: Uint8Array): void {
  if (seed.length !== 32) {
    throw new TlogError('bad_seed', `Ed25519 seed: expected 32 bytes, found ${seed.length}`);
  }
}

/** The 64-byte signature of RFC 8032 §5.1.6. `seed` is 32 bytes. Throws TlogError "bad_seed". */
export function signEd25519(message: Uint8Array, seed: Uint8Array): Uint8Array {
  checkSeed(seed);
  return platformSign(message, seed);
}

/** The 32-byte public key of RFC 8032 §5.1.5. `seed` is 32 bytes. Throws TlogError "bad_seed". */
export function publicKeyFromSeed(seed: Uint8Array): Uint8Array {
  checkSeed(seed);
  return platformPublicKey(seed);
}
