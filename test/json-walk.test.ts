// Every command of the three programs, once, as processes against one log and one witness: with --json each says
// one object on stdout and nothing on stderr, the object is as spec/cli.schema.json has it, and the status is 0.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { compareCheckpoints } from '../evidence/index.js';
import {
  COSIGNATURE_ED25519,
  encodeHex,
  encodeUtf8,
  formatVkey,
  newSigningKey,
  parsePolicy,
  sha256,
} from '../tlog/index.js';
import { assertAnswers } from './cli/answer-schema.js';
import { COMMANDS, commandIn } from './helpers/commands.js';
import { startScript, type Child } from './helpers/process.js';
import { SigningLog } from './helpers/signing-log.js';
import { writeCheckpoint, writeEnd } from './record/trainer.js';

const root = mkdtempSync(join(tmpdir(), 'stele-walk-'));
const servers: Child[] = [];
after(() => {
  for (const { process } of servers) process.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

type Result = Record<string, unknown>;
const SCRIPTS: Record<string, string> = {
  stele: 'cli/main',
  'stele-log': 'log-server/main',
  'stele-witness': 'witness/main',
};
const seen = new Set<string>();

/** A machine whose clock is kept right, whatever that of the tests is. */
const bin = join(root, 'bin');
mkdirSync(bin);
writeFileSync(join(bin, 'timedatectl'), '#!/bin/sh\necho yes\n', { mode: 0o755 });

/** Somebody's folder, who types there. */
function person(name: string): { folder: string; write: (name: string, text: string | Uint8Array) => void } {
  const folder = join(root, name);
  mkdirSync(folder);
  return { folder, write: (file, text) => writeFileSync(join(folder, file), text) };
}

function start(folder: string, words: readonly string[]): Child {
  const [program = '', ...args] = words;
  const kept = Object.entries(process.env).filter(([name]) => !/^(STELE_|XDG_)/.test(name));
  const path = `${bin}:${process.env['PATH'] ?? ''}`;
  const env = { ...Object.fromEntries(kept), HOME: folder, PATH: path };
  return startScript(SCRIPTS[program] ?? '', [...args, '--json'], { cwd: folder, env });
}

/** The result in what a command has said, which must be one whole answer of success. */
function resultOf(words: readonly string[], stdout: string): Result {
  const command = commandIn(words);
  seen.add(command);
  assert.match(stdout, /^\{.*\}\n$/, `${words.join(' ')}: ${stdout}`);
  const answer = JSON.parse(stdout) as { ok: boolean; result: Result };
  assert.equal(answer.ok, true, `${words.join(' ')}: ${stdout}`);
  assertAnswers(command, answer);
  return answer.result;
}

/** Runs a command to its end. */
async function run(folder: string, ...words: string[]): Promise<Result> {
  const child = start(folder, words);
  const status = await child.ended;
  assert.equal(status, 0, `${words.join(' ')}: ${String(status)}\n${child.stdout()}${child.stderr()}`);
  assert.equal(child.stderr(), '', words.join(' '));
  return resultOf(words, child.stdout());
}

/** Starts a server, which answers when it listens. */
async function serve(folder: string, ...words: string[]): Promise<{ child: Child; url: string }> {
  const child = start(folder, words);
  servers.push(child);
  const { url } = resultOf(words, `${await child.firstLine}\n`);
  return { child, url: String(url) };
}

async function stop({ child }: { child: Child }): Promise<void> {
  child.process.kill('SIGTERM');
  assert.equal(await child.ended, 0, child.stderr());
  // The answer stayed the only thing on stdout, and what a server says besides is JSON too.
  assert.equal(child.stdout().trimEnd().split('\n').length, 1);
  for (const line of child.stderr().trimEnd().split('\n')) assert.doesNotThrow(() => JSON.parse(line), line);
}

/** Waits until the log takes entries: its charter and first anchor are published. */
async function ready(url: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if ((await fetch(`${url}/readyz`)).ok) return;
    await sleep(50);
  }
  assert.fail('the log took no entries within 30 s');
}

test('every command answers with one object as its schema has it', async () => {
  const operator = person('operator');
  const office = person('office');
  const lab = person('lab');
  const at = operator.folder;

  // A witness, and one more that it compares notes with.
  const made = await run(at, 'stele-witness', 'init', '-f', 'w', '-n', 'witness.example/w');
  const [witnessKey] = made['vkeys'] as string[];
  const peer = newSigningKey('witness.example/peer', COSIGNATURE_ED25519, new Uint8Array(32).fill(3));
  await run(at, 'stele-witness', 'add-peer', '-f', 'w', formatVkey(peer.vkey));
  await run(at, 'stele-witness', 'upgrade', '-f', 'w');
  await run(at, 'stele-witness', 'confirm-clock', '-f', 'w');
  // A log that contradicts itself, for whoever wants to tell the witness.
  const [liar, fork] = [new SigningLog('liar.example'), new SigningLog('liar.example', 'other')];
  await run(at, 'stele-witness', 'add-log', '-f', 'w', formatVkey(liar.vkey));
  const witness = await serve(at, 'stele-witness', 'serve', '-f', 'w', '-l', '127.0.0.1:0');

  // A log with that witness, which is told of it, and of another key that is taken back.
  const { file } = await run(office.folder, 'stele', 'keygen', 'office');
  const operatorKey = ['--operator-key', String(file)];
  operator.write('wanted', `witness w ${witnessKey ?? ''} ${witness.url}\nquorum w\n`);
  const log = ['-f', 'log'];
  const { vkeys } = await run(
    at,
    ...['stele-log', 'init', ...log, '--origin', 'log.example/walk', '--policy', 'wanted'],
    ...['--operator', 'office:The Office', ...operatorKey],
  );
  const [logKey = ''] = vkeys as string[];
  await run(at, 'stele-witness', 'add-log', '-f', 'w', logKey);
  const spare = formatVkey(newSigningKey('log.example/walk', 1, new Uint8Array(32).fill(4)).vkey);
  await run(at, 'stele-witness', 'add-log', '-f', 'w', spare);
  await run(at, 'stele-witness', 'remove-key', '-f', 'w', spare);
  witness.child.process.kill('SIGHUP');
  await run(at, 'stele-log', 'upgrade', ...log);
  const listen = ['-l', '127.0.0.1:0', '--publish-interval', '0'];
  const first = await serve(at, 'stele-log', 'serve', ...log, ...listen);
  await ready(first.url);
  await run(at, 'stele-log', 'doctor', ...log, '--url', first.url);
  await run(at, 'stele-witness', 'doctor', '-f', 'w', '--url', witness.url);

  // A registrar, and a lab that he introduces.
  const policy = readFileSync(join(at, 'log', 'policy'), 'utf8');
  for (const each of [office, lab]) each.write('given', policy);
  const given = ['--log', first.url, '--policy', 'given'];
  await run(office.folder, 'stele', 'init', 'office', '--officer', '--key', 'office.key', ...given);
  const about = ['--name', 'Acme', '--jurisdiction', 'CH', '--controlled-by', 'none'];
  const acme = await run(lab.folder, 'stele', 'init', 'acme', ...about, ...given);
  const request = join(lab.folder, 'participant-request.json');
  await run(office.folder, 'stele', 'attest', 'participant', '--request', request);
  await run(office.folder, 'stele', 'submit', 'records/participant-acme.dsse.json');
  await run(office.folder, 'stele', 'doctor');

  // A run, declared by hand; another, recorded; and what is signed about keys and terms.
  lab.write('spec.md', 'what the run is about');
  const rest = ['--run', 'one', '--spec', 'spec.md', '--otherwise', 'withheld'];
  await run(lab.folder, 'stele', 'attest', 'run-intent', ...rest, '--planned-flop', '10');
  await run(lab.folder, 'stele', 'attest', 'run-progress', ...rest, '--last-step', '10');
  await run(lab.folder, 'stele', 'attest', 'run-final', ...rest, '--outcome', 'completed');
  const { entries } = await run(lab.folder, 'stele', 'submit', 'records/one.intent.dsse.json');
  const [{ index, bundle }] = entries as [{ index: number; bundle: string }];
  const { keyId } = acme['signing'] as { keyId: string };
  await run(lab.folder, 'stele', 'attest', 'participant-key', '--revoke', keyId);
  const { statement } = await run(office.folder, 'stele', 'get', '0');
  const { terms } = (statement as { predicate: { terms: Record<string, unknown> } }).predicate;
  office.write('terms', JSON.stringify(terms));
  office.write('next', JSON.stringify({ ...terms, anchorInterval: 900 }));
  await run(
    office.folder,
    ...['stele', 'attest', 'charter-amendment', '--terms', 'next', '--amends', 'terms'],
  );
  const trained = join(lab.folder, 'trained');
  writeCheckpoint(trained, 10);
  writeEnd(trained, 20);
  const recording = ['--run', 'two', '--spec', 'spec.md', '--once'];
  const recorded = run(lab.folder, 'stele', 'record', 'trained', ...recording);

  // Readers, while that one looks again and again.
  const liars = `log ${formatVkey(liar.vkey)}\nquorum none\n`;
  const notes = [liar.note(5), fork.note(5)] as const;
  const [proof] = (await compareCheckpoints(notes, parsePolicy(encodeUtf8(liars)))).evidence;
  assert.ok(proof !== undefined);
  lab.write('liars', liars);
  lab.write('file', proof.bytes);
  const byLiars = ['--policy', 'liars'];
  const reads = [
    ['verify', bundle],
    ['prove', String(index)],
    ['get', 'checkpoint'],
    ['search', '--participant', 'acme'],
    ['monitor', '--once'],
    ['policy', 'lint'],
    ['policy', 'lint', 'given', 'given'],
    ['policy', 'show'],
    ['witness', 'status'],
    ['evidence', 'verify', 'file', ...byLiars],
    ['completion', 'bash'],
  ];
  await Promise.all(reads.map((words) => run(lab.folder, 'stele', ...words)));
  assert.equal((await recorded)['over'], true);
  const told = await run(lab.folder, 'stele', 'evidence', 'send', 'file', ...byLiars, '--to', witness.url);
  assert.equal((told['sent'] as Result[])[0]?.['kept'], encodeHex(sha256(proof.bytes)));

  // Its keys, its end, and what is done with a folder that nobody serves.
  await stop(first);
  const { keys } = await run(at, 'stele-log', 'add-key', ...log, ...operatorKey);
  await run(
    at,
    'stele-log',
    'retire-key',
    ...log,
    ...operatorKey,
    (keys as { keyId: string }[])[1]?.keyId ?? '',
  );
  const second = await serve(at, 'stele-log', 'serve', ...log, ...listen);
  await ready(second.url);
  await run(at, 'stele-log', 'freeze', ...log, ...operatorKey, '--url', second.url);
  await stop(second);
  await stop(witness);
  await run(at, 'stele-log', 'fsck', ...log);
  await run(at, 'stele-log', 'terms', ...log);
  await run(at, 'stele-log', 'recover', ...log);
  await run(at, 'stele-log', 'completion', 'zsh');
  await run(at, 'stele-witness', 'completion', 'fish');

  const left = COMMANDS.map(([path]) => path).filter((path) => !seen.has(path));
  assert.deepEqual(left, [], 'a command that this walk leaves out: give it a line above');
});
