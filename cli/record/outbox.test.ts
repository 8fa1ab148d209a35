import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { parsePolicy } from '../../tlog/index.js';
import { processContext } from '../context.js';
import { Report } from '../report.js';
import { withBench, type Bench } from '../testing/recorder-bench.js';
import { Outbox } from './outbox.js';

/** One that has a statement to send to a log which cannot take it now, and what it does meanwhile. */
async function sending(
  bench: Bench,
  headers: Record<string, string>,
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>,
  timeout = 1,
): Promise<{ outbox: Outbox; said: () => string; attempts: () => number }> {
  await bench.record();
  let said = '';
  let attempts = 0;
  const context = {
    ...processContext(),
    stderr: (text: string) => (said += text),
    monotonic: () => 0,
    sleep,
    fetch: () => {
      attempts++;
      return Promise.resolve(new Response('', { status: 503, headers }));
    },
  };
  const report = new Report(context, false);
  const settings = { log: 'http://log.example/', timeout };
  const policy = parsePolicy(new TextEncoder().encode('quorum none\n'));
  const outbox = new Outbox({ context, report, settings }, policy, true);
  outbox.add({ path: join(bench.records, 'run-1.progress-0000.dsse.json'), label: 'run-progress 0' });
  return { outbox, said: () => said, attempts: () => attempts };
}

test('a log that asks to be left alone for a while is, within an hour', async () => {
  const date = 'Sun, 06 Nov 1994 08:49:37 GMT';
  for (const [headers, seconds] of [
    [{}, 1],
    [{ 'retry-after': '90' }, 90],
    [{ 'retry-after': '99999' }, 3600],
    [{ 'retry-after': '999999999' }, 3600],
    [{ 'retry-after': 'Sun, 06 Nov 1994 08:51:37 GMT', date }, 120],
    [{ 'retry-after': 'Sun, 06 Nov 1994 08:51:37 GMT' }, 1],
    [{ 'retry-after': 'soon', date }, 1],
  ] as const) {
    await withBench(async (bench) => {
      let first: (ms: number) => void = () => undefined;
      const slept = new Promise<number>((resolve) => (first = resolve));
      const { said } = await sending(bench, headers, (ms) => {
        first(ms);
        return new Promise(() => undefined);
      });
      assert.equal(await slept, 1000 * seconds, JSON.stringify(headers));
      const again = seconds > 60 ? `in ${seconds} s, since it asks for that` : 'and again';
      assert.ok(said().includes(`the log is asked again ${again}.\n`), said());
    });
  }
});

test('a recorder that ends does not wait until the log wants to be asked again', async () => {
  // Between two attempts, and within one that has time for the pause.
  for (const timeout of [1, 7200]) {
    await withBench(async (bench) => {
      let reached: () => void = () => undefined;
      const asleep = new Promise<void>((resolve) => (reached = resolve));
      const wait = (_ms: number, signal?: AbortSignal): Promise<void> =>
        new Promise((_, reject) => {
          signal?.addEventListener('abort', () => reject(new Error('called off')));
          reached();
        });
      const { outbox, attempts } = await sending(bench, { 'retry-after': '3600' }, wait, timeout);
      await asleep;
      await outbox.close();
      await outbox.drain();
      assert.deepEqual([attempts(), outbox.waiting.length], [1, 1]);
    });
  }
});
