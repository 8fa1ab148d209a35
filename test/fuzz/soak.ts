import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Soak } from '../soak/soak.js';
import { fuzz } from './fuzz.js';
import { targets } from './targets.js';

/** Every target is visited this often, so that what one of them keeps shows as growth. */
const ROUNDS = 9;
/** An input that takes longer is a finding: with it, one stranger stops a server. */
const LONGEST_MS = 10_000;
/** More growth of the heap than this, last third against middle third, is a finding. */
const GROWTH_BYTES = 16 * 2 ** 20;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapAfterCollection(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

const average = (list: readonly number[]): number => list.reduce((sum, n) => sum + n, 0) / list.length;

/** All targets in turn, nine times over, for an equal share of the time each. */
const soak: Soak = {
  desc: 'every parser and every door on mutated input: an error with a code, or what it accepts is right',
  minutes: 10,
  takes: ['seed'],
  async run({ minutes, seed }) {
    const share = (minutes * 60_000) / targets.length / ROUNDS;
    const totals = targets.map(() => ({ inputs: 0, accepted: 0, outcomes: new Set<string>(), ms: 0 }));
    const heap: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, target] of targets.entries()) {
        const total = totals[i];
        if (total === undefined) continue;
        const end = performance.now() + share;
        const report = await fuzz(target, seed + round, () => performance.now() < end);
        total.inputs += report.inputs;
        total.accepted += report.outcomes.get('accepted') ?? 0;
        for (const outcome of report.outcomes.keys()) total.outcomes.add(outcome);
        total.ms = Math.max(total.ms, report.slowest.ms);
        if (report.slowest.ms > LONGEST_MS) {
          throw new Error(
            `${target.name}: an input of ${report.slowest.bytes} bytes took ${report.slowest.ms.toFixed(0)} ms, seed ${seed + round}`,
          );
        }
      }
      heap.push(heapAfterCollection());
    }
    const growth = average(heap.slice(-3)) - average(heap.slice(3, 6));
    if (growth > GROWTH_BYTES)
      throw new Error(`the heap after collection grew by ${growth} bytes: ${heap.join()}`);
    const figures = targets.map(({ name }, i) => {
      const { inputs = 0, accepted = 0, outcomes, ms = 0 } = totals[i] ?? {};
      return `${name}: ${inputs} inputs, ${accepted} accepted, ${outcomes?.size ?? 0} different outcomes, slowest ${ms.toFixed(1)} ms`;
    });
    const kilobytes = (growth / 1024).toFixed(0);
    return {
      figures: [...figures, `heap after collection, last third against middle third: ${kilobytes} KiB`],
    };
  },
};

export default soak;
