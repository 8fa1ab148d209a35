// What a large log costs its server: memory and time to start, from a tenth of the entries to all of them.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { formatEnvelope } from '../../attestation/index.js';
import { encodeHex, leafHash } from '../../tlog/index.js';
import { Random } from '../random.js';
import { Statements, growLog, makeLog } from './large-log.js';
import type { Soak } from './soak.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const server = fileURLToPath(new URL('../../log-server/main.js', import.meta.url));
const collect = new URL('../helpers/collect.js', import.meta.url).href;

/** Bytes by which the server's memory may grow from a tenth of the entries to all of them. */
const MOST_GROWTH = 50_000_000;
/** Milliseconds from the start of the process until it takes entries, the median of the starts. */
const MOST_START_MS = 1000;
const STARTS = 5;
const READS = 2000;
const ADDS = 1000;
/** Milliseconds that the query index may take for one entry. */
const INDEX_MS_PER_ENTRY = 5;

/** Bytes that a server holds after reads, proofs, searches and adds. */
interface Memory {
  /** Resident, of its own. */
  readonly own: number;
  /** Resident, of files that are mapped: LevelDB's tables, which the system may drop at any time. */
  readonly mapped: number;
  readonly heap: number;
}

/** What was measured of a log of one size. */
interface Measured {
  readonly size: number;
  /** Of the server that made the query index, and of one that found it made. */
  readonly making: Memory;
  readonly restarted: Memory;
  readonly starts: readonly number[];
  /** Milliseconds of CPU until it took entries, the median of the starts. */
  readonly cpu: number;
  /** Seconds in which the query index was made anew, while nothing else was asked. */
  readonly index: number;
}

/**
 * Memory after the query index was made, reads, proofs, searches and adds were answered, and what nobody holds was
 * collected; and the same of a server that was started again: at a tenth of the entries and at all of them. No
 * witnesses: `quorum none`.
 */
