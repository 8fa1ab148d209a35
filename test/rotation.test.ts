// The runbook of docs/operating.md, "Keys": keys come and go while people write to the log, and readers who
// know the old ones, the new ones or all of them are served.
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  buildCharterAmendment,
  formatEnvelope,
  lastAnchor,
  sign,
  termsInForce,
} from '../attestation/index.js';
import type { Terms } from '../attestation/index.js';
import { LogReader, httpSource } from '../client/index.js';
import {
  ROTATION_STEPS,
  addKey,
  initLog,
  readKeyLives,
  readLogKeys,
  retireKey,
  startLog,
} from '../log-server/index.js';
import type { KeyLife, RunningLog } from '../log-server/index.js';
import { signHead } from '../log-server/log-keys.js';
import { check, recoverFolder } from '../log-server/offline/check.js';
import { formatNoteFile, parseNoteFile } from '../log-server/storage/note-file.js';
import { participant } from '../log-server/testing/participant.js';
import { readKeyFile, systemClock } from '../system/index.js';
import {
  encodeUtf8,
  formatCheckpoint,
  formatKeyId,
  formatNote,
  formatSigningKey,
  formatVkey,
  leafHash,
  newSigningKey,
  parseNote,
  parseSigningKey,
  verifyTlogProof,
} from '../tlog/index.js';
import type { Policy, SigningKey, Vkey } from '../tlog/index.js';
import { CrashRun } from './crash/crash-run.js';
import type { RotateChildOptions } from './crash/rotate-child.js';
import { startScript } from './helpers/process.js';

const ORIGIN = 'log.example/rotates';

/** Runs `stele-log` to its end; what it printed. */
async function steleLog(...args: string[]): Promise<string> {
  const child = startScript('log-server/main', args);
  const line = await child.firstLine.catch(() => '');
  assert.equal(await child.ended, 0, child.stderr());
  return line;
}

async function killed(options: RotateChildOptions): Promise<void> {
  const child = startScript('test/crash/rotate-child', [JSON.stringify(options)]);
  assert.equal(await child.ended, options.kill === undefined ? 0 : 'SIGKILL', child.stderr());
}

const idOf = (vkey: Vkey | undefined): string => formatKeyId(vkey?.keyId ?? 0);

async function clean(folder: string): Promise<void> {
  const report = await check({ folder, source: undefined, vkeys: [], origin: undefined, fetch });
  assert.deepEqual([report.problems, report.notChecked], [[], []]);
}

/** Writes until so many more were acknowledged, then stops the log in the midst of it. */
async function loadAndStop(run: CrashRun, entries: number): Promise<void> {
  const target = run.recorder.acknowledgements.length + entries;
  const loading = run.load(100_000);
  while (run.alive && run.recorder.acknowledgements.length < target) await pause(5);
  await run.stop();
  await loading;
}

async function up(run: CrashRun): Promise<void> {
  assert.ok(await run.start(), run.said());
  assert.ok(await run.ready(), run.said());
}

/** Whether each entry acknowledged from here on has a proof that this policy takes. */
function taken(run: CrashRun, from: number, policy: Policy): boolean[] {
  return run.recorder.acknowledgements.slice(from).map(({ leaf, proof, index }) => {
    try {
      return verifyTlogProof({ proof, leafHash: leafHash(leaf), policy }).index === index;
    } catch {
      return false;
    }
  });
}

