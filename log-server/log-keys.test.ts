// A log that signs with Ed25519 and ML-DSA-44: both lines, everywhere, and neither alone makes a second history.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { parseEnvelope, parseStatement } from '../attestation/index.js';
import type { Anchor, Charter } from '../attestation/index.js';
import { formatAddCheckpoint } from '../client/index.js';
import { SigningError, readKeyFile } from '../system/index.js';
import {
  emptyRoot,
  encodeUtf8,
  formatCheckpoint,
  formatNote,
  formatVkey,
  leafHash,
  parseNote,
  parsePolicy,
  parseVkey,
  signNote,
  verifyTlogProof,
} from '../tlog/index.js';
import type { SigningKey } from '../tlog/index.js';
import { initLog, startLog } from './index.js';
import type { InitOptions, RunningLog } from './index.js';
import { SubmissionError } from './errors.js';
import { localSigner, poolSigner } from './head-signer.js';
import type { HeadSigner } from './head-signer.js';
import type { InitResult } from './init.js';
import { readKeyLives, readLogKeys, signHead, vkeysOf, writeKeyLives } from './log-keys.js';
import { check, recoverFolder } from './offline/check.js';
import type { LogSettings } from './settings.js';
import { openLogStorage } from './storage/index.js';
import type { KeySpan } from './storage/index.js';
import { formatNoteFile, parseNoteFile } from './storage/note-file.js';
import { LOG_KEY, ORIGIN, startFixture, testKey } from './testing/fixture.js';
import { ManualClock } from './testing/manual-clock.js';
import { entry, ready, startScene } from './testing/scene.js';
import { conflict, networkOf } from './testing/scripted-witness.js';
import { until, untilInTime } from './testing/until.js';

const ED25519_BYTES = 64;
const ML_DSA_BYTES = 8 + 2420;
const lengths = (note: Uint8Array): number[] =>
  parseNote(note).signatures.map(({ signature }) => signature.length);

interface Made extends InitResult {
  readonly folder: string;
  readonly clock: ManualClock;
  readonly start: (settings?: Partial<LogSettings>) => Promise<RunningLog>;
}

async function make(t: TestContext, options: Partial<InitOptions> = {}): Promise<Made> {
  const parent = await mkdtemp(join(tmpdir(), 'stele-'));
  t.after(() => rm(parent, { recursive: true }));
  const folder = join(parent, 'log');
  const clock = new ManualClock();
  const admission = options.admission ?? 'none';
  const policy = encodeUtf8('quorum none\n');
  const made = await initLog({ folder, origin: ORIGIN, admission, policy, clock, mlDsa: true, ...options });
  const start = async (settings: Partial<LogSettings> = {}): Promise<RunningLog> => {
    const listen = { host: '127.0.0.1', port: 0 };
    const log = await startLog({ folder, admission, clock, listen, ...settings });
    // A test that fails must not keep its process alive.
    t.after(() => {
      const closing = log.close();
      clock.advance(1_000_000);
      return closing;
    });
    return log;
  };
  return { folder, clock, start, ...made };
}

const fsck = (folder: string): ReturnType<typeof check> =>
  check({ folder, source: undefined, vkeys: [], origin: undefined, fetch });

void test('init makes two keys of one name; charter and policy name both, every checkpoint has both lines', async (t) => {
  const { folder, start, vkeys, policy, charter } = await make(t, { admission: 'charter' });
  assert.deepEqual(
    vkeys.map(parseVkey).map(({ name, type }) => [name, type]),
    [
      [ORIGIN, 1],
      [ORIGIN, 6],
    ],
  );
  for (const file of ['log.key', 'log-mldsa.key'])
    assert.equal((await stat(join(folder, file))).mode & 0o777, 0o600);
  const { statement } = parseStatement(parseEnvelope(charter ?? assert.fail('no charter')).payload);
  assert.deepEqual((statement as Charter).predicate.terms.logKeys, vkeys);
  assert.equal(
    new TextDecoder().decode(policy),
    `${vkeys.map((vkey) => `log ${vkey}\n`).join('')}quorum none\n`,
  );
  const init = parseNoteFile(await readFile(join(folder, 'data', 'signed')), 'signed').note;
  assert.deepEqual(lengths(init), [ED25519_BYTES, ML_DSA_BYTES]);

  const log = await start();
  await until(() => log.readiness().ready);
  const served = new Uint8Array(await (await fetch(`${log.url}/checkpoint`)).arrayBuffer());
  assert.deepEqual(lengths(served), [ED25519_BYTES, ML_DSA_BYTES]);
  const anchor = parseStatement(parseEnvelope(await log.storage.readEntry(1)).payload).statement as Anchor;
  assert.deepEqual(
    lengths(encodeUtf8(anchor.predicate.checkpoint)),
    [ED25519_BYTES],
    'one line in an anchor',
  );

  // Whoever knows one of the keys, or both, has what it takes.
  const body = await log.storage.readEntry(0);
  const answer = await fetch(`${log.url}/api/v1/entries/0`);
  const { proof } = (await answer.json()) as { proof: string };
  for (const known of [vkeys, vkeys.slice(0, 1), vkeys.slice(1)]) {
    const reader = parsePolicy(encodeUtf8(`${known.map((vkey) => `log ${vkey}\n`).join('')}quorum none\n`));
    const verified = verifyTlogProof({ proof: encodeUtf8(proof), leafHash: leafHash(body), policy: reader });
    assert.equal(verified.index, 0);
  }
  await log.close();
  const report = await fsck(folder);
  assert.deepEqual([report.problems, report.notChecked], [[], []]);
});

