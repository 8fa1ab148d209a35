// Evidence on its way: sent to a witness that runs as a process of its own, and found at it again.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { compareCheckpoints } from '../evidence/index.js';
import { encodeUtf8, formatVkey, parsePolicy } from '../tlog/index.js';
import { Person, type Answer } from './cli/world.js';
import { startScript, type Child } from './helpers/process.js';
import { SigningLog } from './helpers/signing-log.js';
import { witnessFolder } from './helpers/witness.js';

const log = new SigningLog();
const forked = new SigningLog(undefined, 'other', 3);
const stranger = new SigningLog('log.example/stranger');
const policy = `log ${formatVkey(log.vkey)}\nquorum none\n`;

const root = mkdtempSync(join(tmpdir(), 'stele-sent-'));
const who = new Person(root, 'finder');
let folder: string;
let witness: Child;
let url: string;

before(async () => {
  folder = await witnessFolder({ logs: [log.vkey] });
  witness = startScript('witness/main', ['serve', '-f', folder, '-l', '127.0.0.1:0']);
  url = await witness.firstLine;
  const { evidence } = await compareCheckpoints(
    [log.note(5), forked.note(5)],
    parsePolicy(encodeUtf8(policy)),
  );
  const [made] = evidence;
  assert.ok(made);
  who.write('policy', policy);
  who.write('good.evidence', made.bytes);
  // The line is no longer the key's.
  const text = Buffer.from(made.bytes).toString();
  who.write(
    'forged.evidence',
    text.replace(/(— \S+ .{20})./, (_, start: string) => `${start}_`).replace('_', 'A'),
  );
});
after(async () => {
  witness.process.kill('SIGTERM');
  await witness.ended;
  rmSync(root, { recursive: true });
  rmSync(folder, { recursive: true });
});

const send = (...words: string[]): Promise<Answer> => who.run('evidence', 'send', ...words, '--json');
const status = (...words: string[]): Promise<Answer> => who.run('witness', 'status', url, ...words, '--json');
const detail = ({ json }: Answer): string => json.checks.map((check) => check.detail).join('\n');

/** Asks again until the answer is the one; the last one if that takes 200 times. */
async function until(ask: () => Promise<Answer>, enough: (answer: Answer) => boolean): Promise<Answer> {
  let answer = await ask();
  for (let i = 0; i < 200 && !enough(answer); i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    answer = await ask();
  }
  return answer;
}

test('what is no evidence is not sent, and what proves nothing is refused', async () => {
  assert.equal((await send('policy', '--to', url)).json.error?.code, 'bad_evidence');
  assert.equal((await send('missing', '--to', url)).json.error?.code, 'unreadable');
  assert.equal((await send('good.evidence', '--to', 'nowhere')).json.error?.code, 'bad_settings');
  assert.equal((await send('good.evidence')).json.error?.code, 'usage');
  const here = await send('forged.evidence', '--to', url, '--policy', 'policy');
  assert.equal(here.status, 1);
  assert.match(detail(here), /bad_signature.*it was not sent/);
  assert.deepEqual(here.json.result['sent'], []);
  // Without a policy there is no key to check it by; the witness has one.
  const there = await send('forged.evidence', '--to', url);
  assert.equal(there.status, 1);
  assert.match(detail(there), /it answered 422/);
  assert.equal((await status('--policy', 'policy')).status, 0);
});

test('evidence that is sent is kept, found by stele witness status, and proves there what it is', async () => {
  const sha256 = createHash('sha256')
    .update(readFileSync(join(who.folder, 'good.evidence')))
    .digest('hex');
  const sent = await send('good.evidence', '--to', url, 'http://127.0.0.1:9', '--timeout', '5');
  // One keeps it, the other cannot be asked: try again.
  assert.equal(sent.status, 3, detail(sent));
  assert.match(detail(sent), new RegExp(`it keeps ${sha256}`));
  const again = await send('good.evidence', '--to', url, '--policy', 'policy');
  assert.equal(again.status, 0, detail(again));
  assert.deepEqual(again.json.result['sent'], [{ file: 'good.evidence', url, status: 200, kept: sha256 }]);

  // A status is made anew once a second.
  const proven = await until(
    () => status('--policy', 'policy'),
    ({ status: found }) => found !== 0,
  );
  assert.equal(proven.status, 5, detail(proven));
  assert.match(
    detail(proven),
    /proven: the log log\.example\/test, .* signed two different trees of one size/,
  );
  const [file = ''] = /\S+\.evidence$/m.exec(detail(proven)) ?? [];
  assert.equal((await who.run('evidence', 'verify', file, '--policy', 'policy')).status, 0);
  // What it says is its word for somebody without a policy, or with another log's.
  assert.equal((await status()).status, 1);
  who.write('other-policy', `log ${formatVkey(stranger.vkey)}\nquorum none\n`);
  const unproven = await status('--policy', 'other-policy');
  assert.equal(unproven.status, 1);
  assert.match(detail(unproven), /says that it keeps evidence, which is not proven here/);
});

test('a witness that does not know the log refuses', async () => {
  const other = startScript('witness/main', [
    'serve',
    '-f',
    await witnessFolder({ name: 'witness.example/other', logs: [stranger.vkey] }),
    '-l',
    '127.0.0.1:0',
  ]);
  try {
    const answer = await send('good.evidence', '--to', await other.firstLine);
    assert.equal(answer.status, 1);
    assert.match(detail(answer), /it answered 403/);
  } finally {
    other.process.kill('SIGTERM');
    await other.ended;
  }
});

test('an alarm that a witness holds is status 1', async () => {
  // Two trees, and nobody to show how they stand to each other.
  const folder = await witnessFolder({ name: 'witness.example/alarmed', logs: [log.vkey] });
  const alarmed = startScript('witness/main', ['serve', '-f', folder, '-l', '127.0.0.1:0']);
  try {
    const at = await alarmed.firstLine;
    for (const note of [log.note(3), forked.note(9)])
      await fetch(`${at}/gossip/checkpoint`, { method: 'POST', body: Buffer.from(note) });
    const answer = await until(
      () => who.run('witness', 'status', at, '--json'),
      ({ status: found }) => found !== 0,
    );
    assert.equal(answer.status, 1);
    assert.match(detail(answer), /log\.example\/test: says [a-z-]+; since when: http/);
  } finally {
    alarmed.process.kill('SIGTERM');
    await alarmed.ended;
    rmSync(folder, { recursive: true });
  }
});
