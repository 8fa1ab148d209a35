/**
 * `npm run simulate -- [--seed S] [--seeds N] [--mode M] [--trace]`: simulations of the witness network, from
 * seed S, or from a new one, on. One that fails prints the command that runs it again. The simulated disk stands
 * in for the witness's journal, whose own proofs are test/witness-durability.test.ts and the soak witness-kill.
 *
 * `npm run simulate -- --detection [--seed S] [--most N]`: how fast a fork is found among 4 to 1,000 witnesses
 * (or up to N), as the table and the plot, spec/gossip-detection.svg, of spec/gossip.md.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure, plot, table, WITNESSES } from './detection-table.js';
import { Tally } from './tally.js';
import { simulate } from './world.js';
import type { Mode } from './plan.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    mode: { type: 'string' },
    trace: { type: 'boolean' },
    detection: { type: 'boolean' },
    most: { type: 'string' },
  },
});
const modes: readonly Mode[] = ['honest', 'within', 'beyond'];
const mode = modes.find((each) => each === values.mode);
const first = Number(values.seed ?? Math.floor(Math.random() * 2 ** 30));
const count = Number(values.seeds ?? 1);

if (!Number.isSafeInteger(first) || !(count >= 1) || (values.mode !== undefined && mode === undefined)) {
  console.error(`expected --seed and --seeds as whole numbers, --mode as one of ${modes.join(', ')}`);
  process.exitCode = 2;
} else if (values.detection) {
  const sizes = WITNESSES.filter((witnesses) => witnesses <= Number(values.most ?? Infinity));
  const cells = await measure(
    Number(values.seed ?? 1),
    sizes,
    ({ witnesses, peers, loss, first, all, messages }) =>
      console.error(
        `${witnesses} witnesses, ${peers} peers, loss ${loss}: proven in round ${first.toFixed(1)}, known to all by ${all.toFixed(1)}, ${messages.toFixed(0)} messages each`,
      ),
  );
  console.log(table(cells));
  if (values.most === undefined)
    writeFileSync(fileURLToPath(new URL('../../../spec/gossip-detection.svg', import.meta.url)), plot(cells));
} else {
  const options = {
    ...(mode && { mode }),
    ...(values.trace && { print: (line: string) => console.log(line) }),
  };
  const tally = new Tally();
  console.log(`seeds ${first} to ${first + count - 1}`);
  for (let seed = first; seed < first + count; seed++) {
    const again = `npm run simulate -- --seed ${seed}${mode === undefined ? '' : ` --mode ${mode}`}`;
    try {
      const result = await simulate(seed, options);
      tally.add(result);
      if (result.violations.length === 0) continue;
      if (!values.trace) for (const line of result.tail.slice(-40)) console.error(line);
      for (const violation of result.violations) console.error(`seed ${seed}: ${violation}`);
    } catch (error) {
      console.error(error);
      tally.crashed();
    }
    console.error(`again: ${again}`);
    process.exitCode = 1;
  }
  for (const line of tally.lines()) console.log(line);
}
