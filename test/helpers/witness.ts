// Real witnesses on loopback, each in a folder of its own under the system's temporary one.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeUtf8, sha256, type Clock, type Vkey } from '../../tlog/index.js';
import {
  addLog,
  initFolder,
  startWitness,
  type Logger,
  type RunningWitness,
  type Step,
  type WitnessOptions,
} from '../../witness/index.js';

export interface TestWitness extends RunningWitness {
  folder: string;
  /** The Ed25519 key; `vkeys` has the ML-DSA-44 one too, if there is one. */
  vkey: Vkey;
  /** Closes and removes the folder. */
  remove(): Promise<void>;
}

export interface TestWitnessOptions {
  name?: string;
  /** Keys of the logs to cosign. */
  logs?: readonly Vkey[];
  mldsa?: boolean;
  clock?: Clock;
  step?: Step;
  log?: Logger;
  /** How it compares notes. */
  gossip?: NonNullable<WitnessOptions['gossip']>;
  /** How ML-DSA-44 signatures are made. */
  signing?: NonNullable<WitnessOptions['signing']>;
}

/** A folder in which a witness with these logs has been initialised. Keys follow from the name. */
export async function witnessFolder(options: TestWitnessOptions = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-witness-'));
  const name = options.name ?? 'witness.example/test';
  await initFolder(folder, name, {
    ed25519: sha256(encodeUtf8(`${name} Ed25519`)),
    ...(options.mldsa && { mldsa: sha256(encodeUtf8(`${name} ML-DSA-44`)) }),
  });
  for (const vkey of options.logs ?? []) await addLog(folder, vkey);
  return folder;
}

/** Serves a folder on a free port of loopback. */
export async function serveFolder(folder: string, options: TestWitnessOptions = {}): Promise<TestWitness> {
  const running = await startWitness({
    folder,
    listen: { host: '127.0.0.1', port: 0 },
    ...(options.clock && { clock: options.clock }),
    ...(options.step && { step: options.step }),
    ...(options.log && { log: options.log }),
    ...(options.signing && { signing: options.signing }),
    ...(options.gossip && { gossip: options.gossip }),
  });
  const [vkey] = running.vkeys;
  if (!vkey) throw new Error('a witness has at least one key');
  return {
    ...running,
    folder,
    vkey,
    async remove() {
      await running.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A new witness, serving. */
export async function startTestWitness(options: TestWitnessOptions = {}): Promise<TestWitness> {
  return serveFolder(await witnessFolder(options), options);
}

/** A clock that the test sets. `sleep` ends only when it is called off. */
export class TestClock implements Clock {
  wall: number;
  elapsed = 0;

  /** `wall` is in milliseconds since the epoch. */
  constructor(wall = 1_700_000_000_000) {
    this.wall = wall;
  }

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.elapsed;
  }

  /** Time passes: both clocks move. */
  pass(ms: number): void {
    this.wall += ms;
    this.elapsed += ms;
  }

  sleep(_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((_, reject) => {
      const off = (): void => reject(new Error('called off'));
      if (signal?.aborted) off();
      signal?.addEventListener('abort', off, { once: true });
    });
  }
}
