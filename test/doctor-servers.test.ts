// stele-log doctor and stele-witness doctor: each fault is made, in a folder or around it, and is named with what to do.
// What is sound is found to be, and looking changes nothing.
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { examineLog, type LogDoctorOptions } from '../log-server/doctor.js';
import { initLog, startLog, type RunningLog } from '../log-server/index.js';
import { systemClock, type Check } from '../system/index.js';
import { formatVkey, newSigningKey, parseVkey } from '../tlog/index.js';
import { examineWitness, type WitnessDoctorOptions } from '../witness/doctor.js';
import { addLog, addPeer, initFolder, startWitness, type RunningWitness } from '../witness/index.js';
import { startScript } from './helpers/process.js';

const ORIGIN = 'log.example/doctor';
const root = mkdtempSync(join(tmpdir(), 'stele-doctors-'));
const listen = { host: '127.0.0.1', port: 0 };
const AWAY = 'http://127.0.0.1:9';
const at = (...path: string[]): string => join(root, ...path);

let witness: RunningWitness;
/** Folders as they lie when nothing runs; `old` before its log had its first anchor. */
const LOG = at('log');
const WITNESS = at('witness');

/** Says what systemd would say of the clock. */
function timeService(said: string): void {
  writeFileSync(at('bin', 'timedatectl'), `#!/bin/sh\necho ${said}\n`, { mode: 0o755 });
}

const path = process.env['PATH'];
before(async () => {
  mkdirSync(at('bin'));
  timeService('yes');
  process.env['PATH'] = `${at('bin')}:${path ?? ''}`;
  const [vkey] = await initFolder(WITNESS, 'witness.example/d', { ed25519: new Uint8Array(32).fill(1) });
  assert.ok(vkey !== undefined);
  const peer = newSigningKey('witness.example/peer', 4, new Uint8Array(32).fill(2)).vkey;
  witness = await startWitness({ folder: WITNESS, listen });
  const policy = `witness d ${formatVkey(vkey)} ${witness.url}\nquorum d\n`;
  const { vkeys } = await initLog({
    folder: LOG,
    origin: ORIGIN,
    admission: 'charter',
    policy: new TextEncoder().encode(policy),
    clock: systemClock,
  });
  cpSync(LOG, at('old'), { recursive: true });
  await addPeer(WITNESS, [peer]);
  for (const each of vkeys) await addLog(WITNESS, parseVkey(each));
  await witness.reload();
  await (await startedLog()).close();
});
after(async () => {
  process.env['PATH'] = path;
  await witness.close();
  rmSync(root, { recursive: true });
});

/** The log, once its first anchor is published. */
async function startedLog(): Promise<RunningLog> {
  const log = await startLog({
    folder: LOG,
    admission: 'charter',
    listen,
    clock: systemClock,
    limits: { publishIntervalMs: 0 },
  });
  for (let tries = 0; !log.readiness().ready; tries++) {
    assert.ok(tries < 600, log.readiness().message);
    await sleep(50);
  }
  return log;
}

const asking = { url: AWAY, timeoutMs: 10_000, now: () => Date.now(), fetch: globalThis.fetch };
const log = async (folder: string, options: Partial<LogDoctorOptions> = {}): Promise<readonly Check[]> =>
  (await examineLog({ folder, ...asking, fetch, scratch: root, ...options })).checks;
const witnessed = async (
  folder: string,
  options: Partial<WitnessDoctorOptions> = {},
): Promise<readonly Check[]> => (await examineWitness({ folder, ...asking, fetch, ...options })).checks;

const failures = (checks: readonly Check[]): string[] =>
  checks.filter(({ status }) => status === 'fail').map(({ name, detail }) => `${name}: ${detail}`);
const remarks = (checks: readonly Check[]): string[] =>
  checks.filter(({ status }) => status === 'remark').map(({ name, detail }) => `${name}: ${detail}`);
const passes = (checks: readonly Check[]): string[] =>
  checks.filter(({ status }) => status === 'pass').map(({ name }) => name);

/**
 * Every file below a folder: what is in it, and when it was last changed. Not the locks: a process that opens and closes
 * the file of a lock that it holds lets go of it.
 */