test('Ed25519 for Ed25519 under load: readers of either key verify every entry, and the old key ends', async (t) => {
  const run = await CrashRun.make('charter', { mlDsa: false });
  t.after(() => run.remove());
  const { folder, recorder } = run;
  const before = await run.learn();
  const old = before[0].vkey;
  await up(run);
  await loadAndStop(run, 20);
  assert.ok(taken(run, 0, run.policyOf([old])).every(Boolean));
  await cp(folder, `${folder}-before`, { recursive: true });

  // The overlap: half of the witnesses know the new key before its first line, half learn of it later.
  assert.match(await steleLog('add-key', '-f', folder), new RegExp(`^${idOf(old)} 0 - `));
  const [, added] = await run.learn();
  assert.ok(added);
  assert.deepEqual(
    [(await run.learn()).length, added.until, added.file],
    [2, null, `log-${idOf(added.vkey)}.key`],
  );
  await clean(folder);
  await run.tell(added.vkey, 'add', [0, 1]);
  const overlap = recorder.acknowledgements.length;
  await up(run);
  // The amendment's own head, for whoever serves the folder by another web server.
  while ((await run.readiness()).published < added.from) await pause(10);
  const files = { folder: undefined, source: join(folder, 'data', 'public'), origin: undefined, fetch };
  const mirror = await check({ ...files, vkeys: [old, added.vkey].map(formatVkey) });
  assert.deepEqual([mirror.problems, mirror.notChecked], [[], []]);
  await loadAndStop(run, 20);
  await run.tell(added.vkey, 'add', [2, 3]);
  assert.ok(taken(run, overlap, run.policyOf([old])).every(Boolean), 'who knows the old key alone');
  assert.ok(taken(run, overlap, run.policyOf([added.vkey])).every(Boolean), 'who knows the new key alone');
  assert.ok(taken(run, overlap, run.policyOf([old, added.vkey])).every(Boolean), 'who knows both');
  await clean(folder);

  // The end of the old one: its secret is not needed for it.
  await rm(join(folder, 'log.key'));
  await steleLog('retire-key', idOf(old), '-f', folder);
  const [retired, staying] = await run.learn();
  assert.ok(retired.until !== null && retired.until >= added.from && staying?.until === null);
  const after = recorder.acknowledgements.length;
  await run.tell(old, 'remove');
  await up(run);
  // Entries of every age, read by whoever knows the new key.
  const reader = new LogReader(httpSource(run.url), run.policyOf([staying.vkey]));
  assert.ok((await reader.checkpoint()).size >= retired.until);
  await loadAndStop(run, 20);
  assert.ok(taken(run, after, run.policyOf([staying.vkey])).every(Boolean));
  const late = recorder.acknowledgements.slice(after).map(({ proof }) => {
    const size = Number(/\n(\d+)\n[A-Za-z0-9+/]{43}=\n\n/.exec(Buffer.from(proof).toString())?.[1]);
    return size > (retired.until ?? 0);
  });
  assert.deepEqual(
    taken(run, after, run.policyOf([old])),
    late.map((isLate) => !isLate),
    'the old key is under no larger head',
  );
  await clean(folder);

  // No entry lost, each note of one history and signed by those whose turn it was.
  const judgement = await run.judge();
  assert.ok(judgement.acknowledged >= 60);

  // The folder as it was before cannot go on: the witnesses have seen more, and know the old key no more.
  await rm(folder, { recursive: true });
  await cp(`${folder}-before`, folder, { recursive: true });
  assert.ok(await run.start(), run.said());
  // A log that is still starting says 503 too: each witness has been asked, and has not confirmed.
  const silent = (name: string): boolean =>
    new RegExp(`"witness silent".*"witness":"${name}"`).test(run.said());
  const names = ['w1', 'w2', 'w3', 'w4'];
  while (run.alive && !names.every(silent)) await pause(10);
  assert.deepEqual((await run.readiness()).awaited, names);
  assert.equal((await fetch(`${run.url}/readyz`)).status, 503);
  await run.stop(true);
});

interface Plain {
  readonly folder: string;
  readonly operator: SigningKey;
}

