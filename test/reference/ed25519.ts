// RFC 8032 §5.1 in plain integers, to judge the fast code by. Nothing here is constant-time, cached or
// optimised; points are in the extended coordinates of §5.1.4 because one inversion per addition would
// make the tests ten times longer.
import { createHash } from 'node:crypto';

export const P: bigint = 2n ** 255n - 19n;
export const L: bigint = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = mod(-121665n * invert(121666n));
/** A square root of -1. */
const I = power(2n, (P - 1n) / 4n);

/** (X : Y : Z : T) with x = X/Z, y = Y/Z, x*y = T/Z. */
export type ReferencePoint = readonly [bigint, bigint, bigint, bigint];

function mod(a: bigint, m = P): bigint {
  const r = a % m;
  return r < 0n ? r + m : r;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = mod(b * b)) {
    if (e & 1n) result = mod(result * b);
  }
  return result;
}

/** Fermat: a^(p-2). */
function invert(a: bigint): bigint {
  return power(a, P - 2n);
}

export const IDENTITY: ReferencePoint = [0n, 1n, 1n, 0n];

/** §5.1.4 */
export function add(p: ReferencePoint, q: ReferencePoint): ReferencePoint {
  const a = mod((p[1] - p[0]) * (q[1] - q[0]));
  const b = mod((p[1] + p[0]) * (q[1] + q[0]));
  const c = mod(2n * p[3] * q[3] * D);
  const d = mod(2n * p[2] * q[2]);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

export function negate(p: ReferencePoint): ReferencePoint {
  return [mod(-p[0]), p[1], p[2], mod(-p[3])];
}

export function multiply(scalar: bigint, point: ReferencePoint): ReferencePoint {
  let sum = IDENTITY;
  for (let s = scalar, p = point; s > 0n; s >>= 1n, p = add(p, p)) {
    if (s & 1n) sum = add(sum, p);
  }
  return sum;
}

export function toInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

export function fromInteger(value: bigint, length = 32): Uint8Array {
  const hex = value.toString(16).padStart(length * 2, '0');
  return new Uint8Array(Buffer.from(hex, 'hex').reverse());
}

/** §5.1.2 */
export function encodePoint(point: ReferencePoint): Uint8Array {
  const z = invert(point[2]);
  const x = mod(point[0] * z);
  const y = mod(point[1] * z);
  return fromInteger(y | ((x & 1n) << 255n));
}

/** §5.1.3; undefined where decoding fails. Strict: y must be below p. */
export function decodePoint(bytes: Uint8Array): ReferencePoint | undefined {
  const whole = toInteger(bytes);
  const sign = whole >> 255n;
  const y = whole & (2n ** 255n - 1n);
  if (y >= P) return undefined;
  const x2 = mod((y * y - 1n) * invert(D * y * y + 1n));
  let x = power(x2, (P + 3n) / 8n);
  if (mod(x * x - x2) !== 0n) x = mod(x * I);
  if (mod(x * x - x2) !== 0n) return undefined;
  if (x === 0n && sign === 1n) return undefined;
  if ((x & 1n) !== sign) x = P - x;
  return [x, y, 1n, mod(x * y)];
}

/** §5.1: y = 4/5, x even. */
export const BASE: ReferencePoint = (() => {
  const point = decodePoint(fromInteger(mod(4n * invert(5n))));
  if (point === undefined) throw new Error('the base point is not on the curve');
  return point;
})();

/** SHA-512, read as a little-endian integer modulo L. */
export function hashScalar(...parts: readonly Uint8Array[]): bigint {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return toInteger(hash.digest()) % L;
}

/** 1, 2, 4, 8 for a point of small order; 0 for every other. */
export function smallOrder(point: ReferencePoint): number {
  const isIdentity = (p: ReferencePoint): boolean =>
    Buffer.compare(encodePoint(p), encodePoint(IDENTITY)) === 0;
  return (
    [1n, 2n, 4n, 8n].map((n) => (isIdentity(multiply(n, point)) ? Number(n) : 0)).find((n) => n > 0) ?? 0
  );
}

/** The rule: S < L; A canonical and not of small order; R the encoding of [S]B - [k]A. */
export function referenceVerify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  const r = signature.slice(0, 32);
  const s = toInteger(signature.slice(32));
  if (s >= L) return false;
  const a = decodePoint(publicKey);
  if (a === undefined || smallOrder(a) !== 0) return false;
  const k = hashScalar(r, publicKey, message);
  const computed = encodePoint(add(multiply(s, BASE), negate(multiply(k, a))));
  return Buffer.compare(computed, r) === 0;
}

/** §5.1.5: the scalar and the prefix behind a seed. */
export function expandSeed(seed: Uint8Array): { scalar: bigint; prefix: Uint8Array; publicKey: Uint8Array } {
  const digest = createHash('sha512').update(seed).digest();
  const low = toInteger(digest.subarray(0, 32));
  const scalar = (low & (2n ** 254n - 8n)) | (2n ** 254n);
  return {
    scalar,
    prefix: new Uint8Array(digest.subarray(32)),
    publicKey: encodePoint(multiply(scalar, BASE)),
  };
}

/** §5.1.6 */
export function referenceSign(message: Uint8Array, seed: Uint8Array): Uint8Array {
  const { scalar, prefix, publicKey } = expandSeed(seed);
  const r = hashScalar(prefix, message);
  const bigR = encodePoint(multiply(r, BASE));
  const s = mod(r + hashScalar(bigR, publicKey, message) * scalar, L);
  return new Uint8Array(Buffer.concat([bigR, fromInteger(s)]));
}
