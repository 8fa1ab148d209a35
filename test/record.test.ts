// stele record against a log and four witnesses on loopback, each recorder a process of its own.
import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import type { Context } from '../cli/context.js';
import { introduceLab, startWorld, type Person, type World } from './cli/world.js';
import { checkChain, checkDigests, inShort, logged, type RunEntry } from './record/judge.js';
import { Gate, killRest, startStele, TELL_MEMORY, type Started } from './record/process.js';
import { stateText, writeCheckpoint, writeEnd } from './record/trainer.js';
import { startScript } from './helpers/process.js';
import { Random } from './random.js';

let world: World;
let lab: Person;
const gates: Gate[] = [];

before(async () => {
  world = await startWorld();
  lab = await introduceLab(world, 'acme');
  lab.write('spec.md', 'what the run is about');
});
after(async () => {
  killRest();
  for (const gate of gates) gate.close();
  await world.close();
});

const record = (run: string, ...more: string[]): string[] => [
  'record',
  run,
  '--run',
  run,
  '--spec',
  'spec.md',
  ...more,
];

/** Runs a recorder that ends by itself, with success. */
async function recorded(run: string, ...more: string[]): Promise<string> {
  const child = startStele(lab, record(run, ...more));
  assert.equal(await child.ended, 0, child.stderr());
  return child.stderr();
}

/** The run's entries, after checking that they are one chain of what lies on disk. */
async function entriesOf(run: string): Promise<RunEntry[]> {
  const entries = await logged(world.log.url, world.policy, run);
  checkChain(entries, run, join(lab.folder, 'records'));
  await checkDigests(entries, join(lab.folder, run));
  return entries;
}

