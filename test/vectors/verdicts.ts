// Prints the verdict on every case of a file of signatures, one character each, so that a test can ask
// the same program under another platform (node --conditions=browser).
import { readFileSync } from 'node:fs';
import { verifyEd25519 } from '../../tlog/index.js';
import { unhex, type Vector } from './vector.js';

const cases = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Vector[];
const bytes = (vector: Vector, field: string): Uint8Array => unhex(String(vector[field]));
const verdicts = cases.map((vector) =>
  verifyEd25519(bytes(vector, 'signature'), bytes(vector, 'message'), bytes(vector, 'publicKey')) ? '1' : '0',
);
console.log(verdicts.join(''));
