import type { Soak } from '../soak/soak.js';
import { fuzz } from './fuzz.js';
import { targets } from './targets.js';

const seconds = (from: number): number => (performance.now() - from) / 1000;

/** All targets in turn for an equal share of the time each. */
const soak: Soak = {
  desc: 'every parser and every door on mutated input: an error with a code, or what it accepts is right',
  minutes: 10,
  async run({ minutes, seed }) {
    const share = (minutes * 60) / targets.length;
    const figures: string[] = [];
    for (const target of targets) {
      const start = performance.now();
      const { inputs, outcomes } = await fuzz(target, seed, () => seconds(start) < share);
      const accepted = outcomes.get('accepted') ?? 0;
      figures.push(
        `${target.name}: ${inputs} inputs, ${accepted} accepted, ${outcomes.size} different outcomes`,
      );
    }
    return { figures };
  },
};

export default soak;
