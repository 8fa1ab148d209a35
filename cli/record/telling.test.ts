import assert from 'node:assert/strict';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { formatFailure } from '../../system/index.js';
import { parsePolicy } from '../../tlog/index.js';
import { tellEnd } from '../commands/record.js';
import { processContext } from '../context.js';
import { CliError, EXIT } from '../errors.js';
import { Report } from '../report.js';
import { withBench, writeEnd } from '../testing/recorder-bench.js';
import { DigestBar } from './bar.js';
import { Outbox } from './outbox.js';

test('looking again and again while a log is away leaves nothing behind', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await withBench(async (bench) => {
    const context = { ...processContext(), stderr: () => undefined };
    const sleep = (): Promise<void> => new Promise(() => undefined);
    const fetch = (): Promise<Response> => new Promise(() => undefined);
    const invocation = {
      context: { ...context, sleep, fetch },
      report: new Report(context, false),
      settings: { log: 'http://log.example/', timeout: 1 },
    };
    await bench.record();
    const outbox = new Outbox(
      invocation,
      parsePolicy(new TextEncoder().encode('quorum none\n')),
      true,
      sleep,
    );
    outbox.add({ path: join(bench.records, 'run-1.progress-0000.dsse.json'), label: '' });
    const seen: WeakRef<Promise<never>>[] = [];
    for (let looks = 0; looks < 100; looks++) {
      const stopped = outbox.stopped();
      seen.push(new WeakRef(stopped));
      await Promise.race([stopped, Promise.resolve()]);
    }
    await new Promise(setImmediate);
    collect();
    const held = seen.filter((each) => each.deref() !== undefined);
    assert.ok(held.length <= 2, `${held.length} of 100 are held`);
  });
});

test('a bar says how long the rest takes once that is no guess', () => {
  let drawn = '';
  let now = 0;
  const terminal = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  terminal.on('data', (chunk: Buffer) => (drawn += chunk.toString()));
  const bar = new DigestBar(terminal, () => now);
  const after = (ms: number, bytes: number, label = 'checkpoint-5', whole = 357_000): string => {
    drawn = '';
    bar.begin(label, whole);
    now += ms;
    bar.advance(bytes);
    bar.end();
    return drawn;
  };
  assert.match(after(0, 0), /0% of 357\.0 kB/);
  assert.doesNotMatch(after(0, 0), /left/);
  assert.doesNotMatch(after(500, 300), /left/, 'a reading that has only begun');
  assert.doesNotMatch(after(60_000, 300), /left/, 'next to nothing was read');
  assert.doesNotMatch(after(1000, 178_500), /left/, 'no time has passed');
  assert.match(after(3000, 35_700), /10% of 357\.0 kB, 27 seconds left/);
  const long = after(300_000, 20_000_000_000, 'checkpoint-100000', 202_400_000_000);
  assert.match(long, /9% of 202\.4 GB, 45 minutes left/, 'cut off at the edge');
});

test('what is signed while the log is away is told, each statement once', async () => {
  await withBench(async (bench) => {
    const between = (looks: number): void => {
      if (looks === 3) {
        bench.write('checkpoint-6/model.safetensors', 'more weights');
        bench.write('checkpoint-6/trainer_state.json', '{"global_step": 6}');
      }
      if (looks === 9) writeEnd(bench, 6);
    };
    await bench.record({}, { follow: true, between });
    const told = bench.said.split('\n').filter((line) => line.includes('signed and on disk'));
    assert.match(told[0] ?? '', /away.* 1 signed and on disk: run-progress 0, to step 5; the log is asked/);
    assert.deepEqual(told.slice(1), [
      'run-progress 1, to step 6: signed and on disk; 2 wait for the log.',
      'run-final: signed and on disk; 3 wait for the log.',
    ]);
  });
});

test('a log whose faults come by turns is complained of once for each, however often it is asked', async () => {
  await withBench(async (bench) => {
    await bench.record();
    let said = '';
    let attempts = 0;
    const context = {
      ...processContext(),
      stderr: (text: string) => (said += text),
      sleep: () => Promise.resolve(),
    };
    const invocation = { context, report: new Report(context, false), settings: {} };
    const outbox = new Outbox(invocation, parsePolicy(new TextEncoder().encode('quorum none\n')), true, () =>
      Promise.reject(
        ++attempts > 9
          ? new CliError(EXIT.usage, 'records_behind', 'ends it', '')
          : new Error(attempts % 2 === 0 ? 'busy' : 'away'),
      ),
    );
    outbox.add({ path: join(bench.records, 'run-1.progress-0000.dsse.json'), label: 'run-progress 0' });
    await assert.rejects(outbox.drain(), { code: 'records_behind' });
    assert.equal(attempts, 10);
    assert.deepEqual(said.match(/away|busy/g), ['away', 'busy'], said);
  });
});

test('what only waits for the log is not said to be logged', () => {
  const said: string[] = [];
  const report = { check: (...words: string[]) => void said.push(words.join(' ')) };
  const recorder = { notSeen: [], over: true, windows: 1 };
  const waiting = [{ path: 'a', label: 'a' }];
  tellEnd(report, recorder, { sent: [], waiting });
  tellEnd(report, recorder, { sent: [], waiting: [] }, 1);
  assert.deepEqual(said, [
    'recorded fail 1 checkpoint; 0 statements logged, 1 waiting; the run is over',
    'recorded pass 1 checkpoint, 1 of them without digests; nothing new to log; the run is over',
  ]);
});

test('what is said of a file stays on its line, whatever its name', () => {
  let said = '';
  const report = new Report({ ...processContext(), stderr: (text) => void (said += text) }, false);
  report.say('x\nrun-final: entry 4711: expected a file');
  assert.equal(said, 'x\\u{a}run-final: entry 4711: expected a file\n');
  assert.equal(
    formatFailure('stele', { code: 'bad_model', message: 'x\ny', hint: 'z\nz' }),
    'stele: x\\u{a}y (bad_model)\n  z\\u{a}z\n',
  );
});
