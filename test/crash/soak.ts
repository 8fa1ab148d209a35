// The long form of the random kills: `npm run soak -- kill --minutes N --seed S`.
import { setTimeout as pause } from 'node:timers/promises';
import { ALL_STEPS } from '../../log-server/index.js';
import { Random } from '../random.js';
import type { Soak } from '../soak/soak.js';
import { CrashRun } from './crash-run.js';

/** After so many kills a log is judged and a new one begun. */
const KILLS_PER_LOG = 40;

const soak: Soak = {
  desc: 'SIGKILL at random and at named steps, with and without a charter',
  minutes: 15,
  takes: ['seed'],
  async run({ minutes, seed }) {
    const random = new Random(seed);
    const until = Date.now() + minutes * 60_000;
    let [kills, logs, acknowledged, notes, entries] = [0, 0, 0, 0, 0];
    const where = new Map<string, number>();
    while (Date.now() < until) {
      const run = await CrashRun.make(random.chance(0.5) ? 'charter' : 'none');
      try {
        while (run.kills < KILLS_PER_LOG && Date.now() < until) {
          const at = await killOnce(run, random);
          where.set(at, (where.get(at) ?? 0) + 1);
        }
        const found = await run.judge();
        kills += run.kills;
        logs++;
        acknowledged += found.acknowledged;
        notes += found.notes;
        entries += found.size;
      } finally {
        await run.remove();
      }
    }
    return {
      figures: [
        `${kills} SIGKILLs in ${logs} logs of ${entries} entries together`,
        `where: ${[...where]
          .sort()
          .map(([at, count]) => `${at} ${count}`)
          .join(', ')}`,
        `${acknowledged} acknowledged entries, 0 lost`,
        `${notes} signed notes that left a log, no two of one log inconsistent`,
        'every start after a kill clean',
      ],
    };
  },
};

/** From outside at any time, starting included; or from inside at a step. Says where. */
async function killOnce(run: CrashRun, random: Random): Promise<string> {
  if (random.chance(0.5)) {
    const started = run.start();
    const killing = pause(50 + random.below(2000)).then(() => run.kill());
    if ((await started) && (await run.ready())) await run.load(100_000);
    await killing;
    await run.died();
    return 'anywhere';
  }
  const kill = { step: random.pick(ALL_STEPS), count: 1 + random.below(20) };
  if ((await run.start(kill)) && (await run.ready())) await run.load(50 + random.below(300));
  // A step that did not come by is no failure: then it dies from outside.
  const met = !run.alive;
  run.kill();
  await run.died();
  return met ? kill.step : 'anywhere';
}

export default soak;
