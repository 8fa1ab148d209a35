// Starts the shipped programs as processes of their own, and leaves none behind.
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The repository's folder. */
export const REPOSITORY: string = fileURLToPath(new URL('../..', import.meta.url));

/** The programs, as package.json's `bin` names them, and the example's trainer. */
const PROGRAMS = {
  stele: 'dist/cli/main.js',
  'stele-log': 'dist/log-server/main.js',
  'stele-witness': 'dist/witness/main.js',
  train: 'dist/demo/train/main.js',
} as const;

/** Name of a program. */
export type Program = keyof typeof PROGRAMS;

/** A program that ended. */
export interface Finished {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** A program that runs until it is stopped. */
export interface Server {
  readonly url: string;
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

/** Where a program runs, and what it finds in its environment. */
export interface Place {
  folder: string;
  home: string;
}

const running = new Set<ChildProcess>();

function start(program: Program, args: readonly string[], { folder, home }: Place): ChildProcess {
  mkdirSync(folder, { recursive: true });
  // Nothing of the person who runs the demo: neither their settings nor their state.
  const kept = Object.entries(process.env).filter(([name]) => !/^(STELE_|XDG_)/.test(name));
  const child = spawn(process.execPath, [join(REPOSITORY, PROGRAMS[program]), ...args], {
    cwd: folder,
    env: { ...Object.fromEntries(kept), HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Runs a program to its end. */
export async function run(program: Program, args: readonly string[], place: Place): Promise<Finished> {
  const child = start(program, args, place);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const status = await ended(child);
  return { status, stdout: await stdout, stderr: await stderr };
}

/** Runs a program to its end, one line of its stdout at a time. Throws if it fails. */
export async function* lines(
  program: Program,
  args: readonly string[],
  place: Place,
): AsyncGenerator<string> {
  const child = start(program, args, place);
  const stderr = collect(child.stderr);
  const done = ended(child);
  if (child.stdout) yield* createInterface({ input: child.stdout });
  const status = await done;
  if (status !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with status ${status}:\n${await stderr}`);
}

/** A program that works beside others, and says on stderr what it does. */
export interface Worker {
  /** Resolves with the first line that holds this; rejects if the program ends without one. */
  says(text: string): Promise<string>;
  /** Its end. Rejects if it fails. */
  readonly done: Promise<void>;
}

/** Starts a program that ends by itself; each line of its stderr goes to `onLine`. */
export function startWorker(
  program: Program,
  args: readonly string[],
  place: Place,
  onLine: (line: string) => void,
): Worker {
  const child = start(program, args, place);
  const said: string[] = [];
  const awaited: { text: string; found: (line: string) => void }[] = [];
  if (child.stderr) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line);
      onLine(line);
      for (const { text, found } of awaited) if (line.includes(text)) found(line);
    });
  }
  const done = ended(child).then((status) => {
    if (status === 0) return;
    throw new Error(`${program} ${args.join(' ')} ended with status ${status}:\n${said.join('\n')}`);
  });
  done.catch(() => undefined); // whoever awaits it hears of it
  return {
    done,
    says: (text) =>
      new Promise((resolve, reject) => {
        const line = said.find((each) => each.includes(text));
        if (line !== undefined) resolve(line);
        awaited.push({ text, found: resolve });
        done.then(() => reject(new Error(`${program} ended without saying "${text}"`)), reject);
      }),
  };
}

/** Starts a server and waits until it prints its URL. Its log goes to a file. */
export async function serve(
  program: Program,
  args: readonly string[],
  place: Place,
  logFile: string,
): Promise<Server> {
  mkdirSync(dirname(logFile), { recursive: true });
  const child = start(program, args, place);
  child.stderr?.pipe(createWriteStream(logFile));
  const done = ended(child);
  if (!child.stdout) throw new Error('no stdout');
  const output = createInterface({ input: child.stdout });
  const url = await Promise.race([
    new Promise<string>((resolve) => output.once('line', resolve)),
    done.then((status) => {
      throw new Error(`${program} ended with status ${status} before it served: see ${logFile}`);
    }),
  ]);
  return {
    url,
    process: child,
    stop: async () => {
      child.kill('SIGTERM');
      await done;
    },
  };
}

/** Ends whatever still runs: politely, then not. */
export async function stopAll(): Promise<void> {
  const all = [...running];
  const done = Promise.all(all.map(ended));
  for (const child of all) child.kill('SIGTERM');
  const timer = setTimeout(() => {
    for (const child of all) child.kill('SIGKILL');
  }, 5000);
  await done;
  clearTimeout(timer);
}

/** At the very end of this process, when nothing can be awaited any more. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
}

async function collect(stream: NodeJS.ReadableStream | null): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream ?? []) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}
