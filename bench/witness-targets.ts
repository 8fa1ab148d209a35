// The witnesses that are measured, each over a fresh folder in which the logs are configured.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  COSIGNATURE_ED25519,
  encodeUtf8,
  formatSigningKey,
  formatVkey,
  newSigningKey,
  parseVkey,
  sha256,
} from '../tlog/index.js';
import { initFolder, layout, originHash } from '../witness/index.js';
import { formatState, initialState } from '../witness/state-file.js';
import { freePort, peer, root, startServer } from './process.js';
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
  start(
    folder: string,
    logs: readonly string[],
    under?: StartedUnder,
  ): Promise<{ server: Running; vkey: string }>;
}

/** Flags for Node, where it is ours, and a program to start it with. */
export interface StartedUnder {
  readonly node?: readonly string[];
  readonly program?: readonly string[];
}

/** What the rates are compared of; the last is beside them. */
export function witnessTargets(): WitnessTarget[] {
  const omniwitness = peer('omniwitness');
  const targets = [ourWitness()];
  if (omniwitness !== undefined) targets.push(omni(omniwitness));
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

/** The field's, which keeps its state in SQLite. */
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
