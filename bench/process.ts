// Starts what is measured, each process on the core that it is given.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const root: string = fileURLToPath(new URL('../../', import.meta.url));

/** One of the field's programs, or of our Go mains; undefined where interop/install has not been run. */
export function peer(name: string): string | undefined {
  const path = `${root}interop/bin/${name}`;
  return existsSync(path) ? path : undefined;
}

/** Whether processes can be kept on a core of their own. */
export const canPin: boolean =
  availableParallelism() > 1 && spawnSync('taskset', ['-c', '1', 'true']).status === 0;

/** What runs where. */
export const SERVER_CORE = 0;
export const GENERATOR_CORE = 1;

/** A command as it is started on a core. */
export function pinned(core: number | 'any', command: readonly string[]): [string, string[]] {
  const [program = '', ...args] =
    canPin && core !== 'any' ? ['taskset', '-c', String(core), ...command] : command;
  return [program, args];
}

/** A server being measured. */
export interface Running {
  readonly url: string;
  /** Of the server itself, whatever it was started through. */
  readonly pid: number;
  /** SIGTERM, then waits for its end. */
  stop(): Promise<void>;
}

/** Starts a server on the server's core and waits until it listens. Throws with what it printed. */
export async function startServer(command: readonly string[], port: number): Promise<Running> {
  const [program, args] = pinned(SERVER_CORE, command);
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (data: Buffer): void => {
    output = (output + data.toString()).slice(-4000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const ended = once(child, 'exit');
  for (let tries = 0; !(await listens(port)); tries++) {
    if (tries === 300 || child.exitCode !== null) {
      child.kill('SIGKILL');
      throw new Error(`${command.join(' ')} does not listen on port ${port}:\n${output}`);
    }
    await sleep(100);
  }
  let stopping = false;
  child.once('exit', (status) => {
    if (!stopping) console.error(`${command.join(' ')}: ended with status ${String(status)}:\n${output}`);
  });
  const stop = async (): Promise<void> => {
    stopping = true;
    const target = command[0] === 'strace' ? childOf(child) : (child.pid ?? 0);
    process.kill(target, 'SIGTERM');
    await ended;
  };
  return { url: `http://127.0.0.1:${port}`, pid: child.pid ?? 0, stop };
}

/** The first child of a process: what strace runs. */
function childOf({ pid = 0 }: ChildProcess): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return Number(children.trim().split(' ')[0]);
}

/** Runs one program to its end, on the generator's core if none is named. Throws unless its status is 0. */
export async function runPinned(
  command: readonly string[],
  core: number | 'any' = GENERATOR_CORE,
): Promise<{ stdout: string; stderr: string; seconds: number }> {
  const [program, args] = pinned(core, command);
  const started = performance.now();
  const env = { ...process.env };
  // Not the program's: with it Node reads a file of certificates whenever it starts, 0.03 to 0.04 s.
  delete env['NODE_EXTRA_CA_CERTS'];
  const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`${command.join(' ')}: status ${String(status)}: ${stdout}${stderr}`);
  return { stdout, stderr, seconds: (performance.now() - started) / 1000 };
}

/** A program that answers lines with lines. */
export interface Driven {
  /** Sends one line and resolves with the next. */
  ask(line: string): Promise<string>;
  /** Closes its input, and waits for its end. */
  end(): Promise<void>;
}

/** Starts one on the generator's core, and waits for the line that says it is ready. */
export async function drive(command: readonly string[], ready: string): Promise<Driven> {
  const [program, args] = pinned(GENERATOR_CORE, command);
  const child = spawn(program, args, { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  // What it was asked when it ended is never answered.
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'close');
  const lines: AsyncIterator<string, undefined> = createInterface({ input: child.stdout })[
    Symbol.asyncIterator
  ]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done !== true) return value;
    await ended;
    throw new Error(`${command.slice(0, 3).join(' ')}: ended: ${stderr}`);
  };
  const first = await next();
  if (first !== ready) throw new Error(`${command[0] ?? ''}: expected "${ready}", found "${first}"`);
  return {
    async ask(line) {
      child.stdin.write(`${line}\n`);
      return next();
    },
    async end() {
      child.stdin.end();
      await ended;
    },
  };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Memory of a process in MiB: now, and at most since it started. Zeros where there is no /proc. */
export function memory(pid: number): { now: number; most: number } {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return { now: 0, most: 0 };
  const status = readFileSync(file, 'utf8');
  const mebibytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s*(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024;
  return { now: mebibytes('VmRSS'), most: mebibytes('VmHWM') };
}

/** CPU seconds of all threads of a process so far. */
export function cpuSeconds(pid: number): number {
  return [...threads(pid).values()].reduce((sum, spent) => sum + spent, 0);
}

/** CPU seconds of each thread of a process so far, those of one name added up. None where there is no /proc. */
export function threads(pid: number): Map<string, number> {
  const found = new Map<string, number>();
  if (!existsSync(`/proc/${pid}/task`)) return found;
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${id}/stat`, 'utf8');
    // The name stands in brackets and may hold anything; utime and stime are the 14th and 15th field.
    const close = stat.lastIndexOf(')');
    const fields = stat.slice(close + 2).split(' ');
    const seconds = (Number(fields[11]) + Number(fields[12])) / 100;
    const name = Number(id) === pid ? 'main thread' : stat.slice(stat.indexOf('(') + 1, close);
    found.set(name, (found.get(name) ?? 0) + seconds);
  }
  return found;
}
