import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { TestContext } from 'node:test';
import {
  KEYS,
  buildFreeze,
  encodeLedgerLine,
  formatEnvelope,
  knownType,
  lastAnchor,
  parseEnvelope,
  parseStatement,
  replay,
  sign,
} from '../attestation/index.js';
import { readKeyFile } from '../system/index.js';
import { encodeUtf8, leafHash, parsePolicy, parseVkey, verifyTlogProof } from '../tlog/index.js';
import { initLog, startLog } from './index.js';
import { examineLog } from './doctor.js';
import type { LogError } from './errors.js';
import { readKeyLives, storageOf } from './log-keys.js';
import { check, recoverFolder } from './offline/check.js';
import { recover } from './offline/recover.js';
import { replyOfCheck } from './offline/report.js';
import type { InitOptions, InitResult } from './init.js';
import type { RunningLog } from './index.js';
import type { LogSettings } from './settings.js';
import type { StorageError } from './storage/error.js';
import { ManualClock } from './testing/manual-clock.js';
import { ScriptedWitness, networkOf } from './testing/scripted-witness.js';
import { ORIGIN } from './testing/fixture.js';
import { participant } from './testing/participant.js';
import { until, untilInTime } from './testing/until.js';

interface Folder extends InitResult {
  readonly folder: string;
  readonly clock: ManualClock;
  readonly start: (settings?: Partial<LogSettings>) => Promise<RunningLog>;
}

async function initialised(
  t: TestContext,
  admission: 'none' | 'charter',
  policy = 'quorum none\n',
  more: Partial<InitOptions> = {},
): Promise<Folder> {
  const parent = await mkdtemp(join(tmpdir(), 'stele-'));
  const folder = join(parent, 'log');
  const clock = new ManualClock();
  const started: RunningLog[] = [];
  // A test that fails must not leave a server that keeps the process alive, nor take its folder away first.
  t.after(async () => {
    const turning = setInterval(() => {
      clock.advance(1_000_000);
    }, 1);
    await Promise.allSettled(started.map((log) => log.close()));
    clearInterval(turning);
    await rm(parent, { recursive: true });
  });
  const made = await initLog({
    folder,
    origin: ORIGIN,
    admission,
    policy: encodeUtf8(policy),
    clock,
    ...more,
  });
  const start = async (settings: Partial<LogSettings> = {}): Promise<RunningLog> => {
    const log = await startLog({
      folder,
      admission,
      clock,
      listen: { host: '127.0.0.1', port: 0 },
      ...settings,
    });
    started.push(log);
    return log;
  };
  return { folder, clock, start, ...made };
}

const typeAt = async (log: RunningLog, index: number): Promise<string | undefined> =>
  knownType(
    parseStatement(parseEnvelope(await log.storage.readEntry(index)).payload).statement.predicateType,
  );

void test('a log of any bytes: made, started, stopped, started again', async (t) => {
  const { folder, start, policy } = await initialised(t, 'none');
  assert.equal((await stat(join(folder, 'log.key'))).mode & 0o777, 0o600);
  const log = await start();
  const bodies = Array.from({ length: 300 }, (_, i) => `entry ${i}`);
  const answers = await Promise.all(
    bodies.map((body) => fetch(`${log.url}/add`, { method: 'POST', body }).then((answer) => answer.text())),
  );
  assert.deepEqual(new Set(answers.map(Number)), new Set(bodies.map((_, i) => i)));
  await log.close();
  const again = await start();
  assert.equal(again.published()?.size, 300);
  const body = encodeUtf8('one more');
  const proof = await fetch(`${again.url}/add`, {
    method: 'POST',
    body,
    headers: { accept: 'text/x.tlog.proof' },
  });
  const verified = verifyTlogProof({
    proof: new Uint8Array(await proof.arrayBuffer()),
    leafHash: leafHash(body),
    policy: parsePolicy(policy),
  });
  assert.equal(verified.index, 300);
  await again.close();
});

