import type { Soak } from '../soak/soak.js';
import { detect } from './detection.js';
import { Tally } from './tally.js';
import { simulate } from './world.js';

/** Part of the time that forks among many witnesses get; the rest is for seeds. */
const LARGE = 0.3;
const WITNESSES = 1000;

/** Seeds of the simulation, one after the other, then forks among many witnesses. */
const soak: Soak = {
  desc: 'the witness network simulated: logs that show two histories, lying witnesses, crashes, clocks, clients',
  minutes: 30,
  takes: ['seed', 'witnesses'],
  async run({ minutes, seed: first, witnesses = WITNESSES }) {
    const began = performance.now();
    const until = (part: number): boolean => performance.now() - began < part * minutes * 60_000;
    const tally = new Tally();
    let seed = first;
    for (; until(1 - LARGE); seed++) {
      const again = `npm run simulate -- --seed ${seed}`;
      const result = await simulate(seed).catch((error: unknown) => {
        throw new Error(`seed ${seed} ended early; again: ${again}`, { cause: error });
      });
      tally.add(result);
      if (result.violations.length > 0)
        throw new Error([...result.tail.slice(-40), ...result.violations, `again: ${again}`].join('\n'));
    }
    const figures = [`seeds ${first} to ${seed - 1}`, ...tally.lines().slice(0, -1)];
    for (let fork = 0; fork === 0 || until(1); fork++) {
      const what = {
        witnesses,
        peers: 4,
        loss: 0.1,
        deceived: fork % 2 === 0 ? 1 : Math.floor(witnesses / 2),
      };
      const { first: found, all, messages } = await detect(what, first + fork);
      if (all === Infinity) throw new Error(`fork ${first + fork}: not everybody learnt of it`);
      figures.push(
        `${witnesses} witnesses with 4 peers each, a tenth of the messages lost, ${what.deceived} shown another history: proven in round ${found}, known to all by round ${all}, ${Math.round(messages)} messages each`,
      );
    }
    return { figures };
  },
};

export default soak;