void test('a head has the same bytes whenever it is signed: its ML-DSA-44 line states no time', async (t) => {
  const { folder } = await make(t);
  const keys = await readLogKeys(folder);
  const signer = poolSigner(keys);
  t.after(() => signer.close());
  const text = formatCheckpoint({ origin: ORIGIN, size: 7, rootHash: new Uint8Array(32), extensions: [] });
  const note = await signer.sign(text);
  assert.deepEqual(await localSigner(keys).sign(text), note);
  const [, line] = parseNote(note).signatures;
  assert.deepEqual(line?.signature.subarray(0, 8), new Uint8Array(8));
});

void test('a key that is missing, or is not the one named, keeps a log from starting', async (t) => {
  for (const admission of ['none', 'charter'] as const) {
    const { folder, start } = await make(t, { admission });
    const [file, other] = [join(folder, 'log-mldsa.key'), join(folder, 'elsewhere')];
    await rename(file, other);
    await assert.rejects(start(), {
      code: 'wrong_log_key',
      message: /\(type 6\)/,
      hint: /one that is lost is retired: stele-log retire-key [0-9a-f]{8}$/,
    });
    const stranger = await make(t, { origin: 'other.example/log' });
    await writeFile(file, await readFile(join(stranger.folder, 'log-mldsa.key')), { mode: 0o600 });
    await assert.rejects(start(), { code: 'wrong_log_key', message: /to be named/ });
    await writeFile(file, await readFile(join(folder, 'log.key')));
    await assert.rejects(start(), { code: 'wrong_log_key', message: /of type 6, found type 1/ });
    const anew = await make(t);
    await writeFile(file, await readFile(join(anew.folder, 'log-mldsa.key')));
    await assert.rejects(start(), { code: 'wrong_log_key' });
    await rename(other, file);
    // Nor one that the list has no more, or that the list has and nobody was told of.
    const list = join(folder, 'log-keys.json');
    const whole = await readFile(list, 'utf8');
    const { keys } = JSON.parse(whole) as { keys: object[] };
    await writeFile(list, JSON.stringify({ keys: keys.slice(0, 1) }));
    await assert.rejects(start(), { code: 'state_damaged', message: /found one by/ });
    await writeFile(list, whole);
    await (await start()).close();
  }
  const plain = await make(t, { admission: 'charter', mlDsa: false });
  const key = (await make(t)).folder;
  await writeFile(join(plain.folder, 'log-mldsa.key'), await readFile(join(key, 'log-mldsa.key')), {
    mode: 0o600,
  });
  await (await plain.start()).close();
  const listed = await readKeyLives(key);
  const [own] = await readKeyLives(plain.folder);
  await writeKeyLives(plain.folder, [own, ...listed.slice(1).map((life) => ({ ...life, from: 1 }))]);
  await assert.rejects(plain.start(), { code: 'wrong_log_key', message: /is not a log key of the charter/ });
  await rm(join(plain.folder, 'log-keys.json'));
  await assert.rejects(plain.start(), { code: 'no_log_keys' });
  // Nor does it start without a key that has signed nothing yet, if readers were told of it.
  const told = await make(t, { admission: 'none', mlDsa: false });
  const policy = join(told.folder, 'policy');
  const lines = vkeysOf(await readLogKeys(key)).map((vkey) => `log ${formatVkey(vkey)}\n`);
  await writeFile(policy, `${lines.at(-1) ?? ''}${await readFile(policy, 'utf8')}`);
  await assert.rejects(told.start(), { code: 'wrong_log_key', message: /which the policy names, found/ });
});

