// RFC 6962 §2.1: how leaves and nodes are hashed. Everything else about the tree is arithmetic on
// sizes, in compact-range.ts and proof.ts.
import { sha256 as platformSha256 } from '#platform';
import { TlogError } from './errors.js';

/** Bytes in a hash. */
export const HASH_SIZE = 32;

/** SHA-256, 32 bytes. */
export function sha256(data: Uint8Array): Uint8Array {
  return platformSha256(data);
}

/** Requires a 32-byte hash and returns it. Throws TlogError "bad_hash". */
export function checkHash(hash: Uint8Array, what: string): Uint8Array {
  if (hash.length !== HASH_SIZE) {
    throw new TlogError(
      'bad_hash',
      `${what}: expected a SHA-256 hash of 32 bytes, found ${hash.length} bytes`,
      'a hash of this tree is the 32 bytes of SHA-256',
    );
  }
  return hash;
}

// One buffer for all leaves and one for all nodes: hashing is synchronous and keeps nothing of its input.
const leafInput = new Uint8Array(1 + 65_535);

/** MTH({d0}) = SHA-256(0x00 || d0). RFC 6962 §2.1. */
export function leafHash(entry: Uint8Array): Uint8Array {
  const size = entry.length + 1;
  const input = size <= leafInput.length ? leafInput.subarray(0, size) : new Uint8Array(size);
  input.set(entry, 1);
  return platformSha256(input);
}

const nodeInput = new Uint8Array(1 + 2 * HASH_SIZE);
nodeInput[0] = 1;

/** SHA-256(0x01 || left || right), both of 32 bytes. RFC 6962 §2.1. Throws TlogError "bad_hash". */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeInput.set(checkHash(left, 'left child'), 1);
  nodeInput.set(checkHash(right, 'right child'), 1 + HASH_SIZE);
  return platformSha256(nodeInput);
}

/** MTH({}) = SHA-256(""), the root of the empty tree. RFC 6962 §2.1. */
export function emptyRoot(): Uint8Array {
  return platformSha256(new Uint8Array(0));
}