const contents = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(({ name }) => name !== 'LOCK')
    .map((each) => {
      const file = join(each.parentPath, each.name);
      const { mtimeMs, mode } = statSync(file);
      return `${file} ${mtimeMs} ${mode} ${each.isFile() ? readFileSync(file, 'hex') : ''}`;
    });

/** A copy of a folder in which something is wrong. */
async function broken(
  folder: string,
  look: (folder: string) => Promise<readonly Check[]>,
  breaks: (folder: string) => unknown,
): Promise<string[]> {
  const copy = at('copy');
  cpSync(folder, copy, { recursive: true, filter: (file) => !file.endsWith('/LOCK') });
  try {
    await breaks(copy);
    return failures(await look(copy));
  } finally {
    rmSync(copy, { recursive: true });
  }
}

type Fault = readonly [what: string, breaks: (folder: string) => unknown, finding: RegExp];

test('a log that is stopped, and one that runs, are found to be sound, and nothing is changed', async () => {
  const before = contents(LOG);
  const stopped = await log(LOG);
  assert.deepEqual(failures(stopped), []);
  for (const name of ['owner', 'mode', 'space', 'format', 'keys', 'heads', 'witness', 'state', 'charter'])
    assert.ok(passes(stopped).includes(name), name);
  // That of one witness bears no liar: no fault of the set-up, and no merit.
  assert.match(remarks(stopped).join(), /^policy: survives no lying operator/);
  assert.deepEqual(contents(LOG), before);

  const running = await startedLog();
  try {
    const found = await log(LOG, { url: running.url });
    assert.deepEqual(failures(found), []);
    assert.match(
      found.find(({ name }) => name === 'lock')?.detail ?? '',
      new RegExp(`process ${process.pid} works`),
    );
    assert.match(found.find(({ name }) => name === 'server')?.detail ?? '', /takes entries/);
    // It runs, and is not where it is looked for; there is another server; there is another log.
    assert.match(
      failures(await log(LOG)).join(),
      /server: expected the log to answer at .*, found nobody: .*--url/,
    );
    assert.match(failures(await log(LOG, { url: witness.url })).join(), /server: .*found status 404/);
    const other = await log(at('old'), { url: running.url });
    assert.ok(passes(other).includes('server'), 'by its origin alone the older copy is the same log');
  } finally {
    await running.close();
  }
});

const LOG_FAULTS: readonly Fault[] = [
  [
    'a key that others may read',
    (f) => chmodSync(join(f, 'log.key'), 0o644),
    /^keys: .*0600, found 0644: .*chmod 600/,
  ],
  [
    'an anchor key that others may read',
    (f) => chmodSync(join(f, 'anchor.key'), 0o640),
    /^keys: .*anchor\.key/,
  ],
  ['a key that is gone', (f) => rmSync(join(f, 'log.key')), /^keys: .*log\.key.*found no file/],
  ['a folder that others may write to', (f) => chmodSync(f, 0o777), /^mode: .*0777: chmod go-w/],
  [
    'a list of keys that is gone',
    (f) => rmSync(join(f, 'log-keys.json')),
    /^format: .*log-keys\.json, found none/,
  ],
  [
    'a newer format',
    (f) => writeFileSync(join(f, 'data/format'), `stele-log 9\n${ORIGIN}\n`),
    /^format: .*found 9: use the version/,
  ],
  [
    "another log's data",
    (f) => writeFileSync(join(f, 'data/format'), 'stele-log 1\nother.example\n'),
    /^format: .*"other\.example"/,
  ],
  ['no data', (f) => rmSync(join(f, 'data'), { recursive: true }), /^format: .*found none: .*stele-log init/],
  [
    'a policy that was edited',
    (f) => writeFileSync(join(f, 'policy'), `# mine\n${readFileSync(join(f, 'policy'), 'utf8')}`),
    /^charter: .*not the one of the charter in force/,
  ],
  ['a policy that is none', (f) => writeFileSync(join(f, 'policy'), 'quorum everybody\n'), /^policy: /],
  ['a charter that is gone', (f) => rmSync(join(f, 'charter.json')), /^charter: .*charter\.json, found none/],
  [
    'a charter that is torn',
    (f) => truncateSync(join(f, 'charter.json'), 80),
    /^charter: .*charter\.json, found .*entry 0 of the log/,
  ],
  [
    'a change of keys that was cut off',
    (f) => writeFileSync(join(f, 'rotation.json'), '{}'),
    /^keys: .*rotation\.json.*add-key or retire-key again/,
  ],
  ['a head that is torn', (f) => truncateSync(join(f, 'data/published'), 80), /^heads: published: /],
  ['a state that is gone', (f) => rmSync(join(f, 'data/state'), { recursive: true }), /^state: .*recover/],
  ['a tail that is gone', (f) => rmSync(join(f, 'data/tail')), /^state: .*tail.*recover/],
];