void test('whoever sends the entries of others again uses up nothing of what they may send', async (t) => {
  const { folder, clock, start } = await initialised(t, 'charter');
  const log = await start({ limits: { ratePerParticipant: 1, burstPerParticipant: 2 } });
  await until(() => log.readiness().ready);
  const operator = readKeyFile(join(folder, 'operator.key'));
  const { index, leafHash: hash } = (await lastAnchor(log.storage.ledger)) ?? assert.fail('no anchor');
  const introduce = (about: string): Promise<unknown> =>
    log.submit(participant(ORIGIN, operator, about, { index, leafHash: hash }));
  await introduce('lab-a');
  for (let i = 0; i < 10; i++) await introduce('lab-a');
  await introduce('lab-b');
  const message = 'expected at most 1 entry per second of one participant';
  await assert.rejects(introduce('lab-c'), { code: 'rate_limited', message });

  const body = participant(ORIGIN, operator, 'lab-c', { index, leafHash: hash }) as Uint8Array<ArrayBuffer>;
  const add = (): Promise<Response> => fetch(`${log.url}/add`, { method: 'POST', body });
  const refused = await add();
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '1']);
  // A wall clock that steps, either way, gives and takes nothing: the rate is of the monotonic one.
  for (const step of [86_400_000, -172_800_000]) {
    clock.step(step);
    assert.equal((await add()).status, 429);
  }
  clock.advance(1000);
  const admitted = await add();
  assert.deepEqual([admitted.status, await admitted.text()], [200, '4\n']);
  assert.equal((await add()).status, 200, 'what is logged already takes nothing of the rate');
});

void test('a log with a charter: charter, first anchor, then an anchor an interval, then a freeze', async (t) => {
  const { folder, clock, start } = await initialised(t, 'charter');
  const log = await start();
  await until(() => log.readiness().ready);
  assert.equal(log.storage.size, 2);
  assert.equal(await typeAt(log, 0), 'charter');
  assert.equal(await typeAt(log, 1), 'anchor');

  clock.advance(599_000);
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(log.storage.size, 2, 'nothing before the interval is over');
  clock.advance(1_000);
  await until(() => log.published()?.size === 3);
  assert.equal(await typeAt(log, 2), 'anchor');

  const operator = readKeyFile(join(folder, 'operator.key'));
  const recent = await lastAnchor(log.storage.ledger);
  assert.ok(recent);
  const recentAnchor = { index: recent.index, leafHash: recent.leafHash };
  const freezeAt = (issuedAt: number): Uint8Array => {
    const predicate = {
      participant: 'operator',
      issuedAt,
      recentAnchor,
      origin: ORIGIN,
      reason: 'planned',
      successor: null,
    } as const;
    return formatEnvelope(sign(buildFreeze(predicate), operator.secret));
  };
  const freeze = freezeAt(1);
  const frozen = await fetch(`${log.url}/add`, {
    method: 'POST',
    body: freeze,
    headers: { accept: 'application/json' },
  });
  const answer = (await frozen.json()) as { index: number };
  assert.equal(frozen.status, 200, JSON.stringify(answer));
  assert.equal(answer.index, 3);
  await until(() => log.published()?.size === 5);
  assert.equal(await typeAt(log, 4), 'anchor');
  await until(() => log.readiness().message === 'the log is frozen: it only serves');
  assert.deepEqual([log.readiness().state, log.readiness().published], ['frozen', 5]);
  const again = await fetch(`${log.url}/add`, { method: 'POST', body: freeze });
  assert.deepEqual([again.status, await again.text()], [200, '3\n'], 'what is logged keeps its index');
  const refused = await fetch(`${log.url}/add`, { method: 'POST', body: freezeAt(2) });
  assert.equal(refused.status, 410);
  await log.close();
  const full = await start({ reserveBytes: 2 ** 50 });
  await until(() => full.readiness().state === 'frozen');
  await full.close();
});

const checkFolder = (folder: string): ReturnType<typeof check> =>
  check({ folder, source: undefined, vkeys: [], origin: undefined, fetch });

