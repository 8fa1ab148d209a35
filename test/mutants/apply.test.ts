// The rows of `npm run test:mutants` and of the soaks still name lines that are there: seen here at once, without running them.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SWALLOWED } from '../durability/fault-soak.js';
import { BLINDINGS, WITNESS_BLINDINGS } from '../durability/strace-soak.js';
import { built, patched } from './copy.js';
import { mutants } from './list.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

test('each text that a mutant takes out stands exactly once in its file', () => {
  for (const patch of [...mutants, ...SWALLOWED, ...BLINDINGS, ...WITNESS_BLINDINGS]) {
    assert.notEqual(
      patched(patch),
      patched({ ...patch, replace: patch.find }),
      `${patch.desc}: changes nothing`,
    );
    assert.ok(existsSync(join(root, built(patch.file))), `${patch.desc}: ${patch.file} is not built`);
  }
});

test('each mutant names a test file that there is', () => {
  for (const { desc, test: file } of mutants) assert.ok(existsSync(join(root, file)), `${desc}: no ${file}`);
});
