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
      const pauseMs = 50 + random.below(800);
      // Half of them fall into the start, the others into the work, however slow the machine is.
      const atWork = random.chance(0.5);
      const begin = async (): Promise<boolean> => {
        const ready = (await run.start()) && (await run.ready());
        if (ready && atWork) await run.load(1);
        return ready;
      };
      const begun = begin();
      const from = atWork ? begun : Promise.resolve();
      const killing = from.then(() => pause(pauseMs)).then(() => run.kill());
      if (await begun) await run.load(10_000);
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