void test('fsck of a log with a charter says the line that whoever replays its entries has', async (t) => {
  const { folder, start } = await initialised(t, 'charter');
  const log = await start();
  await until(() => log.readiness().ready);
  const entries = await Promise.all([0, 1].map((index) => log.storage.readEntry(index)));
  await log.close();
  const report = await checkFolder(folder);
  const ledger = await replay(entries);
  assert.deepEqual([report.problems, report.notChecked, report.remarks], [[], [], []]);
  assert.equal(report.ledger, encodeLedgerLine(ledger));
  assert.ok(replyOfCheck(report).lines.includes(`ledger: ${encodeLedgerLine(ledger)}`));
  // spec/attestations.md "The ledger": the digest is none of its keys.
  assert.ok(ledger.store.values.delete(KEYS.digest));
  assert.equal(report.checked.ledgerKeys, ledger.store.values.size);
  const { ledger: line } = replyOfCheck(report).result;
  assert.equal(line, encodeLedgerLine(ledger));
});

void test('fsck of a log of any bytes: no ledger to be checked, and none is missed', async (t) => {
  const { folder, start } = await initialised(t, 'none');
  const log = await start();
  await log.submit(encodeUtf8('x'));
  await log.close();
  const report = await checkFolder(folder);
  assert.deepEqual([report.problems, report.notChecked, report.ledger], [[], [], undefined]);
  assert.match(report.remarks.join(), /identities and ledger: a log with --admission none has none/);
});

/** The folder of a log with a charter and its first anchor, which has been stopped. */
async function stopped(t: TestContext): Promise<Folder & { readonly charterFile: string }> {
  const made = await initialised(t, 'charter', undefined, { anchorInterval: 1200 });
  const log = await made.start();
  await until(() => log.readiness().ready);
  await log.close();
  return { ...made, charterFile: join(made.folder, 'charter.json') };
}

void test('fsck holds charter.json against entry 0, and needs no charter.json for that', async (t) => {
  const { folder, charterFile, start } = await stopped(t);
  const charter = await readFile(charterFile);
  for (const [bytes, found] of [
    [undefined, 'no file'],
    [encodeUtf8(' '), 'another'],
  ] as const) {
    if (bytes === undefined) await rm(charterFile);
    else await writeFile(charterFile, bytes);
    const report = await checkFolder(folder);
    assert.deepEqual(
      report.problems.map((each) => [each.file, each.found]),
      [['charter.json', found]],
    );
    assert.deepEqual([report.notChecked, replyOfCheck(report).status], [[], 1]);
    assert.ok(report.checked.identities === 2 && report.checked.ledgerKeys > 0);
    await assert.rejects(start(), (error: LogError) => {
      assert.equal(error.code, bytes === undefined ? 'no_charter' : 'bad_charter');
      assert.ok(error.message.includes(charterFile), error.message);
      assert.match(error.hint, /entry 0 of the log/);
      return true;
    });
  }
  await writeFile(charterFile, charter);
  assert.deepEqual((await checkFolder(folder)).problems, []);
});

const recovering = { from: [], now: new Date(0), fetch, onProgress: () => undefined };

void test('recover without charter.json makes a log that goes on, and says that the file is missing', async (t) => {
  const { folder, charterFile, start } = await stopped(t);
  const charter = await readFile(charterFile);
  await rm(charterFile);
  const { remarks } = await recoverFolder({ folder, ...recovering });
  assert.match(remarks.join(), /^charter\.json: expected .*entry 0 of the log.*, found no file$/);
  await writeFile(charterFile, charter);
  assert.deepEqual((await checkFolder(folder)).problems, []);
  const log = await start();
  await until(() => log.readiness().ready);
  const figures = await (await fetch(`${log.url}/metrics`)).text();
  assert.match(figures, /^stele_log_quiet_seconds 3600$/m);
  await log.close();
});

void test('in a log of any bytes a charter that anybody logs is an entry: fsck, recover and a start take it for one', async (t) => {
  const { charter } = await initialised(t, 'charter');
  assert.ok(charter);
  const { folder, start } = await initialised(t, 'none');
  const log = await start();
  for (const entry of [charter, encodeUtf8('x')]) await log.submit(entry);
  await log.close();
  const report = await checkFolder(folder);
  assert.deepEqual([report.problems, report.notChecked], [[], []]);
  assert.match(
    report.remarks.join('\n'),
    /^entry 0 is a charter of this log, and neither charter\.json nor/m,
  );
  const { remarks, size } = await recoverFolder({ folder, ...recovering });
  assert.equal(size, 2);
  assert.match(remarks.join('\n'), /^entry 0 is a charter of this log.*restore both and run this again$/m);
  await (await start()).close();
});

