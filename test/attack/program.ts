// The programs that are attacked, as processes of their own.
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** A shipped program, serving a folder. What it says goes to a file: a pipe that nobody empties would stop it. */
export function startProgram(
  name: 'witness/main' | 'log-server/main',
  folder: string,
  logFile: string,
): { program: ChildProcess; whereIs: () => Promise<string> } {
  const script = fileURLToPath(new URL(`../../${name}.js`, import.meta.url));
  const log = openSync(logFile, 'w');
  const program = spawn(process.execPath, [script, 'serve', '-f', folder, '-l', '127.0.0.1:0'], {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const whereIs = async (): Promise<string> => {
    for (;;) {
      const text = readFileSync(logFile, 'utf8');
      const url = /"url":"([^"]+)"/.exec(text)?.[1];
      if (url !== undefined) return url;
      if (program.exitCode !== null) throw new Error(`${name} did not start: ${text}`);
      await sleep(20);
    }
  };
  return { program, whereIs };
}

/** Bytes: the largest that a running program ever had in memory. */
export function peakMemory({ pid, exitCode }: ChildProcess): number {
  if (exitCode !== null) throw new Error(`the program ended with status ${exitCode}`);
  const status = readFileSync(`/proc/${pid ?? 0}/status`, 'utf8');
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
