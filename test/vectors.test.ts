// The vectors in spec/vectors/ are what the slow references say, and the fast code agrees with them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SteleError } from '../tlog/index.js';
import { checkers } from './vectors/check.js';
import { formatVectors, generators } from './vectors/generate.js';
import type { Vector } from './vectors/vector.js';

const folder = fileURLToPath(new URL('../../spec/vectors/', import.meta.url));
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort();

test('every file is generated, checked, and described to its reader', () => {
  const readme = readFileSync(`${folder}README.md`, 'utf8');
  assert.deepEqual(files, Object.keys(generators).sort());
  assert.deepEqual(files, Object.keys(checkers).sort());
  for (const name of files) assert.ok(readme.includes(`\`${name}\``), `${name} is missing in the README`);
});

for (const name of files) {
  describe(name, () => {
    const text = readFileSync(`${folder}${name}`, 'utf8');
    const cases = JSON.parse(text) as Vector[];

    test('is what the references generate, byte for byte', () => {
      assert.equal(
        formatVectors(generators[name]?.() ?? []),
        text,
        'run npm run vectors and look at the difference',
      );
    });

    test('is at least half wrong on purpose, each case with a name of its own', () => {
      const wrong = cases.filter(({ want }) => want !== 'ok').length;
      assert.ok(wrong * 2 >= cases.length, `${wrong} of ${cases.length}`);
      assert.ok(wrong < cases.length);
      const names = cases.map(({ desc, encoding, of }) => JSON.stringify([desc, encoding, of]));
      assert.equal(new Set(names).size, cases.length);
    });

    test('says what the code does', async () => {
      for (const vector of cases) {
        let found: string;
        try {
          found = (await checkers[name]?.(vector)) ?? 'not checked';
        } catch (error) {
          if (!(error instanceof SteleError)) throw error;
          found = error.code;
        }
        assert.equal(found, vector.want, vector.desc);
      }
    });
  });
}

test('every platform gives the same verdicts, chosen as programs choose it', () => {
  const file = `${folder}ed25519.json`;
  const cases = JSON.parse(readFileSync(file, 'utf8')) as Vector[];
  const program = fileURLToPath(new URL('vectors/verdicts.js', import.meta.url));
  const expected = cases.map(({ want }) => (want === 'ok' ? '1' : '0')).join('');
  for (const conditions of [[], ['--conditions=browser']]) {
    const found = execFileSync(process.execPath, [...conditions, program, file], { encoding: 'utf8' });
    assert.equal(found.trim(), expected, conditions.join());
  }
});
