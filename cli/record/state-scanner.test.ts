import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { StateScanner, type Scanned } from './state-scanner.js';

const WANTED = { numbers: ['step', 'flos'], list: 'history', inList: 'runtime' };

/** Scans a text in pieces of these lengths, again and again. */
function scan(text: string, lengths: readonly number[] = [1]): Scanned {
  const bytes = Buffer.from(text);
  const scanner = new StateScanner(WANTED);
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length] ?? 1;
    scanner.push(bytes.subarray(at, at + length));
    at += length;
  }
  return scanner.end();
}

/** What JSON.parse makes of it; undefined for what is no JSON. */
function parse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(Buffer.from(text).toString()) as unknown };
  } catch {
    return undefined;
  }
}

function isScanned(text: string, lengths?: readonly number[]): boolean {
  try {
    scan(text, lengths);
    return true;
  } catch (error) {
    assert.ok(error instanceof SyntaxError);
    return false;
  }
}

const PIECES = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });
// Neither N nor I: of the words that JSON has not, the scanner takes some.
const UNIT = fc.constantFrom(
  ...['{', '}', '[', ']', ',', ':', '"', '\\', '\\u00e9', '\\u12', '\\n', '\\x', '\n', '\u0001', 'é'],
  ...['0', '1', '23', '-', '+', '.', 'e', 'E', 'true', 'null', 'fals', '"a"', '"a":', ' ', '[]', '{}'],
);

test('the scanner takes for JSON what JSON.parse does', () => {
  const agree = (text: string, lengths: readonly number[]): void =>
    assert.equal(isScanned(text, lengths), parse(text) !== undefined, text);
  fc.assert(
    fc.property(fc.array(UNIT, { maxLength: 8 }), PIECES, (units, lengths) => agree(units.join(''), lengths)),
    { numRuns: 2000 },
  );
  // Sound texts, and such with one thing taken out, put in, or both.
  const spoilt = fc.tuple(fc.json({ maxDepth: 3 }), fc.nat(), fc.nat(2), UNIT, fc.boolean());
  fc.assert(
    fc.property(spoilt, PIECES, ([text, place, taken, unit, put], lengths) => {
      const at = place % (text.length + 1);
      agree(text, lengths);
      agree(text.slice(0, at) + (put ? unit : '') + text.slice(at + taken), lengths);
    }),
    { numRuns: 1000 },
  );
  const numbers = [
    '0',
    '-0',
    '01',
    '1.',
    '.5',
    '1.5',
    '1e',
    '1e+',
    '1e+5',
    '1E-05',
    '-',
    '+1',
    '1e5.0',
    '1-',
  ];
  for (const text of [...numbers, '', ' ', '[1 2]', '[1,]', '{"a":1,}', '{,}', '[}', '{]', '1 1', '\ufeff1'])
    agree(text, [1]);
  for (const text of ['NaN', '-Infinity', '[Infinity]']) assert.ok(isScanned(text), text);
  for (const text of ['-NaN', 'Infinit', 'NaNa', '-Infinityy', '--1', '-I', 'Infinity1'])
    assert.ok(!isScanned(text), text);
});

test('the scanner finds what JSON.parse finds', () => {
  const key = fc.constantFrom('"step"', '"st\\u0065p"', '"flos"', '"history"', '"runtime"', '"x"');
  const flat = fc
    .oneof(fc.integer(), fc.double(), fc.string(), fc.constant(null))
    .map((v) => JSON.stringify(v));
  const objectOf = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc
      .array(fc.tuple(key, value), { maxLength: 4 })
      .map((fields) => `{${fields.map(([name, text]) => `${name}: ${text}`).join(',')}}`);
  const listOf = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc.array(value, { maxLength: 3 }).map((items) => `[${items.join(', ')}]`);
  const inner = fc.oneof(flat, objectOf(fc.oneof(flat, objectOf(flat), listOf(flat))));
  const value = fc.oneof(
    flat,
    listOf(fc.oneof(inner, listOf(inner))),
    objectOf(fc.oneof(inner, listOf(inner))),
  );
  fc.assert(
    fc.property(fc.oneof(objectOf(value), listOf(value)), PIECES, (text, lengths) => {
      const { numbers, inList } = scan(text, lengths);
      const parsed = parse(text)?.value as Record<string, unknown>;
      for (const name of WANTED.numbers) {
        const expected = parsed[name];
        const found = numbers.get(name);
        assert.equal(
          found === undefined ? undefined : Number(found),
          typeof expected === 'number' ? expected : undefined,
        );
      }
      const { history } = parsed;
      const has = (line: unknown): boolean =>
        typeof line === 'object' && line !== null && !Array.isArray(line) && 'runtime' in line;
      assert.equal(inList, Array.isArray(history) && history.some(has), text);
    }),
    { numRuns: 1000 },
  );
  assert.equal(scan('{"step": 12345678901234567890.0}').numbers.get('step'), '12345678901234567890.0');
  assert.equal(scan(`{"step": 1${'0'.repeat(300)}}`).numbers.size, 0);
});