void test('an origin that no ML-DSA-44 line can name is refused before anything is written', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'stele-'));
  t.after(() => rm(folder, { recursive: true }));
  const policy = encodeUtf8('quorum none\n');
  const given = { folder, admission: 'none', policy, clock: new ManualClock(), mlDsa: true } as const;
  await assert.rejects(initLog({ ...given, origin: 'é'.repeat(128) }), { code: 'bad_origin' });
  assert.deepEqual(await readdir(folder), []);
});

void test('fsck misses a line, finds one that does not verify, and recover signs the same head again', async (t) => {
  const { folder, start } = await make(t);
  const log = await start();
  await log.submit(entry(0));
  await log.close();
  const file = join(folder, 'data', 'signed');
  const whole = await readFile(file);
  const { text, signatures } = parseNote(parseNoteFile(whole, 'signed').note);
  const write = (lines: readonly { line: string }[]): Promise<void> =>
    writeFile(
      file,
      formatNoteFile({ note: formatNote({ text, signatures: lines }), policy: new Uint8Array(0) }),
    );
  const [ed25519, mlDsa] = signatures;
  assert.ok(ed25519 && mlDsa);

  await write([ed25519]);
  const missing = await fsck(folder);
  assert.deepEqual(
    missing.problems.map(({ file: where, found }) => [where, found]),
    [['signed', 'none']],
  );
  const middle = mlDsa.line.length - 900;
  const bent = `${mlDsa.line.slice(0, middle)}${mlDsa.line[middle] === 'A' ? 'B' : 'A'}${mlDsa.line.slice(middle + 1)}`;
  await write([ed25519, { line: bent }]);
  const wrong = await fsck(folder);
  assert.match(wrong.problems[0]?.found ?? '', /does not verify/);
  await assert.rejects(start(), { code: 'state_damaged' });

  // A witness that knows one key keeps one line: the other is signed again, and is what it was.
  await write([mlDsa]);
  const now = new Date(0);
  await recoverFolder({ folder, from: [], now, fetch, onProgress: () => undefined });
  assert.deepEqual(await readFile(file), whole);
  assert.deepEqual((await fsck(folder)).problems, []);
});

const MLDSA_KEY = testKey(ORIGIN, 6, 2);
const signer = localSigner([LOG_KEY, MLDSA_KEY]);

void test('witnesses get both lines and nothing else, in a request of less than 10 KiB', async () => {
  const s = await startScene();
  await ready(s);
  await s.close();
  const t = await startFixture({
    storage: s.storage,
    clock: s.clock,
    opened: { policy: s.policy, signer },
    settings: { fetch: networkOf(s.witnesses), limits: { publishIntervalMs: 0 } },
  });
  await until(() => t.log.readiness().ready);
  await t.log.submit(entry(5));
  await until(() => s.witnesses.every((witness) => witness.held?.size === 6));
  for (const { questions } of s.witnesses)
    assert.deepEqual(lengths(questions.at(-1)?.note ?? assert.fail('not asked')), [
      ED25519_BYTES,
      ML_DSA_BYTES,
    ]);
  await t.close();

  const origin = 'o'.repeat(255);
  const size = Number.MAX_SAFE_INTEGER;
  const largest = await localSigner([testKey(origin, 1, 1), testKey(origin, 6, 2)]).sign(
    formatCheckpoint({ origin, size, rootHash: new Uint8Array(32), extensions: [] }),
  );
  const proof = Array.from({ length: 63 }, () => new Uint8Array(32));
  assert.ok(formatAddCheckpoint({ oldSize: size, proof, note: largest }).length < 10 * 1024);
});

