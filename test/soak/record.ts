// Recorders killed at random beside a trainer that goes on writing, and one file larger than memory.
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deepEqual } from 'node:assert/strict';
import type { JournalFile } from '../../cli/record/journal.js';
import { introduceLab, startWorld, type Person, type World } from '../cli/world.js';
import { Random } from '../random.js';
import { checkChain, checkDigests, inShort, logged } from '../record/judge.js';
import { Gate, killRest, startStele, TELL_MEMORY, type Started } from '../record/process.js';
import { writeCheckpoint, writeEnd } from '../record/trainer.js';
import type { Soak } from './soak.js';

/** Kills in all, spread over runs that each end by themselves. */
const KILLS = 100;
const KILLS_PER_RUN = 20;
/** Milliseconds in which any recorder comes further, on any machine. */
const LIFE = 300_000;
/** Bytes of the sparse file. */
const LARGE = 20_000_000_000;
/** Weights of one checkpoint: enough that kills fall into the digests too. */
const WEIGHTS = 'w'.repeat(8_000_000);

/** What was still owed when a recorder was killed, by what lay on disk. */
type Tally = Record<string, number>;

const soak: Soak = {
  desc: 'recorders killed at random, beside trainers and after them: the same entries and no others; a 20 GB file',
  minutes: 10,
  takes: ['seed'],
  async run({ minutes, seed }) {
    const random = new Random(seed);
    const world = await startWorld();
    const end = performance.now() + minutes * 60_000;
    try {
      const lab = await introduceLab(world, 'acme');
      lab.write('spec.md', 'what the run is about');
      const tally: Tally = {};
      let kills = 0;
      let runs = 0;
      let entries = 0;
      while (kills < KILLS && performance.now() < end) {
        const run = `run-${runs}`;
        const live = runs++ % 2 === 0;
        const wanted = live
          ? await beside(world, lab, run, random, tally)
          : await afterwards(world, lab, run, random, tally);
        kills += wanted.kills;
        const found = await logged(world.log.url, world.policy, run);
        deepEqual(inShort(found), wanted.entries, `${run}, seed ${seed}`);
        checkChain(found, run, join(lab.folder, 'records'));
        await checkDigests(found, join(lab.folder, run));
        entries += found.length;
        rmSync(join(lab.folder, run), { recursive: true });
      }
      const memory = await large(lab);
      return {
        figures: [
          `${kills} SIGKILLs in ${runs} runs, beside a trainer and afterwards, the log away now and then`,
          `${entries} entries: each statement once, none left out, one chain, the bytes that were signed first`,
          `what was owed when it was killed, often more than one thing: ${Object.entries(tally)
            .map(([what, count]) => `${what} ${count}`)
            .join(', ')}`,
          `${LARGE / 1e9} GB sparse weights file: largest resident set ${Math.round(memory / 1000)} MB`,
        ],
      };
    } finally {
      killRest();
      await world.close();
    }
  },
};

/**
 * What lies on disk of a run, as seen from outside. Each state that no life came to before is a step that no kill
 * takes back, so a recorder killed after such steps alone gets to its end on any machine.
 */
class Progress {
  readonly #records: string;
  readonly #run: string;
  readonly #seen = new Set<string>();

  constructor(records: string, run: string) {
    this.#records = records;
    this.#run = run;
  }