test('a log: whatever is wrong with its folder is named, and what to do', async () => {
  for (const [what, breaks, finding] of LOG_FAULTS) {
    const found = await broken(LOG, log, breaks);
    assert.ok(
      found.some((each) => finding.test(each)),
      `${what}: ${found.join('\n') || 'nothing found'}`,
    );
  }
});

test('a log: what is wrong around it', async () => {
  const only = async (options: Partial<LogDoctorOptions>, finding: RegExp, folder = LOG): Promise<void> => {
    const found = failures(await log(folder, options));
    assert.ok(
      found.some((each) => finding.test(each)),
      found.join('\n') || 'nothing found',
    );
  };
  await only({ reserveBytes: 2 ** 60 }, /^space: .*nothing is admitted/);
  await only({}, /^folder: expected a folder at .*nowhere, found none/, at('nowhere'));
  await only({}, /^folder: expected a folder at .*format\/below, found none/, join(LOG, 'data/format/below'));
  // An older copy of the folder, of which the witness has cosigned more.
  await only({}, /^witness: expected no tree .* than the 0 entries .*older copy: do not start it/, at('old'));
  await only({ now: () => Date.now() - 3_600_000 }, /^clocks: .*60 minutes behind/);
  timeService('no');
  await only({}, /^time service: .*timedatectl set-ntp true/);
  timeService('yes');
});

/** Looks at a folder while a log runs in it that is in this state. */
async function whileIn(
  state: string,
  folder: string,
  options: Partial<LogDoctorOptions> = {},
): Promise<readonly Check[]> {
  const running = await startLog({ folder, admission: 'charter', listen, clock: systemClock });
  try {
    for (let tries = 0; running.readiness().state !== state; tries++) {
      assert.ok(tries < 600, `${state}: ${running.readiness().message}`);
      await sleep(50);
    }
    return await log(folder, { url: running.url, ...options });
  } finally {
    await running.close();
  }
}

test('a log: an older copy that runs is found out by its witness, told once, with what to do', async () => {
  const folder = at('older');
  cpSync(at('old'), folder, { recursive: true });
  const found = await whileIn('behind_witness', folder);
  const [finding = '', ...others] = failures(found);
  assert.match(
    finding,
    /^witness: expected no tree of log\.example\/doctor larger than the 0 entries .* found that d \(.*\) has cosigned 2: .*older copy: stop the log; .*recover --from\): "Backup and restore" in docs\/operating\.md$/,
  );
  assert.deepEqual(others, []);
  assert.match(
    remarks(found).join('\n'),
    /^server: .* \(witnesses hold more than this folder has signed: d\): why is said of its witnesses below$/m,
  );
  // Whether its witnesses are enough is not what matters now.
  assert.ok(found.every(({ name }) => name !== 'quorum'));
});

test('a log that signs more while its witness is asked is no older copy', async () => {
  const folder = at('signing');
  cpSync(at('old'), folder, { recursive: true });
  const found = await log(folder, {
    fetch: (url, init) => {
      if (url.startsWith(witness.url)) cpSync(join(LOG, 'data/signed'), join(folder, 'data/signed'));
      return fetch(url, init);
    },
  });
  assert.match(found.find(({ name }) => name === 'witness')?.detail ?? '', /^d .*: cosigned size 2, /);
});

