import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Child {
  process: ChildProcess;
  /** The first line on stdout: a server prints where it is. Rejects if there is none. */
  firstLine: Promise<string>;
  /** Exit status, or the name of the signal that ended it. */
  ended: Promise<number | string>;
  /** What it wrote so far. */
  stdout(): string;
  stderr(): string;
}

const running = new Set<ChildProcess>();
// The runner ends a file that takes too long by SIGTERM: what it started goes with it.
process.once('SIGTERM', () => {
  for (const child of running) child.kill('SIGKILL');
  process.kill(process.pid, 'SIGTERM');
});

/** Runs a built script of this repository, by its source path without `.ts`: `witness/main`. */
export function startScript(
  script: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Child {
  const file = fileURLToPath(new URL(`../../${script}.js`, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('close', () => running.delete(child));
  let out = '';
  let err = '';
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes('\n')) resolve(out.slice(0, out.indexOf('\n')));
    });
    child.once('close', () => reject(new Error(`${script} ended without a line: ${err}`)));
  });
  firstLine.catch(() => undefined);
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  return { process: child, firstLine, ended, stdout: () => out, stderr: () => err };
}
