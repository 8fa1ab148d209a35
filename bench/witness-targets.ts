// The witnesses that are measured, each over a fresh folder in which the logs are configured.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  COSIGNATURE_ED25519,
  decodeBase64,
  encodeUtf8,
  formatSigningKey,
  formatVkey,
  newSigningKey,
  newVkey,
  parseVkey,
  sha256,
} from '../tlog/index.js';
import { initFolder, layout, originHash } from '../witness/index.js';
import { formatState, initialState } from '../witness/state-file.js';
import { SERVER_CORE, freePort, peer, pinned, root, startServer } from './process.js';
import type { Running } from './process.js';

/** One way of serving a witness. */
export interface WitnessTarget {
  readonly name: string;
  /** What it has written and synced when it answers. */
  readonly syncs: string;
  /** The field's. */
  readonly peer?: true;
  /** Measured with one number of requests in flight only, the last. */
  readonly once?: true;
  /** Starts it in an empty folder, for logs with these keys; `vkey` has all its keys, with commas between. */
  start(folder: string, logs: readonly string[], under?: StartedUnder): Promise<StartedWitness>;
}

/** A witness that serves. */
export interface StartedWitness {
  readonly server: Running;
  readonly vkey: string;
  /** A process that works for it, whose CPU time counts as its own. */
  readonly helper?: number;
}

/** Flags for Node, where it is ours, and a program to start it with. */
export interface StartedUnder {
  readonly node?: readonly string[];
  readonly program?: readonly string[];
}

/** What the rates are compared of; the last is beside them. */
export function witnessTargets(): WitnessTarget[] {
  const [omniwitness, litewitness] = [peer('omniwitness'), peer('litewitness')];
  const targets = [ourWitness()];
  if (omniwitness !== undefined) targets.push(omni(omniwitness));
  if (litewitness !== undefined) targets.push(lite(litewitness));
  targets.push({ ...ourWitness(true), once: true });
  return targets;
}

/** Ours, with an Ed25519 key alone or with an ML-DSA-44 key too. */
export function ourWitness(mldsa = false): WitnessTarget {
  return {
    name: mldsa ? 'stele-witness, ML-DSA-44 too' : 'stele-witness',
    syncs: 'one fdatasync of its journal, for all that came together',
    async start(folder, logs, { node = [], program = [] } = {}) {
      const own = join(folder, 'witness');
      const seed = (text: string): Uint8Array => sha256(encodeUtf8(`bench witness ${text}`));
      const keys = await initFolder(own, 'bench.example/witness', {
        ed25519: seed('Ed25519'),
        ...(mldsa && { mldsa: seed('ML-DSA-44') }),
      });
      // As add-log leaves them, without its four syncs for each of thousands of logs.
      for (const vkey of logs) {
        const origin = parseVkey(vkey).name;
        writeFileSync(layout.log(own, origin), JSON.stringify({ origin, keys: [vkey] }));
        writeFileSync(join(layout.state(own), originHash(origin)), formatState(initialState(origin)));
      }
      const port = await freePort();
      // Omniwitness says nothing of what it cosigns either.
      const serve = ['serve', '-f', own, '-l', `127.0.0.1:${port}`, '--log-level', 'warn'];
      const command = [...program, process.execPath, ...node, `${root}dist/witness/main.js`, ...serve];
      return { server: await startServer(command, port), vkey: keys.map(formatVkey).join(',') };
    },
  };
}

/** The Go witness project's, which keeps its state in SQLite. */
function omni(program: string): WitnessTarget {
  return {
    name: 'omniwitness',
    syncs: "SQLite's write-ahead log (journal_mode WAL, synchronous FULL), one fsync for each",
    peer: true,
    async start(folder, logs) {
      mkdirSync(folder, { recursive: true });
      const key = newSigningKey(
        'bench.example/omniwitness',
        COSIGNATURE_ED25519,
        sha256(encodeUtf8('bench omni')),
      );
      writeFileSync(join(folder, 'key'), `${formatSigningKey(key)}\n`, { mode: 0o600 });
      const entries = logs.map((vkey) => `  - Origin: ${parseVkey(vkey).name}\n    PublicKey: ${vkey}\n`);
      writeFileSync(join(folder, 'logs.yaml'), `Logs:\n${entries.join('')}`);
      const port = await freePort();
      const flags = ['--listen', `127.0.0.1:${port}`, '--metrics_listen', '', '--logtostderr'];
      const files = [
        '--private_key_path',
        join(folder, 'key'),
        '--additional_logs',
        join(folder, 'logs.yaml'),
      ];
      const server = await startServer([program, ...flags, ...files, '--db_file', join(folder, 'db')], port);
      return { server, vkey: formatVkey(key.vkey) };
    },
  };
}

/** Torchwood's, which keeps its state and its logs in SQLite, and its key in an ssh-agent. */
function lite(program: string): WitnessTarget {
  return {
    name: 'litewitness',
    syncs: "SQLite's write-ahead log (journal_mode WAL, synchronous FULL), one fsync for each",
    peer: true,
    async start(folder, logs) {
      const [key, db, name] = [join(folder, 'key'), join(folder, 'db'), 'bench.example/litewitness'];
      run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key]);
      // Its witnessctl, which would do this, cannot be built.
      run(['python3', `${root}interop/litewitness-knows.py`, db], { input: `${logs.join('\n')}\n` });
      const fingerprint = run(['ssh-keygen', '-lf', `${key}.pub`]).split(' ')[1] ?? '';
      const blob = decodeBase64(readFileSync(`${key}.pub`, 'utf8').split(' ')[1]?.trim() ?? '');
      const agent = await startAgent(key);
      try {
        const port = await freePort();
        const flags = ['-db', db, '-name', name, '-key', fingerprint, '-ssh-agent', agent.socket];
        const server = await startServer([program, ...flags, '-listen', `127.0.0.1:${port}`], port);
        const stop = async (): Promise<void> => {
          await server.stop();
          await agent.stop();
        };
        // The key itself is the end of the file's.
        const vkey = formatVkey(newVkey(name, COSIGNATURE_ED25519, blob.slice(-32)));
        return { server: { ...server, stop }, vkey, helper: agent.pid };
      } catch (error) {
        await agent.stop();
        throw error;
      }
    },
  };
}

/** An ssh-agent on the server's core that holds this key. */
async function startAgent(key: string): Promise<{ socket: string; pid: number; stop(): Promise<void> }> {
  // The path of a socket must be short.
  const folder = mkdtempSync(join(tmpdir(), 'agent.'));
  const socket = join(folder, 'socket');
  const [program, args] = pinned(SERVER_CORE, ['ssh-agent', '-D', '-a', socket]);
  const child = spawn(program, args, { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (let tries = 0; !existsSync(socket); tries++) {
      if (tries === 100) throw new Error(`expected ssh-agent to make ${socket}`);
      await sleep(50);
    }
    run(['ssh-add', '-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    return { socket, pid: child.pid ?? 0, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What a program prints. Throws unless its status is 0. */
function run(command: readonly string[], options: { input?: string; env?: NodeJS.ProcessEnv } = {}): string {
  const [program = '', ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(program, args, { ...options, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${error?.message ?? `${stdout}${stderr}`}`);
  return stdout;
}
