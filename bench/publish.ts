// How long publishing takes: with a witness that hangs beside without one, and to a cosigned proof at a steady
// rate beside Tessera.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Answered,
  hangingServer,
  makeOurs,
  makeTessera,
  makeWitnesses,
  policyOf,
  sendTo,
  startWitnesses,
} from './cosigned-logs.js';
import type { Running } from './process.js';
import { figure, spread, table } from './table.js';

/** How publishing is measured. */
export interface PublishOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly folder: string;
}

const WARMUP = ['-warmup', '0.5'];
/** A hundred checkpoints, so that what is measured has been compiled: V8's threads share the server's core. */
const LATENCY_WARMUP = ['-warmup', '10'];

/**
 * Three healthy witnesses of three, and the same three and one that hangs, of which three are a quorum: both
 * heads wait for the same three. A second log with three of three says how far two logs that do the same differ.
 */
export async function measureHanging(options: PublishOptions): Promise<string> {
  const { rounds, seconds } = options;
  const own = join(options.folder, 'publish');
  mkdirSync(own, { recursive: true });
  const witnesses = await makeWitnesses(own, 4);
  const hanging = await hangingServer(witnesses[3]?.port ?? 0);
  const names = [
    'three healthy of three',
    'three healthy, one hanging, of four',
    'three healthy of three, another log',
  ];
  const logs = [
    makeOurs(join(own, '3'), 'bench.example/three', policyOf(witnesses.slice(0, 3), 3), 0),
    makeOurs(join(own, '4'), 'bench.example/four', policyOf(witnesses, 3), 0),
    makeOurs(join(own, 'again'), 'bench.example/again', policyOf(witnesses.slice(0, 3), 3), 0),
  ];
  const running = await startWitnesses(
    witnesses.slice(0, 3),
    logs.map(({ vkey }) => vkey),
  );
  const inFlight = [1, 64];
  const found = new Map<string, Answered[]>();
  try {
    const servers: Running[] = [];
    for (const log of logs) servers.push(await log.start());
    running.push(...servers);
    for (let round = 0; round < rounds; round++) {
      for (const count of inFlight) {
        // Whoever comes first in one round is last in the next.
        const turns = [...servers.entries()];
        for (const [i, { url }] of round % 2 === 0 ? turns : turns.toReversed()) {
          const flags = ['-in-flight', String(count), '-seconds', String(seconds), ...WARMUP];
          const answered = await sendTo(url, [...flags, '-seed', String(round * 100 + count)]);
          const id = `${count}, ${names[i] ?? ''}`;
          found.set(id, [...(found.get(id) ?? []), answered]);
          console.error(`round ${round + 1}: ${id}: ${figure(answered.p50Ms)} ms`);
        }
      }
    }
  } finally {
    for (const server of running.toReversed()) await server.stop();
    await hanging();
    rmSync(own, { recursive: true, force: true });
  }
  const of = (id: string, value: (each: Answered) => number): number[] => (found.get(id) ?? []).map(value);
  const ids = inFlight.flatMap((count) => names.map((name) => `${count}, ${name}`));
  const rows = ids.map((id) => [
    id,
    spread(of(id, ({ p50Ms }) => p50Ms)),
    spread(of(id, ({ p99Ms }) => p99Ms)),
    figure(Math.max(...of(id, ({ maxMs }) => maxMs))),
    spread(of(id, ({ perSecond }) => perSecond)),
  ]);
  // Round by round, so that what else the machine does changes the ratio less than the values.
  const ratios = inFlight.map((count) => {
    const [healthy = [], hung = [], again = []] = names.map((name) =>
      of(`${count}, ${name}`, ({ p50Ms }) => p50Ms),
    );
    const to = (values: readonly number[]): string =>
      spread(values.map((value, round) => value / (healthy[round] ?? Number.NaN)));
    return `${count} in flight: with the hanging one ${to(hung)}, the other log of the same kind ${to(again)}.`;
  });
  return [
    `From submission to publication, milliseconds; our log and witnesses on one core, no interval between heads, ${rounds} rounds of ${seconds} s, median (least–most).`,
    '',
    table(['in flight, witnesses', 'p50 ms', 'p99 ms', 'worst ms', 'adds/s'], rows),
    "\nThe p50 of a round, as a multiple of the same round's with three healthy of three:\n",
    ...ratios.map((line) => `- ${line}`),
  ].join('\n');
}

const RATE = 100;
const INTERVAL = 100;

/** To a cosigned proof, four witnesses of ours, three a quorum, at a steady rate, beside Tessera. */
export async function measureLatency(options: PublishOptions): Promise<string> {
  const { rounds, seconds } = options;
  const own = join(options.folder, 'latency');
  mkdirSync(own, { recursive: true });
  const witnesses = await makeWitnesses(own, 4);
  const policy = policyOf(witnesses, 3);
  const targets = [
    {
      name: 'stele-log, answering with the proof',
      log: makeOurs(join(own, 'ours'), 'bench.example/ours', policy, INTERVAL),
      flags: ['-proof'],
    },
  ];
  const tessera = makeTessera(join(own, 'tessera'), policy, INTERVAL);
  if (tessera) targets.push({ name: "Tessera's driver, answering with the index", log: tessera, flags: [] });
  const running = await startWitnesses(
    witnesses,
    targets.map(({ log }) => log.vkey),
  );
  const found = targets.map((): Answered[] => []);
  try {
    const servers: Running[] = [];
    for (const { log } of targets) servers.push(await log.start());
    running.push(...servers);
    for (let round = 0; round < rounds; round++) {
      for (const [i, { name, flags }] of targets.entries()) {
        const steady = ['-rate', String(RATE), '-in-flight', '128', '-seconds', String(seconds)];
        const of = [...steady, ...LATENCY_WARMUP, ...flags, '-seed', String(round)];
        const answered = await sendTo(servers[i]?.url ?? '', of);
        found[i]?.push(answered);
        console.error(`round ${round + 1}: ${name}: ${figure(answered.p50Ms)} ms`);
      }
    }
  } finally {
    for (const server of running.toReversed()) await server.stop();
    rmSync(own, { recursive: true, force: true });
  }
  const rows = targets.map(({ name }, i) => {
    const all = found[i] ?? [];
    return [
      name,
      spread(all.map(({ p50Ms }) => p50Ms)),
      spread(all.map(({ p99Ms }) => p99Ms)),
      spread(all.map(({ perSecond }) => perSecond)),
    ];
  });
  return [
    `From submission to a checkpoint cosigned by three of four witnesses, milliseconds, at ${RATE} adds/s and at most one checkpoint in ${INTERVAL} ms; the witnesses are ours for both, all on one core, ${rounds} rounds of ${seconds} s after ten that are not counted, median (least–most).`,
    '',
    table(['log', 'p50 ms', 'p99 ms', 'adds/s'], rows),
  ].join('\n');
}
