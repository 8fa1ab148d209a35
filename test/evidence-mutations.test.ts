// A file of evidence that was tampered with is rejected, or still gives the same verdict on the same key
// and the same two trees.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { verifyEvidence, type Verdict } from '../evidence/index.js';
import { SteleError, encodeUtf8, parsePolicy, type Policy } from '../tlog/index.js';
import { mutate } from './fuzz/mutate.js';
import { Random } from './random.js';
import { referenceVerdict } from './reference/evidence.js';
import type { Vector } from './vectors/vector.js';

const cases = (
  JSON.parse(
    readFileSync(fileURLToPath(new URL('../../spec/vectors/evidence.json', import.meta.url)), 'utf8'),
  ) as Vector[]
).flatMap(({ desc, want, evidence, policy }) =>
  want === 'ok'
    ? [
        {
          desc,
          text: String(evidence),
          policyText: String(policy),
          policy: parsePolicy(encodeUtf8(String(policy))),
        },
      ]
    : [],
);

function verdictOf(bytes: Uint8Array, policy: Policy): Verdict | undefined {
  try {
    return verifyEvidence(bytes, policy);
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    return undefined;
  }
}

describe('every byte', () => {
  for (const { desc, text, policy } of cases) {
    test(desc, () => {
      const file = encodeUtf8(text);
      assert.ok(verdictOf(file, policy));
      // The 3,200 digits of an ML-DSA-44 signature are alike, and each costs milliseconds.
      const dull = /[A-Za-z0-9+/=]{200,}/g;
      const skipped = new Set<number>();
      for (const { index, 0: digits } of text.matchAll(dull)) {
        const start = encodeUtf8(text.slice(0, index)).length;
        for (let i = 60; i < digits.length - 20; i++) if (i % 211 !== 0) skipped.add(start + i);
      }
      // Nor does each way to change a byte need such a verification of its own.
      const dear = skipped.size > 0;
      let tried = 0;
      for (let i = 0; i < file.length; i++) {
        if (skipped.has(i)) continue;
        const byte = file[i] ?? 0;
        const by = (...bytes: number[]): Uint8Array =>
          Uint8Array.from([...file.subarray(0, i), ...bytes, ...file.subarray(i + 1)]);
        const changes = [by(byte ^ 1), by(byte ^ 0x20), by(0x0a), by(), by(byte, byte)];
        for (const changed of dear ? changes.slice(i % 5, (i % 5) + 1) : changes) {
          if (Buffer.compare(changed, file) === 0) continue;
          assert.equal(verdictOf(changed, policy), undefined, `byte ${i}`);
          tried++;
        }
      }
      assert.ok(tried > (dear ? 300 : 1000), `${tried} changes tried`);
    });
  }
});

describe('every field', () => {
  // Values from other files: roots, hashes, sizes, origins, kinds, signature lines, all of them well formed.
  const values = [...new Set(cases.flatMap(({ text }) => text.split('\n')))];
  for (const { desc, text, policy } of cases) {
    test(desc, () => {
      const original = verdictOf(encodeUtf8(text), policy);
      const lines = text.split('\n');
      // What other keys signed makes other evidence, and good evidence: not a mutation of this.
      const convicted = (original?.convicted ?? []).map(({ name }) => `\u2014 ${name} `);
      const pool = values.filter(
        (value) => !value.startsWith('\u2014') || convicted.some((prefix) => value.startsWith(prefix)),
      );
      for (const [i, line] of lines.entries()) {
        const alternatives = [
          [],
          [line, line],
          [lines[i + 1] ?? '', line],
          ...pool.filter((value) => value !== line).map((value) => [value]),
        ];
        for (const alternative of alternatives) {
          const changed = encodeUtf8(
            [...lines.slice(0, i), ...alternative, ...lines.slice(i + 1)].join('\n'),
          );
          const verdict = verdictOf(changed, policy);
          if (verdict === undefined) continue;
          assert.deepEqual(verdict.trees, original?.trees);
          assert.deepEqual(verdict.role, original?.role);
          if (verdict.convicted.length > 1 || (original?.convicted.length ?? 0) > 1) {
            // The other key of a rotation signed this tree too: more of one log's keys, no other log's.
            assert.equal(original?.role, 'log');
            continue;
          }
          assert.deepEqual(verdict, original);
        }
      }
    });
  }

  test('a cosignature of the same tree at another time gives the same verdict', () => {
    const [at, before] = ['a witness that cosigned both', 'a witness with times running backwards'].map(
      (name) => cases.find(({ desc }) => desc === name),
    );
    assert.ok(at !== undefined && before !== undefined && at.text !== before.text);
    assert.deepEqual(
      verdictOf(encodeUtf8(at.text), at.policy),
      verdictOf(encodeUtf8(before.text), before.policy),
    );
  });
});

test('the slow reference agrees on 1,200 files after random changes', () => {
  const random = new Random(11);
  const light = cases.filter(({ text }) => text.length < 3000);
  let accepted = 0;
  for (let i = 0; i < 1200; i++) {
    const { text, policy, policyText } = random.pick(light);
    const other = encodeUtf8(random.pick(light).text);
    // Every tenth file is left as it is.
    const file = i % 10 === 0 ? encodeUtf8(text) : mutate(encodeUtf8(text), other, random, 10_000);
    const verdict = verdictOf(file, policy);
    const slow = referenceVerdict(file, policyText);
    assert.equal(verdict !== undefined, slow !== undefined, Buffer.from(file).toString('base64'));
    assert.equal(verdict?.kind, slow?.kind);
    if (verdict !== undefined) accepted++;
  }
  assert.ok(accepted >= 120);
});
