// One thread of signing-pool.ts. It gets its keys when it starts, and one request at a time.
import { parentPort, workerData } from 'node:worker_threads';
import { newSigningKey, signatureLine, signNoteLine, signSubtree, SteleError } from '../tlog/index.js';
import type { SigningAnswer, SigningRequest } from './signing-pool.js';

const given = workerData as { keys: { name: string; type: number; secret: Uint8Array }[] };
const keys = given.keys.map(({ name, type, secret }) => newSigningKey(name, type, secret));

function answer({ id, key: number, note, subtree }: SigningRequest): SigningAnswer {
  const key = keys[number];
  try {
    if (key && note) return { id, line: signNoteLine(note.text, key, note.timestamp) };
    if (key && subtree) return { id, line: signatureLine(key.name, key.keyId, signSubtree(key, subtree, 0)) };
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    return { id, code: error.code, message: error.message, hint: error.hint };
  }
  throw new RangeError('a request without a key, or without anything to sign');
}

parentPort?.on('message', (request: SigningRequest) => {
  parentPort?.postMessage(answer(request));
});
