import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  bytesUint,
  ByteCollector,
  concatBytes,
  decodeBase64,
  decodeHex,
  decodeUtf8,
  encodeBase64,
  encodeHex,
  encodeUtf8,
  equalBytes,
  parseDecimal,
  safeInteger,
  uintBytes,
} from './encoding.js';
import { TlogError, quote } from './errors.js';

const code = (expected: string) => (error: unknown) => error instanceof TlogError && error.code === expected;
const bytes = fc.uint8Array({ maxLength: 300 });

describe('decimals', () => {
  test('what is one', () => {
    for (const n of [0, 1, 9, 10, 255, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      assert.equal(parseDecimal(String(n)), n);
    }
  });

  test('what is not', () => {
    // prettier-ignore
    const wrong = ['', ' ', '00', '01', '-0', '-1', '+1', '1 ', ' 1', '1\n', '\n1', '1.0', '1.', '.1', '1e3', '0x10',
      '1_000', '1,000', '١', '１', '\ufeff1', '1\u0000', 'NaN', 'Infinity', 'ten', '1n', '\u00a01', '\v1', '\u20281'];
    for (const text of wrong)
      assert.throws(() => parseDecimal(text), code('bad_decimal'), JSON.stringify(text));
  });

  test('what a double does not hold', () => {
    for (const text of ['9007199254740992', '9007199254740993', '18446744073709551615', '9'.repeat(400)]) {
      assert.throws(() => parseDecimal(text), code('unsafe_integer'), text);
    }
    for (const n of [-1, 0.5, NaN, Infinity, 2 ** 53])
      assert.throws(() => safeInteger(n, 'n'), code('unsafe_integer'));
    assert.equal(safeInteger(0, 'n'), 0);
  });

  test('one spelling each', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from('01279 +-.ex\n')), maxLength: 6 }),
        (text) => {
          let value: number | undefined;
          try {
            value = parseDecimal(text);
          } catch {
            return;
          }
          assert.equal(String(value), text);
        },
      ),
    );
  });
});

