import assert from 'node:assert/strict';
import { test } from 'node:test';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import {
  MAX_DEPTH,
  canonicalJson,
  parseCanonicalJson,
  parseJson,
  readAtOnce,
  readCanonical,
} from './json.js';
import { AttestationError } from './errors.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof AttestationError, String(error));
    assert.notEqual(error.hint, '');
    return error.code;
  }
  return 'accepted';
}

test('JSON that two readers could read differently is refused', () => {
  for (const bad of [
    '',
    ' ',
    '{',
    '{"a":1',
    '{"a":1,}',
    '{"a" 1}',
    '{a:1}',
    "{'a':1}",
    '[1,]',
    '[1 2]',
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '{"__proto__":1,"__proto__":2}',
    '1.5',
    '1e3',
    '1E3',
    '1.0',
    '-0',
    '01',
    '+1',
    '.5',
    '9007199254740992',
    '-9007199254740992',
    '9007199254740993',
    '1'.repeat(400),
    'NaN',
    'Infinity',
    'nul',
    'truefalse',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\ud800x"',
    '"\\x41"',
    '"\\u12g4"',
    '"a\nb"',
    '"a\u0000"',
    '"unfinished',
    '"\\',
    '\ufeff{}',
    '{} {}',
    '/* comment */ {}',
    '[\u00a01]',
  ])
    assert.equal(
      code(() => parseJson(bytes(bad))),
      'bad_json',
      JSON.stringify(bad),
    );
  for (const bad of [
    [0xff],
    [0xc0, 0x80],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0xef, 0xbb, 0xbf, 0x31],
    [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22],
  ])
    assert.equal(
      code(() => parseJson(Uint8Array.from(bad))),
      'bad_json',
      String(bad),
    );
});

test('nesting is bounded, for reading and for writing', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  assert.equal(
    code(() => parseJson(bytes(nested(MAX_DEPTH)))),
    'accepted',
  );
  assert.equal(
    code(() => parseJson(bytes(nested(MAX_DEPTH + 1)))),
    'bad_json',
  );
  assert.equal(
    code(() => parseJson(bytes(nested(100_000)))),
    'bad_json',
  );
  assert.equal(
    code(() => canonicalJson(JSON.parse(nested(MAX_DEPTH)))),
    'accepted',
  );
  assert.equal(
    code(() => canonicalJson(JSON.parse(nested(MAX_DEPTH + 1)))),
    'bad_json',
  );
  const circle: unknown[] = [];
  circle.push(circle);
  assert.equal(
    code(() => canonicalJson(circle)),
    'bad_json',
  );
});

test('what JSON cannot say is not written', () => {
  for (const bad of [
    undefined,
    1.5,
    NaN,
    Infinity,
    2 ** 53,
    1n,
    () => 1,
    Symbol('a'),
    new Date(0),
    new Map(),
    '\ud800',
    { a: '\udfff' },
    { '\ud800': 1 },
    [undefined],
  ])
    assert.equal(
      code(() => canonicalJson(bad)),
      'bad_json',
      typeof bad,
    );
  assert.equal(text(canonicalJson({ a: undefined, b: 1 })), '{"b":1}');
});

test('keys are sorted by UTF-16 code units, strings and numbers have one spelling (RFC 8785 §3.2)', () => {
  assert.equal(
    text(
      canonicalJson({
        '\u20ac': 1,
        '\r': 2,
        '\ufb33': 3,
        '1': 4,
        '\ud83d\ude00': 5,
        '\u0080': 6,
        '\u00f6': 7,
      }),
    ),
    '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":3}',
  );
  assert.equal(
    text(canonicalJson({ a: '\u20ac$\u000f\nA\'B"\\\\"/\u2028' })),
    '{"a":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u2028"}',
  );
  assert.equal(text(canonicalJson([-1, 0, -0, 9007199254740991])), '[-1,0,0,9007199254740991]');
});

