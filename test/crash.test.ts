// SIGKILL at every named step, and at random: nothing acknowledged is lost, nothing inconsistent is
// ever signed, and every start after it is clean. What a power cut would lose beyond that, and what
// fsync is for, is shown elsewhere: a kill never loses the page cache.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ALL_STEPS } from '../log-server/index.js';
import { CrashRun } from './crash/crash-run.js';
import { Random } from './random.js';

/** Some steps are met by a seal only, every 256 entries. */
const ENOUGH = 600;

test('killed at each named step', async (t) => {
  const run = await CrashRun.make('none');
  t.after(() => run.remove());
  const missed: string[] = [];
  for (const step of ALL_STEPS) {
    const started = await run.start({ step, count: 1 });
    if (started && (await run.ready())) await run.load(ENOUGH);
    if (run.alive) {
      missed.push(step);
      await run.stop();
    } else await run.died();
  }
  const found = await run.judge();
  t.diagnostic(
    `${run.kills} SIGKILLs at named steps, ${found.acknowledged} acknowledged entries, ${found.notes} signed notes: none lost, one history`,
  );
  assert.deepEqual(missed, []);
});

for (const admission of ['none', 'charter'] as const) {
  test(`killed at random, admission ${admission}`, async (t) => {
    const seed = Number(process.env['STELE_SEED'] ?? 20_260_101);
    const random = new Random(seed);
    const run = await CrashRun.make(admission);
    t.after(() => run.remove());
    while (run.kills < 10) {
      const started = run.start();
      const killing = pause(50 + random.below(1200)).then(() => run.kill());
      if ((await started) && (await run.ready())) await run.load(10_000);
      await killing;
      await run.died();
    }
    const found = await run.judge();
    t.diagnostic(
      `seed ${seed}: ${run.kills} SIGKILLs at random, ${found.acknowledged} acknowledged entries, ${found.notes} signed notes: none lost, one history`,
    );
    assert.ok(found.acknowledged > 0);
  });
}
