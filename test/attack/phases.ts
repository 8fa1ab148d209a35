// What an attack on a witness and one on a log have in common: strangers in processes of their own, phase after phase,
// while somebody honest asks and must be answered.
import { readdirSync, writeFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startScript } from '../helpers/process.js';

/** Processes of strangers of one kind. */
export const PROCESSES = 4;

/** What the strangers of one phase do. */
export interface Attack {
  readonly name: string;
  /** Kinds of stranger.ts, and with how many connections over all processes. */
  readonly kinds: readonly (readonly [kind: string, connections: number])[];
  readonly bodies?: readonly Uint8Array[];
}

/** Whoever asks honestly: one question more, again until it is answered; undefined once `signal` aborts. */
export interface Honest {
  ask(signal: AbortSignal): Promise<{ readonly again: number; readonly ms: number } | undefined>;
}

/** What one phase came to. */
export interface Phase {
  readonly name: string;
  /** Honest questions that were answered as they should be. */
  readonly answered: number;
  /** Those that got no answer, or one that says try again, and were asked again. */
  readonly again: number;
  /** Milliseconds, of those answered, the repetitions before them included. */
  readonly median: number;
  readonly worst: number;
}

/** What an attack comes to. */
export interface Outcome {
  readonly phases: readonly Phase[];
  /** Bytes: the largest that the program ever had in memory. */
  readonly memory: number;
  /** Files and connections that it had open, at most, of the moments looked at. */
  readonly open: number;
}

/** Attacks in every way, each for so long, and lets it be quiet before and after. Throws if somebody honest is left without an answer. */
export async function attackWith(
  attacks: readonly Attack[],
  on: {
    readonly program: ChildProcess;
    /** Where most strangers POST. */
    readonly url: string;
    readonly honest: readonly Honest[];
    readonly seconds: number;
    /** Milliseconds between an answer and the next honest question. */
    readonly pauseMs: number;
    /** A folder for what the strangers send. */
    readonly scratch: string;
  },
): Promise<Omit<Outcome, 'memory'>> {
  let open = 0;
  const look = (): void => {
    open = Math.max(open, readdirSync(`/proc/${on.program.pid ?? 0}/fd`).length);
  };
  const phases: Phase[] = [await during('nobody', on)];
  for (const { name, kinds, bodies = [] } of attacks) {
    const files = bodies.map((body, i) => {
      const file = join(on.scratch, `${i}`);
      writeFileSync(file, body);
      return file;
    });
    const strangers = kinds.flatMap(([kind, connections]) => {
      const share = String(Math.ceil(connections / PROCESSES));
      const args = [kind, on.url, share, ...files];
      return Array.from({ length: PROCESSES }, () => startScript('test/attack/stranger', args));
    });
    try {
      await Promise.all(strangers.map(({ firstLine }) => firstLine));
      look();
      phases.push(await during(name, on));
      look();
    } finally {
      for (const { process } of strangers) process.kill('SIGKILL');
      await Promise.all(strangers.map(({ ended }) => ended));
    }
  }
  phases.push(await during('nobody again', on));
  return { phases, open };
}

/** Lets everybody honest ask for a while. Each must be answered, however long that takes. */
async function during(
  name: string,
  {
    honest,
    seconds,
    pauseMs,
  }: { readonly honest: readonly Honest[]; readonly seconds: number; readonly pauseMs: number },
): Promise<Phase> {
  const times: number[] = [];
  let again = 0;
  const end = performance.now() + seconds * 1000;
  // What hangs for a minute is not served.
  const patience = AbortSignal.timeout(60_000);
  await Promise.all(
    honest.map(async (one, i) => {
      for (let count = 0; count === 0 || performance.now() < end; count++) {
        const done = await one.ask(patience);
        if (!done) throw new Error(`${name}: honest client ${i} got no answer within a minute`);
        times.push(done.ms);
        again += done.again;
        await sleep(pauseMs);
      }
    }),
  );
  times.sort((a, b) => a - b);
  const at = (part: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
  return { name, answered: times.length, again, median: at(0.5), worst: at(1) };
}

/** A phase in one line. */
export function lineOf(
  { name, answered, again, median, worst }: Phase,
  [done, asked]: readonly [done: string, asked: string],
): string {
  return `${name}: ${answered} ${done}, median ${Math.round(median)} ms, worst ${Math.round(worst)} ms, ${asked} again ${again} times`;
}

/** Bytes as people read them. */
export function mib(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`;
}