describe('base64', () => {
  test('as Buffer writes it, and back', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        const text = encodeBase64(value);
        assert.equal(text, Buffer.from(value).toString('base64'));
        assert.deepEqual(decodeBase64(text), value);
      }),
    );
    const long = Uint8Array.from({ length: 70_001 }, (_, i) => (i * 7919) % 256);
    assert.equal(encodeBase64(long), Buffer.from(long).toString('base64'));
    assert.deepEqual(decodeBase64(encodeBase64(long)), long);
  });

  test('other spellings, and no spelling at all', () => {
    // prettier-ignore
    const wrong = ['A', 'AA', 'AAA', 'AAAAA', '=', '==', '===', '====', 'A===', 'AA=A', 'AA==AA==', 'AAAA=', 'AAAA====',
      'AB==', 'AAB=', '//==', '__8=', '--8=', 'AA ==', ' AA==', 'AA==\n', 'AA\n==', 'AA==\r\n', 'A\u0000==', 'ÀA==', 'ŁA==', 'AAA\u{1F600}'];
    for (const text of wrong)
      assert.throws(() => decodeBase64(text), code('bad_base64'), JSON.stringify(text));
    assert.deepEqual(decodeBase64(''), new Uint8Array(0));
  });

  test('accepted only when encoding gives the same text', () => {
    const char = fc.constantFrom(...Array.from('ABQgwxyz019+/=-_ \n'));
    fc.assert(
      fc.property(fc.string({ unit: char, maxLength: 12 }), (text) => {
        let value: Uint8Array | undefined;
        try {
          value = decodeBase64(text);
        } catch (error) {
          assert.ok(code('bad_base64')(error));
        }
        const lenient = Buffer.from(text, 'base64');
        if (value !== undefined) assert.equal(encodeBase64(value), text);
        else assert.notEqual(lenient.toString('base64'), text);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('hex', () => {
  test('lower case, two digits a byte, and back', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        assert.equal(encodeHex(value), Buffer.from(value).toString('hex'));
        assert.deepEqual(decodeHex(encodeHex(value)), value);
      }),
    );
  });

  test('anything else', () => {
    for (const text of ['0', 'abc', 'AB', 'aB', '0x', 'g0', ' 00', '00 ', '00\n', '０0', '0\u0000', 'é0']) {
      assert.throws(() => decodeHex(text), code('bad_hex'), JSON.stringify(text));
    }
  });
});

describe('UTF-8', () => {
  test('a byte order mark is text like any other', () => {
    const bom = Uint8Array.of(0xef, 0xbb, 0xbf, 0x61);
    assert.equal(decodeUtf8(bom), '\ufeffa');
    assert.deepEqual(encodeUtf8('\ufeffa'), bom);
  });

  test('bytes that are not UTF-8 are not mended', () => {
    const wrong = [
      [0xff],
      [0x80],
      [0xc0, 0x80],
      [0xc3],
      [0xe2, 0x82],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0x61, 0xc3, 0x28],
    ];
    for (const list of wrong) assert.throws(() => decodeUtf8(Uint8Array.from(list)), code('bad_utf8'));
  });

  test('a failure leaves nothing behind for the next call', () => {
    assert.throws(() => decodeUtf8(Uint8Array.of(0xe2, 0x82)), code('bad_utf8'));
    assert.equal(decodeUtf8(Uint8Array.of(0x61)), 'a');
  });

  test('a lone surrogate is not mended', () => {
    for (const text of ['\ud800', 'a\udc00', '\udc00\ud800', '\ud83d']) {
      assert.throws(() => encodeUtf8(text), code('bad_utf8'));
    }
    assert.deepEqual(encodeUtf8('\u{1F600}'), Uint8Array.of(0xf0, 0x9f, 0x98, 0x80));
  });

  test('round trips', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => assert.equal(decodeUtf8(encodeUtf8(text)), text)),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), (value) => {
        let text: string | undefined;
        try {
          text = decodeUtf8(value);
        } catch (error) {
          assert.ok(code('bad_utf8')(error));
        }
        if (text !== undefined) assert.deepEqual(encodeUtf8(text), value);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('byte arrays', () => {
  test('joined and compared', () => {
    const [a, b] = [Uint8Array.of(1, 2), Uint8Array.of(3)];
    assert.deepEqual(concatBytes(a, b, a), Uint8Array.of(1, 2, 3, 1, 2));
    assert.deepEqual(concatBytes(), new Uint8Array(0));
    assert.ok(equalBytes(a, Uint8Array.of(1, 2)));
    assert.ok(!equalBytes(a, Uint8Array.of(1, 3)));
    assert.ok(!equalBytes(a, Uint8Array.of(1)));
    assert.ok(!equalBytes(Uint8Array.of(1), a));
  });

  test('integers, big-endian, beyond 32 bits', () => {
    assert.deepEqual(uintBytes(2 ** 53 - 1, 8), Uint8Array.of(0, 0x1f, 255, 255, 255, 255, 255, 255));
    assert.deepEqual(uintBytes(0x01020304, 4), Uint8Array.of(1, 2, 3, 4));
    assert.throws(() => uintBytes(256, 1), code('unsafe_integer'));
    assert.throws(() => uintBytes(2 ** 53, 8), code('unsafe_integer'));
    assert.throws(() => bytesUint(Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0)), code('unsafe_integer'));
    assert.throws(() => bytesUint(new Uint8Array(8).fill(255)), code('unsafe_integer'));
    fc.assert(fc.property(fc.maxSafeNat(), (n) => assert.equal(bytesUint(uintBytes(n, 8)), n)));
  });
});

test('foreign text in a message is cut and harmless', () => {
  assert.equal(quote('a"b\\c\nd\u001b[31m\u202e'), '"a\\"b\\\\c\\nd\\u001b[31m\\u202e"');
  assert.equal(quote('x'.repeat(100)), `"${'x'.repeat(64)}"… (100 characters)`);
});

test('bytes that come in pieces are one array, and small pieces are not kept one by one', () => {
  const collector = new ByteCollector(200_000);
  assert.deepEqual(collector.bytes(), new Uint8Array());
  const sender = new Uint8Array(64 * 1024);
  for (let i = 0; i < 200_000; i++) {
    sender[0] = i % 251;
    assert.ok(collector.add(sender.subarray(0, 1)));
  }
  assert.equal(collector.add(sender.subarray(0, 1)), false);
  assert.deepEqual(
    collector.bytes(),
    Uint8Array.from({ length: 200_000 }, (_, i) => i % 251),
    'the pieces were copied: a sender may use its buffer again',
  );
  assert.equal(new ByteCollector(3).add(new Uint8Array(4)), false);
});
