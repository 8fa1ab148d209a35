/**
 * A log under attack, over real processes: strangers who take all they can, while a laboratory submits. The log is
 * the shipped program, with the limits that it ships with.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatEnvelope } from '../../attestation/index.js';
import { LogReader, httpSource } from '../../client/index.js';
import { encodeHex, encodeUtf8, parsePolicy } from '../../tlog/index.js';
import { readPolicyFile } from '../../log-server/folder.js';
import { Statements, makeLog } from '../soak/large-log.js';
import { type Attack, type Honest, type Outcome, attackWith } from './phases.js';
import { peakMemory, startProgram } from './program.js';

/**
 * Most bytes that the log may ever have in memory. Node and the program at rest are about 150 MB; 128 MiB of bodies
 * can be more while they grow; 8,192 connections with the headers and answers that they hold are about 240 MB; 1,024
 * requests that wait at the door have 64 MiB, and bundles that were read lately 32; the rest is for the collector.
 */
export const MOST_MEMORY: number = 832 * 1024 * 1024;

/** Most files and connections that it may ever have open: 8,192 connections, and some of its own. */
export const MOST_OPEN: number = 8192 + 256;

/** Who submits at one time. */
const LABS = 3;

/** What an attack on a log comes to. */
export interface LogOutcome extends Outcome {
  /** Entries in the log at the end, all of which were read and verified. */
  readonly size: number;
}

/** Attacks a log in every way, each for so long. Throws if a submission was left without an answer, or is not in the log. */
export async function attackLog(options: {
  readonly seconds: number;
  readonly connections: number;
}): Promise<LogOutcome> {
  const scratch = mkdtempSync(join(tmpdir(), 'stele-log-attack-'));
  const folder = join(scratch, 'log');
  await makeLog(folder);
  const { program, whereIs } = startProgram('log-server/main', folder, join(scratch, 'log.txt'));
  try {
    const url = await whereIs();
    const anchor = await anchorOf(url);
    const labs = Array.from({ length: LABS }, (_, i) => new Lab(url, new Statements(`lab-${i}`, anchor)));
    const { phases, open } = await attackWith(attacks(options.connections, anchor), {
      program,
      url: `${url}/add`,
      honest: labs,
      seconds: options.seconds,
      // Below the rate that one key may have.
      pauseMs: 50,
      scratch,
    });
    const size = await readAll(url, await readPolicyFile(folder), labs);
    return { phases, memory: peakMemory(program), open, size };
  } finally {
    const ended = new Promise((resolve) => program.once('close', resolve));
    if (program.exitCode === null && program.kill('SIGKILL')) await ended;
    rmSync(scratch, { recursive: true });
  }
}

function attacks(connections: number, anchor: { index: number; leafHash: string }): Attack[] {
  const again = formatEnvelope(new Statements('lab-0', anchor).next().envelope);
  const forged = encodeUtf8(
    Buffer.from(again)
      .toString()
      .replace(/"sig":"[^"]{4}/, '"sig":"AAAA'),
  );
  const deep = encodeUtf8(`{"payload":${'['.repeat(60_000)}`);
  const long = new Uint8Array(200_000).fill(0x20);
  const tenth = connections / 10;
  return [
    {
      name: 'connections that ask for nothing, and bodies that drip',
      kinds: [
        ['idle', connections],
        ['drip', tenth],
      ],
    },
    { name: 'connections that ask and read nothing', kinds: [['deaf', connections]] },
    { name: 'headers that drip', kinds: [['headers', tenth]] },
    { name: 'bodies that drip', kinds: [['drip', 2 * tenth]] },
    {
      name: 'bodies without an end, and of 10 GB',
      kinds: [
        ['endless', 100],
        ['announce', 100],
      ],
    },
    {
      name: 'entries logged already, forged, deep and long',
      kinds: [['flood:/add', 100]],
      bodies: [again, forged, deep, long],
    },
  ];
}

/** A laboratory that submits one statement after the other, each until it is answered. */
class Lab implements Honest {
  readonly #url: URL;
  readonly #statements: Statements;
  readonly #agent = new Agent({ keepAlive: true });
  /** Hex leaf hash of each entry that was answered, by its index. */
  readonly answered = new Map<number, string>();

  constructor(url: string, statements: Statements) {
    this.#url = new URL('/add', url);
    this.#statements = statements;
  }

  async ask(signal: AbortSignal): Promise<{ again: number; ms: number } | undefined> {
    const { envelope, leafHash } = this.#statements.next();
    const body = formatEnvelope(envelope);
    const begun = performance.now();
    for (let again = 0; !signal.aborted; again++) {
      const { status, text } = await this.#post(body);
      if (status === 200) {
        this.answered.set(Number(text), encodeHex(leafHash));
        return { again, ms: performance.now() - begun };
      }
      if (status !== 0 && status !== 429 && status !== 503)
        throw new Error(`expected an index, found status ${status}: ${text}`);
      await sleep(20);
    }
    return undefined;
  }

  /** Status 0 where there was no answer. */
  #post(body: Uint8Array): Promise<{ status: number; text: string }> {
    return new Promise((resolve) => {
      const none = (): void => resolve({ status: 0, text: '' });
      const asked = request(this.#url, { method: 'POST', agent: this.#agent, timeout: 10_000 }, (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text }));
        answer.once('error', none);
        answer.once('close', none);
      });
      asked.once('timeout', () => asked.destroy());
      asked.once('error', none);
      asked.end(body);
    });
  }
}

async function anchorOf(url: string): Promise<{ index: number; leafHash: string }> {
  const answer = await fetch(`${url}/api/v1/entries/1`);
  const { leafHash } = (await answer.json()) as { leafHash: string };
  return { index: 1, leafHash };
}

/** Reads the whole log, verifying it; all that was answered must be where it was said to be. */
async function readAll(url: string, policy: Uint8Array, labs: readonly Lab[]): Promise<number> {
  const reader = new LogReader(httpSource(url), parsePolicy(policy));
  const { size } = await reader.checkpoint();
  const wanted = new Map(labs.flatMap(({ answered }) => [...answered]));
  for await (const { index, leafHash } of reader.entries(0, size)) {
    const hash = wanted.get(index);
    if (hash !== undefined && hash !== encodeHex(leafHash)) throw new Error(`entry ${index} is another`);
    wanted.delete(index);
  }
  if (wanted.size > 0) throw new Error(`${wanted.size} entries that were answered are not in the log`);
  return size;
}
