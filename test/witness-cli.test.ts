import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WitnessClient } from '../client/index.js';
import { NOTE_ED25519, formatVkey, newSigningKey, parseVkey, signNote } from '../tlog/index.js';
import { checkFormat } from '../witness/folder.js';
import { originHash, startWitness } from '../witness/index.js';
import { startScript } from './helpers/process.js';
import { SigningLog } from './helpers/signing-log.js';
import { witnessFolder } from './helpers/witness.js';

const log = new SigningLog();

interface Ran {
  status: number | string;
  stdout: string;
  stderr: string;
}

async function run(...args: string[]): Promise<Ran> {
  const child = startScript('witness/main', args);
  let stdout = '';
  child.process.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  const status = await child.ended;
  return { status, stdout, stderr: child.stderr() };
}

test('init, add-log, serve: a witness from nothing, taught another log while it runs', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'stele-witness-'));
  const nowhere = await run('init', '--name', 'witness.example/w1');
  assert.equal(nowhere.status, 2);
  assert.match(
    nowhere.stderr,
    /such as stele-witness init --folder <folder> .*STELE_WITNESS_FOLDER set; see /,
  );
  const made = await run('init', '--folder', folder, '--name', 'witness.example/w1', '--ml-dsa');
  assert.equal(made.status, 0, made.stderr);
  const vkeys = made.stdout
    .trimEnd()
    .split('\n')
    .map((line) => parseVkey(line));
  assert.deepEqual(
    vkeys.map(({ name, type }) => [name, type]),
    [
      ['witness.example/w1', 4],
      ['witness.example/w1', 6],
    ],
  );
  for (const file of ['witness.key', 'witness-mldsa.key']) {
    assert.equal((await stat(join(folder, file))).mode & 0o777, 0o600);
  }
  const added = await run('add-log', '--folder', folder, formatVkey(log.vkey));
  assert.deepEqual([added.status, added.stdout], [0, 'log.example/test: 1 key\n']);

  const serving = startScript('witness/main', ['serve', '-f', folder, '-l', '127.0.0.1:0']);
  t.after(() => serving.process.kill('SIGKILL'));
  const url = await serving.firstLine;
  const client = new WitnessClient({ url, vkeys });
  const first = await client.addCheckpoint({ oldSize: 0, proof: [], note: log.note(3) });
  assert.ok(first.kind === 'cosigned');
  assert.equal(first.cosignatures.length, 2);

  assert.equal((await run('serve', '-f', folder, '-l', '127.0.0.1:0')).status, 3);
  const other = new SigningLog('log.example/later');
  assert.equal((await run('add-log', '-f', folder, formatVkey(other.vkey))).status, 0);
  const request = { oldSize: 0, proof: [], note: other.note(1) };
  assert.equal((await client.addCheckpoint(request)).kind, 'unknown-log');
  serving.process.kill('SIGHUP');
  while (!serving.stderr().includes('"reloaded"')) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal((await client.addCheckpoint(request)).kind, 'cosigned');

  // A log that changes its key: both for a while, then the new one alone, in one history.
  const later = newSigningKey('log.example/test', NOTE_ED25519, new Uint8Array(32).fill(7));
  const both = await run('add-log', '-f', folder, formatVkey(later.vkey));
  assert.equal(both.stdout, 'log.example/test: 2 keys\n');
  const gone = await run('remove-key', '-f', folder, formatVkey(log.vkey));
  assert.deepEqual([gone.status, gone.stdout], [0, 'log.example/test: 1 key\n']);
  for (const vkey of [log.vkey, later.vkey])
    assert.equal((await run('remove-key', '-f', folder, formatVkey(vkey))).status, 2);
  const reloads = serving.stderr().split('"reloaded"').length;
  serving.process.kill('SIGHUP');
  while (serving.stderr().split('"reloaded"').length === reloads)
    await new Promise((resolve) => setTimeout(resolve, 10));
  const stale = { oldSize: 3, proof: [], note: log.note(3) };
  assert.notEqual((await client.addCheckpoint(stale)).kind, 'cosigned', 'by the old key alone');
  const same = { ...stale, note: signNote(log.text(3), [later]) };
  assert.equal((await client.addCheckpoint(same)).kind, 'cosigned');

  serving.process.kill('SIGTERM');
  assert.equal(await serving.ended, 0);
  const upgraded = await run('upgrade', '-f', folder);
  assert.deepEqual([upgraded.status, upgraded.stdout], [0, 'format 1: nothing to do\n']);
  for (const line of serving.stderr().trimEnd().split('\n')) {
    const event = JSON.parse(line) as Record<string, unknown>;
    assert.deepEqual(
      ['time', 'level', 'event'].filter((field) => typeof event[field] !== 'string'),
      [],
    );
    assert.ok(!line.includes('PRIVATE'));
  }
  await rm(folder, { recursive: true });
});

