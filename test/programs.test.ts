// What the three programs say alike, as package.json's `bin` names them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const { bin, version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
  bin: Record<string, string>;
  version: string;
};

test('every program knows its version and says what its exit statuses mean', () => {
  for (const [name, file] of Object.entries(bin)) {
    const say = (flag: string): string =>
      execFileSync(process.execPath, [join(repository, file), flag], { encoding: 'utf8' });
    assert.equal(say('--version'), `${name} ${version}\n`);
    assert.match(say('--help'), /^Exit status:\n {2}0 {2}fine\n {2}1 {2}failed/m, name);
  }
});
