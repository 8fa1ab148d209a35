// What can be said of encoded Ed25519 points and scalars by comparing bytes (RFC 8032 §5.1).
import { decodeHex } from './encoding.js';

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

/** Is this 32-byte scalar below the group order L? */
export function isBelowOrder(scalar: Uint8Array): boolean {
  return below(scalar, L, 0xff);
}

/** Is y, of this encoded point of 32 bytes, below the field's prime: the one canonical spelling? */
export function isBelowPrime(point: Uint8Array): boolean {
  return below(point, P, 0x7f);
}

/** Is this a canonical y, with either sign of x, of a point of order 1, 2, 4 or 8? 32 bytes. */
export function isSmallOrder(point: Uint8Array): boolean {
  return SMALL_ORDER_Y.some((y) => sameY(point, y));
}