const soak: Soak = {
  desc: 'a large log: the memory of its server does not grow with it, nor the time to start',
  minutes: undefined,
  takes: ['seed', 'entries'],
  async run({ seed, entries = 1_000_000 }) {
    const folder = join(root, 'tmp', `scale-${process.pid}`);
    mkdirSync(folder, { recursive: true });
    try {
      const log = join(folder, 'log');
      await makeLog(log);
      const measured: Measured[] = [];
      for (const size of [Math.floor(entries / 10), entries]) {
        const begun = performance.now();
        await growLog(log, size, (at) => {
          if (process.stderr.isTTY) process.stderr.write(`\r${at} of ${size} entries`);
        });
        console.log(
          `  ${size} entries written, ${((performance.now() - begun) / 1000).toFixed(0)} s since the last measurement`,
        );
        const found = await measure(log, size, new Random(seed));
        measured.push(found);
        console.log(`  ${line(found)}`);
      }
      const [small, large] = measured;
      if (!small || !large) throw new Error('expected two measurements');
      const growth = large.making.own - small.making.own;
      const later = large.restarted.own - small.restarted.own;
      const most = Math.max(growth, later);
      if (most > MOST_GROWTH)
        throw new Error(`expected memory to grow by at most ${MOST_GROWTH} bytes, found ${most}`);
      const start = median(large.starts);
      if (start > MOST_START_MS)
        throw new Error(`expected a start within ${MOST_START_MS} ms, found ${start.toFixed(0)}`);
      return {
        figures: [
          ...measured.map(line),
          `memory grew by ${mb(growth)}, of which on the heap ${mb(large.making.heap - small.making.heap)}; restarted, by ${mb(later)} (bound: ${mb(MOST_GROWTH)})`,
        ],
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function line({ size, making, restarted, starts, cpu, index }: Measured): string {
  const times = starts.map((ms) => ms.toFixed(0)).join(', ');
  const { own, heap, mapped } = making;
  return `${size} entries: ${mb(own)} of its own after collection, heap ${mb(heap)}, ${mb(mapped)} of mapped files; started again with the query index made, and asked as much, ${mb(restarted.own)}; takes entries ${median(starts).toFixed(0)} ms after its start (${times}; ${cpu.toFixed(0)} ms of CPU); query index made in ${index.toFixed(1)} s`;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

async function measure(folder: string, size: number, random: Random): Promise<Measured> {
  rmSync(join(folder, 'search'), { recursive: true, force: true });
  const first = await start(folder);
  const index = await untilIndexed(first, size);
  const making = await loaded(first, size, 'first', random);
  await first.stop();
  const starts: number[] = [];
  const cpus: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const running = await start(folder);
    starts.push(running.startMs);
    cpus.push(running.cpuMs);
    await running.stop();
  }
  const again = await start(folder);
  const restarted = await loaded(again, size, 'again', random);
  await again.stop();
  return { size, making, restarted, starts, cpu: median(cpus), index };
}

/** The memory of a server that has been asked much. */
async function loaded(running: Running, size: number, name: string, random: Random): Promise<Memory> {
  await load(running, size, name, random);
  const { heapUsed, external } = await running.collected();
  return { ...running.resident(), heap: heapUsed + external };
}

interface Running {
  readonly url: string;
  readonly startMs: number;
  readonly cpuMs: number;
  collected(): Promise<{ heapUsed: number; external: number }>;
  resident(): { own: number; mapped: number };
  stop(): Promise<void>;
}

/** The shipped program, as soon as it takes entries. */
async function start(folder: string): Promise<Running> {
  const begun = performance.now();
  const child = spawn(
    process.execPath,
    // prettier-ignore
    ['--expose-gc', '--import', collect, server, 'serve', '-f', folder, '-l', '127.0.0.1:0', '--log-level', 'warn', '--rate', '0'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const wait = async <T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> => {
    for (let tries = 0; tries < 20_000; tries++) {
      const found = await look();
      if (found !== undefined) return found;
      if (child.exitCode !== null) throw new Error(`the log ended while ${what} was awaited: ${err}`);
      await sleep(3);
    }
    child.kill('SIGKILL');
    throw new Error(`no ${what}: ${err}`);
  };
  const url = await wait('address', () => /^(http\S+)\n/.exec(out)?.[1]);
  await wait('readiness', async () => {
    const answer = await fetch(`${url}/readyz`);
    await answer.arrayBuffer();
    return answer.ok ? true : undefined;
  });
  const startMs = performance.now() - begun;
  const cpuMs = cpuOf(child);
  return {
    url,
    startMs,
    cpuMs,
    async collected() {
      child.kill('SIGUSR2');
      const text = await wait('collection', () => /^\{"collected":(.*)\}$/m.exec(err)?.[1]);
      return JSON.parse(text) as { heapUsed: number; external: number };
    },
    resident() {
      const status = readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8');
      const bytes = (field: string): number =>
        Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
      return { own: bytes('RssAnon'), mapped: bytes('RssFile') };
    },
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Milliseconds of CPU that a process has had. */
function cpuOf({ pid }: ChildProcess): number {
  const stat = readFileSync(`/proc/${pid ?? 0}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Seconds until the query index has all entries. */
async function untilIndexed({ url }: Running, size: number): Promise<number> {
  const begun = performance.now();
  const end = begun + Math.max(60_000, size * INDEX_MS_PER_ENTRY);
  for (;;) {
    const answer = await fetch(`${url}/api/v1/search?type=charter`);
    const found = (await answer.json()) as { indexed?: number };
    if (answer.ok && (found.indexed ?? 0) >= size) return (performance.now() - begun) / 1000;
    if (performance.now() > end) throw new Error(`only ${found.indexed ?? 0} entries are in the query index`);
    await sleep(50);
  }
}

/** What readers and submitters ask for, eight at a time. Every answer must be good. */
async function load({ url }: Running, size: number, name: string, random: Random): Promise<void> {
  const get = async (path: string): Promise<Uint8Array> => {
    const answer = await fetch(`${url}${path}`);
    const body = new Uint8Array(await answer.arrayBuffer());
    if (!answer.ok) throw new Error(`${path}: status ${answer.status}: ${Buffer.from(body).toString()}`);
    return body;
  };
  const anchor = JSON.parse(Buffer.from(await get('/api/v1/entries/1')).toString()) as {
    leafHash: string;
    envelope: object;
  };
  const statements = new Statements(`load-${size}-${name}`, { index: 1, leafHash: anchor.leafHash });
  const bodies = Array.from({ length: ADDS }, () => statements.next());
  const asks: (() => Promise<void>)[] = [];
  for (let i = 0; i < READS; i++) {
    const at = random.below(size);
    const bundle = Math.floor(at / 256);
    const run = `run-4-${Math.floor(at / 100)}`;
    const path = [
      `/api/v1/entries/${at}`,
      `/api/v1/proofs/inclusion?index=${at}`,
      `/api/v1/proofs/consistency?from=${at + 1}`,
      `/tile/0/${tilePathOf(Math.min(bundle, Math.floor(size / 256) - 1))}`,
      `/tile/entries/${tilePathOf(Math.min(bundle, Math.floor(size / 256) - 1))}`,
      `/api/v1/search?run=${run}`,
    ][i % 6];
    asks.push(async () => {
      await get(path ?? '/');
    });
  }
  const lane = async (): Promise<void> => {
    for (let ask = asks.pop(); ask !== undefined; ask = asks.pop()) await ask();
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  // In order, so that each run stays a chain.
  for (let i = 0; i < bodies.length; i += 50) {
    await Promise.all(
      bodies.slice(i, i + 50).map(async ({ envelope, leafHash: expected }) => {
        const body = formatEnvelope(envelope);
        const answer = await fetch(`${url}/add`, { method: 'POST', body });
        const text = await answer.text();
        if (!answer.ok || encodeHex(leafHash(body)) !== encodeHex(expected))
          throw new Error(`add: status ${answer.status}: ${text}`);
      }),
    );
  }
}

/** As tlog-tiles writes an index. */
function tilePathOf(index: number): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.../g) ?? [];
  return groups.map((group, i) => (i === groups.length - 1 ? group : `x${group}`)).join('/');
}

export default soak;
