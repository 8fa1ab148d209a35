import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { BuildCopy, type Patch } from '../mutants/copy.js';
import { Random } from '../random.js';
import type { Soak } from '../soak/soak.js';
import { type Fault, type FaultOutcome, FaultyLog } from './log-faults.js';
import { TraceError } from './strace.js';
import { FaultyWitness } from './witness-faults.js';

/** After so many faults a log is judged for the last time and a new one begun. */
const FAULTS_PER_FOLDER = 25;

const ERRORS = ['EIO', 'EIO', 'ENOSPC', 'EDQUOT'] as const;

/** A fault of the log server's disk: any call that its durability rests on, sooner or later, once or for good. */
function logFault(random: Random, levelLogs: readonly string[]): Fault {
  const error = random.pick(ERRORS);
  const on = random.chance(0.25);
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2:
      return { call: 'fdatasync', error, on, nth: 1 + random.below(50) };
    case 3:
      return { call: 'fsync', error, on, nth: 1 + random.below(25) };
    case 4:
      return { call: 'rename', error, on, nth: 1 + random.below(20) };
    case 5:
      return { call: 'pwrite64', error, on, nth: 1 + random.below(4), files: ['data/tail'] };
    case 6: {
      const files = random.pick([['data/signed.tmp'], ['data/published.tmp'], ['data/tail.tmp']]);
      return { call: 'write', error, on, nth: 1 + random.below(6), files };
    }
    default:
      return { call: 'write', error, on, nth: 1 + random.below(20), files: levelLogs };
  }
}

/** As `logFault`, for a witness: it replaces its journal when it starts and when that is full, and adds to it. */
function witnessFault(random: Random): Fault {
  const error = random.pick(ERRORS);
  const on = random.chance(0.25);
  switch (random.below(6)) {
    case 0:
    case 1:
      return { call: 'fdatasync', error, on, nth: 1 + random.below(14) };
    case 2:
      return { call: 'fsync', error, on, nth: 1 + random.below(6) };
    case 3:
      return { call: 'rename', error, on, nth: 1 + random.below(4) };
    case 4:
      return { call: 'pwrite64', error, on, nth: 1 + random.below(7), files: ['state/journal'] };
    default: {
      const files = ['state/journal.tmp', 'state/journal'];
      return { call: 'write', error, on, nth: 1 + random.below(2), files };
    }
  }
}

/** What came of all faults of one program. */
class Totals {
  readonly #endings = new Map<string, number>();
  runs = 0;
  hit = 0;
  injected = 0;
  acknowledged = 0;
  judged = 0;

  add({ injected, ending, acknowledged, judged }: FaultOutcome): void {
    this.runs++;
    this.injected += injected;
    this.acknowledged += acknowledged;
    this.judged += judged;
    if (injected === 0) return;
    this.hit++;
    this.#endings.set(ending, (this.#endings.get(ending) ?? 0) + 1);
  }

  figures(what: string): string[] {
    const endings = [...this.#endings].sort().map(([ending, count]) => `${ending} ${count}`);
    return [
      `${what}: ${this.injected} errors injected in ${this.hit} of ${this.runs} runs, every start after it clean`,
      `${what}: ${this.acknowledged} acknowledged while the disk failed, 0 lost; ${this.judged} sent notes judged by the trace, all durable`,
      `${what}, what it did: ${endings.join(', ')}`,
    ];
  }
}

const soak: Soak = {
  desc: 'EIO, ENOSPC and EDQUOT injected by strace into stele-log and stele-witness',
  minutes: 0.7,
  takes: ['seed'],
  async run({ minutes, seed }) {
    if (spawnSync('strace', ['-V']).status !== 0)
      throw new Error('strace is not installed: apt install strace');
    const random = new Random(seed);
    const end = Date.now() + minutes * 60_000;
    const logs = new Totals();
    const witnesses = new Totals();
    while (Date.now() < end) {
      const log = await FaultyLog.make();
      const witness = await FaultyWitness.make();
      try {
        for (let i = 0; i < FAULTS_PER_FOLDER && Date.now() < end; i++) {
          await suffer(logs, log, logFault(random, log.levelLogs()));
          if (i % 2 === 0) await suffer(witnesses, witness, witnessFault(random));
        }
      } finally {
        await log.remove();
        await witness.remove();
      }
    }
    // None hit is no proof.
    if (logs.hit === 0 || witnesses.hit === 0) throw new Error('no error was injected: give it more minutes');
    const blind = await seeWithout();
    return { figures: [...logs.figures('stele-log'), ...witnesses.figures('stele-witness'), blind] };
  },
};

/** Errors that the log server would swallow. Each must be found out, by recorder or trace. */
export const SWALLOWED: readonly (Patch & { readonly desc: string; readonly nth: readonly number[] })[] = [
  {
    desc: 'an error of the sync of a file',
    file: 'log-server/storage/disk.ts',
    find: 'await file.writeFile(bytes);\n      await file.datasync();',
    replace: 'await file.writeFile(bytes);\n      await file.datasync().catch(() => undefined);',
    nth: [16, 17, 18, 19, 15, 20, 14],
  },
  {
    desc: "an error of level's commit",
    file: 'log-server/storage/level-state.ts',
    find: 'await batch.write({ sync: true });',
    replace: 'await batch.write({ sync: true }).catch(() => undefined);',
    nth: [14, 15, 16, 13, 17, 18],
  },
];

/** The proof must be able to fail. */
async function seeWithout(): Promise<string> {
  const copy = new BuildCopy();
  try {
    for (const swallowed of SWALLOWED) {
      const log = await FaultyLog.make({ dist: join(copy.folder, 'dist') });
      try {
        const found = await copy.with(swallowed, () => firstFinding(log, swallowed.nth));
        if (found === undefined) throw new Error(`blind: ${swallowed.desc} can be swallowed`);
        console.log(`  red when swallowed: ${swallowed.desc}: ${found}`);
      } finally {
        await log.remove();
      }
    }
  } finally {
    copy.remove();
  }
  return `red for each of ${SWALLOWED.length} errors that stele-log was made to swallow`;
}

async function firstFinding(log: FaultyLog, nth: readonly number[]): Promise<string | undefined> {
  for (const n of nth) {
    try {
      await log.suffer({ call: 'fdatasync', error: 'EIO', nth: n });
    } catch (error) {
      // That is no finding about the log.
      if (error instanceof TraceError) throw error;
      return String(error).split('\n').slice(0, 8).join(' ').slice(0, 200);
    }
  }
  return undefined;
}

async function suffer(
  totals: Totals,
  what: { suffer(fault: Fault): Promise<FaultOutcome> },
  fault: Fault,
): Promise<void> {
  try {
    totals.add(await what.suffer(fault));
  } catch (error) {
    const { files, ...rest } = fault;
    const where = files === undefined ? '' : ` of ${files.slice(0, 2).join(', ')}`;
    throw new Error(`after ${JSON.stringify(rest)}${where}`, { cause: error });
  }
}

export default soak;
