// The platform of browsers, and of any runtime that is not Node: @noble in plain JavaScript.
import { Point, getPublicKey, hashes, sign } from '@noble/ed25519';
import { sha256 as nobleSha256, sha512 as nobleSha512 } from '@noble/hashes/sha2.js';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import type { MlDsa44 } from '#platform';

hashes.sha512 = nobleSha512;

/** The group order: scalars are taken modulo this. */
const L = Point.CURVE().n;

/** Decoded public keys, most recently used last: decoding takes a square root. */
const points = new Map<string, Point>();
const POINTS_LIMIT = 1024;

function decodeKey(publicKey: Uint8Array): Point {
  const id = String.fromCharCode(...publicKey);
  let point = points.get(id);
  if (point === undefined) {
    point = Point.fromBytes(publicKey, false);
    const [oldest] = points.keys();
    if (points.size >= POINTS_LIMIT && oldest !== undefined) points.delete(oldest);
  } else {
    points.delete(id);
  }
  points.set(id, point);
  return point;
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return value;
}

export function sha256(data: Uint8Array): Uint8Array {
  return nobleSha256(data);
}

export function sha256Into(data: Uint8Array, out: Uint8Array, at: number): void {
  out.set(nobleSha256(data), at);
}

export function sha512(data: Uint8Array): Uint8Array {
  return nobleSha512(data);
}

/**
 * RFC 8032 §5.1.7 from points, since noble's own verify follows ZIP 215 and its strict mode accepts
 * more than our rule does.
 */
export function verifyPrechecked(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  let a: Point;
  try {
    a = decodeKey(publicKey);
  } catch {
    return false; // not on the curve
  }
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  const hashed = new Uint8Array(64 + message.length);
  hashed.set(r);
  hashed.set(publicKey, 32);
  hashed.set(message, 64);
  const k = littleEndian(nobleSha512(hashed)) % L;
  const computed = Point.BASE.multiply(s, false).subtract(a.multiply(k, false)).toBytes();
  return computed.every((byte, i) => byte === r[i]);
}

export function mldsa44(): MlDsa44 {
  return ml_dsa44;
}

export function signEd25519(message: Uint8Array, seed: Uint8Array): Uint8Array {
  return sign(message, seed);
}

export function publicKeyFromSeed(seed: Uint8Array): Uint8Array {
  return getPublicKey(seed);
}
