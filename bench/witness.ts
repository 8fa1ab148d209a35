// Cosignatures a second: how many checkpoints of many logs a witness cosigns while a fixed number of requests
// is in flight. All witnesses serve meanwhile, on one core, and are asked by turns.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { drive, peer, runPinned, threads } from './process.js';
import type { Driven, Running } from './process.js';
import { figure, median, spread, table } from './table.js';
import { type WitnessTarget, witnessTargets } from './witness-targets.js';

/** What `witnessload` of interop/cmd prints. */
interface Asked {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly retried: number;
  /** Cosigned altogether, what was not measured included. */
  readonly all: number;
}

interface Measured extends Asked {
  /** Microseconds of all the witness's threads, and of its helper's, for each request. */
  readonly cpu: number;
}

/** How witnesses are measured. */
export interface WitnessOptions {
  readonly rounds: number;
  readonly logs: readonly number[];
  readonly inFlight: readonly number[];
  readonly seconds: number;
  readonly folder: string;
}

/** Requests in flight where every log is asked about for the first time, before anything is measured. */
const FIRST = 16;

/** Runs the rounds, the witnesses by turns, and answers the report. */
export async function measureWitness(options: WitnessOptions): Promise<string> {
  const parts: string[] = [];
  const { rounds, seconds } = options;
  const targets = witnessTargets();
  parts.push(
    `Cosignatures a second, ${rounds} rounds of ${seconds} s, median (least–most); each log's first is not counted.`,
    ...targets.map(({ name, syncs }) => `- ${name}: before it answers, ${syncs}.`),
  );
  for (const logs of options.logs) parts.push('', await withLogs(logs, targets, options));
  return parts.join('\n');
}

/** The program that asks. Throws where it is not installed. */
export function witnessGenerator(): string {
  const generator = peer('witnessload');
  if (generator === undefined) throw new Error('expected interop/bin/witnessload; run interop/install');
  return generator;
}

async function withLogs(
  logs: number,
  targets: readonly WitnessTarget[],
  { rounds, inFlight, seconds, folder }: WitnessOptions,
): Promise<string> {
  const generator = witnessGenerator();
  const { stdout } = await runPinned([generator, '-logs', String(logs), '-vkeys']);
  const vkeys = stdout.trimEnd().split('\n');
  const running: Running[] = [];
  const pids: number[][] = [];
  const found = new Map<string, Measured[]>();
  let asker: Driven | undefined;
  const own = join(folder, 'witness');
  try {
    const started: string[] = [];
    for (const [i, target] of targets.entries()) {
      const place = join(own, String(i));
      mkdirSync(place, { recursive: true });
      const { server, vkey, helper } = await target.start(place, vkeys);
      running.push(server);
      pids.push(helper === undefined ? [server.pid] : [server.pid, helper]);
      started.push(server.url, vkey);
    }
    asker = await drive([generator, '-logs', String(logs), ...started], 'ready');
    for (const i of targets.keys()) await asker.ask(`first ${i} ${FIRST}`);
    for (let round = 0; round < rounds; round++) {
      for (const count of inFlight) {
        for (const [i, { name, once }] of targets.entries()) {
          if (once === true && count !== inFlight.at(-1)) continue;
          const before = cpuSeconds(pids[i]);
          const asked = JSON.parse(await asker.ask(`run ${i} ${count} ${seconds}`)) as Asked;
          const measured = { ...asked, cpu: (1e6 * (cpuSeconds(pids[i]) - before)) / asked.all };
          const id = `${name} ${count}`;
          found.set(id, [...(found.get(id) ?? []), measured]);
          console.error(
            `round ${round + 1}: ${name}, ${logs} logs, ${count} in flight: ${figure(asked.perSecond)}/s`,
          );
        }
      }
    }
  } finally {
    await asker?.end();
    for (const server of running) await server.stop();
    rmSync(own, { recursive: true, force: true });
  }
  return report(logs, targets, inFlight, found);
}

function report(
  logs: number,
  targets: readonly WitnessTarget[],
  inFlight: readonly number[],
  found: ReadonlyMap<string, readonly Measured[]>,
): string {
  const rows = inFlight.flatMap((count) =>
    targets.flatMap(({ name }) => {
      const all = found.get(`${name} ${count}`);
      if (all === undefined) return [];
      const of = (value: (each: Measured) => number): string => figure(median(all.map(value)));
      return [
        [
          `${count}, ${name}`,
          spread(all.map((each) => each.perSecond)),
          of((each) => each.p50Ms),
          spread(all.map((each) => each.p99Ms)),
          String(all.reduce((sum, each) => sum + each.retried, 0)),
          of((each) => each.cpu),
        ],
      ];
    }),
  );
  const head = ['in flight, witness', 'cosigned/s', 'p50 ms', 'p99 ms', 'retried', 'CPU µs each'];
  return [
    `${logs.toLocaleString('en')} logs:\n`,
    table(head, rows),
    ...verdict(targets, inFlight, (name, count) =>
      median((found.get(`${name} ${count}`) ?? []).map((each) => each.perSecond)),
    ),
  ].join('\n');
}

/** Ours beside each peer: where the peer is at its best, and each where it is at its own. */
function verdict(
  targets: readonly WitnessTarget[],
  inFlight: readonly number[],
  rate: (name: string, count: number) => number,
): string[] {
  const [mine] = targets;
  if (mine === undefined) return [];
  const bestOf = (name: string): number => inFlight.toSorted((a, b) => rate(name, b) - rate(name, a))[0] ?? 0;
  const said = (ours: number, theirs: number): string =>
    `${figure(ours)} beside ${figure(theirs)}, ${(ours / theirs).toFixed(2)} of it`;
  return targets
    .filter((target) => target.peer === true)
    .flatMap(({ name }) => {
      const [best, own] = [bestOf(name), bestOf(mine.name)];
      const [there, theirs] = [rate(mine.name, best), rate(name, best)];
      return [
        `\nWhere ${name} is best (${best} in flight): ${said(there, theirs)}.`,
        `Each where it is best (${own} and ${best} in flight): ${said(rate(mine.name, own), theirs)}.`,
      ];
    });
}

function cpuSeconds(pids: readonly number[] = []): number {
  return pids.flatMap((pid) => [...threads(pid).values()]).reduce((sum, spent) => sum + spent, 0);
}
