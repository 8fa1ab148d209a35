/**
 * Verifies Ed25519 signatures of a kilobyte for a second, on one core, with OpenSSL as Node has it and nothing around
 * it, and prints how many that were: `node dist/bench/verify-signatures.js`.
 */
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';

const { privateKey } = generateKeyPairSync('ed25519');
const publicKey = createPublicKey(privateKey);
const message = Buffer.alloc(1024, 1);
const signature = sign(null, message, privateKey);

function run(milliseconds: number): number {
  const started = performance.now();
  let count = 0;
  let now = started;
  for (; now < started + milliseconds; now = performance.now(), count++) {
    if (!verify(null, message, publicKey, signature)) throw new Error('expected a signature that verifies');
  }
  return count / ((now - started) / 1000);
}

run(200);
console.log(JSON.stringify({ perSecond: run(1000) }));
