import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readIfThere, readInput, writeDurably } from './files.js';

const folder = mkdtempSync(join(tmpdir(), 'stele-files-'));
after(() => rmSync(folder, { recursive: true }));

test('a file is written whole, with its mode, and nothing is left beside it', () => {
  const path = join(folder, 'deep/er/key');
  writeDurably(path, 'secret\n', { mode: 0o600, exclusive: true });
  assert.equal(readFileSync(path, 'utf8'), 'secret\n');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  writeDurably(path, 'other\n');
  assert.equal(readFileSync(path, 'utf8'), 'other\n');
  assert.throws(() => writeDurably(path, 'third', { exclusive: true }), { code: 'file_exists' });
  assert.equal(readFileSync(path, 'utf8'), 'other\n');
  assert.deepEqual(readdirSync(join(folder, 'deep/er')), ['key']);
});

test('what cannot be read or written says so with status 2', () => {
  assert.throws(() => readInput(join(folder, 'none')), { code: 'unreadable', status: 2 });
  assert.throws(() => readInput(folder), { code: 'unreadable', status: 2 });
  assert.equal(readIfThere(join(folder, 'none')), undefined);
  assert.throws(() => writeDurably(join(folder, 'deep/er/key/x'), ''), { code: 'cannot_write', status: 2 });
});
