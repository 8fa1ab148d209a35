import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CompactRange,
  emptyRoot,
  encodeBase64,
  encodeUtf8,
  formatCheckpoint,
  leafHash,
  newSigningKey,
  nodeHash,
  NOTE_ED25519,
  signNoteLine,
} from '../tlog/index.js';
import { decide, parseAddCheckpoint, trustedLines } from './add-checkpoint.js';

const key = newSigningKey('log.example/a', NOTE_ED25519, new Uint8Array(32).fill(1));
const other = newSigningKey('log.example/a', NOTE_ED25519, new Uint8Array(32).fill(2));
const [a, b] = [leafHash(encodeUtf8('a')), leafHash(encodeUtf8('b'))] as const;

function request(
  oldSize: number,
  proof: Uint8Array[],
  size: number,
  rootHash: Uint8Array,
  by = [key],
): Uint8Array {
  const text = formatCheckpoint({ origin: 'log.example/a', size, rootHash, extensions: [] });
  const lines = by.map((each) => signNoteLine(text, each)).join('');
  const head = [`old ${oldSize}`, ...proof.map((hash) => encodeBase64(hash))].join('\n');
  return encodeUtf8(`${head}\n\n${text}\n${lines}`);
}

test('a request says what it says', () => {
  const parsed = parseAddCheckpoint(request(1, [b], 2, nodeHash(a, b)));
  assert.deepEqual([parsed.oldSize, parsed.proof, parsed.checkpoint.size], [1, [b], 2]);
  assert.equal(parsed.checkpoint.origin, 'log.example/a');
});

test('the verdicts of tlog-witness', () => {
  const ask = (oldSize: number, proof: Uint8Array[], size: number, root: Uint8Array, held?: number): string =>
    decide(
      parseAddCheckpoint(request(oldSize, proof, size, root)),
      held === undefined ? undefined : { size: held, rootHash: held === 0 ? emptyRoot() : a },
    ).kind;
  const two = nodeHash(a, b);
  assert.equal(ask(0, [], 2, two), 'cosign');
  assert.equal(ask(0, [], 0, emptyRoot()), 'cosign');
  assert.equal(ask(0, [], 0, emptyRoot(), 0), 'cosign');
  assert.equal(ask(0, [], 2, two, 0), 'cosign');
  assert.equal(ask(1, [b], 2, two, 1), 'cosign');
  assert.equal(ask(1, [], 1, a, 1), 'cosign');
  assert.equal(ask(2, [], 1, a, 1), 'malformed');
  assert.equal(ask(0, [], 2, two, 1), 'conflict');
  assert.equal(ask(1, [b], 2, two), 'conflict');
  assert.equal(ask(0, [], 0, two), 'inconsistent');
  assert.equal(ask(0, [b], 2, two), 'inconsistent');
  assert.equal(ask(0, [b], 2, two, 0), 'inconsistent');
  assert.equal(ask(1, [], 1, b, 1), 'inconsistent');
  assert.equal(ask(1, [a], 1, a, 1), 'inconsistent');
  assert.equal(ask(1, [], 2, two, 1), 'inconsistent');
  assert.equal(ask(1, [a], 2, two, 1), 'inconsistent');
  assert.equal(ask(1, [b], 2, nodeHash(b, a), 1), 'inconsistent');
});

test('trusted lines are those of trusted keys, and all of those must be good', () => {
  const root = new CompactRange().root();
  const both = parseAddCheckpoint(request(0, [], 0, root, [key, other]));
  assert.equal(trustedLines(both, [key.vkey])?.length, 1);
  assert.equal(trustedLines(both, [key.vkey, other.vkey])?.length, 2);
  assert.equal(trustedLines(parseAddCheckpoint(request(0, [], 0, root, [other])), [key.vkey]), undefined);
  const forged = signNoteLine('log.example/a\n1\nx\n', key);
  const bad = parseAddCheckpoint(
    encodeUtf8(`${new TextDecoder().decode(request(0, [], 0, root, [other]))}${forged}`),
  );
  assert.equal(trustedLines(bad, [key.vkey]), undefined);
  assert.equal(trustedLines(bad, [other.vkey])?.length, 1);
});
