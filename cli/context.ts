// What a command may touch of the world around it, so that tests can be that world.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fetch } from '../client/index.js';

/** The world as a command sees it. */
export interface Context {
  /** STELE_*, XDG_*, HOME and APPDATA are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute path of the working folder. */
  readonly cwd: string;
  readonly stdout: (data: string | Uint8Array) => void;
  /**
   * Resolves when nothing given to stdout waits in this process any more, and so can be lost with it: what a
   * pipe has no room for does. False if some of it was never taken, because whoever read has gone.
   */
  readonly taken: () => Promise<boolean>;
  readonly stderr: (text: string) => void;
  /** Whether stdout is a terminal, so that text from elsewhere must be escaped. */
  readonly terminal: boolean;
  /** Of the terminal, if stdout is one; undefined where its width is not known. */
  readonly columns: number | undefined;
  /** Where progress bars are drawn: stderr, if it is a terminal. */
  readonly progress: NodeJS.WritableStream | undefined;
  readonly fetch: Fetch;
  /** Milliseconds since 1970-01-01T00:00:00Z. It dates statements and decides nothing. */
  readonly now: () => number;
  /** Milliseconds since some moment, by a clock that nobody sets: for how long something took. */
  readonly monotonic: () => number;
  /** Rejects when the signal aborts. */
  readonly sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  readonly random: (bytes: number) => Uint8Array;
  /** Calls `stop` once, when the process is asked to end. Gives what takes that back. */
  readonly onStop: (stop: () => void) => () => void;
}

/** The real world. */
export function processContext(): Context {
  let lost = false;
  return {
    env: process.env,
    cwd: process.cwd(),
    stdout: (data) =>
      void process.stdout.write(data, (error) => {
        if (error) lost = true;
      }),
    // Writes end in their order.
    taken: () => new Promise((resolve) => process.stdout.write('', () => resolve(!lost))),
    stderr: (text) => void process.stderr.write(text),
    terminal: process.stdout.isTTY,
    columns: process.stdout.isTTY ? process.stdout.columns : undefined,
    progress: process.stderr.isTTY ? process.stderr : undefined,
    fetch: (url, init) => globalThis.fetch(url, init),
    now: () => Date.now(),
    monotonic: () => performance.now(),
    sleep: (milliseconds, signal) => sleep(milliseconds, undefined, signal && { signal }),
    random: (bytes) => new Uint8Array(randomBytes(bytes)),
    onStop: (stop) => {
      const signals = ['SIGINT', 'SIGTERM'] as const;
      for (const signal of signals) process.once(signal, stop);
      return () => {
        for (const signal of signals) process.off(signal, stop);
      };
    },
  };
}
