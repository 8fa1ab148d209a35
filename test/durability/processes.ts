import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SavedFile } from './disk-model.js';
import { CALLS, STRING_LIMIT } from './strace.js';

/** The build under test: this one, unless a proof has taken something out of a copy. */
export const DIST: string = fileURLToPath(new URL('../..', import.meta.url));

/** How a program is run. */
export interface RunOptions {
  readonly dist?: string;
  /** File for the trace of all its threads. */
  readonly trace?: string;
  /** Faults, each as strace's `-e inject=` wants it, and the only paths that they may hit. */
  readonly inject?: { readonly faults: readonly string[]; readonly paths?: readonly string[] };
  /** One thread does all file operations, one after the other: strace counts calls per thread. */
  readonly oneThread?: boolean;
}

/** A program of ours in a process of its own. */
export interface Running {
  readonly process: ChildProcess;
  /** First line on stdout; rejects with what it wrote to stderr if it ends without. */
  readonly firstLine: Promise<string>;
  /** Status or signal. With a trace, resolves when the trace is whole. */
  readonly ended: Promise<number | string>;
  stdout(): string;
  stderr(): string;
  /** Resolves once a line on stderr matches; rejects when the process ends before. */
  saying(pattern: RegExp): Promise<void>;
}

const running = new Set<Running>();

/** Ends what a proof that failed has left running, and waits for the end: what they hold open is free then. */
export async function killRest(): Promise<void> {
  for (const child of running) child.process.kill('SIGKILL');
  await Promise.all([...running].map(({ ended }) => ended.catch(() => undefined)));
}

/** Runs a built program by its source path without `.ts`, such as `witness/main`. */
export function run(script: string, args: readonly string[], options: RunOptions = {}): Running {
  const { dist = DIST, trace, inject, oneThread } = options;
  const under = trace === undefined && inject === undefined ? [] : straceArgs(trace, inject);
  const [command = '', ...rest] = [...under, process.execPath, join(dist, `${script}.js`), ...args];
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      // Else some versions of Node write files where strace does not see it.
      UV_USE_IO_URING: '0',
      ...(oneThread === true && { UV_THREADPOOL_SIZE: '1' }),
    },
  });
  let out = '';
  let err = '';
  let over = false;
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listener of listeners) listener();
  };
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    tell();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
    tell();
  });
  const when = (condition: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (condition()) resolve();
        else if (over) reject(new Error(`${script} ${args[0] ?? ''} ended too early: ${err}`));
        else return;
        listeners.delete(look);
      };
      listeners.add(look);
      look();
    });
  const ended = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => {
      over = true;
      tell();
      resolve(code ?? signal ?? 'unknown');
    });
  }).then(async (status) => {
    if (trace !== undefined) await wholeTrace(trace, child.pid ?? 0);
    return status;
  });
  const firstLine = when(() => out.includes('\n')).then(() => out.slice(0, out.indexOf('\n')));
  firstLine.catch(() => undefined);
  const started: Running = {
    process: child,
    firstLine,
    ended,
    stdout: () => out,
    stderr: () => err,
    saying: (pattern) => when(() => err.split('\n').some((line) => pattern.test(line))),
  };
  running.add(started);
  child.once('close', () => running.delete(started));
  return started;
}

/** Runs one to its end. Throws unless it ended with status 0. */
export async function runToEnd(
  script: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const running = run(script, args, options);
  const status = await running.ended;
  if (status !== 0) throw new Error(`${script} ${args.join(' ')}: status ${status}: ${running.stderr()}`);
  return running.stdout().trim();
}

function straceArgs(trace: string | undefined, inject: RunOptions['inject']): string[] {
  const { faults = [], paths } = inject ?? {};
  return [
    // -D: strace is the grandchild, so that signals and status are the program's own.
    ...['strace', '-D', '-f', '-q', '-yy', '-s', String(STRING_LIMIT), '-o', trace ?? '/dev/null'],
    ...['-e', `trace=${CALLS}`, '-e', 'signal=SIGKILL'],
    // The kernel's filter cannot look at paths.
    ...(paths ? paths.flatMap((path) => ['-P', path]) : ['--seccomp-bpf']),
    ...faults.flatMap((fault) => ['-e', `inject=${fault}`]),
  ];
}

/** strace outlives the program by a moment; its last line says how the program ended. */
async function wholeTrace(trace: string, pid: number): Promise<void> {
  const last = new RegExp(`^${pid} +\\+\\+\\+ (exited|killed)`, 'm');
  for (let turn = 0; turn < 2000; turn++) {
    if (last.test((await readFile(trace, 'latin1').catch(() => '')).slice(-4096))) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`${trace}: strace did not finish its trace`);
}

/** A folder of its own for one proof, with a witness or several and a log, none of them running yet. */
export class Place {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Made under the system's temporary folder, or in `parent`. */
  static async make(parent: string = tmpdir()): Promise<Place> {
    return new Place(await mkdtemp(join(parent, 'stele-durability-')));
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** A tlog-policy: `quorum` of the witnesses must have cosigned. */
  async writePolicy(witnesses: readonly { vkey: string; url: string }[], quorum: number): Promise<string> {
    const lines = witnesses.map(({ vkey, url }, i) => `witness w${i} ${vkey} ${url}`);
    lines.push(`group quorum ${quorum} ${witnesses.map((_, i) => `w${i}`).join(' ')}`, 'quorum quorum');
    await writeFile(this.path('policy'), `${lines.join('\n')}\n`);
    return this.path('policy');
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The port of a loopback URL. */
export function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** Stops a server by SIGTERM; throws unless it ends well. */
export async function stop(running: Running): Promise<void> {
  running.process.kill('SIGTERM');
  const status = await running.ended;
  if (status !== 0) throw new Error(`expected a clean end, found ${status}: ${running.stderr()}`);
}

/** Every file below a folder, as it is now. */
export async function filesBelow(folder: string): Promise<SavedFile[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return Promise.all(
    found.map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      return { path, data: entry.isDirectory() ? '' : await readFile(path, 'latin1') };
    }),
  );
}
