// The exit statuses that all three programs share: each is reached, and the tables that show them agree.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ClientError } from '../client/index.js';
import {
  asInput,
  asInputs,
  CliError,
  describeError,
  EXIT,
  EXIT_MEANINGS,
  STATUS_OF_CODE,
  statusOf,
} from '../system/index.js';
import { TlogError } from '../tlog/index.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

test('README has the table that the programs print', () => {
  const readme = readFileSync(join(repository, 'README.md'), 'utf8');
  const rows = [...readme.matchAll(/^\| ([0-5]) \| (.*) \|$/gm)];
  assert.deepEqual(
    rows.map(([, status]) => Number(status)),
    Object.values(EXIT),
  );
  for (const [, status, meaning = ''] of rows) {
    const said = EXIT_MEANINGS[Number(status) as keyof typeof EXIT_MEANINGS];
    if (status !== '1') assert.equal(meaning, said);
  }
});

test('a code has one status, what was named on the command line is 2, what the system refuses has a code', async () => {
  for (const [code, status] of Object.entries(STATUS_OF_CODE))
    assert.equal(statusOf(new TlogError(code, 'x', 'y')), status, code);
  assert.equal(statusOf(new TlogError('bad_note', 'x', 'y')), EXIT.failed);
  assert.equal(statusOf(new ClientError('timeout', 'x', 'y')), EXIT.network);
  const bad = (): never => {
    throw new TlogError('bad_note', 'x', 'y');
  };
  assert.throws(
    () => asInput('--flag', bad),
    (error) => statusOf(error) === EXIT.usage,
  );
  await assert.rejects(
    asInputs(() => Promise.resolve().then(bad)),
    (error) => statusOf(error) === EXIT.usage,
  );
  // A full disk is not the fault of what was named.
  await assert.rejects(
    asInputs(() => Promise.reject(new TlogError('storage_failed', 'x', 'y'))),
    (error) => statusOf(error) === EXIT.failed,
  );
  assert.equal(statusOf(new CliError(EXIT.misbehaviour, 'bad_note', 'x', 'y')), EXIT.misbehaviour);
  for (const [errno, code, status] of [
    ['EADDRINUSE', 'address_taken', EXIT.network],
    ['ENOSPC', 'disk_full', EXIT.failed],
    ['EACCES', 'no_permission', EXIT.usage],
    ['ENOENT', 'no_file', EXIT.usage],
    ['EEXIST', 'already_exists', EXIT.usage],
  ] as const) {
    const error = Object.assign(new Error(`open ${errno}`), { code: errno });
    assert.equal(describeError(error).code, code);
    assert.notEqual(describeError(error).hint, '');
    assert.equal(statusOf(error), status);
  }
  assert.equal(describeError(new TypeError('oops')).code, 'internal');
  assert.equal(statusOf(new TypeError('oops')), EXIT.failed);
});
