/**
 * `npm run bench [-- --quick] [--only PART,PART] [--rounds 5] [--seconds 10] [--in-flight 64,512,4096]
 * [--logs 50,4000] [--folder DIR]`: the project's figures, beside those of the field's programs where
 * interop/install has built them. The report is on stdout, progress on stderr. `--seconds` are those of a round
 * of adds; the others are shorter unless it is given. Witnesses are asked with 1, 8 and 48 requests in flight
 * unless `--in-flight` is given. `--quick` is one short round of each, to see that it works.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { measureAdds } from './adds.js';
import { measureAttested } from './attested.js';
import { measureFullCheck } from './full-check.js';
import { measureLoneAdd } from './lone-add.js';
import { machine } from './machine.js';
import { peer, root } from './process.js';
import { profile } from './profile.js';
import { measureProofs } from './proofs.js';
import { measureHanging, measureLatency } from './publish.js';
import { ours, oursSequenced, oursWithPartials, peers } from './targets.js';
import { profileWitness } from './witness-profile.js';
import { measureWitness } from './witness.js';

const program = new Command('npm run bench --')
  .description(
    "the project's figures, beside those of the field's programs where interop/install has built them",
  )
  .option('--quick', 'one short round of each, to see that it works', false)
  .option(
    '--only <parts>',
    'some of these, with commas',
    'adds,attested,lone,profile,check,proofs,witness,publish,latency',
  )
  .option('--rounds <number>', 'rounds of each (5)')
  .option('--seconds <number>', 'of a round: 10 of adds, 1 to 2 of the others')
  .option('--in-flight <numbers>', 'requests in flight, with commas (64,512,4096; of witnesses 1,8,48)')
  .option('--logs <numbers>', 'how many logs ask the witnesses, with commas (50,4000)')
  .option('--folder <folder>', 'on the disk that is to be measured', `${root}tmp/bench`)
  .parse();
const values = program.opts<{
  quick: boolean;
  only: string;
  rounds?: string;
  seconds?: string;
  inFlight?: string;
  logs?: string;
  folder: string;
}>();
const { quick } = values;
const numbers = (given: string | undefined, usual: string, short: string): number[] =>
  (given ?? (quick ? short : usual)).split(',').map(Number);
const [rounds = 0] = numbers(values.rounds, '5', '1');
const [seconds = 0] = numbers(values.seconds, '10', '3');
const [asking = 0] = numbers(values.seconds, '1.5', '1');
const [publishing = 0] = numbers(values.seconds, '1', '1');
const [steady = 0] = numbers(values.seconds, '2', '2');
const inFlight = numbers(values.inFlight, '64,512,4096', '64');
const busy = inFlight.includes(512) ? 512 : (inFlight[0] ?? 64);
const witnessed = numbers(values.inFlight, '1,8,48', '8');
const logs = numbers(values.logs, '50,4000', '50');
// In a folder of the checkout, since the system's temporary one may be memory, where a sync costs nothing.
const folder = join(values.folder, String(process.pid));

const parts: Record<string, () => Promise<string>> = {
  adds: () => measureAdds([ours, oursSequenced, ...peers()], { rounds, inFlight, seconds, folder }),
  attested: () => measureAttested({ rounds, inFlight: busy, seconds, folder }),
  lone: () => measureLoneAdd([ours, oursWithPartials, ...peers().slice(-1)], folder),
  profile: () => profile(folder, busy, seconds),
  check: () => measureFullCheck(rounds, folder),
  proofs: () => measureProofs(rounds, folder),
  'witness-profile': () => profileWitness(folder, logs[0] ?? 50, witnessed.at(-1) ?? 48, asking),
  publish: () => measureHanging({ rounds, seconds: publishing, folder }),
  latency: () => measureLatency({ rounds, seconds: steady, folder }),
  witness: () => measureWitness({ rounds, logs, inFlight: witnessed, seconds: asking, folder }),
};
/** Parts whose load is made by a Go main of ours. */
const generators: Readonly<Record<string, string>> = {
  adds: 'load',
  attested: 'load',
  lone: 'load',
  profile: 'load',
  publish: 'load',
  latency: 'load',
  witness: 'witnessload',
  'witness-profile': 'witnessload',
};

const wanted = values.only.split(',');
const positive = [rounds, seconds, asking, publishing, steady, ...inFlight, ...witnessed, ...logs].every(
  (n) => n > 0,
);
if (!wanted.every((name) => name in parts) || !positive) {
  console.error(`expected --only as some of ${Object.keys(parts).join(',')}, and numbers above 0`);
  process.exitCode = 2;
} else {
  mkdirSync(folder, { recursive: true });
  try {
    console.log(machine(folder));
    for (const name of wanted) {
      const generator = generators[name];
      if (generator !== undefined && peer(generator) === undefined) {
        console.log(`\n${name}: needs interop/bin/${generator}; run interop/install`);
        continue;
      }
      console.log(`\n${(await parts[name]?.()) ?? ''}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