test('another spelling of the same JSON is not canonical', () => {
  for (const other of [
    ' {}',
    '{} ',
    '{ }',
    '{"b":1,"a":2}',
    '{"a": 1}',
    '"\\u0041"',
    '"\\/"',
    '"\\u000A"',
    '"\\u000a"',
    '[1, 2]',
    '{"\\u0061":1}',
    '"\\ud83d\\ude00"',
  ])
    assert.equal(
      code(() => parseCanonicalJson(bytes(other))),
      'not_canonical',
      other,
    );
  assert.equal(
    code(() => parseCanonicalJson(bytes('{"a":1.0}'))),
    'bad_json',
  );
});

const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 5 }),
  ),
})).value;

test('property: what is written reads back the same, and only in that spelling', () => {
  fc.assert(
    fc.property(json, (value) => {
      const written = canonicalJson(value);
      assert.deepEqual(JSON.parse(text(written)), JSON.parse(JSON.stringify(value)));
      assert.deepEqual(canonicalJson(parseCanonicalJson(written)), written);
      const indented = bytes(JSON.stringify(value, null, 1));
      assert.deepEqual(canonicalJson(parseJson(indented)), written);
      // The canonical parser decides spelling by itself; here the library is its judge.
      const plain = JSON.stringify(value);
      const canonical = canonicalize(value) === plain;
      assert.equal(
        code(() => parseCanonicalJson(bytes(plain))),
        canonical ? 'accepted' : 'not_canonical',
      );
    }),
    { numRuns: 500 },
  );
});

/** What readAtOnce answers is what readCanonical answers, which has the last word on all else. */
function agreeOn(input: string): void {
  const found = readAtOnce(input);
  if (found === undefined) return;
  let slow: unknown;
  assert.equal(
    code(() => (slow = readCanonical(input))),
    'accepted',
    input,
  );
  assert.deepEqual(found, slow, input);
}

test('what is read at once is what is read character by character, or nothing', () => {
  const none = [
    '{"a":1,"a":1}',
    '{"b":1,"a":1}',
    '{"2":1,"10":1}',
    '{"a":0.5}',
    '[1e3]',
    '[-0]',
    '[1.0]',
    '[9007199254740992]',
    '[9007199254740993]',
    '{"a": 1}',
    '["\\n"]',
    '["\\ud800"]',
    '"\\u0061"',
    '{"a":1',
    '',
    '['.repeat(MAX_DEPTH + 1) + ']'.repeat(MAX_DEPTH + 1),
  ];
  for (const input of none) assert.equal(readAtOnce(input), undefined, input);
  const nested = '['.repeat(MAX_DEPTH) + ']'.repeat(MAX_DEPTH);
  const some = [
    '{}',
    '[]',
    '1',
    '"\u20ac\ud83d\ude00"',
    '{"":1,"a":[true,{"b":-1}]}',
    nested,
    '{"10":1,"a":2}',
  ];
  for (const input of some) {
    assert.notEqual(readAtOnce(input), undefined, input);
    agreeOn(input);
  }
});

test('property: read at once or character by character, texts with small faults too', () => {
  const piece = fc.constantFrom(
    '',
    ' ',
    ',',
    '0',
    '.5',
    'e1',
    '-',
    '"',
    '\\',
    '[',
    '}',
    '"a":1,',
    '\\u0061',
    '9007199254740993',
  );
  fc.assert(
    fc.property(json, fc.nat(), fc.nat({ max: 4 }), piece, (value, at, gone, put) => {
      const plain = JSON.stringify(value);
      const sorted = text(canonicalJson(value));
      for (const each of [plain, sorted]) {
        agreeOn(each);
        const from = at % (each.length + 1);
        agreeOn(each.slice(0, from) + put + each.slice(from + gone));
      }
    }),
    { numRuns: 1000 },
  );
});

test('keys named as properties of objects are keys like others', () => {
  const value = parseJson(
    bytes('{"__proto__":{"x":1},"constructor":2,"toJSON":3,"toString":4,"hasOwnProperty":5}'),
  );
  assert.equal(
    text(canonicalJson(value)),
    '{"__proto__":{"x":1},"constructor":2,"hasOwnProperty":5,"toJSON":3,"toString":4}',
  );
  assert.equal((value as { x?: unknown }).x, undefined);
});