void test('a start refuses a ledger that is not one of all entries; fsck and doctor name it', async (t) => {
  const { folder, clock, start } = await stopped(t);
  const lives = await readKeyLives(folder);
  // As a recovery leaves it that nobody told of the charter.
  await recover({ ...storageOf(folder, lives), from: [], now: new Date(0) });
  await assert.rejects(start(), (error: StorageError) => {
    assert.deepEqual(
      [error.code, error.message],
      ['state_damaged', "ledger: expected one of the tree's 2 entries, found one of 0"],
    );
    assert.match(error.hint, /stele-log recover/);
    return true;
  });
  assert.ok((await checkFolder(folder)).problems.some(({ expected }) => /2 identities/.test(expected)));
  const url = 'http://127.0.0.1:9';
  const exam = await examineLog({ folder, url, timeoutMs: 1000, now: () => clock.now(), fetch });
  assert.ok(
    exam.checks.some(({ name, detail }) => name === 'charter' && /ledger: .*found one of 0/.test(detail)),
  );
  await recoverFolder({ folder, ...recovering });
  await (await start()).close();
});

void test('a policy of a log of any bytes that does not parse is named', async (t) => {
  const { folder, start } = await initialised(t, 'none');
  await writeFile(join(folder, 'policy'), 'quorum everybody\n');
  await assert.rejects(start(), (error: LogError) => {
    assert.equal(error.code, 'bad_policy');
    assert.match(error.message, /policy of the folder, or where --policy says: .*everybody/);
    return true;
  });
});

void test('less free than the reserve: not ready before an entry is refused for it', async (t) => {
  for (const admission of ['none', 'charter'] as const) {
    const { start } = await initialised(t, admission);
    const log = await start();
    await until(() => log.readiness().ready);
    await log.close();
    const full = await start({ reserveBytes: 2 ** 50 });
    await until(() => full.readiness().state !== 'gate_closed');
    const ready = await fetch(`${full.url}/readyz`);
    const { state, message } = (await ready.json()) as { state: string; message: string };
    assert.deepEqual([ready.status, state], [503, 'storage_failed']);
    assert.match(message, /^disk full: \d+ bytes are free, 1125899906842624 must be/);
    if (admission === 'none') await assert.rejects(full.submit(encodeUtf8('x')), { code: state });
    await full.close();
  }
});

void test('refusals at start have stable codes', async (t) => {
  const { folder, start } = await initialised(t, 'charter');
  await assert.rejects(start({ admission: 'none' }), { code: 'wrong_admission' });
  await assert.rejects(start({ policy: encodeUtf8('quorum none\n') }), { code: 'policy_not_in_force' });
  await chmod(join(folder, 'log.key'), 0o640);
  await assert.rejects(start(), { code: 'key_exposed' });
  await chmod(join(folder, 'log.key'), 0o600);
  const anchor = await readFile(join(folder, 'anchor.key'));
  await writeFile(join(folder, 'anchor.key'), await readFile(join(folder, 'operator.key')));
  await assert.rejects(start(), { code: 'wrong_anchor_key' });
  await writeFile(join(folder, 'anchor.key'), anchor);
  const log = await start();
  await assert.rejects(start(), { code: 'locked' });
  await log.close();
});

void test('a lock beside the key that the disk has no room for: what failed is said, not that it is held', async (t) => {
  const { folder, start } = await initialised(t, 'none');
  const [lock] = (await readdir(folder)).filter((name) => name.startsWith('lock-'));
  assert.ok(lock !== undefined);
  await rm(join(folder, lock), { recursive: true });
  await mkdir(join(folder, lock));
  await symlink('/dev/full', join(folder, lock, 'MANIFEST-000001'));
  await assert.rejects(start(), (error: StorageError) => {
    assert.equal(error.code, 'storage_failed');
    assert.match(error.message, /No space left/);
    assert.match(error.hint, /^free space/);
    return true;
  });
});

