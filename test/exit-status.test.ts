// The exit statuses that all three programs share: each is reached, and the tables that show them agree.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
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
import { TlogError, formatVkey, newSigningKey } from '../tlog/index.js';
import { PROGRAMS } from './helpers/commands.js';
import { runHere } from './helpers/run-here.js';
import { SigningLog } from './helpers/signing-log.js';

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
    assert.equal(meaning, said);
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
    ['ELOOP', 'no_file', EXIT.usage],
    ['ENAMETOOLONG', 'no_file', EXIT.usage],
    ['ENFILE', 'too_many_files', EXIT.failed],
    ['ESTALE', 'disk_failed', EXIT.failed],
  ] as const) {
    const error = Object.assign(new Error(`open ${errno}`), { code: errno });
    assert.equal(describeError(error).code, code);
    assert.notEqual(describeError(error).hint, '');
    assert.equal(statusOf(error), status);
  }
  assert.equal(describeError(new TypeError('oops')).code, 'internal');
  assert.equal(statusOf(new TypeError('oops')), EXIT.failed);
});

const AWAY = 'http://127.0.0.1:9/';

test('each status that a program promises in its help is reached by a command of it, and no other is', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'stele-status-'));
  t.after(() => rmSync(root, { recursive: true }));
  const at = (name: string): string => join(root, name);
  // A machine whose clock is kept right, whatever that of the tests is.
  mkdirSync(at('bin'));
  writeFileSync(at('bin/timedatectl'), '#!/bin/sh\necho yes\n', { mode: 0o755 });
  const path = process.env['PATH'] ?? '';
  process.env['PATH'] = `${at('bin')}:${path}`;
  t.after(() => (process.env['PATH'] = path));
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.after(() => taken.close());
  const listen = ['-l', `127.0.0.1:${(taken.address() as AddressInfo).port}`];

  const log = new SigningLog();
  const other = new SigningLog(undefined, 'other');
  const witness = formatVkey(newSigningKey('w.example', 4, new Uint8Array(32).fill(5)).vkey);
  const alone = `log ${formatVkey(log.vkey)}\nquorum none\n`;
  writeFileSync(at('alone'), alone);
  writeFileSync(at('cosigned'), alone.replace('quorum none', `witness w ${witness} ${AWAY}\nquorum w`));
  writeFileSync(at('away'), `witness w ${witness} ${AWAY}\nquorum w\n`);
  let shown = log.note(5);
  const world = {
    env: { HOME: root },
    cwd: root,
    fetch: () => Promise.resolve(new Response(new Uint8Array(shown))),
  };
  const stele = async (...words: string[]): Promise<number> =>
    (await runHere(['stele', ...words], world)).status;
  const get = (policy: string): Promise<number> =>
    stele('get', 'checkpoint', '--log', 'http://log.invalid', '--policy', policy);
  const here = async (...words: string[]): Promise<number> => (await runHere(words)).status;
  const folder = (name: string): string[] => ['-f', at(name)];

  const reached: Record<string, readonly (() => Promise<number>)[]> = {
    stele: [
      () => get('alone'),
      () => stele('policy', 'lint', 'alone'),
      () => stele('verify'),
      async () =>
        (await runHere(['stele', 'get', 'checkpoint', '--log', AWAY, '--policy', at('alone')])).status,
      () => get('cosigned'),
      () => {
        shown = other.note(5);
        return get('alone');
      },
    ],
    'stele-log': [
      () => here('stele-log', 'init', ...folder('log'), '--origin', 'log.example/x', '--policy', at('away')),
      () => here('stele-log', 'doctor', ...folder('nowhere')),
      () => here('stele-log', 'fsck'),
      () => here('stele-log', 'serve', ...folder('log'), ...listen, '--log-level', 'alarm'),
      () => here('stele-log', 'doctor', ...folder('log'), '--url', AWAY),
    ],
    'stele-witness': [
      () => here('stele-witness', 'init', ...folder('w'), '-n', 'witness.example/w'),
      () => here('stele-witness', 'doctor', ...folder('nowhere')),
      () => here('stele-witness', 'init'),
      () => here('stele-witness', 'serve', ...folder('w'), ...listen, '--log-level', 'error'),
    ],
  };
  for (const program of PROGRAMS) {
    const name = program.name();
    const runs = reached[name] ?? [];
    const { stdout } = await runHere([name, '--help']);
    // A meaning may go on in the next line, below its first word.
    const promised = [...stdout.replace(/\n {5}(?=\S)/g, ' ').matchAll(/^ {2}([0-9]) {2}(.*)$/gm)].map(
      ([, status, words]) => [Number(status), words],
    );
    assert.deepEqual(
      promised,
      runs.map((_, status) => [status, EXIT_MEANINGS[status as keyof typeof EXIT_MEANINGS]]),
    );
    for (const [status, run] of runs.entries()) assert.equal(await run(), status, `${name}: ${status}`);
  }
});