test('a reload that comes before the witness serves does not end it, and is done', async (t) => {
  const folder = await witnessFolder({ logs: [log.vkey] });
  // The start waits for whoever writes its format.
  const format = join(folder, 'format');
  const text = await readFile(format, 'utf8');
  await unlink(format);
  assert.equal(spawnSync('mkfifo', ['-m', '600', format]).status, 0);
  // The first signal comes as soon as a script runs, before the program is loaded.
  const early = `const on = process.stderr.on;
    process.stderr.on = function (...args) {
      process.stderr.on = on;
      queueMicrotask(() => process.kill(process.pid, 'SIGHUP'));
      return on.apply(this, args);
    };`;
  const child = startScript('witness/main', ['serve', '-f', folder, '-l', '127.0.0.1:0'], {
    env: { ...process.env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(early)}` },
  });
  t.after(() => child.process.kill('SIGKILL'));
  let pipe: number | undefined;
  while (pipe === undefined) {
    assert.equal(child.process.signalCode, null, 'the first signal ended it');
    assert.equal(child.process.exitCode, null, child.stderr());
    try {
      pipe = openSync(format, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENXIO');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  child.process.kill('SIGHUP');
  await writeFile(`${format}.next`, text);
  await rename(`${format}.next`, format);
  writeSync(pipe, text);
  closeSync(pipe);
  await child.firstLine;
  child.process.kill('SIGHUP');
  while (!child.stderr().includes('"reloaded"')) await new Promise((resolve) => setTimeout(resolve, 10));
  child.process.kill('SIGTERM');
  assert.equal(await child.ended, 0);
  const reloads = child.stderr().match(/"event":"reload/g)?.length;
  assert.equal(reloads, 2, 'one for the signal during the start, one for that after it');
  await rm(folder, { recursive: true });
});

test('what goes wrong has a status, a code, and says what to do', async () => {
  const folder = await witnessFolder({ logs: [log.vkey] });
  const cases: [args: string[], status: number, said: RegExp][] = [
    [[], 2, /Usage: stele-witness/],
    [['--help'], 0, /^$/],
    [['dance'], 2, /unknown command/],
    [['serve'], 2, /--folder/],
    [['serve', '-f', folder, '--listen', 'nowhere'], 2, /Expected host:port/],
    [['serve', '-f', folder, '--listen', '127.0.0.1:70000'], 2, /Expected host:port/],
    [['serve', '-f', folder, '--verbose'], 2, /unknown option/],
    [
      ['serve', '-f', join(folder, 'nothing')],
      2,
      /^stele-witness: .*expected a witness's folder.*\(bad_folder\)\n {2}.*init/,
    ],
    [['init', '-f', folder, '-n', 'witness.example/w1'], 2, /already_there/],
    [['init', '-f', join(folder, 'new'), '-n', 'a name with spaces'], 2, /bad_signing_key|bad_vkey/],
    [['add-log', '-f', folder, 'garbage'], 2, /bad_vkey/],
    [['add-log', '-f', folder, formatVkey(log.vkey)], 2, /already_there/],
    [['add-log', '-f', folder, formatVkey(log.vkey), '--origin', 'two\nlines'], 2, /bad_log/],
    [['add-log', '-f', folder, formatVkey(log.vkey), '--origin', 'x'.repeat(256)], 2, /bad_log/],
    [['add-log', '-f', join(folder, 'nothing'), formatVkey(log.vkey)], 2, /bad_folder/],
    [['confirm-clock', '-f', folder], 0, /^$/],
  ];
  for (const [args, status, said] of cases) {
    const ran = await run(...args);
    assert.equal(ran.status, status, `${args.join(' ')}: ${ran.stderr}`);
    assert.match(ran.stderr, said);
  }
  // What is no witness's folder, or not whole, is never said to want a new one made in its place.
  const aside = join(folder, 'aside');
  await mkdir(aside);
  for (const [path, write, said] of [
    ['nothing', [], /found none \(bad_folder\)\n {2}check --folder, and that its disk is mounted/],
    ['witness.key', [], /found a file \(bad_folder\)\n {2}check --folder/],
    ['witness.key/below', [], /found none \(bad_folder\)/],
    ['aside', [], /found an empty folder \(bad_folder\)/],
    ['aside', ['notes'], /found a folder that holds nothing of one \(bad_folder\)/],
    ['aside', ['log-keys.json'], /found the folder of a log, which is for stele-log \(bad_folder\)/],
    ['aside', ['witness.key'], /found one without its file "format" \(bad_folder\)\n {2}put the whole/],
  ] as const) {
    for (const name of write) await writeFile(join(aside, name), '');
    const ran = await run('serve', '-f', join(folder, path));
    assert.deepEqual([ran.status, ran.stdout], [2, ''], path);
    assert.match(ran.stderr, said);
  }
  // As it would be for one whose rights forbid to look.
  await symlink('circle', join(folder, 'circle'));
  await assert.rejects(checkFormat(join(folder, 'circle')), {
    code: 'no_file',
    message: /found one that cannot be read \(ELOOP\)$/,
    hint: /^check the path/,
  });
  await mkdir(join(aside, 'format'));
  const filled = await run('init', '-f', join(folder, 'logs'), '-n', 'witness.example/w2');
  assert.equal(filled.status, 2);
  assert.match(filled.stderr, /expected an empty folder, found .*\.json \(not_empty\)\n {2}choose another/);
  const unread = await run('serve', '-f', aside);
  assert.match(unread.stderr, /found one whose file "format" cannot be read \(EISDIR\) \(no_file\)/);
  await writeFile(join(folder, 'state', originHash(log.origin)), '{}');
  const damaged = await run('serve', '-f', folder, '-l', '127.0.0.1:0');
  assert.equal(damaged.status, 1);
  assert.match(damaged.stderr, /state_damaged/);
  await rm(folder, { recursive: true });
});

test('a connection that sends its headers or its body too slowly is cut, others are served', async (t) => {
  const folder = await witnessFolder({ logs: [log.vkey] });
  const witness = await startWitness({
    folder,
    listen: { host: '127.0.0.1', port: 0 },
    limits: { headersMs: 300, requestMs: 600, connections: 8 },
  });
  t.after(() => witness.close());
  const { port } = new URL(witness.url);
  const begun = [
    'POST /add-checkpoint HTTP/1.1\r\n',
    'POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nold',
  ];
  const ended = begun.map(
    (bytes) =>
      new Promise<string>((resolve) => {
        const socket = connect(Number(port), '127.0.0.1', () => socket.write(bytes));
        let answer = '';
        socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(answer));
      }),
  );
  const client = new WitnessClient({ url: witness.url, vkeys: witness.vkeys });
  const result = await client.addCheckpoint({ oldSize: 0, proof: [], note: log.note(3) });
  assert.equal(result.kind, 'cosigned');
  for (const answer of await Promise.all(ended)) assert.match(answer, /^(HTTP\/1.1 408|$)/);
  await witness.close();
  await rm(folder, { recursive: true });
});
