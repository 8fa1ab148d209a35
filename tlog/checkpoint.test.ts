import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TlogError, encodeBase64, formatCheckpoint, parseCheckpoint } from './index.js';

const ROOT = 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=';
const TEXT = `example.com/behind-the-sofa\n20852163\n${ROOT}\n`;

function refuses(act: () => unknown, desc: string): void {
  assert.throws(
    act,
    (error) => {
      assert.ok(error instanceof TlogError, desc);
      assert.equal(error.code, 'bad_checkpoint', desc);
      assert.match(error.message, /expected/, desc);
      assert.notEqual(error.hint, '', desc);
      return true;
    },
    desc,
  );
}

test('the example of C2SP tlog-checkpoint', () => {
  const checkpoint = parseCheckpoint(TEXT);
  assert.equal(checkpoint.origin, 'example.com/behind-the-sofa');
  assert.equal(checkpoint.size, 20852163);
  assert.equal(encodeBase64(checkpoint.rootHash), ROOT);
  assert.deepEqual(checkpoint.extensions, []);
  assert.equal(formatCheckpoint(checkpoint), TEXT);
});

test('checkpoints that are accepted', () => {
  for (const text of [
    `o\n0\n${ROOT}\n`,
    `an origin with spaces + plus\n1\n${ROOT}\n`,
    `ö\n9007199254740991\n${ROOT}\n`,
    `o\n1\n${ROOT}\nextension\n another \n`,
    `\ufeffo\n1\n${ROOT}\n`,
  ]) {
    assert.equal(formatCheckpoint(parseCheckpoint(text)), text);
  }
});

test('checkpoints that are refused', () => {
  const cases: [string, string][] = [
    ['empty', ''],
    ['a newline', '\n'],
    ['two lines', 'o\n1\n'],
    ['no newline at the end', TEXT.slice(0, -1)],
    ['empty origin', `\n1\n${ROOT}\n`],
    ['empty size', `o\n\n${ROOT}\n`],
    ['empty root', 'o\n1\n\n'],
    ['empty extension', `${TEXT}\n`],
    ['empty extension before another', `${TEXT}\nx\n`],
    ['leading zero', `o\n01\n${ROOT}\n`],
    ['two zeros', `o\n00\n${ROOT}\n`],
    ['sign', `o\n+1\n${ROOT}\n`],
    ['negative', `o\n-1\n${ROOT}\n`],
    ['negative zero', `o\n-0\n${ROOT}\n`],
    ['hexadecimal', `o\n0x1\n${ROOT}\n`],
    ['exponent', `o\n1e3\n${ROOT}\n`],
    ['fraction', `o\n1.0\n${ROOT}\n`],
    ['space before the size', `o\n 1\n${ROOT}\n`],
    ['space after the size', `o\n1 \n${ROOT}\n`],
    ['other digits', `o\n١\n${ROOT}\n`],
    ['2^53', `o\n9007199254740992\n${ROOT}\n`],
    ['2^53 + 1', `o\n9007199254740993\n${ROOT}\n`],
    ['2^64', `o\n18446744073709551616\n${ROOT}\n`],
    ['a thousand digits', `o\n${'9'.repeat(1000)}\n${ROOT}\n`],
    ['root of 31 bytes', `o\n1\n${encodeBase64(new Uint8Array(31))}\n`],
    ['root of 33 bytes', `o\n1\n${encodeBase64(new Uint8Array(33))}\n`],
    ['root in hex', `o\n1\n${'00'.repeat(32)}\n`],
    ['root without padding', `o\n1\n${ROOT.slice(0, -1)}\n`],
    ['root with unused bits set', `o\n1\n${ROOT.replace('2I=', '2J=')}\n`],
    ['root in URL-safe base64', `o\n1\n${ROOT.replace('/', '_')}\n`],
    ['carriage return in the origin', TEXT.replace('\n', '\r\n')],
    ['carriage return after the size', TEXT.replace('63\n', '63\r\n')],
    ['tab in an extension', `${TEXT}a\tb\n`],
    ['unpaired surrogate', `o\ud800\n1\n${ROOT}\n`],
  ];
  for (const [desc, text] of cases) refuses(() => parseCheckpoint(text), desc);
});

test('what cannot be written', () => {
  const good = parseCheckpoint(TEXT);
  refuses(() => formatCheckpoint({ ...good, origin: '' }), 'empty origin');
  refuses(() => formatCheckpoint({ ...good, origin: 'a\nb' }), 'newline in the origin');
  refuses(() => formatCheckpoint({ ...good, size: -1 }), 'negative size');
  refuses(() => formatCheckpoint({ ...good, size: 1.5 }), 'fraction');
  refuses(() => formatCheckpoint({ ...good, size: 2 ** 53 }), 'unsafe size');
  refuses(() => formatCheckpoint({ ...good, size: NaN }), 'NaN');
  refuses(() => formatCheckpoint({ ...good, rootHash: new Uint8Array(20) }), 'short root');
  refuses(() => formatCheckpoint({ ...good, extensions: [''] }), 'empty extension');
  refuses(() => formatCheckpoint({ ...good, extensions: ['a\nb'] }), 'newline in an extension');
});

test('every checkpoint is read back as written', () => {
  const line = fc.string({ minLength: 1, unit: 'binary' }).filter((s) => !/[\p{Cc}\p{Surrogate}]/u.test(s));
  fc.assert(
    fc.property(
      line,
      fc.maxSafeNat(),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.array(line, { maxLength: 3 }),
      (origin, size, rootHash, extensions) => {
        const checkpoint = { origin, size, rootHash, extensions };
        assert.deepEqual(parseCheckpoint(formatCheckpoint(checkpoint)), checkpoint);
      },
    ),
  );
});