// They mostly wait, for looks and for the log: so several at a time.
describe('stele record', { concurrency: 4 }, () => {
  test('a run that is over is recorded in retrospect, and not a second time', async () => {
    const folder = join(lab.folder, 'over');
    for (const step of [1000, 500, 1500]) writeCheckpoint(folder, step);
    writeEnd(folder, 1600);
    const said = await recorded('over', '--once');
    assert.match(said, /in retrospect, without an intent/);
    const entries = await entriesOf('over');
    assert.deepEqual(inShort(entries), ['500', '1000', '1500', 'final']);
    assert.ok(entries.every(({ predicate }) => predicate['retrospective'] === true));
    const [first] = entries;
    assert.equal(first?.predicate['flopToDate'], '500500000000000000');
    assert.deepEqual(
      first.predicate['end'],
      { unknown: 'not-recorded' },
      'a file that was there may be a copy',
    );
    const final = entries.at(-1)?.predicate;
    assert.equal(final?.['outcome'], 'completed');
    assert.equal(final['tokens'], '819200');
    assert.deepEqual(final['parameters'], { unknown: 'not-recorded' });

    const proof = await lab.run('verify', 'records/over.final.stele.json', '--model', 'over', '--json');
    assert.equal(proof.json.checks.find(({ name }) => name === 'weights')?.status, 'pass', proof.stdout);

    // As if it had been killed before it noted the last two; and other things are told by now.
    const journal = join(lab.folder, 'records', 'over.recorder.json');
    const noted = readFileSync(journal, 'utf8').replaceAll(
      /,"signed":true(?=\}(,"found"|\],"final"|\}))/g,
      '',
    );
    assert.notEqual(noted, readFileSync(journal, 'utf8'));
    writeFileSync(journal, noted);
    lab.write('later.json', '{"run-progress": {"end": 7}, "run-final": {"end": 7}}');
    const again = await recorded('over', '--once', '--fields', 'later.json');
    assert.ok(!again.includes(': entry'), 'nothing was sent');
    assert.deepEqual(inShort(await entriesOf('over')), ['500', '1000', '1500', 'final']);
  });

  test('what a folder does not tell is unknown, and nothing is made up', async () => {
    const folder = join(lab.folder, 'silent');
    const checkpoint = writeCheckpoint(folder, 10);
    for (const shard of ['1', '2'])
      lab.remove(`silent/checkpoint-10/model-0000${shard}-of-00002.safetensors`);
    const state = join(checkpoint, 'trainer_state.json');
    lab.write(
      'silent/checkpoint-10/trainer_state.json',
      readFileSync(state, 'utf8').replace(/"total_flos": .*/, '"total_flos": 0.0'),
    );
    writeCheckpoint(folder, 20);
    lab.write('silent/checkpoint-20/trainer_state.json', '{"global_step": 20, "log_hist');
    await recorded('silent', '--once', '--commit', 'flopToDate');
    const [only, ...rest] = await entriesOf('silent');
    assert.equal(
      rest.length,
      0,
      'a checkpoint without a whole state file does not count; nothing says the run is over',
    );
    assert.deepEqual(only?.predicate['checkpoints'], { unknown: 'not-recorded' });
    assert.deepEqual(only.predicate['flopToDate'], { unknown: 'not-measured' });

    await recorded('silent', '--once', '--outcome', 'aborted', '--commit', 'end');
    const final = (await entriesOf('silent')).at(-1);
    assert.equal(final?.type, 'run-final');
    assert.equal(final.predicate['outcome'], 'aborted');
    assert.deepEqual(final.predicate['flop'], []);
  });

  test('a program that follows a recorder has a line for each thing that happens', async () => {
    const folder = join(lab.folder, 'told');
    const child = startStele(lab, [...record('told', '--every', '1'), '--json']);
    await child.says('"event":"logged"');
    writeCheckpoint(folder, 10);
    writeEnd(folder, 10);
    assert.equal(await child.ended, 0, child.stderr());
    const lines = child.stderr().trimEnd().split('\n');
    const events = lines.map((line) => JSON.parse(line) as Record<string, string | number>);
    const files = ['intent', 'progress-0000', 'final'].map((name) =>
      join(lab.folder, 'records', `told.${name}.dsse.json`),
    );
    for (const name of ['signed', 'logged'])
      assert.deepEqual(
        events.flatMap(({ event, file }) => (event === name ? [file] : [])),
        files,
      );
    assert.match(child.stderr(), /"event":"said","text":"[^"]* is not there yet/);
    for (const { time, level, index, event } of events) {
      assert.match(`${time} ${level}`, /^[0-9T:.-]+Z info$/);
      assert.equal(typeof index, event === 'logged' ? 'number' : 'undefined');
    }
    assert.match(child.stdout(), /^\{.*\}\n$/, 'stdout has the answer alone');
    const { result } = JSON.parse(child.stdout()) as { result: { over: boolean } };
    assert.equal(result.over, true);
  });

  test('a run is followed from its declaration to its end', async () => {
    const folder = join(lab.folder, 'live');
    lab.write('fields.json', '{"run-final": {"parameters": "124"}}');
    const child = startStele(lab, [
      ...record('live', '--every', '1', '--planned-flop', '1600', '--seed', '7', '--commit', 'seed'),
      ...['--chips', '8', '--flop-6nd', '124,1000', '--fields', 'fields.json'],
    ]);
    await child.says('is not there yet');
    await child.says('run-intent: entry');
    writeCheckpoint(folder, 10);
    await child.says('step 10: entry');
    // The trainer was set back: it comes to the same step once more, with other weights.
    const rewritten = new Date(Date.now() - 5000);
    utimesSync(
      join(writeCheckpoint(folder, 10, 'other weights'), 'trainer_state.json'),
      rewritten,
      rewritten,
    );
    await child.says('run-progress 1, to step 10: entry');
    writeCheckpoint(folder, 20);
    writeEnd(folder, 20);
    assert.equal(await child.ended, 0, child.stderr());
    const entries = await entriesOf('live');
    assert.deepEqual(inShort(entries), ['intent', '10', '10', '20', 'final']);
    const [intent, first, , third, final] = entries.map(({ predicate }) => predicate);
    assert.deepEqual(intent?.['plannedFlopBand'], { atLeast: '1000', below: '10000' });
    assert.deepEqual(intent['code'], { unknown: 'withheld' });
    assert.deepEqual(Object.keys(intent['committed'] as object), ['seed']);
    assert.deepEqual(first?.['start'], { unknown: 'not-recorded' });
    assert.deepEqual([third?.['firstStep'], third?.['lastStep']], [10, 20]);
    assert.equal(third?.['start'], Math.floor(rewritten.getTime() / 1000), 'the end of the window before');
    assert.equal(final?.['parameters'], '124');
    assert.equal((final['flop'] as unknown[]).length, 2);
    assert.ok(entries.every(({ predicate }) => predicate['retrospective'] !== true));
  });

  test('the example run, beside its trainer and once more after it: the same checkpoints, the same weights', async () => {
    const beside = startStele(lab, record('example', '--every', '1'));
    await beside.says('run-intent: entry');
    const trainer = startScript('demo/train/main', [join(lab.folder, 'example'), '--steps', '100']);
    assert.equal(await trainer.ended, 0, trainer.stderr());
    assert.equal(await beside.ended, 0, beside.stderr());
    const words = ['record', 'example', '--run', 'afterwards', '--spec', 'spec.md', '--once'];
    const after = startStele(lab, words);
    assert.equal(await after.ended, 0, after.stderr());
    const [live, late] = await Promise.all(
      ['example', 'afterwards'].map(async (run) => {
        const entries = await logged(world.log.url, world.policy, run);
        checkChain(entries, run, join(lab.folder, 'records'));
        await checkDigests(entries, join(lab.folder, 'example'));
        return entries;
      }),
    );
    assert.deepEqual(inShort(live ?? []), ['intent', '50', '100', 'final']);
    assert.deepEqual(inShort(late ?? []), ['50', '100', 'final']);
    for (const field of ['checkpoints', 'weights', 'flopToDate', 'flop', 'tokens'])
      assert.deepEqual(
        late?.map(({ predicate }) => predicate[field]),
        live?.slice(1).map(({ predicate }) => predicate[field]),
        field,
      );
  });

  test('while the log is away everything is signed and kept; when it is back it is sent, in order', async () => {
    const folder = join(lab.folder, 'away');
    const gate = await Gate.before(world.log.url);
    gates.push(gate);
    assert.equal(
      (
        await lab.run(
          'attest',
          'run-intent',
          '--run',
          'other',
          '--spec',
          'spec.md',
          '--planned-flop',
          '1',
          '--otherwise',
          'withheld',
        )
      ).status,
      0,
      'the lab has seen an anchor',
    );
    gate.open = false;
    const child = startStele(lab, record('away', '--every', '1', '--timeout', '1', '--log', gate.url));
    await child.says('on disk: run-intent; the log is asked again');
    for (const step of [10, 20]) writeCheckpoint(folder, step);
    writeEnd(folder, 20);
    const final = join(lab.folder, 'records', 'away.final.dsse.json');
    for (let looks = 0; !existsSync(final); looks++) {
      assert.ok(looks < 3600, `expected ${final}: ${child.stderr()}`);
      await sleep(50);
    }
    assert.deepEqual(inShort(await logged(world.log.url, world.policy, 'away')), []);
    await child.says('it ends when the log has what waits (4)');
    const told = child.stderr().match(/^.*: signed and on disk; [0-9]+ wait for the log\.$/gm);
    assert.deepEqual(told, [
      'run-progress 0, to step 10: signed and on disk; 2 wait for the log.',
      'run-progress 1, to step 20: signed and on disk; 3 wait for the log.',
      'run-final: signed and on disk; 4 wait for the log.',
    ]);
    child.process.kill('SIGKILL');
    await child.ended;
    const again = startStele(lab, record('away', '--every', '1', '--timeout', '1', '--log', gate.url));
    await again.says('the log is asked again');
    gate.open = true;
    assert.equal(await again.ended, 0, again.stderr());
    assert.match(again.stderr(), /The log is back/);
    assert.deepEqual(inShort(await entriesOf('away')), ['intent', '10', '20', 'final']);
  });

  test('an older copy of the records says nothing a second time, nor does what it signed while the log was away', async () => {
    const folder = join(lab.folder, 'behind');
    const old = join(lab.folder, 'old');
    const wordsFor = (records: string): string[] =>
      record('behind', '--once', '--json', '--records', records);
    writeCheckpoint(folder, 10);
    assert.equal((await lab.run(...wordsFor('kept'))).status, 0);
    cpSync(join(lab.folder, 'kept'), old, { recursive: true });
    writeCheckpoint(folder, 20);
    assert.equal((await lab.run(...wordsFor('kept'))).status, 0);
    const inLog = await logged(world.log.url, world.policy, 'behind');
    assert.deepEqual(inShort(inLog), ['10', '20']);
    const again = join(old, 'behind.progress-0001.dsse.json');
    const isRefused = async (): Promise<string> => {
      const { status, json, stdout } = await lab.run(...wordsFor('old'));
      assert.deepEqual([status, json.error?.code], [2, 'records_behind'], stdout);
      assert.equal((await logged(world.log.url, world.policy, 'behind')).length, 2);
      return json.error?.hint ?? '';
    };
    await isRefused();
    assert.ok(!existsSync(again), 'nothing is signed');
    // While the log is away nobody can tell; then it is signed, and not sent.
    const away = { fetch: () => Promise.reject(new Error('away')) };
    assert.equal((await lab.runWith(away, ...wordsFor('old'), '--timeout', '1')).status, 3);
    assert.ok(existsSync(again));
    const hint = await isRefused();
    // As the hint says.
    const words = /stele (get \d+ --output [^;)]+)/.exec(hint)?.[1]?.split(' ') ?? [];
    assert.equal((await lab.run(...words)).status, 0, hint);
    const { status, stdout } = await lab.run(...wordsFor('old'));
    assert.equal(status, 0, stdout);
    const entries = await logged(world.log.url, world.policy, 'behind');
    assert.deepEqual(inShort(entries), ['10', '20']);
    checkChain(entries, 'behind', old);
  });

  test('an index that is not there, or no use, or without an end, does not keep a run from the record', async () => {
    let elapsed = 0;
    let pages = 0;
    const indexes: Record<string, () => Response> = {
      'index-none': () => new Response('{}', { status: 404 }),
      'index-broken': () => new Response('null', { status: 200 }),
      // Page after page of an entry that is not there yet.
      'index-endless': () => {
        elapsed += 20_000;
        pages++;
        const entries = [{ index: 2 ** 50, loggedBy: null }];
        return new Response(JSON.stringify({ indexed: 0, entries, next: 2 ** 52 - pages }), { status: 200 });
      },
    };
    const recorded = Object.entries(indexes).map(async ([run, index]) => {
      writeCheckpoint(join(lab.folder, run), 10);
      const differs: Partial<Context> = {
        monotonic: () => performance.now() + (run === 'index-endless' ? elapsed : 0),
        fetch: (url, init) => (url.includes('/api/v1/search') ? Promise.resolve(index()) : fetch(url, init)),
      };
      const { status, stderr } = await lab.runWith(differs, ...record(run, '--once'));
      assert.equal(status, 0, stderr);
      assert.equal(stderr.split(`What the log holds of ${run} could not be told`).length, 2, stderr);
      assert.deepEqual(inShort(await entriesOf(run)), ['10']);
    });
    await Promise.all(recorded);
    assert.ok(pages <= 4, `${pages} pages`);
  });

  test('a server that closes every connection at once is a network failure, not silence', async (t) => {
    const words = ['--spec', 'spec.md', '--planned-flop', '1', '--otherwise', 'withheld', '--run', 'closed'];
    assert.equal((await lab.run('attest', 'run-intent', ...words)).status, 0);
    const slammed = createServer((socket) => socket.destroy());
    t.after(() => slammed.close());
    await new Promise<void>((resolve) => slammed.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(slammed.address() as AddressInfo).port}`;
    const child = startStele(lab, [
      'submit',
      'records/closed.intent.dsse.json',
      '--log',
      url,
      '--timeout',
      '2',
    ]);
    assert.equal(await child.ended, 3, child.stderr());
  });

  test('a checkpoint that is rotated away while it is digested is on record as not seen', async () => {
    const folder = join(lab.folder, 'rotated');
    const started = (): Started => startStele(lab, record('rotated', '--every', '1'));
    const writeLarge = (step: number): void => {
      const path = join(folder, `checkpoint-${step}`);
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, 'model.safetensors'), '');
      truncateSync(join(path, 'model.safetensors'), 1_200_000_000);
      writeFileSync(join(path, 'trainer_state.json'), stateText(step));
    };
    let child = started();
    await child.says('run-intent: entry');
    writeLarge(10);
    lab.write('rotated/config.json', '{}'); // of a folder that is empty nothing is gone: it may not be mounted
    await child.says('checkpoint-10: digesting 1.2 GB');
    lab.remove('rotated/checkpoint-10');
    await child.says('to step 10: entry');
    // The same while the recorder is down.
    writeLarge(20);
    await child.says('checkpoint-20: digesting 1.2 GB');
    child.process.kill('SIGKILL');
    await child.ended;
    lab.remove('rotated/checkpoint-20');
    writeCheckpoint(folder, 30);
    writeEnd(folder, 30);
    child = started();
    assert.equal(await child.ended, 0, child.stderr());
    const entries = await entriesOf('rotated');
    assert.deepEqual(inShort(entries), ['intent', '10 not seen', '20 not seen', '30', 'final']);
    assert.equal(entries[2]?.predicate['flopToDate'], '20500000000000000', 'its state file was read');
  });

  test('files of any size are digested in constant memory', async () => {
    const folder = join(lab.folder, 'large');
    const checkpoint = writeCheckpoint(folder, 10);
    for (const shard of [1, 2])
      truncateSync(join(checkpoint, `model-0000${shard}-of-00002.safetensors`), 260_000_000);
    const child = startStele(lab, record('large', '--once'), TELL_MEMORY);
    assert.equal(await child.ended, 0, child.stderr());
    const kilobytes = Number(/maxRSS (\d+)/.exec(child.stderr())?.[1]);
    assert.ok(kilobytes > 0 && kilobytes < 250_000, `${kilobytes} kB`);
    assert.deepEqual(inShort(await logged(world.log.url, world.policy, 'large')), ['10']);
  });

  test('killed at random, a recorder leaves nothing out and logs nothing twice', async () => {
    const random = new Random(Number(process.env['STELE_SEED'] ?? 20));
    const folder = join(lab.folder, 'killed');
    const steps = [10, 20, 30, 40];
    for (const step of steps) writeCheckpoint(folder, step, 'w'.repeat(3_000_000));
    writeEnd(folder, 40);
    let kills = 0;
    for (let ended: number | string = ''; ended !== 0;) {
      const child = startStele(lab, record('killed', '--once'));
      // Not before it has begun to work, and the last one is left alone.
      await child.says('Policy:');
      if (kills < 5) setTimeout(() => child.process.kill('SIGKILL'), random.below(1200));
      ended = await child.ended;
      if (ended === 'SIGKILL') kills++;
      else assert.equal(ended, 0, child.stderr());
    }
    assert.ok(kills > 0, 'none was killed');
    assert.deepEqual(inShort(await entriesOf('killed')), [...steps.map(String), 'final']);
  });

  test('a second recorder of a run gives way', async () => {
    const child = startStele(lab, record('twice', '--every', '60'));
    await child.says('run-intent: entry');
    const other = startStele(lab, [...record('twice', '--once'), '--json']);
    assert.equal(await other.ended, 2, 'there is no such folder yet');
    mkdirSync(join(lab.folder, 'twice'));
    const third = startStele(lab, [...record('twice', '--once'), '--json']);
    assert.equal(await third.ended, 3);
    assert.match(third.stdout(), /"recorder_running"/);
    child.process.kill('SIGKILL');
    await child.ended;
    // What it had begun to write is swept away by the next, and nothing of a run with a longer name.
    const [own, others] = ['.twice.recorder.json.9.tmp', '.twice.b.recorder.json.9.tmp'];
    for (const name of [own, others]) lab.write(`records/${name}`, 'half');
    const next = startStele(lab, record('twice', '--every', '60'));
    await next.says('Policy:');
    while (existsSync(join(lab.folder, 'records', own))) await sleep(50);
    assert.ok(existsSync(join(lab.folder, 'records', others)));
    next.process.kill('SIGKILL');
    await next.ended;
  });

  test('a recorder refuses what it cannot do, and leaves nothing', async () => {
    lab.write('own.json', '{"run-progress": {"window": 3}}');
    lab.write('flat.json', '{"parameters": "124"}');
    const cases: [string, string[]][] = [
      ['owned_field', ['record', '.', '--run', 'r', '--spec', 'spec.md', '--fields', 'own.json']],
      ['bad_fields', ['record', '.', '--run', 'r', '--spec', 'spec.md', '--fields', 'flat.json']],
      ['records_inside', ['record', '.', '--run', 'r', '--spec', 'spec.md', '--once']],
      ['no_folder', ['record', 'none', '--run', 'r', '--spec', 'spec.md', '--once']],
      ['missing_specification', ['record', '.', '--run', 'r', '--once']],
      ['bad_outcome', ['record', '.', '--run', 'r', '--spec', 'spec.md', '--outcome', 'aborted']],
      ['bad_commit', ['record', '.', '--run', 'r', '--spec', 'spec.md', '--commit', 'window']],
      ['bad_rule', ['record', '.', '--run', 'r', '--spec', 'spec.md', '--flop-rule', 'guess']],
      ['bad_number', ['record', '.', '--run', 'r', '--spec', 'spec.md', '--every', '0']],
      ['bad_number', ['record', '.', '--run', 'r', '--spec', 'spec.md', '--jobs', '65']],
    ];
    for (const [code, words] of cases) {
      const answer = await lab.run(...words, '--json');
      assert.deepEqual([answer.status, answer.json.error?.code], [2, code], answer.stdout);
    }
    assert.equal(
      statSync(join(lab.folder, 'records', 'r.recorder.json'), { throwIfNoEntry: false }),
      undefined,
    );
  });

  test('one that fails says what it has logged before', async () => {
    const folder = join(lab.folder, 'half');
    writeCheckpoint(folder, 10);
    const unread = join(folder, 'checkpoint-20');
    symlinkSync(unread, unread);
    writeEnd(folder, 30);
    const { status, json, stdout } = await lab.run(...record('half', '--once', '--json'));
    assert.deepEqual([status, json.error?.code], [2, 'unreadable'], stdout);
    const [entry] = await entriesOf('half');
    const file = join(lab.folder, 'records', 'half.progress-0000.dsse.json');
    const { result } = json;
    assert.deepEqual(
      [result['over'], result['notSeen'], result['logged'], result['waiting']],
      [false, [], [{ file, index: entry?.index }], []],
    );
    // What never began has logged nothing, and says why it did not begin.
    writeCheckpoint(join(lab.folder, 'ended'), 10);
    writeEnd(join(lab.folder, 'ended'), 10);
    const refused = await lab.run(...record('ended', '--json'));
    assert.deepEqual([refused.status, refused.json.error?.code], [2, 'run_over'], refused.stdout);
    assert.deepEqual(refused.json.result['logged'], []);
  });
});
