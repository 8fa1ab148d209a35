// One thread of signing-pool.ts. It gets its keys when it starts, and one request at a time.
import { parentPort, workerData } from 'node:worker_threads';
import {
  newSigningKey,
  openNote,
  signatureLine,
  signNoteLine,
  signSubtree,
  SteleError,
  type Vkey,
} from '../tlog/index.js';
import { SigningError, type SigningAnswer, type SigningRequest } from './signing-pool.js';

const given = workerData as {
  keys: { name: string; type: number; secret: Uint8Array }[];
  vkeys: Vkey[];
};
const keys = given.keys.map(({ name, type, secret }) => newSigningKey(name, type, secret));

function answer({ id, key: number, note, subtree, reference }: SigningRequest): SigningAnswer {
  const key = keys[number];
  try {
    if (key && note) return { id, line: signNoteLine(note.text, key, note.timestamp) };
    if (key && subtree && reference) {
      checkReference(reference);
      return { id, line: signatureLine(key.name, key.keyId, signSubtree(key, subtree, 0)) };
    }
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    return { id, code: error.code, message: error.message, hint: error.hint };
  }
  throw new RangeError('a request without a key, or without anything to sign');
}

function checkReference(note: Uint8Array): void {
  try {
    openNote(note, given.vkeys);
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    throw new SigningError('bad_reference', error.message, error.hint, { cause: error });
  }
}

parentPort?.on('message', (request: SigningRequest) => {
  parentPort?.postMessage(answer(request));
});