/** A stopped log without witnesses, with a charter, its first anchor and an entry. The first registrar is its operator. */
async function plain(t: TestContext, registrars: readonly SigningKey[] = []): Promise<Plain> {
  const parent = await mkdtemp(join(tmpdir(), 'stele-rotate-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const folder = join(parent, 'log');
  await initLog({
    folder,
    origin: ORIGIN,
    admission: 'charter',
    policy: encodeUtf8('quorum none\n'),
    clock: systemClock,
    ...(registrars[0] && {
      operatorKey: registrars[0],
      operator: { participant: 'operator', name: 'operator' },
      registrars: registrars.map(({ name, vkey }) => ({
        participant: name,
        name,
        key: Buffer.from(vkey.publicKey).toString('hex'),
      })),
    }),
  });
  const made = { folder, operator: registrars[0] ?? readKeyFile(join(folder, 'operator.key')) };
  await published(made, 'first-lab');
  return made;
}

/** That the log does not start, and says so. One that starts all the same is closed, or the test would not end. */
async function refused(folder: string, message: RegExp): Promise<void> {
  await assert.rejects(
    start(folder).then((log) => log.close()),
    { code: 'state_damaged', message },
  );
}

async function start(folder: string): Promise<RunningLog> {
  const listen = { host: '127.0.0.1', port: 0 };
  const log = await startLog({ folder, admission: 'charter', listen, clock: systemClock });
  for (let i = 0; i < 3000 && !log.readiness().ready; i++) await pause(10);
  assert.ok(log.readiness().ready, JSON.stringify(log.readiness()));
  return log;
}

/** Starts the log, has one entry published, stops it. The note that covers it. */
async function published({ folder, operator }: Plain, name: string): Promise<Uint8Array> {
  const log = await start(folder);
  try {
    const recentAnchor = {
      index: 1,
      leafHash: Buffer.from(leafHash(await log.storage.readEntry(1))).toString('hex'),
    };
    return (await log.submit(participant(ORIGIN, operator, name, recentAnchor))).published.note;
  } finally {
    await log.close();
  }
}

const recovering = { from: [], now: new Date(0), fetch, onProgress: () => undefined };

const signersOf = (note: Uint8Array): string[] =>
  parseNote(note).signatures.map(({ keyId }) => formatKeyId(keyId));
const active = (lives: readonly KeyLife[]): string[] =>
  lives.filter(({ until }) => until === null).map(({ vkey }) => idOf(vkey));

test('killed at each step of a change of keys: the folder starts clean, and the change is whole or not begun', async (t) => {
  const log = await plain(t);
  const { folder: one, operator } = log;
  const two = `${one}-two`;
  await cp(one, two, { recursive: true });
  await addKey({ folder: two, clock: systemClock });
  await published({ folder: two, operator }, 'overlap-lab');
  const keyId = idOf((await readKeyLives(one))[0].vkey);
  for (const kill of ROTATION_STEPS) {
    // One adds, one retires; the steps before the decision are the same for both.
    const decided = ROTATION_STEPS.indexOf(kill) >= 2;
    for (const [original, work] of [
      [one, 'add-key'] as const,
      ...(decided ? [[two, 'retire-key'] as const] : []),
    ]) {
      const folder = `${original}-killed`;
      await cp(original, folder, { recursive: true });
      await killed({ folder, work, mlDsa: true, keyId, kill });
      assert.equal(
        (await readdir(folder)).includes('rotation.json'),
        decided && kill !== 'rotate:done',
        kill,
      );
      const note = await published({ folder, operator }, 'next-lab');
      const lives = active(await readKeyLives(folder));
      const [before, after] = work === 'add-key' ? [1, 2] : [2, 1];
      assert.equal(lives.length, decided ? after : before, `${work} ${kill}`);
      assert.deepEqual(signersOf(note).sort(), lives.sort(), `${work} ${kill}`);
      await clean(folder);
      if (!decided) {
        // Somebody has tidied up: terms are not taken up again whose key is gone.
        if (kill === 'rotate:terms')
          for (const name of await readdir(folder))
            if (/^log-[0-9a-f]{8}\.key$/.test(name)) await rm(join(folder, name));
        assert.equal((await addKey({ folder, clock: systemClock, mlDsa: true })).resumed, false);
        assert.equal((await readLogKeys(folder)).length, 2);
      }
      await rm(folder, { recursive: true });
    }
  }
});

test('ML-DSA-44 beside Ed25519: a reader of Ed25519 alone notices nothing; fsck knows whose line is due', async (t) => {
  const log = await plain(t);
  const { folder } = log;
  assert.equal((await addKey({ folder, clock: systemClock, mlDsa: true })).resumed, false);
  // The head of before has one line, and none is missed.
  await clean(folder);
  const [ed25519, mlDsa] = await readKeyLives(folder);
  assert.ok(mlDsa);
  const note = await published(log, 'second-lab');
  assert.deepEqual(signersOf(note), [idOf(ed25519.vkey), idOf(mlDsa.vkey)]);
  await clean(folder);
  // A head of now without the new line is damage.
  const file = join(folder, 'data', 'signed');
  const whole = await readFile(file);
  const { text } = parseNote(parseNoteFile(whole, 'signed').note);
  const [key] = await readLogKeys(folder);
  const nothing = new Uint8Array(0);
  await writeFile(file, formatNoteFile({ note: signHead(text, [key]), policy: nothing }));
  const report = await check({ folder, source: undefined, vkeys: [], origin: undefined, fetch });
  assert.deepEqual(
    report.problems.map(({ file: where, expected }) => [where, expected]),
    [['signed', `a line by the log key ${idOf(mlDsa.vkey)}`]],
  );
  await refused(folder, /found none by/);
  await writeFile(file, whole);
  // Retired, it signs nothing; and if somebody has it sign, the log does not start on that.
  const secret = readFile(join(folder, mlDsa.file), 'utf8').then((line) => parseSigningKey(line.trimEnd()));
  await retireKey({ folder, clock: systemClock, keyId: idOf(mlDsa.vkey) });
  const later = await published(log, 'third-lab');
  assert.deepEqual(signersOf(later), [idOf(ed25519.vkey)]);
  await clean(folder);
  const last = await readFile(file);
  const own = parseNote(parseNoteFile(last, 'signed').note).text;
  await writeFile(file, formatNoteFile({ note: signHead(own, [key, await secret]), policy: nothing }));
  await refused(folder, /retired/);
  await writeFile(file, last);
  await (await start(folder)).close();
  // What a thief signs with it elsewhere is not this log's, and keeps nobody from recovering.
  const elsewhere = join(folder, '..', 'elsewhere');
  await mkdir(elsewhere);
  const forged = formatCheckpoint({
    origin: ORIGIN,
    size: 1000,
    rootHash: new Uint8Array(32),
    extensions: [],
  });
  await writeFile(join(elsewhere, 'note'), signHead(forged, [await secret]));
  const recovered = await recoverFolder({ folder, ...recovering, from: [elsewhere] });
  assert.ok(recovered.headSize < 1000);
  await clean(folder);
  // Nor does the log take it up again, or let the last Ed25519 key go.
  const keyId = idOf(ed25519.vkey);
  const again = await retireKey({ folder, clock: systemClock, keyId: idOf(mlDsa.vkey) });
  assert.deepEqual([again.unchanged, again.lives], [true, await readKeyLives(folder)]);
  await assert.rejects(retireKey({ folder, clock: systemClock, keyId }), { code: 'bad_key' });
  // A key is not retired before readers have seen another.
  await addKey({ folder, clock: systemClock });
  await assert.rejects(retireKey({ folder, clock: systemClock, keyId }), { code: 'no_overlap' });
  assert.equal((await readKeyLives(folder)).length, 3);
  assert.equal(new Set((await readKeyLives(folder)).map(({ vkey }) => formatVkey(vkey))).size, 3);
});

test('an older log-keys.json, of before a key that has signed: no start, no change of keys, and fsck says so', async (t) => {
  const log = await plain(t);
  const { folder } = log;
  const before = await Promise.all(['log-keys.json', 'policy'].map((name) => readFile(join(folder, name))));
  const [, added] = (await addKey({ folder, clock: systemClock })).lives;
  await published(log, 'second-lab');
  for (const [i, name] of ['log-keys.json', 'policy'].entries())
    await writeFile(join(folder, name), before[i] ?? '');
  const id = idOf(added?.vkey);
  await refused(folder, new RegExp(`found one by ${id}`));
  await assert.rejects(addKey({ folder, clock: systemClock }), { code: 'state_damaged' });
  const report = await check({ folder, source: undefined, vkeys: [], origin: undefined, fetch });
  assert.deepEqual(
    report.problems.map(({ file, expected }) => [file, expected.replace(/,.*/, '')]),
    [
      ['signed', 'lines by keys that log-keys.json lists'],
      ['log-keys.json', 'the keys of the charter in force'],
    ],
  );
});

test('recover with a list of keys of another time signs nothing, and goes on with the right one', async (t) => {
  const log = await plain(t);
  const { folder } = log;
  const files = ['log-keys.json', 'policy'].map((name) => join(folder, name));
  const kept = (): Promise<Buffer[]> => Promise.all(files.map((file) => readFile(file)));
  const put = async (bytes: readonly Buffer[]): Promise<void> => {
    for (const [i, file] of files.entries()) await writeFile(file, bytes[i] ?? '');
  };
  const notes = ['signed', 'published'].map((name) => join(folder, 'data', name));
  const lines = (): Promise<Buffer[]> => Promise.all(notes.map((file) => readFile(file)));
  const [old] = await readLogKeys(folder);
  const keyId = formatKeyId(old.keyId);
  /** No start, whose hint is the list, no recover, no change of keys; and nothing is signed. */
  const stands = async (): Promise<void> => {
    const before = await lines();
    await assert.rejects(
      start(folder).then((running) => running.close()),
      { code: 'state_damaged', hint: /^log-keys\.json / },
    );
    await assert.rejects(recoverFolder({ folder, ...recovering }), {
      code: 'wrong_log_key',
      hint: /^log-keys\.json is of another time/,
    });
    await assert.rejects(retireKey({ folder, clock: systemClock, keyId }), { code: 'state_damaged' });
    assert.deepEqual(await lines(), before);
  };
  const one = await kept();
  const [, added] = (await addKey({ folder, clock: systemClock })).lives;
  await published(log, 'second-lab');
  const both = await kept();
  await put(one);
  await stands();
  await put(both);
  await retireKey({ folder, clock: systemClock, keyId });
  await published(log, 'third-lab');
  const now = await kept();
  for (const older of [both, one]) {
    await put(older);
    await stands();
  }
  await put(now);
  await clean(folder);
  // A line by the old key above its last size, as one that took its list at its word has left it: it goes.
  for (const [i, file] of notes.entries()) {
    const { note, policy } = parseNoteFile(await readFile(file), String(i));
    const { text, signatures } = parseNote(note);
    const late = parseNote(signHead(text, [old])).signatures;
    await writeFile(
      file,
      formatNoteFile({ note: formatNote({ text, signatures: [...late, ...signatures] }), policy }),
    );
  }
  await refused(folder, /retired/);
  await recoverFolder({ folder, ...recovering });
  await clean(folder);
  assert.deepEqual(signersOf(await published(log, 'fourth-lab')), [idOf(added?.vkey)]);
});

test('a change of keys is told before it is done: a run that was cut off before that is told again', async (t) => {
  const { folder } = await plain(t);
  const told: [boolean, number][] = [];
  const add = (cutAt?: string): ReturnType<typeof addKey> =>
    addKey({
      folder,
      clock: systemClock,
      step: (name) => {
        if (name === cutAt) throw new Error('cut off');
      },
      report: ({ resumed, lives }) => void told.push([resumed, lives.length]),
    });
  await assert.rejects(add('rotate:keys'), /cut off/);
  assert.deepEqual(told, []);
  await assert.rejects(add('rotate:told'), /cut off/);
  assert.equal((await add()).resumed, true);
  assert.deepEqual(told, [
    [true, 2],
    [true, 2],
  ]);
  assert.equal((await readKeyLives(folder)).length, 2);
});

test('keys listed as they were before the last change, and nothing signed since: fsck says so', async (t) => {
  const { folder } = await plain(t);
  const list = join(folder, 'log-keys.json');
  const plan = join(folder, 'rotation.json');
  const of = async (): Promise<string[][]> => {
    const report = await check({ folder, source: undefined, vkeys: [], origin: undefined, fetch });
    return [report.problems.map(({ file, found }) => `${file}: ${found}`), [...report.remarks]];
  };
  const cut = (name: string): void => {
    if (name === 'rotate:planned') throw new Error('cut off');
  };
  await assert.rejects(addKey({ folder, clock: systemClock, step: cut }), /cut off/);
  const [older, planned] = await Promise.all([readFile(list), readFile(plan)]);
  const decided = 'rotation.json: a change of keys has been decided; the next start makes it';
  assert.deepEqual(await of(), [[], [decided]]);
  await addKey({ folder, clock: systemClock });
  assert.deepEqual(await of(), [[], []]);
  const newer = await readFile(list);
  // The list alone is of before the change.
  await writeFile(list, older);
  assert.match(String((await of())[0]), /^log-keys\.json: [0-9a-f]{8}: is it an older copy\?/);
  // As a change that was cut off behind its commit is: the next start ends it.
  await writeFile(plan, planned);
  assert.deepEqual((await of())[0], []);
  await writeFile(list, newer);
  await rm(plan);
  // The next change, and what was left of the one before.
  await published({ folder, operator: readKeyFile(join(folder, 'operator.key')) }, 'second-lab');
  const [first] = await readKeyLives(folder);
  await retireKey({ folder, clock: systemClock, keyId: idOf(first.vkey) });
  const last = await readFile(list);
  await writeFile(list, newer);
  assert.match(
    String((await of())[0]),
    /^log-keys\.json: [0-9a-f]{8} and [0-9a-f]{8}: is it an older copy\?/,
  );
  await writeFile(plan, planned);
  assert.match(
    String((await of())[0]),
    /^rotation\.json: [0-9a-f]{8} and [0-9a-f]{8}: is it an older copy\?/,
  );
  await writeFile(list, last);
  assert.match(String((await of())[0]), /^rotation\.json: one from before its last change/);
  await rm(plan);
  assert.deepEqual((await of())[0], []);
});

test('a change of keys that was done, put back after the next one: no start, and the keys stay as they are', async (t) => {
  const log = await plain(t);
  const { folder } = log;
  const [list, plan] = [join(folder, 'log-keys.json'), join(folder, 'rotation.json')];
  const cut = (name: string): void => {
    if (name === 'rotate:planned') throw new Error('cut off');
  };
  await assert.rejects(addKey({ folder, clock: systemClock, step: cut }), /cut off/);
  const kept = await readFile(plan);
  await published(log, 'second-lab');
  const [first] = await readKeyLives(folder);
  await retireKey({ folder, clock: systemClock, keyId: idOf(first.vkey) });
  const whole = await readFile(list, 'utf8');
  await writeFile(plan, kept);
  await assert.rejects(
    start(folder).then((running) => running.close()),
    { code: 'rotation_overtaken', message: /retired/ },
  );
  assert.equal(await readFile(list, 'utf8'), whole);
  await rm(plan);
  await published(log, 'third-lab');
});

test('where several registrars decide, the key waits for their consents, and is the same one then', async (t) => {
  const [a, b] = ['operator', 'office'].map((name, i) =>
    newSigningKey(name, 1, new Uint8Array(32).fill(i + 1)),
  );
  assert.ok(a && b);
  const log = await plain(t, [a, b]);
  const { folder } = log;
  const operatorKey = join(folder, '..', 'operator.key');
  await writeFile(operatorKey, `${formatSigningKey(a)}\n`, { mode: 0o600 });
  const add = (): ReturnType<typeof addKey> => addKey({ folder, clock: systemClock, operatorKey });
  const size = await sizeOf(folder);
  await assert.rejects(add(), { code: 'consents_missing', hint: /next-terms\.json/ });
  assert.equal(await sizeOf(folder), size, 'nothing was logged');

  /** A registrar's consent to what waits, as `stele attest charter-amendment` makes it. */
  const consent = async (running: RunningLog, { name, secret }: SigningKey): Promise<Uint8Array> => {
    const [before, anchor] = [
      await termsInForce(running.storage.ledger),
      await lastAnchor(running.storage.ledger),
    ];
    assert.ok(before && anchor);
    const terms = JSON.parse(await readFile(join(folder, 'next-terms.json'), 'utf8')) as Terms;
    const { index, leafHash: hash } = anchor;
    const recentAnchor = { index, leafHash: hash };
    const statement = buildCharterAmendment({
      participant: name,
      issuedAt: 1,
      recentAnchor,
      amends: before.digest,
      terms,
    });
    return formatEnvelope(sign(statement, secret));
  };
  const running = await start(folder);
  await running.submit(await consent(running, b));
  await running.close();
  const { lives } = await add();
  assert.equal(lives.length, 2);
  const keyFiles = (await readdir(folder)).filter((name) => /^log-[0-9a-f]{8}\.key$/.test(name));
  assert.deepEqual(keyFiles, [lives[1]?.file], 'one key was made');
  assert.deepEqual(signersOf(await published(log, 'second-lab')).length, 2);

  // Logged by all of them while the log runs, it stops there; the command then says from which head on it counts.
  await assert.rejects(add(), { code: 'consents_missing' });
  const again = await start(folder);
  await again.submit(await consent(again, a));
  await again.submit(await consent(again, b));
  for (let i = 0; i < 3000 && again.readiness().state !== 'stopped'; i++) await pause(10);
  const last = again.published()?.size ?? 0;
  await again.close();
  await assert.rejects(start(folder), { code: 'policy_not_in_force' });
  // Its data damaged in between: its list says who signed the last head, and the terms who signs the next.
  await rm(join(folder, 'data', 'state'), { recursive: true });
  assert.equal((await recoverFolder({ folder, ...recovering })).headSize, last);
  const done = await add();
  assert.deepEqual([done.resumed, done.lives[2]?.from], [true, last + 1]);
  assert.deepEqual(signersOf(await published(log, 'third-lab')).length, 3);
  await clean(folder);
});

async function sizeOf(folder: string): Promise<number> {
  return (await check({ folder, source: undefined, vkeys: [], origin: undefined, fetch })).size;
}
