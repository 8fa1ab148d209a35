// stele doctor: each thing that can be wrong with a set-up is named, with what to do.
import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '../system/index.js';
import { formatVkey } from '../tlog/index.js';
import { initFolder, startWitness } from '../witness/index.js';
import { introduceLab, startWorld, type Answer, type Person, type World } from './cli/world.js';

let world: World;
let lab: Person;

before(async () => {
  world = await startWorld();
  lab = await introduceLab(world, 'acme');
});
after(() => world.close());

const found = ({ json }: Answer, name: string, status: string): string =>
  json.checks
    .filter((check) => check.name === name && check.status === status)
    .map(({ detail }) => detail)
    .join('\n');

test('a set-up that works is found to work, and nothing is changed by looking', async () => {
  const size = world.log.published()?.size;
  const answer = await lab.run('doctor', '--json');
  assert.equal(answer.status, 0, JSON.stringify(answer.json.checks));
  assert.match(found(answer, 'policy', 'pass'), /survives 1 lying operator/);
  assert.match(found(answer, 'identity', 'pass'), /registrar office/);
  assert.match(found(answer, 'records', 'pass'), /none yet|0 signed/);
  assert.equal(world.log.published()?.size, size);
});

/** Every file below a folder, and what is in it. */
const contents = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((each) => each.isFile())
      .map(({ parentPath, name }) => [join(parentPath, name), readFileSync(join(parentPath, name), 'hex')]),
  );

test('it changes nothing: neither what is remembered of the log, nor where nothing is remembered yet', async () => {
  assert.equal((await lab.run('search')).status, 0);
  const home = dirname(lab.folder);
  const before = contents(home);
  assert.ok(Object.keys(before).some((path) => path.includes('.local/state')));
  // The log has grown: there would be something new to remember.
  await introduceLab(world, 'newcomer');
  assert.equal((await lab.run('doctor')).status, 0);
  assert.deepEqual(contents(home), before);
  const fresh = world.person('fresh');
  cpSync(lab.folder, fresh.folder, { recursive: true });
  assert.equal((await fresh.run('doctor')).status, 0);
  assert.ok(!existsSync(join(dirname(fresh.folder), '.local')));
});

test('without any settings it says what to set, and that nothing was looked at', async () => {
  const answer = await world.person('nobody').run('doctor', '--json');
  assert.equal(answer.status, 0);
  assert.match(
    found(answer, 'settings', 'not-checkable'),
    /^nothing says log, policy, key, participant, records:/,
  );
  assert.match(found(answer, 'log', 'not-checkable'), /nothing to read/);
});

test('what is signed and was never logged', async () => {
  lab.write('spec.md', 'a run');
  const words = [
    '--spec',
    'spec.md',
    '--planned-flop',
    '10',
    '--otherwise',
    'withheld',
    '--run',
    'forgotten',
  ];
  assert.equal((await lab.run('attest', 'run-intent', ...words)).status, 0);
  const answer = await lab.run('doctor', '--json');
  assert.equal(answer.status, 1);
  assert.match(
    found(answer, 'records', 'fail'),
    /1 signed records, found none beside 1: stele submit .*forgotten\.intent\.dsse\.json/,
  );
  assert.equal((await lab.run('submit', 'records/forgotten.intent.dsse.json')).status, 0);
  assert.match(found(await lab.run('doctor', '--json'), 'records', 'pass'), /^1 signed/);
});

