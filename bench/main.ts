/**
 * `npm run bench [-- --quick] [--only adds,profile,check,proofs] [--rounds 5] [--seconds 10]
 * [--in-flight 64,512,4096] [--folder DIR]`: the project's figures, beside those of the field's programs where
 * interop/install has built them. The report is on stdout, progress on stderr. `--quick` is one short
 * round with 64 requests in flight, to see that it works.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureAdds } from './adds.js';
import { measureFullCheck } from './full-check.js';
import { machine } from './machine.js';
import { peer, root } from './process.js';
import { profile } from './profile.js';
import { measureProofs } from './proofs.js';
import { ours, peers } from './targets.js';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: 'adds,profile,check,proofs' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    'in-flight': { type: 'string' },
    folder: { type: 'string', default: `${root}tmp/bench` },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
const seconds = Number(values.seconds ?? (values.quick ? 3 : 10));
const inFlight = (values['in-flight'] ?? (values.quick ? '64' : '64,512,4096')).split(',').map(Number);
// In a folder of the checkout, since the system's temporary one may be memory, where a sync costs nothing.
const folder = join(values.folder, String(process.pid));

const parts: Record<string, () => Promise<string>> = {
  adds: () => measureAdds([ours, ...peers()], { rounds, inFlight, seconds, folder }),
  profile: () => profile(folder, inFlight.includes(512) ? 512 : (inFlight[0] ?? 64), seconds),
  check: () => measureFullCheck(rounds, folder),
  proofs: () => measureProofs(rounds, folder),
};

const wanted = values.only.split(',');
if (!wanted.every((name) => name in parts) || !(rounds > 0 && seconds > 0 && inFlight.every((n) => n > 0))) {
  console.error(`expected --only as some of ${Object.keys(parts).join(',')}, and numbers above 0`);
  process.exitCode = 2;
} else {
  mkdirSync(folder, { recursive: true });
  try {
    console.log(machine(folder));
    for (const name of wanted) {
      // Entries come from a Go main of ours: without Go there is no load generator.
      if ((name === 'adds' || name === 'profile') && peer('load') === undefined) {
        console.log(`\n${name}: needs interop/bin/load; run interop/install`);
        continue;
      }
      console.log(`\n${(await parts[name]?.()) ?? ''}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
