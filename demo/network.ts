// A log and four witnesses on loopback, each in a folder and a process of its own.
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run, serve, type Finished, type Program, type Server } from './programs.js';

/** The log's name in the demo. It is not an address: the log is where its operator says. */
export const ORIGIN = 'demo.example/stele';
export const WITNESSES: readonly string[] = ['north', 'east', 'south', 'west'];

/** Runs a program that must succeed. */
export async function must(program: Program, args: readonly string[], folder: string): Promise<Finished> {
  const done = await run(program, args, { folder, home: folder });
  if (done.status === 0) return done;
  throw new Error(
    `${program} ${args.join(' ')} ended with status ${done.status}:\n${done.stdout}${done.stderr}`,
  );
}

/** What is running. */
export interface Network {
  readonly log: Server;
  /** By name. */
  readonly witnesses: ReadonlyMap<string, Server>;
  readonly policyFile: string;
}

/** Makes and starts everything under `root`; the registrar's key is already there. */
export async function startNetwork(root: string, registrar: string): Promise<Network> {
  const witnesses = new Map<string, Server>();
  const lines: string[] = [];
  for (const name of WITNESSES) {
    const folder = join(root, 'witnesses', name);
    const made = await must(
      'stele-witness',
      ['init', '--folder', folder, '--name', `demo.example/${name}`],
      root,
    );
    const args = ['serve', '--folder', folder, '--listen', '127.0.0.1:0'];
    const witness = await serve(
      'stele-witness',
      args,
      { folder: root, home: root },
      join(root, 'witnesses', `${name}.log`),
    );
    witnesses.set(name, witness);
    lines.push(`witness ${name} ${made.stdout.trim()} ${witness.url}`);
  }
  const policy = [...lines, `group all 3 ${WITNESSES.join(' ')}`, 'quorum all', ''].join('\n');
  writeFileSync(join(root, 'witness-policy'), policy);

  const folder = join(root, 'log');
  const init = [
    'init',
    '--folder',
    folder,
    '--origin',
    ORIGIN,
    '--policy',
    'witness-policy',
    '--registrar',
    registrar,
  ];
  const vkey = (await must('stele-log', init, root)).stdout.trim();
  for (const [name, witness] of witnesses) {
    await must('stele-witness', ['add-log', '--folder', join(root, 'witnesses', name), vkey], root);
    witness.process.kill('SIGHUP');
  }
  // For the last act: somebody copies the young log's folder, its keys included.
  cpSync(folder, join(root, 'copied-log'), { recursive: true });
  const log = await startLog(root, folder, join(root, 'log.log'));
  const policyFile = join(folder, 'policy');
  await until(
    'the log to publish its charter and first anchor',
    async () => (await readiness(log.url)).published >= 2,
  );
  return { log, witnesses, policyFile };
}

/** Starts the log in a folder. */
export function startLog(root: string, folder: string, logFile: string): Promise<Server> {
  return serve(
    'stele-log',
    ['serve', '--folder', folder, '--listen', '127.0.0.1:0'],
    { folder: root, home: root },
    logFile,
  );
}

/** What `/readyz` says. */
export async function readiness(url: string): Promise<{ state: string; message: string; published: number }> {
  return (await (await fetch(`${url}/readyz`)).json()) as {
    state: string;
    message: string;
    published: number;
  };
}

/** Waits for something that takes moments; gives up after a minute. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await holds().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`waited a minute for ${what}`);
    await sleep(50);
  }
}