test('a key that others may read, that the log does not know, that is another participant’s', async () => {
  const key = join(lab.folder, 'keys/signing.key');
  chmodSync(key, 0o644);
  const exposed = await lab.run('doctor', '--json');
  assert.equal(exposed.status, 1);
  assert.match(found(exposed, 'key', 'fail'), /0600.*chmod 600/s);
  chmodSync(key, 0o600);

  const stranger = world.person('stranger');
  stranger.write('policy', world.policy);
  const words = ['init', 'stranger', '--name', 'S', '--log', world.log.url, '--policy', 'policy'];
  assert.equal((await stranger.run(...words)).status, 0);
  const unknown = await stranger.run('doctor', '--json');
  assert.equal(unknown.status, 1);
  assert.match(
    found(unknown, 'identity', 'fail'),
    /key [0-9a-f]{64}, found that it has no such key for stranger: give participant-request/,
  );

  const other = await lab.run('doctor', '--json', '--participant', 'office');
  assert.match(found(other, 'identity', 'fail'), /no such key|acme's in this log/);
});

test('a log that is not there, a policy of another log, one that asks for nothing', async () => {
  const away = await lab.run('doctor', '--json', '--log', 'http://127.0.0.1:9/', '--timeout', '1');
  assert.equal(away.status, 3);
  assert.match(found(away, 'log', 'fail'), /127\.0\.0\.1:9/);

  lab.write(
    'other-policy',
    world.policy.replace(
      /^log .*$/m,
      'log log.example/other+6a7d8d9a+AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh',
    ),
  );
  const other = await lab.run('doctor', '--json', '--policy', 'other-policy');
  assert.notEqual(other.status, 0);

  lab.write('weak-policy', world.policy.replace(/^quorum .*$/m, 'quorum none'));
  const weak = await lab.run('doctor', '--json', '--policy', 'weak-policy');
  assert.equal(weak.status, 1);
  assert.match(found(weak, 'policy', 'fail'), /no cosignature is asked for/);
});

test('a clock that is behind the witnesses', async () => {
  const behind = await lab.runWith({ now: () => Date.now() - 3_600_000 }, 'doctor', '--json');
  assert.equal(behind.status, 1);
  assert.match(found(behind, 'clock', 'fail'), /clock is behind/);
});

test('a clock that is ahead, or a log that has stopped', async () => {
  const ahead = await lab.runWith({ now: () => Date.now() + 3_600_000 }, 'doctor', '--json');
  assert.equal(ahead.status, 1);
  assert.match(found(ahead, 'clock', 'fail'), /60 minutes old: this machine's clock is ahead, or the log/);
});

test('a records folder that is none', async () => {
  lab.write('no-folder', '');
  const answer = await lab.run('doctor', '--json', '--records', 'no-folder');
  assert.equal(answer.status, 1);
  assert.match(found(answer, 'records', 'fail'), /to be a folder to write to, found (ENOTDIR|EACCES)/);
});

test('an old key that lies beside its recovery key, and a folder of keys that others may write to', async () => {
  const answer = await lab.run('doctor', '--json');
  assert.match(found(answer, 'recovery key', 'remark'), /keep it elsewhere/);
  const keys = join(lab.folder, 'keys');
  chmodSync(keys, 0o777);
  const shared = await lab.run('doctor', '--json');
  assert.equal(shared.status, 1);
  assert.match(found(shared, 'mode', 'fail'), /writable by its owner alone, found mode 0777: chmod go-w/);
  chmodSync(keys, 0o700);
});

test('a state folder that cannot be: its parent is a file', async () => {
  lab.write('not-a-folder', '');
  const env = { HOME: dirname(lab.folder), XDG_STATE_HOME: join(lab.folder, 'not-a-folder') };
  const answer = await lab.runWith({ env }, 'doctor', '--json');
  assert.equal(answer.status, 1);
  assert.match(found(answer, 'state', 'fail'), /found ENOTDIR at .*not-a-folder: .*XDG_STATE_HOME/);
});

test('each witness is asked: one that is well, one that knows no such log, one with another key, one that is away', async (t) => {
  const well = await lab.run('doctor', '--json');
  assert.equal(well.status, 0, JSON.stringify(well.json.checks));
  assert.equal(found(well, 'witness', 'pass').split('\n').length, 4);
  assert.match(found(well, 'witness', 'pass'), /^north \(http.*: cosigned size \d+, \d+ seconds ago/m);
  assert.match(found(well, 'quorum', 'pass'), /are enough/);
  assert.match(found(well, 'clocks', 'pass'), /agrees with .*north/);
  assert.match(found(well, 'ready', 'pass'), /takes entries/);

  // A witness that nobody told of the log: strangers are asked for what it takes.
  const folder = join(world.root, 'stranger-witness');
  const [vkey] = await initFolder(folder, 'witness.example/stranger', {
    ed25519: new Uint8Array(32).fill(8),
  });
  assert.ok(vkey !== undefined);
  const stranger = await startWitness({ folder, listen: { host: '127.0.0.1', port: 0 } });
  t.after(() => stranger.close());
  const north = /^witness north .*$/m;
  lab.write('strange', world.policy.replace(north, `witness north ${formatVkey(vkey)} ${stranger.url}`));
  const unknown = await lab.run('doctor', '--json', '--policy', 'strange');
  assert.equal(unknown.status, 1);
  assert.match(
    found(unknown, 'witness', 'fail'),
    /north .*to know log\.example\/test, found that it does not: .*stele-witness add-log log\.example\/test\+/,
  );
  assert.match(found(unknown, 'quorum', 'pass'), /enough/);
  // Its address beside another's key.
  const { url } = world.witnesses[0] ?? { url: '' };
  lab.write('mixed', world.policy.replace(north, `witness north ${formatVkey(vkey)} ${url}`));
  const mixed = await lab.run('doctor', '--json', '--policy', 'mixed');
  assert.match(
    found(mixed, 'witness', 'fail'),
    /to have the key [0-9a-f]{8} that the policy names, found witness\.example\/north/,
  );

  await stranger.close();
  const away = await lab.run('doctor', '--json', '--policy', 'strange');
  assert.equal(away.status, 3, JSON.stringify(away.json.checks));
  assert.match(
    found(away, 'witness', 'fail'),
    /^expected north .* to answer, found no answer: .*tell its operator$/,
  );
  const two = (text: string): string =>
    text.replace(/^(witness (?:north|east) \S+) .*$/gm, `$1 ${stranger.url}`);
  lab.write('two-away', two(world.policy));
  const few = await lab.run('doctor', '--json', '--policy', 'two-away');
  assert.match(found(few, 'quorum', 'fail'), /found south, west/);
  assert.equal(few.status, 4);
});

test('a witness that signs nothing since its clock leapt, whose clock is not ours; a log that takes nothing', async (t) => {
  const folder = join(world.root, 'leaping-witness');
  const [vkey] = await initFolder(folder, 'witness.example/leaping', { ed25519: new Uint8Array(32).fill(9) });
  assert.ok(vkey !== undefined);
  let lead = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + lead };
  const leaping = await startWitness({ folder, listen: { host: '127.0.0.1', port: 0 }, clock });
  t.after(() => leaping.close());
  lead = 7_200_000;
  lab.write(
    'leaping',
    world.policy.replace(/^witness north .*$/m, `witness north ${formatVkey(vkey)} ${leaping.url}`),
  );
  const answer = await lab.run('doctor', '--json', '--policy', 'leaping');
  assert.equal(answer.status, 1);
  assert.match(
    found(answer, 'witness', 'fail'),
    /to sign, found that it says it signs nothing \(the clock leapt/,
  );
  assert.match(
    found(answer, 'clocks', 'fail'),
    /clock of north .* found that it is 2 hours ahead: tell its operator/,
  );

  const waiting = Response.json(
    // A state that no log has: a stranger's word names nothing of ours.
    { ready: false, state: 'constructor', message: 'waiting for witnesses', awaited: ['north'] },
    { status: 503 },
  );
  const closed = await lab.runWith(
    { fetch: (url, init) => (url.endsWith('/readyz') ? Promise.resolve(waiting.clone()) : fetch(url, init)) },
    ...['doctor', '--json'],
  );
  assert.match(
    found(closed, 'ready', 'fail'),
    /found that it says: waiting for witnesses: north: what you submit waits on your disk; if it stays so/,
  );
});

test('a log that says it is frozen: who submits is sent to its successor, who verifies is not troubled', async () => {
  const frozen = Response.json({ ready: false, state: 'frozen', message: 'it only serves', awaited: [] });
  const overrides = {
    fetch: (url: string, init: RequestInit) =>
      url.endsWith('/readyz') ? Promise.resolve(frozen.clone()) : fetch(url, init),
  };
  const submits = await lab.runWith(overrides, 'doctor', '--json');
  assert.equal(submits.status, 1);
  assert.match(found(submits, 'ready', 'fail'), /it is frozen, for good: submit to the successor log/);

  const reader = world.person('reader');
  reader.write('policy', world.policy);
  const words = ['doctor', '--json', '--log', world.log.url, '--policy', 'policy'];
  const reads = await reader.runWith(overrides, ...words);
  assert.equal(reads.status, 0, JSON.stringify(reads.json.checks));
  assert.match(found(reads, 'ready', 'remark'), /frozen, for good/);
  // Hours later nothing newer has come, as is to be expected; only the clock that was put forward is wrong.
  const later = await reader.runWith({ ...overrides, now: () => Date.now() + 7_200_000 }, ...words);
  assert.deepEqual(
    [...new Set(later.json.checks.filter(({ status }) => status === 'fail').map(({ name }) => name))],
    ['clocks'],
  );
  assert.match(found(later, 'clock', 'not-checkable'), /2 hours old, and the log says that it is frozen/);
});

test('this machine’s clock is the wrong one where all others say so', async () => {
  const ahead = await lab.runWith({ now: () => Date.now() + 600_000 }, 'doctor', '--json');
  assert.match(
    found(ahead, 'clocks', 'fail'),
    /^expected this machine's clock .* found that it is 10 minutes ahead/,
  );
});