void test('a conflicting note under the ML-DSA-44 key alone stops signing', async () => {
  const text = formatCheckpoint({ origin: ORIGIN, size: 1000, rootHash: new Uint8Array(32), extensions: [] });
  const forged = signNote(text, [MLDSA_KEY], 1);
  const s = await startScene();
  await s.close();
  const network = networkOf(s.witnesses, (url) =>
    Promise.resolve(
      url.endsWith('/checkpoint')
        ? new Response(forged as Uint8Array<ArrayBuffer>)
        : new Response('', { status: 404 }),
    ),
  );
  const t = await startFixture({
    storage: s.storage,
    clock: s.clock,
    opened: { policy: s.policy, signer },
    settings: { fetch: network, limits: { publishIntervalMs: 0 } },
  });
  await until(() => t.log.readiness().ready);
  s.witnesses[0].script = () => conflict(1000);
  t.log.submit(entry(5)).catch(() => undefined);
  await until(() => t.log.readiness().state === 'stopped');
  assert.match(t.log.readiness().message, /shows a conflicting note/);
  await t.close();
});

void test('a head that cannot be signed: 503, not ready, and signed when it can be', async () => {
  let failing = true;
  const flaky: HeadSigner = {
    ...signer,
    sign: (text) =>
      failing ? Promise.reject(new SigningError('signing_failed', 'the thread is gone')) : signer.sign(text),
  };
  const { log, clock, close } = await startFixture({ opened: { signer: flaky } });
  await until(() => log.readiness().state === 'signing_failed');
  let refusal: unknown;
  log.submit(entry(0)).catch((error: unknown) => (refusal = error));
  await untilInTime(clock, () => refusal !== undefined);
  assert.deepEqual(refusal, new SubmissionError('signing_failed', 'the checkpoint could not be signed'));
  assert.equal(log.readiness().state, 'signing_failed');
  failing = false;
  await untilInTime(clock, () => log.published()?.size === 1);
  await until(() => log.readiness().ready);
  await close();
});

void test('a note is only written with a line by every key of the log', async (t) => {
  const { folder } = await make(t);
  const keys = await readLogKeys(folder);
  const data = { folder: join(folder, 'data'), keyFolder: folder, origin: ORIGIN, logKeys: vkeysOf(keys) };
  const storage = await openLogStorage(data);
  t.after(() => storage.close());
  const text = formatCheckpoint({ origin: ORIGIN, size: 0, rootHash: emptyRoot(), extensions: [] });
  for (const some of [keys.slice(0, 1), keys.slice(1)])
    await assert.rejects(storage.writeSigned(signHead(text, some)), { code: 'not_allowed' });
  await storage.writeSigned(signHead(text, keys));
});

void test('a key signs heads of its sizes: before them its line is not asked for, behind them it is refused', async (t) => {
  const { folder } = await make(t);
  const keys = await readLogKeys(folder);
  const data = { folder: join(folder, 'data'), keyFolder: folder, origin: ORIGIN, logKeys: vkeysOf(keys) };
  const always = { from: 0, until: null };
  const note = async (
    rootHash: Uint8Array,
    size: number,
    some: typeof keys | [SigningKey],
  ): Promise<Uint8Array> =>
    Promise.resolve(signHead(formatCheckpoint({ origin: ORIGIN, size, rootHash, extensions: [] }), some));
  const open = (span: KeySpan): ReturnType<typeof openLogStorage> =>
    openLogStorage({ ...data, keySpans: [always, span] });
  const alone: [SigningKey] = [keys[0]];

  const later = await open({ from: 1, until: null });
  await later.writeSigned(await note(emptyRoot(), 0, alone));
  await later.commit({ oldSize: 0, entries: [encodeUtf8('one')] });
  await later.makeReadable();
  await assert.rejects(later.writeSigned(await note(later.rootHash(), 1, alone)), { code: 'not_allowed' });
  await later.writeSigned(await note(later.rootHash(), 1, keys));
  await later.close();
  await assert.rejects(open({ from: 0, until: 0 }), { code: 'state_damaged', message: /retired/ });

  const retired = await open({ from: 0, until: 1 });
  await retired.commit({ oldSize: 1, entries: [encodeUtf8('two')] });
  await retired.makeReadable();
  await assert.rejects(retired.writeSigned(await note(retired.rootHash(), 2, keys)), {
    code: 'not_allowed',
    message: /has retired/,
  });
  await retired.writeSigned(await note(retired.rootHash(), 2, alone));
  await retired.close();
});

void test('keys are read as they were made', async (t) => {
  const { folder, vkeys } = await make(t);
  const keys = await readLogKeys(folder);
  assert.deepEqual(
    keys.map(({ keyId }) => keyId),
    vkeys.map((vkey) => parseVkey(vkey).keyId),
  );
  assert.deepEqual(readKeyFile(join(folder, 'log-mldsa.key')).secret, keys[1]?.secret);
});
