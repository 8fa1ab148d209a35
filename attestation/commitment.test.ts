import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SteleError } from '../tlog/index.js';
import { commit, committedOf, disclosureDigest, openCommitment, parseDisclosure } from './commitment.js';

const salt = new Uint8Array(16).fill(1);
const encode = (value: string): string => Buffer.from(value).toString('base64url');

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof SteleError, String(error));
    return error.code;
  }
  return 'accepted';
}

test('the example of RFC 9901 has the digest that the RFC prints', () => {
  // RFC 9901 §4.2.1 and §4.2.3: the disclosure of family_name; the RFC writes the digest in base64url.
  const disclosure = 'WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0';
  assert.equal(
    Buffer.from(disclosureDigest(disclosure), 'hex').toString('base64url'),
    'X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0',
  );
  assert.deepEqual(parseDisclosure(disclosure), {
    salt: '_26bc4LT-ac6q2KI6cBW5es',
    field: 'family_name',
    value: 'M\u00f6bius',
  });
});

test('a commitment opens under its own name only, and only as it was made', () => {
  const code1 = commit('code', 'abc', salt);
  const seed = commit('seed', '42', salt);
  const committed = committedOf([code1, seed]);
  assert.deepEqual(openCommitment(seed.disclosure, committed).value, '42');
  assert.equal(
    code(() => openCommitment(commit('seed', '43', salt).disclosure, committed)),
    'no_such_commitment',
  );
  assert.equal(
    code(() => openCommitment(seed.disclosure, { code: seed.digest })),
    'no_such_commitment',
  );
  assert.equal(
    code(() => openCommitment(seed.disclosure, { code: seed.digest, seed: code1.digest })),
    'no_such_commitment',
  );
  assert.equal(
    code(() => openCommitment(encode('["AQEBAQEBAQEBAQEBAQEBAQ","toString",1]'), committed)),
    'no_such_commitment',
  );
  assert.equal(
    code(() => committedOf([seed, commit('seed', '43', salt)])),
    'bad_disclosure',
  );
});

test('what is no disclosure is refused', () => {
  const good = 'AQEBAQEBAQEBAQEBAQEBAQ';
  for (const [desc, bad] of [
    ['padding', `${commit('a', 1, salt).disclosure}=`],
    ['standard base64', '+/+/'],
    ['unused bits', encode(`["${good}","a",1]`).slice(0, -1) + 'R'],
    ['an object', encode('{}')],
    ['two elements', encode(`["${good}","a"]`)],
    ['four elements', encode(`["${good}","a",1,2]`)],
    ['a short salt', encode('["AQEB","a",1]')],
    ['a salt that is a number', encode('[1,"a",1]')],
    ['a name that is a number', encode(`["${good}",1,1]`)],
  ] as const)
    assert.match(
      code(() => parseDisclosure(bad)),
      /^bad_(disclosure|json)$/,
      desc,
    );
  assert.equal(
    code(() => commit('a', 1, salt.slice(1))),
    'bad_disclosure',
  );
});

test('property: every commitment opens', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.oneof(fc.string(), fc.maxSafeInteger()),
      fc.uint8Array({ minLength: 16, maxLength: 40 }),
      (field, value, bytes) => {
        const made = commit(field, value, bytes);
        const opened = openCommitment(made.disclosure, committedOf([made]));
        assert.deepEqual([opened.field, opened.value], [field, value]);
      },
    ),
    { examples: [['__proto__', 0, new Uint8Array(16)]] },
  );
});
