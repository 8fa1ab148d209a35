// stele doctor: each thing that can be wrong with a set-up is named, with what to do.
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
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
    /1 of 1 signed and not logged: stele submit .*forgotten\.intent\.dsse\.json/,
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
    /has no key [0-9a-f]{64} for stranger: give participant-request/,
  );

  const other = await lab.run('doctor', '--json', '--participant', 'office');
  assert.match(found(other, 'identity', 'fail'), /has no key|acme's in this log/);
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
  assert.match(found(answer, 'records', 'fail'), /expected a folder to write to, found (ENOTDIR|EACCES)/);
});
