// Durable adds a second: how many entries a log acknowledges while a fixed number of requests is in flight.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cpuSeconds, memory, peer, runPinned } from './process.js';
import { figure, median, spread, table } from './table.js';
import type { Target } from './targets.js';

/** What `load` of interop/cmd prints. */
export interface Load {
  readonly perSecond: number;
  readonly acknowledged: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly retried: number;
  /** Of all entries, those of the warm-up included. */
  readonly maxIndex: number;
}

/** How adds are measured. */
export interface AddsOptions {
  readonly rounds: number;
  readonly inFlight: readonly number[];
  readonly seconds: number;
  readonly folder: string;
}

const ENTRY_SIZE = 1024;
/** Seconds that are not counted. */
const WARMUP = 2;

/** Sends entries of 1 KiB; those of the warm-up are not counted. */
export async function load(url: string, inFlight: number, seconds: number, seed: number): Promise<Load> {
  const generator = peer('load');
  if (generator === undefined) throw new Error('expected interop/bin/load; run interop/install');
  const { stdout } = await runPinned([
    generator,
    ...['-url', url, '-in-flight', String(inFlight), '-seconds', String(seconds), '-warmup', String(WARMUP)],
    ...['-size', String(ENTRY_SIZE), '-seed', String(seed)],
  ]);
  return JSON.parse(stdout) as Load;
}

interface Measured extends Load {
  /** MiB at most. */
  readonly memory: number;
  /** Microseconds of all the server's threads for each entry: says more than the rate where other programs run. */
  readonly cpu: number;
}

/** Runs the rounds, the targets by turns, and answers the report. */
export async function measureAdds(targets: readonly Target[], options: AddsOptions): Promise<string> {
  const { rounds, inFlight, seconds, folder } = options;
  const found = new Map<string, Measured[]>();
  for (let round = 0; round < rounds; round++) {
    for (const count of inFlight) {
      for (const target of targets) {
        const own = join(folder, 'adds');
        mkdirSync(own, { recursive: true });
        const server = await target.start(own);
        // From the end of the warm-up on, like the rate: compiling the server's functions is not the work of an entry.
        let before = 0;
        const sample = setTimeout(() => (before = cpuSeconds(server.pid)), 1000 * WARMUP);
        const result = await load(server.url, count, seconds, round * 10_000 + count);
        clearTimeout(sample);
        const cpu = (1e6 * (cpuSeconds(server.pid) - before)) / result.acknowledged;
        const measured = { ...result, cpu, memory: memory(server.pid).most };
        await server.stop();
        rmSync(own, { recursive: true });
        const id = `${target.name} ${count}`;
        found.set(id, [...(found.get(id) ?? []), measured]);
        console.error(
          `round ${round + 1}: ${target.name}, ${count} in flight: ${figure(result.perSecond)} adds/s`,
        );
      }
    }
  }
  const rows = inFlight.flatMap((count) =>
    targets.map(({ name }) => {
      const all = found.get(`${name} ${count}`) ?? [];
      const of = (value: (each: Measured) => number): number => median(all.map(value));
      return [
        `${count}, ${name}`,
        spread(all.map((each) => each.perSecond)),
        figure(of((each) => each.p50Ms)),
        figure(of((each) => each.p99Ms)),
        String(all.reduce((sum, each) => sum + each.retried, 0)),
        figure(of((each) => each.cpu)),
        figure(of((each) => each.memory)),
      ];
    }),
  );
  const head = ['in flight, server', 'adds/s', 'p50 ms', 'p99 ms', 'retried', 'CPU µs/entry', 'memory MiB'];
  return [
    `Durable adds a second: entries of ${ENTRY_SIZE} bytes, no witnesses, ${rounds} rounds of ${seconds} s,` +
      ' median (least–most).',
    ...targets.map(
      ({ name, acknowledges, deduplicates }) =>
        `- ${name}: acknowledges when ${acknowledges}; deduplicates ${deduplicates}.`,
    ),
    '',
    table(head, rows),
    ...verdict(targets, inFlight, (name, count) =>
      median((found.get(`${name} ${count}`) ?? []).map((each) => each.perSecond)),
    ),
  ].join('\n');
}

/** Each peer at the number of requests in flight that suits it best, beside ours at the same. */
function verdict(
  targets: readonly Target[],
  inFlight: readonly number[],
  rate: (name: string, count: number) => number,
): string[] {
  const [first, ...others] = targets;
  if (first === undefined) return [];
  return others.map(({ name }) => {
    const best = inFlight.toSorted((a, b) => rate(name, b) - rate(name, a))[0] ?? 0;
    const [mine, theirs] = [rate(first.name, best), rate(name, best)];
    return `\nWhere ${name} is best (${best} in flight): ${figure(mine)} beside ${figure(theirs)}, ${(mine / theirs).toFixed(2)} of it.`;
  });
}
