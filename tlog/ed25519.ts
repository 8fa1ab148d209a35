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
import { isBelowOrder, isBelowPrime, isSmallOrder } from './ed25519-bytes.js';
import { TlogError } from './errors.js';

/**
 * Is this 32-byte public key one that may verify anything: y below the field's prime and not that of
 * a point of small order? (Whether y is on the curve at all is found out when verifying.)
 */
export function isAcceptableKey(publicKey: Uint8Array): boolean {
  return publicKey.length === 32 && isBelowPrime(publicKey) && !isSmallOrder(publicKey);
}

/**
 * The verdict described at the head of this file; the same on every platform. `signature` is 64
 * bytes, `publicKey` 32. Answers false, never throws, for bytes of any other length or content.
 */
export function verifyEd25519(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== 64 || !isAcceptableKey(publicKey)) return false;
  if (!isBelowOrder(signature.subarray(32))) return false;
  return verifyPrechecked(signature, message, publicKey);
}

function checkSeed(seed: Uint8Array): void {
  if (seed.length !== 32) {
    throw new TlogError(
      'bad_seed',
      `Ed25519 seed: expected 32 bytes, found ${seed.length}`,
      'give 32 bytes that nobody can guess',
    );
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
