import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isName } from './name.js';

test('names of people and companies in any script', () => {
  for (const good of [
    'A',
    'Example Lab, Inc.',
    "O'Example & S\u00f6hne",
    '\u4f8b\u793a\u5b9e\u9a8c\u5ba4',
    '\u041f\u0440\u0438\u043c\u0435\u0440',
    '\u05d3\u05d5\u05d2\u05de\u05d4',
    '\u0645\u062b\u0627\u0644',
    'x'.repeat(200),
  ])
    assert.ok(isName(good), good);
});

test('what hides, turns round or overflows is no name', () => {
  for (const bad of [
    '',
    ' ',
    ' lab',
    'lab ',
    'x'.repeat(201),
    '\u00f6'.repeat(101),
    'o\u0308', // not NFC
    '\u212b', // the angstrom sign normalises to another letter
    'a\nb',
    'a\tb',
    'a\u0000',
    'a\u007f',
    'a\u009b31m',
    'a\u001b[31m',
    'a\u200bb',
    'a\u200eb',
    'a\u202eb',
    'a\u2066b',
    'a\u2028b',
    'a\ufeffb',
    'a\u00adb',
    'a\u{e0041}b',
    'a\ufe0f',
    '\ud800',
  ])
    assert.ok(!isName(bad), JSON.stringify(bad));
});