void test('a first start opens when enough witnesses have the log configured', async (t) => {
  const clock = new ManualClock();
  const witnesses = ['w1', 'w2', 'w3', 'w4'].map((name, i) => new ScriptedWitness(name, 10 + i, clock));
  const policy = [
    ...witnesses.map((witness) => witness.policyLine),
    'group g 3 w1 w2 w3 w4',
    'quorum g',
    '',
  ].join('\n');
  const made = await initialised(t, 'none', policy);
  for (const witness of witnesses) {
    witness.logKey = parseVkey(made.vkey);
    witness.script = () => new Response('', { status: 404 });
  }
  const log = await made.start({ clock, fetch: networkOf(witnesses) });
  await until(() => witnesses.every((witness) => witness.questions.length === 1));
  assert.equal(log.readiness().state, 'gate_closed');
  for (const witness of witnesses) witness.script = undefined;
  await untilInTime(clock, () => log.readiness().ready);
  assert.equal((await log.submit(encodeUtf8('x'))).index, 0);
  await log.close();
});

void test('sent again after a 503, a payload has the same index, and the answer has the envelope as logged', async (t) => {
  const clock = new ManualClock();
  const witnesses = ['w1', 'w2', 'w3', 'w4'].map((name, i) => new ScriptedWitness(name, 10 + i, clock));
  const policy = [
    ...witnesses.map((witness) => witness.policyLine),
    'group g 3 w1 w2 w3 w4',
    'quorum g',
    '',
  ].join('\n');
  const made = await initialised(t, 'charter', policy);
  for (const witness of witnesses) witness.logKey = parseVkey(made.vkey);
  const log = await made.start({
    clock,
    fetch: networkOf(witnesses),
    limits: { collectionTimeoutMs: 5000, publishIntervalMs: 0 },
  });
  await until(() => log.readiness().ready);
  const operator = readKeyFile(join(made.folder, 'operator.key'));
  const anchor = await lastAnchor(log.storage.ledger);
  assert.ok(anchor);
  const recent = { index: anchor.index, leafHash: anchor.leafHash };
  const [first, second] = ['lab-1', 'lab-2'].map((name) => participant(ORIGIN, operator, name, recent)) as [
    Uint8Array,
    Uint8Array,
  ];

  for (const witness of witnesses) witness.script = () => new Response('', { status: 500 });
  const add = (body: Uint8Array): Promise<Response> =>
    fetch(`${log.url}/add`, {
      method: 'POST',
      body: body as Uint8Array<ArrayBuffer>,
      headers: { accept: 'application/json' },
    });
  const refused = add(first);
  await until(
    () => log.storage.size === 3 && witnesses.every((witness) => witness.questions.at(-1)?.size === 3),
  );
  clock.advance(5000);
  const answer = await refused;
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '10']);
  for (const witness of witnesses) witness.script = undefined;
  await untilInTime(clock, () => log.published()?.size === 3);

  // Another encoding of the same envelope, beside a new entry, twice at once.
  const respelt = encodeUtf8(JSON.stringify(JSON.parse(new TextDecoder().decode(first)), null, 2));
  const answers = Promise.all(
    [add(respelt), add(second), add(first), add(second)].map(
      async (each) => (await (await each).json()) as { index: number; envelope: object },
    ),
  );
  const got = await answers;
  assert.deepEqual(
    got.map(({ index }) => index),
    [2, 3, 2, 3],
  );
  assert.deepEqual(got[0]?.envelope, JSON.parse(new TextDecoder().decode(first)));
  assert.equal(log.storage.size, 4);

  // Refusals by the rules, and by the form.
  const bad = await add(encodeUtf8('{}'));
  assert.equal(bad.status, 400);
  const forged = JSON.parse(new TextDecoder().decode(second)) as { signatures: { sig: string }[] };
  for (const signature of forged.signatures) signature.sig = Buffer.alloc(64).toString('base64');
  const unsigned = await add(encodeUtf8(JSON.stringify(forged)));
  assert.deepEqual(
    [unsigned.status, ((await unsigned.json()) as { error: { code: string } }).error.code],
    [403, 'bad_signature'],
  );
  await log.close();
});
