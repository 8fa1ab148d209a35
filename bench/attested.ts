// Adds a second with every attestation check, beside the Ed25519 signatures that the same core verifies.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Load } from './adds.js';
import { introductions, writeIntents } from './attested-entries.js';
import { SERVER_CORE, cpuSeconds, freePort, peer, root, runPinned, startServer } from './process.js';
import type { Running } from './process.js';
import { figure, median, spread, table } from './table.js';
import { ourLog } from './targets.js';

const ORIGIN = 'bench.example/attested';
/**
 * Seconds before anything is measured. Longer than for plain adds: V8 compiles in threads that share the core, 2.2 s of CPU in
 * the first ten seconds, and what is sent into a cold server waits for it.
 */
const WARMUP = 10;
/** Entries a second that are made beforehand: more than one core can verify beside everything else. */
const MOST = 4000;

/** How attested adds are measured. */
export interface AttestedOptions {
  readonly rounds: number;
  readonly inFlight: number;
  readonly seconds: number;
  readonly folder: string;
}

/** Signatures that the server's core verifies in a second, with nothing around them. */
async function verifyRate(): Promise<number> {
  const command = [process.execPath, `${root}dist/bench/verify-signatures.js`];
  const { stdout } = await runPinned(command, SERVER_CORE);
  return (JSON.parse(stdout) as { perSecond: number }).perSecond;
}

/** A new log with a charter, no witnesses, served on the server's core, and no limit on one key. */
async function serve(folder: string, node: readonly string[] = []): Promise<Running> {
  const log = join(folder, 'log');
  const policy = join(folder, 'policy');
  writeFileSync(policy, 'quorum none\n');
  const init = [ourLog, 'init', '-f', log, '--origin', ORIGIN, '--policy', policy];
  const { status, stdout, stderr } = spawnSync(process.execPath, init, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`stele-log init: ${stdout}${stderr}`);
  const port = await freePort();
  const flags = ['serve', '-f', log, '-l', `127.0.0.1:${port}`, '--rate', '0', '--log-level', 'error'];
  const server = await startServer([process.execPath, ...node, ourLog, ...flags], port);
  for (let tries = 0; !(await fetch(`${server.url}/readyz`)).ok; tries++) {
    if (tries === 300) throw new Error(`${ourLog}: not ready within 30 s`);
    await sleep(100);
  }
  return server;
}

/** Serves a log, makes entries for it, and sends them. */
export async function addAttested(
  folder: string,
  { inFlight, seconds }: Pick<AttestedOptions, 'inFlight' | 'seconds'>,
  node: readonly string[] = [],
): Promise<Load & { cpu: number; bytes: number }> {
  const generator = peer('load');
  if (generator === undefined) throw new Error('expected interop/bin/load; run interop/install');
  mkdirSync(folder, { recursive: true });
  const server = await serve(folder, node);
  try {
    const { leafHash } = (await (await fetch(`${server.url}/api/v1/entries/1`)).json()) as {
      leafHash: string;
    };
    const anchor = { index: 1, leafHash };
    for (const body of introductions(join(folder, 'log'), ORIGIN, anchor)) {
      const answer = await fetch(`${server.url}/add`, { method: 'POST', body });
      if (!answer.ok) throw new Error(await answer.text());
    }
    const file = join(folder, 'intents');
    const bytes = writeIntents(file, Math.ceil(MOST * (seconds + WARMUP)), anchor);
    const flags = ['-in-flight', String(inFlight), '-seconds', String(seconds), '-warmup', String(WARMUP)];
    let warm = 0;
    const sample = setTimeout(() => (warm = cpuSeconds(server.pid)), 1000 * WARMUP);
    const { stdout } = await runPinned([generator, '-url', server.url, '-bodies', file, ...flags]);
    clearTimeout(sample);
    const found = JSON.parse(stdout) as Load;
    return { ...found, bytes, cpu: (1e6 * (cpuSeconds(server.pid) - warm)) / found.acknowledged };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

/** Answers the report. */
export async function measureAttested(options: AttestedOptions): Promise<string> {
  const { rounds, inFlight, seconds } = options;
  const rates: number[] = [];
  const found: (Load & { cpu: number; bytes: number })[] = [];
  for (let round = 0; round < rounds; round++) {
    rates.push(await verifyRate());
    found.push(await addAttested(join(options.folder, 'attested'), options));
    rates.push(await verifyRate());
    console.error(`round ${round + 1}: attested: ${figure(found.at(-1)?.perSecond ?? 0)} adds/s`);
  }
  // Of each round, beside what the core verified before and after it.
  const ratios = found.map(
    ({ perSecond }, i) => perSecond / (((rates[2 * i] ?? 0) + (rates[2 * i + 1] ?? 0)) / 2),
  );
  const of = (value: (each: Load & { cpu: number }) => number): number => median(found.map(value));
  const size = found[0]?.bytes ?? 0;
  return [
    `Adds a second with all attestation checks: signed intents of ${size} bytes by 16 laboratories, ${inFlight} in flight, no witnesses, acknowledged when published; ${rounds} rounds of ${seconds} s, median (least–most).`,
    '',
    table(
      ['server', 'adds/s', 'p50 ms', 'p99 ms', 'CPU µs/entry'],
      [
        [
          'stele-log --admission charter',
          spread(found.map(({ perSecond }) => perSecond)),
          figure(of(({ p50Ms }) => p50Ms)),
          figure(of(({ p99Ms }) => p99Ms)),
          figure(of(({ cpu }) => cpu)),
        ],
      ],
    ),
    `\nThe same core verifies ${spread(rates)} Ed25519 signatures a second and nothing else: adds are ${spread(ratios)} of that.`,
  ].join('\n');
}