test('a log that has just begun, whose witness does not know it: what answers is this log', async () => {
  const folder = at('new');
  const policy = readFileSync(join(LOG, 'policy'), 'utf8').replace(/^log .*\n/gm, '');
  await initLog({
    folder,
    origin: 'log.example/new',
    admission: 'charter',
    policy: new TextEncoder().encode(policy),
    clock: systemClock,
  });
  const found = await whileIn('gate_closed', folder);
  assert.match(
    failures(found).join('\n'),
    /^witness: expected d .* to know log\.example\/new, found that it does not: .*add-log .*\nquorum: [^\n]*$/,
  );
  assert.match(remarks(found).join('\n'), /^server: .* takes nothing \(waiting for witnesses: d\)/m);
});

/** Answers for `/readyz` what a log in this state says. */
const saying =
  (state: string, message: string, awaited: string[] = []): LogDoctorOptions['fetch'] =>
  (url, init) =>
    url.endsWith('/readyz')
      ? Promise.resolve(Response.json({ ready: false, state, message, awaited }, { status: 503 }))
      : fetch(url, init);

test('a log that is frozen, and what is to be done about one that takes nothing, by its state', async () => {
  const running = await startedLog();
  const { url } = running;
  try {
    // Hours after its last cosignature: the clock that was put forward is all that is found.
    const now = (): number => Date.now() + 7_200_000;
    const old = failures(await log(LOG, { url, now }));
    for (const name of ['heads', 'witness', 'quorum'])
      assert.ok(
        old.some((each) => each.startsWith(`${name}: `)),
        name,
      );
    const frozen = await log(LOG, { url, now, fetch: saying('frozen', 'the log is frozen') });
    assert.match(failures(frozen).join('\n'), /^clocks: [^\n]*$/);
    assert.match(remarks(frozen).join('\n'), /^server: .*the log is frozen, for good/m);
    assert.match(remarks(frozen).join('\n'), /^witness: d .*, 2 hours ago: the log says that it is frozen/m);
    for (const [state, finding] of [
      // The witness shows nobody what it holds, or has shown it to the log alone.
      ['behind_witness', /^server: .* found words: the folder is an older copy: stop the log; .*recover/],
      ['forked', /^server: .* found words: stop it\. Is another process signing/],
      ['stopped', /^server: .*level alarm/],
      // It waits, and they are well.
      ['gate_closed', /^server: .* found words: d: see what is said of its witnesses below/],
    ] as const) {
      const [found = '', ...others] = failures(await log(LOG, { url, fetch: saying(state, 'words', ['d']) }));
      assert.match(found, finding);
      assert.deepEqual(others, []);
    }
  } finally {
    await running.close();
  }
});

test('a file of another user is found, by whoever may make one', async (t) => {
  const us = process.getuid?.() ?? 0;
  if (us !== 0) {
    t.diagnostic('only root can give a file away');
    return;
  }
  const give = (file: string) => (folder: string) => chownSync(join(folder, file), 12345, 12345);
  const ofLog = await broken(LOG, log, give('data/tail'));
  assert.match(ofLog.join(), /owner: .*user 0, found 1 of another: .*data\/tail: chown -R 0 /);
  const ofWitness = await broken(WITNESS, witnessed, give('state/journal'));
  assert.match(ofWitness.join(), /owner: .*state\/journal: chown -R 0 /);
});

test('a witness that runs is found to be sound, and nothing is changed', async () => {
  let found: readonly Check[] = [];
  let then: string[] = [];
  let now: string[] = [];
  // A log that was just closed may have asked for a cosignature that is written only now; a doctor that writes does so each time.
  for (let tries = 0; tries < 5 && (tries === 0 || !isDeepStrictEqual(now, then)); tries++) {
    then = contents(WITNESS);
    found = await witnessed(WITNESS, { url: witness.url });
    now = contents(WITNESS);
  }
  assert.deepEqual(failures(found), []);
  for (const name of ['owner', 'mode', 'space', 'format', 'keys', 'state', 'lock', 'server'])
    assert.ok(passes(found).includes(name), name);
  assert.match(found.find(({ name }) => name === 'log')?.detail ?? '', /cosigned at 2; without its URL/);
  assert.deepEqual(now, then);
});

/** Puts an address into the file of the one log. */
function point(folder: string, url: string): void {
  const [name = ''] = readdirSync(join(folder, 'logs'));
  const file = join(folder, 'logs', name);
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), url }));
}