  /** Whether something is there now that was not there at any look before. */
  stepped(): boolean {
    const state = `${this.#files().join()} ${this.#journal()}`;
    if (this.#seen.has(state)) return false;
    this.#seen.add(state);
    return true;
  }

  /** What is owed still, in words. */
  owed(): string[] {
    const journal = this.#journal();
    if (journal === '') return ['its first look'];
    const { checkpoints, final } = JSON.parse(journal) as JournalFile;
    const counted = [...checkpoints, ...(final ? [final] : [])];
    const files = this.#files();
    const isLogged = (name: string): boolean => files.includes(name.replace(/dsse\.json$/, 'stele.json'));
    const owed = [
      ...(counted.some(({ digests, signed }) => digests === undefined && signed !== true)
        ? ['a digest']
        : []),
      ...(counted.some(({ digests, signed }) => digests !== undefined && signed !== true)
        ? ['a signature']
        : []),
      ...(files.some((name) => name.endsWith('.dsse.json') && !isLogged(name))
        ? ['an entry in the log']
        : []),
    ];
    return owed.length === 0 ? ['nothing that lay there'] : owed;
  }

  #files(): string[] {
    if (!existsSync(this.#records)) return [];
    const made = /\.(dsse\.json|tlog-proof|stele\.json)$/;
    return readdirSync(this.#records).filter((name) => name.startsWith(`${this.#run}.`) && made.test(name));
  }

  #journal(): string {
    const path = join(this.#records, `${this.#run}.recorder.json`);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }
}

/** Starts recorders until one ends by itself; all before it are killed. */
async function killing(
  lab: Person,
  run: string,
  words: readonly string[],
  random: Random,
  tally: Tally,
): Promise<number> {
  const progress = new Progress(join(lab.folder, 'records'), run);
  let blind = 0;
  for (let kills = 0; ;) {
    const child = startStele(lab, words);
    if (kills < KILLS_PER_RUN) {
      // Now and then at any moment, most often a moment after it has come further than any before it.
      blind = blind < 2 && random.chance(0.3) ? blind + 1 : 0;
      let steps = 1 + random.below(3);
      const isDue = (): boolean => {
        if (progress.stepped()) steps--;
        return blind > 0 ? child.stderr() !== '' : steps <= 0;
      };
      if (await until(child, isDue)) {
        await sleep(random.chance(0.3) ? 0 : random.below(blind > 0 ? 700 : 150));
        child.process.kill('SIGKILL');
      }
    } else await until(child, () => false);
    const ended = await child.ended;
    if (ended === 0) return kills;
    if (ended === 3) continue; // the log was away
    if (ended !== 'SIGKILL') throw new Error(`a recorder ended with ${ended}: ${child.stderr()}`);
    kills++;
    for (const what of progress.owed()) tally[what] = (tally[what] ?? 0) + 1;
  }
}

/** True once `isSo`, false when it has ended before. Throws after LIFE. */
async function until(child: Started, isSo: () => boolean): Promise<boolean> {
  const isOver = (): boolean => child.process.exitCode !== null || child.process.signalCode !== null;
  const end = performance.now() + LIFE;
  while (performance.now() < end) {
    if (isOver()) return false;
    if (isSo()) return true;
    await sleep(5);
  }
  child.process.kill('SIGKILL');
  throw new Error(`a recorder came to nothing in ${LIFE / 1000} s: ${child.stderr()}`);
}

async function afterwards(
  world: World,
  lab: Person,
  run: string,
  random: Random,
  tally: Tally,
): Promise<{ entries: string[]; kills: number }> {
  const folder = join(lab.folder, run);
  const steps = Array.from({ length: 12 }, (_, i) => 10 * (i + 1));
  for (const step of steps) writeCheckpoint(folder, step, `${step} ${WEIGHTS}`);
  writeEnd(folder, steps.at(-1) ?? 0);
  const gate = await Gate.before(world.log.url);
  const over = new AbortController();
  const weather = (async () => {
    while (!over.signal.aborted) {
      gate.open = random.chance(0.8);
      await sleep(700);
    }
  })();
  const words = [
    'record',
    run,
    '--run',
    run,
    '--spec',
    'spec.md',
    '--once',
    '--log',
    gate.url,
    '--timeout',
    '2',
  ];
  try {
    const kills = await killing(lab, run, words, random, tally);
    return { entries: [...steps.map(String), 'final'], kills };
  } finally {
    over.abort();
    await weather;
    gate.close();
  }
}

async function beside(
  world: World,
  lab: Person,
  run: string,
  random: Random,
  tally: Tally,
): Promise<{ entries: string[]; kills: number }> {
  const folder = join(lab.folder, run);
  const words = ['record', run, '--run', run, '--spec', 'spec.md', '--every', '1', '--log', world.log.url];
  const first = startStele(lab, words);
  await first.says('run-intent: entry');
  first.process.kill('SIGKILL');
  await first.ended;
  const steps: number[] = [];
  const trainer = (async () => {
    for (let step = 10; step <= 80; step += 10) {
      writeCheckpoint(folder, step, `${step} ${WEIGHTS}`);
      steps.push(step);
      await sleep(800 + random.below(1500));
    }
    writeEnd(folder, 80);
  })();
  const kills = await killing(lab, run, words, random, tally);
  await trainer;
  return { entries: ['intent', ...steps.map(String), 'final'], kills: kills + 1 };
}

/** Largest resident set of a recorder of one large file, in kB. */
async function large(lab: Person): Promise<number> {
  const folder = join(lab.folder, 'large');
  const checkpoint = writeCheckpoint(folder, 10);
  const file = join(checkpoint, 'model-00001-of-00002.safetensors');
  writeFileSync(file, '');
  truncateSync(file, LARGE);
  const child = startStele(
    lab,
    ['record', 'large', '--run', 'large', '--spec', 'spec.md', '--once'],
    TELL_MEMORY,
  );
  const ended = await child.ended;
  if (ended !== 0) throw new Error(`status ${ended}: ${child.stderr()}`);
  const memory = Number(/maxRSS (\d+)/.exec(child.stderr())?.[1]);
  if (!(memory < 300_000)) throw new Error(`${LARGE} bytes took ${memory} kB`);
  return memory;
}

export default soak;
