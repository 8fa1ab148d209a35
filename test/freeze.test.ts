// The end of a log, by the commands its operator types: log and witnesses each in a process of its own.
import assert from 'node:assert/strict';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { checkPredecessor, parseEnvelope, parseStatement, type Charter } from '../attestation/index.js';
import { LogReader, httpSource, type Fetch } from '../client/index.js';
import { initLog } from '../log-server/index.js';
import type { LogError } from '../log-server/errors.js';
import { freeze as freezeLog } from '../log-server/freeze.js';
import { ManualClock } from '../log-server/testing/manual-clock.js';
import { participant } from '../log-server/testing/participant.js';
import { untilInTime } from '../log-server/testing/until.js';
import { readKeyFile, systemClock } from '../system/index.js';
import {
  encodeUtf8,
  formatSigningKey,
  formatVkey,
  newSigningKey,
  parsePolicy,
  parseVkey,
} from '../tlog/index.js';
import { addLog, initFolder } from '../witness/index.js';
import { type Child, startScript } from './helpers/process.js';

const ORIGIN = 'log.example/ends';

interface Ran {
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `stele-log` to its end. */
async function steleLog(...args: string[]): Promise<Ran> {
  const child = startScript('log-server/main', args);
  let stdout = '';
  child.process.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  const status = await child.ended;
  return { status, stdout, stderr: child.stderr() };
}

/** Starts a server; ended at the latest with the test. */
function serve(t: TestContext, script: string, folder: string): Child {
  const child = startScript(script, ['serve', '-f', folder, '-l', '127.0.0.1:0']);
  t.after(() => child.process.kill('SIGKILL'));
  return child;
}

/** Waits until the log says that it is in this state; fails when its process ends before. */
async function stateIs(log: Child, url: string, state: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`${url}/readyz`).catch((cause: unknown) => {
      throw new Error(log.stderr(), { cause });
    });
    if (((await answer.json()) as { state: string }).state === state) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface World {
  readonly folder: string;
  readonly policy: Uint8Array;
  /** The log's key. */
  readonly vkey: string;
  /** A policy of the same witnesses for whichever log. */
  readonly witnesses: Uint8Array;
  /** Has the witnesses cosign a log of this key too. */
  readonly introduce: (vkey: string) => Promise<void>;
}

/** Three witnesses, two of which are the quorum, and the folder of a log with a charter. */
async function world(t: TestContext): Promise<World> {
  const parent = await mkdtemp(join(tmpdir(), 'stele-freeze-'));
  t.after(() => rm(parent, { recursive: true, force: true, maxRetries: 5 }));
  const names = ['w0', 'w1', 'w2'];
  const witnesses = await Promise.all(
    names.map(async (name, i) => {
      const folder = join(parent, name);
      const [vkey] = await initFolder(folder, `${name}.example`, { ed25519: new Uint8Array(32).fill(i + 1) });
      assert.ok(vkey);
      const child = serve(t, 'witness/main', folder);
      return { name, folder, vkey, child, url: await child.firstLine };
    }),
  );
  const lines = witnesses.map(({ name, vkey, url }) => `witness ${name} ${formatVkey(vkey)} ${url}`);
  const folder = join(parent, 'log');
  const policy = encodeUtf8([...lines, 'group most 2 w0 w1 w2', 'quorum most', ''].join('\n'));
  const made = await initLog({ folder, origin: ORIGIN, admission: 'charter', policy, clock: systemClock });
  const introduce = async (vkey: string): Promise<void> => {
    for (const witness of witnesses) {
      await addLog(witness.folder, parseVkey(vkey));
      witness.child.process.kill('SIGHUP');
    }
  };
  await introduce(made.vkey);
  return { folder, policy: made.policy, vkey: made.vkey, witnesses: policy, introduce };
}

test('a freeze: refused, done again, logged, anchored; then the log only serves, also after a restart; a successor goes on', async (t) => {
  const { folder, policy, vkey, witnesses, introduce } = await world(t);
  const log = serve(t, 'log-server/main', folder);
  const url = await log.firstLine;
  await stateIs(log, url, 'ready');
  const freeze = (at: string, ...flags: string[]): Promise<Ran> =>
    steleLog('freeze', '-f', folder, '--url', at, ...flags);
  const kept = join(folder, 'freeze.json');

  // By a key that is not the operator's: nothing has to be cleared away before the next attempt.
  const stranger = join(folder, '..', 'stranger.key');
  const key = newSigningKey('stranger', 1, new Uint8Array(32).fill(9));
  await writeFile(stranger, `${formatSigningKey(key)}\n`, { mode: 0o600 });
  const refused = await freeze(url, '--operator-key', stranger);
  assert.deepEqual([refused.status, refused.stdout], [1, '']);
  assert.match(refused.stderr, /found 403: .*\(not_frozen\)\n {2}.*run this again, which signs anew/s);
  await assert.rejects(access(kept), { code: 'ENOENT' });
  await access(join(folder, 'freeze.refused.json'));

  const frozen = await freeze(url, '--reason', 'superseded', '--successor', 'log.example/next');
  assert.deepEqual([frozen.status, frozen.stdout], [0, '2\n'], frozen.stderr);
  // It ends when the last tree is published, and says so: whoever looks now finds no other.
  const reader = new LogReader(httpSource(url, { fetch, timer: systemClock }), parsePolicy(policy));
  const lastTree = await reader.checkpoint();
  assert.equal(lastTree.size, 4);
  assert.match(
    frozen.stderr,
    /^log\.example\/ends is frozen by entry 2\. Its last tree, of 4 entries, is published: .* only serves\.\n.*stele get checkpoint.*\n$/,
  );
  await stateIs(log, url, 'frozen');
  const sent = await readFile(kept);

  const statementAt = async (index: number): Promise<{ predicateType: string; predicate: object }> =>
    parseStatement(parseEnvelope(await reader.entry(index)).payload).statement;
  assert.match((await statementAt(2)).predicateType, /freeze/);
  const last = await statementAt(3);
  assert.match(last.predicateType, /anchor/);
  assert.match(
    JSON.stringify(last.predicate),
    /log\.example\/ends\\n3\\n/,
    'it covers the freeze and no more',
  );

  // Again: the same entry. Otherwise than it was signed: no. From where nothing is kept: it is done.
  const again = await freeze(url, '--reason', 'superseded', '--successor', 'log.example/next');
  assert.deepEqual([again.status, again.stdout], [0, '2\n'], again.stderr);
  const otherwise = await freeze(url);
  assert.equal(otherwise.status, 2);
  assert.match(otherwise.stderr, /--reason superseded --successor log\.example\/next.*\(freeze_kept\)/);
  await rm(kept);
  const late = await freeze(url);
  assert.equal(late.status, 1);
  assert.match(late.stderr, /found 410: .*\(already_frozen\)\n {2}nothing is left to do/s);
  await writeFile(kept, sent);

  // It only serves.
  const { leafHash } = (await (await fetch(`${url}/api/v1/entries/1`)).json()) as { leafHash: string };
  const body = participant(ORIGIN, readKeyFile(join(folder, 'operator.key')), 'late-lab', {
    index: 1,
    leafHash,
  });
  const add = (at: string): Promise<Response> =>
    fetch(`${at}/add`, { method: 'POST', body: body as Uint8Array<ArrayBuffer> });
  const checkpoint = await (await fetch(`${url}/checkpoint`)).text();
  assert.equal((await add(url)).status, 410);
  log.process.kill('SIGTERM');
  assert.equal(await log.ended, 0, log.stderr());
  // The freeze is logged and the last anchor not published: that is no end yet.
  const slow = new ManualClock();
  const sendingTo = (answer: Fetch): Promise<unknown> =>
    freezeLog({
      folder,
      url,
      operatorKey: undefined,
      reason: 'superseded',
      successor: 'log.example/next',
      clock: slow,
      fetch: answer,
    });
  const waiting = sendingTo((at) =>
    Promise.resolve(at.endsWith('/add') ? new Response('2') : new Response('', { status: 503 })),
  );
  // A page that answers in the log's place is no index: the same bytes are sent again, and nothing is waited for.
  const page = sendingTo(() => Promise.resolve(new Response('<html>maintenance</html>')));
  await assert.rejects(page, { code: 'unreachable', message: /found 200: <html>/ });
  // It is not led elsewhere, and what gives no answer is not waited for without end.
  const asked: (string | undefined)[] = [];
  const led = sendingTo((at, { redirect }) => {
    asked.push(`${redirect} ${at}`);
    return Promise.resolve(
      new Response(null, { status: 307, headers: { location: 'http://other.example/' } }),
    );
  });
  await assert.rejects(led, {
    code: 'redirected',
    hint: /--url, and run this again, which sends the same bytes/,
  });
  assert.deepEqual(asked, [`manual ${url}/add`]);
  let gaveUp = false;
  const silent = sendingTo(() => new Promise(() => undefined));
  void silent.catch(() => (gaveUp = true));
  await untilInTime(slow, () => gaveUp);
  await assert.rejects(silent, { code: 'timeout', hint: /^the freeze may be logged: run this again/ });
  let over = false;
  void waiting.catch(() => (over = true));
  await untilInTime(slow, () => over);
  await assert.rejects(waiting, (error: LogError) => {
    assert.equal(error.code, 'unreachable');
    assert.match(error.message, /^expected the last tree, of 4 entries, to be published, found /);
    assert.match(error.hint, /^the freeze is logged, as entry 2, .*run this again/);
    return true;
  });
  const words = log
    .stderr()
    .split('\n')
    .filter((line) => /"message":"frozen: /.test(line));
  assert.equal(words.length, 1);
  assert.match(words[0] ?? '', /"frozenAt":2,"size":4\b/);

  const restarted = serve(t, 'log-server/main', folder);
  const there = await restarted.firstLine;
  await stateIs(restarted, there, 'frozen');
  assert.equal((await add(there)).status, 410);
  const { size, rootHash } = await new LogReader(
    httpSource(there, { fetch, timer: systemClock }),
    parsePolicy(policy),
  ).checkpoint();
  const [, line, root] = checkpoint.split('\n');
  assert.deepEqual([String(size), Buffer.from(rootHash).toString('base64')], [line, root]);
  assert.equal((await fetch(`${there}/tile/entries/000.p/4`)).status, 200);
  const same = await freeze(there, '--reason', 'superseded', '--successor', 'log.example/next', '--json');
  assert.deepEqual([same.status, same.stderr], [0, '']);
  const { result } = JSON.parse(same.stdout) as { result: object };
  assert.deepEqual(result, { origin: ORIGIN, index: 2, size: 4, rootHash: root });

  // Its successor: another name, another key, and a charter that says where it goes on from.
  const old = new LogReader(httpSource(there, { fetch, timer: systemClock }), parsePolicy(policy));
  const { origin, note } = await old.checkpoint();
  const parent = join(folder, '..');
  const at = (name: string): string => join(parent, name);
  await writeFile(at('last'), note);
  await writeFile(at('witnesses'), witnesses);
  const init = (...flags: string[]): Promise<Ran> =>
    steleLog('init', '-f', at('next'), '--policy', at('witnesses'), '--predecessor', at('last'), ...flags);
  const next = await init('--origin', 'log.example/next', '--predecessor-vkey', vkey);
  assert.equal(next.status, 0, next.stderr);
  await introduce(next.stdout.trim());
  const successor = serve(t, 'log-server/main', at('next'));
  const newUrl = await successor.firstLine;
  await stateIs(successor, newUrl, 'ready');
  const reads = new LogReader(
    httpSource(newUrl, { fetch, timer: systemClock }),
    parsePolicy(await readFile(join(at('next'), 'policy'))),
  );
  await reads.checkpoint();
  const { predicate } = parseStatement(parseEnvelope(await reads.entry(0)).payload).statement as Charter;
  await checkPredecessor(predicate.terms, { origin, size, rootAt: (atSize) => old.rootAt(atSize) });
});
