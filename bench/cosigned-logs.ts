// Logs whose checkpoints real witnesses cosign: what is started for it, all on the server's core.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { formatVkey, parseVkey } from '../tlog/index.js';
import { addLog, initFolder } from '../witness/index.js';
import { freePort, peer, root, runPinned, startServer } from './process.js';
import type { Running } from './process.js';
import { keyOf, ourLog } from './targets.js';

/** What `load` of interop/cmd prints. */
export interface Answered {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A witness whose key and URL are known before it is started. */
export interface CosigningWitness {
  readonly name: string;
  readonly folder: string;
  readonly vkey: string;
  readonly port: number;
}

/** Makes the folders of so many of ours, Ed25519 only. */
export async function makeWitnesses(folder: string, count: number): Promise<CosigningWitness[]> {
  const made: CosigningWitness[] = [];
  for (let i = 1; i <= count; i++) {
    const own = join(folder, `w${i}`);
    const [key] = await initFolder(own, `bench.example/w${i}`, { ed25519: new Uint8Array(32).fill(i) });
    if (key === undefined) throw new Error('a witness has a key');
    made.push({ name: `w${i}`, folder: own, vkey: formatVkey(key), port: await freePort() });
  }
  return made;
}

/** Serves them, for logs with these keys. */
export async function startWitnesses(
  witnesses: readonly CosigningWitness[],
  logs: readonly string[],
): Promise<Running[]> {
  const running: Running[] = [];
  for (const { folder, port } of witnesses) {
    for (const vkey of logs) await addLog(folder, parseVkey(vkey));
    const serve = ['serve', '-f', folder, '-l', `127.0.0.1:${port}`, '--log-level', 'warn'];
    running.push(await startServer([process.execPath, `${root}dist/witness/main.js`, ...serve], port));
  }
  return running;
}

/** A policy by which `quorum` of these have to cosign. */
export function policyOf(witnesses: readonly CosigningWitness[], quorum: number): string {
  const lines = witnesses.map(
    ({ name, vkey, port }) => `witness ${name} ${vkey} http://127.0.0.1:${port}/\n`,
  );
  return `${lines.join('')}group most ${quorum} ${witnesses.map(({ name }) => name).join(' ')}\nquorum most\n`;
}

/** A log that has its keys, and is yet to be served. */
export interface CosignedLog {
  readonly vkey: string;
  start(): Promise<Running>;
}

/** Ours. */
export function makeOurs(folder: string, origin: string, policy: string, intervalMs: number): CosignedLog {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'policy');
  writeFileSync(file, policy);
  const common = ['-f', join(folder, 'log'), '--admission', 'none'];
  const init = [ourLog, 'init', ...common, '--origin', origin, '--policy', file];
  const { status, stdout, stderr } = spawnSync(process.execPath, init, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`stele-log init: ${stdout}${stderr}`);
  return {
    vkey: stdout.trim(),
    async start() {
      const port = await freePort();
      const serve = ['serve', ...common, '-l', `127.0.0.1:${port}`, '--publish-interval', String(intervalMs)];
      return startServer([process.execPath, ourLog, ...serve, '--log-level', 'error'], port);
    },
  };
}

/** Tessera's driver, answering when published; undefined where it is not installed. */
export function makeTessera(folder: string, policy: string, intervalMs: number): CosignedLog | undefined {
  const program = peer('tesserawrite');
  if (program === undefined) return undefined;
  mkdirSync(folder, { recursive: true });
  const [file, key] = [join(folder, 'policy'), join(folder, 'key')];
  const { signing, vkey } = keyOf();
  writeFileSync(file, policy);
  writeFileSync(key, `${signing}\n`, { mode: 0o600 });
  return {
    vkey,
    async start() {
      const port = await freePort();
      const where = [
        '-listen',
        `127.0.0.1:${port}`,
        '-dir',
        join(folder, 'log'),
        '-key',
        key,
        '-policy',
        file,
      ];
      const times = ['-batch-age', '10ms', '-interval', `${intervalMs}ms`];
      return startServer([program, ...where, '-await', ...times], port);
    },
  };
}

/** A server that takes connections and requests, and never answers. */
export async function hangingServer(port: number): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.resume().on('error', () => undefined));
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  if ((server.address() as AddressInfo).port !== port) throw new Error('expected the port asked for');
  return async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
}

/** Sends entries of 1 KiB to a log; `flags` say how. */
export async function sendTo(url: string, flags: readonly string[]): Promise<Answered> {
  const generator = peer('load');
  if (generator === undefined) throw new Error('expected interop/bin/load; run interop/install');
  const { stdout } = await runPinned([generator, '-url', url, ...flags]);
  return JSON.parse(stdout) as Answered;
}
