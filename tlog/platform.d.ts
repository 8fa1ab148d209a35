// What differs by platform. package.json `imports` chooses platform-node.ts or platform-browser.ts
// when the program runs; this file is what both must provide, so that the type checker never drags
// Node's types into a folder that runs in a browser.

/** SHA-256. */
export function sha256(data: Uint8Array): Uint8Array;

/** SHA-256, written into `out` from `at` on, where nothing is made for each of many hashes. */
export function sha256Into(data: Uint8Array, out: Uint8Array, at: number): void;

/** SHA-512, which noble's Ed25519 wants. */
export function sha512(data: Uint8Array): Uint8Array;

/**
 * [S]B - [k]A compared byte by byte with R (RFC 8032 §5.1.7, cofactorless). The caller has already
 * checked S < L and that A is canonical and not of small order; see ed25519.ts.
 * `signature` is 64 bytes, `publicKey` 32.
 */
export function verifyPrechecked(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;

/** ML-DSA-44 (FIPS 204): public keys of 1,312 bytes, signatures of 2,420. */
export interface MlDsa44 {
  keygen(seed: Uint8Array): { publicKey: Uint8Array; secretKey: Uint8Array };
  sign(message: Uint8Array, secretKey: Uint8Array, options: { extraEntropy: false }): Uint8Array;
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

/** It; in Node loaded when it is first asked for. */
export function mldsa44(): MlDsa44;

/** RFC 8032 §5.1.6. `seed` is 32 bytes; the signature is 64. */
export function signEd25519(message: Uint8Array, seed: Uint8Array): Uint8Array;

/** RFC 8032 §5.1.5. `seed` is 32 bytes; so is the public key. */
export function publicKeyFromSeed(seed: Uint8Array): Uint8Array;
