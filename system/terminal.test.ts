import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { escapeForTerminal, printableJson, wrapText } from './terminal.js';

const DANGEROUS = /[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|[^\n\P{Cc}]/u;

test('escape sequences, C1 controls and bidirectional overrides become visible', () => {
  assert.equal(escapeForTerminal('\u001b[2Jgone'), '\\u{1b}[2Jgone');
  assert.equal(escapeForTerminal('\u009b31m'), '\\u{9b}31m');
  assert.equal(escapeForTerminal('pass\u202eliaf'), 'pass\\u{202e}liaf');
  assert.equal(escapeForTerminal('a\rb\u0007\u0008\u007f'), 'a\\u{d}b\\u{7}\\u{8}\\u{7f}');
  assert.equal(escapeForTerminal('zero\u200bwidth\ud800'), 'zero\\u{200b}width\\u{d800}');
  assert.equal(escapeForTerminal('Zürich 日本 😀\n'), 'Zürich 日本 😀\n');
});

test('no text leaves anything that acts on a terminal', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !DANGEROUS.test(escapeForTerminal(text))));
});

test('printed JSON is harmless and still the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = printableJson(value);
      assert.ok(!DANGEROUS.test(text));
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
    }),
  );
  assert.equal(printableJson({ a: '\u202e\u{e0001}' }), '{\n  "a": "\\u202e\\udb40\\udc01"\n}');
});

test('long lines break at spaces, and nothing is lost', () => {
  assert.equal(wrapText('the quick brown fox jumps', 20, 2), 'the quick brown fox\n  jumps');
  assert.equal(wrapText(`a ${'x'.repeat(30)} b`, 20, 0), `a\n${'x'.repeat(30)}\nb`);
  assert.equal(wrapText('the quick brown fox jumps', 19, 2), 'the quick brown fox jumps');
  const word = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(fc.array(word), fc.integer({ min: 20, max: 40 }), (words, width) => {
      const lines = wrapText(words.join(' '), width, 3).split('\n   ');
      assert.equal(lines.join(' '), words.join(' '));
      for (const line of lines) assert.ok(line.length <= width || !line.includes(' '));
    }),
  );
});