const WITNESS_FAULTS: readonly Fault[] = [
  [
    'a key that others may read',
    (f) => chmodSync(join(f, 'witness.key'), 0o604),
    /^keys: .*0600, found 0604/,
  ],
  ['no witness', (f) => rmSync(join(f, 'format')), /^format: .*stele-witness init/],
  ['a newer format', (f) => writeFileSync(join(f, 'format'), '7\n'), /^format: .*a newer version/],
  ['a log that is garbage', (f) => writeFileSync(join(f, 'logs', 'x.json'), '{'), /^logs: .*mend the file/],
  [
    'no logs',
    (f) => rmSync(join(f, 'logs', readdirSync(join(f, 'logs'))[0] ?? '')),
    /^logs: expected a log to cosign, found none: stele-witness add-log/,
  ],
  ['a peer that is garbage', (f) => writeFileSync(join(f, 'peers', 'x.json'), '[]'), /^peers: /],
  ['a journal that was cut', (f) => truncateSync(join(f, 'state/journal'), 4096), /^state: /],
  [
    'a leap of the clock',
    (f) => writeFileSync(join(f, 'clock-leap'), '{"expected": 1, "found": 2}'),
    /^clock: .*confirm-clock/,
  ],
  ['a key that is spent', (f) => writeFileSync(join(f, 'restored'), '{}'), /^restored: .*stele-witness init/],
  ['a log that is away', (f) => point(f, AWAY), /^log: .*no answer/],
  ['a log that is elsewhere', (f) => point(f, witness.url), /^log: .*found status 404/],
  [
    'a peer that is away',
    (f) => addPeer(f, [newSigningKey('w.example/far', 4, new Uint8Array(32).fill(6)).vkey], { url: AWAY }),
    /^peer: .*no answer/,
  ],
];

test('a witness: whatever is wrong with its folder or around it is named, and what to do', async () => {
  for (const [what, breaks, finding] of WITNESS_FAULTS) {
    const found = await broken(WITNESS, witnessed, breaks);
    assert.ok(
      found.some((each) => finding.test(each)),
      `${what}: ${found.join('\n') || 'nothing found'}`,
    );
  }
  const elsewhere = failures(await witnessed(WITNESS));
  assert.match(elsewhere.join(), /server: expected the witness to answer at .*found nobody.*--url/);
  // A log that was added and that the server has not read.
  const more = newSigningKey('log.example/later', 1, new Uint8Array(32).fill(5)).vkey;
  await addLog(WITNESS, more);
  const unread = failures(await witnessed(WITNESS, { url: witness.url }));
  assert.match(unread.join(), /server: .*has not read log\.example\/later: kill -HUP \d+/);
  await witness.reload();
  // What it says of itself may be a second old.
  for (let tries = 0; failures(await witnessed(WITNESS, { url: witness.url })).length > 0; tries++) {
    assert.ok(tries < 100, 'it says what it has read');
    await sleep(100);
  }
});

test('settings that no command of stele-log knows, in a file and in the environment', async () => {
  const cwd = at('settings');
  mkdirSync(cwd);
  writeFileSync(
    join(cwd, 'stele.toml'),
    '[stele-log]\nlisen = "127.0.0.1:1"\nbacklog = "many"\nreserve = "abc"\n',
  );
  const home = join(cwd, '.config', 'stele');
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'stele.toml'), '[stele-log\n');
  const env = { ...process.env, HOME: cwd, XDG_CONFIG_HOME: '', STELE_LOG_FOLDR: 'x', STELE_LOG_RATE: 'abc' };
  const child = startScript('log-server/main', ['doctor', '-f', LOG, '--url', AWAY], { cwd, env });
  assert.equal(await child.ended, 1, child.stderr());
  assert.match(child.stdout(), /stele\.toml to have settings of stele-log, found lisen: is it misspelt\?/);
  assert.match(child.stdout(), /found backlog: Expected a whole number/);
  assert.match(child.stdout(), /found STELE_LOG_FOLDR: is it misspelt/);
  assert.match(child.stdout(), /found reserve: Expected a whole number/);
  assert.match(child.stdout(), /stele\/stele\.toml to parse, found /);
  assert.match(child.stdout(), /the environment to parse, found STELE_LOG_RATE: Expected a whole number/);
  assert.match(child.stdout(), /\n6 things are wrong; \d+ could not be checked\n$/);
});
