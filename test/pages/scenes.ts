// Every page that the programs serve, in the states that a visitor may find them in.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WitnessClient } from '../../client/index.js';
import { initLog, startLog, type RunningLog } from '../../log-server/index.js';
import { systemClock } from '../../system/index.js';
import {
  COSIGNATURE_ED25519,
  encodeUtf8,
  formatVkey,
  NOTE_ED25519,
  newSigningKey,
} from '../../tlog/index.js';
import { addLog, addPeer } from '../../witness/index.js';
import { introduceLab, startWorld } from '../cli/world.js';
import { SigningLog } from '../helpers/signing-log.js';
import { startTestWitness, type TestWitness } from '../helpers/witness.js';

/** One page, and what must be read on it. */
export interface Scene {
  readonly name: string;
  readonly url: string;
  readonly expected: readonly string[];
}

/** What is up, and how to end it. */
export interface Stage {
  readonly scenes: readonly Scene[];
  close(): Promise<void>;
}

/** A text that would be markup, a script, or written from right to left. */
const HOSTILE = `log.example/<script>alert("x")</script>&'\u202e`;
const LONG = `log.example/${'a-name-without-any-space-'.repeat(8)}`;

/** Starts logs and witnesses, healthy and not. */
export async function setStage(): Promise<Stage> {
  const root = mkdtempSync(join(tmpdir(), 'stele-pages-'));
  const world = await startWorld();
  await introduceLab(world, 'acme');
  const plain = await start(root, 'plain', 'quorum none\n');
  await plain.submit(encodeUtf8('any bytes'));
  const absent = newSigningKey('witness.example/absent', COSIGNATURE_ED25519, new Uint8Array(32).fill(9));
  const line = `witness absent ${formatVkey(absent.vkey)} http://127.0.0.1:1\n`;
  const shut = await start(root, 'shut', `${line}quorum absent\n`);
  const troubled = await troubledWitness();
  const lonely = await startTestWitness({ name: 'witness.example/lonely', mldsa: true });
  const [witness] = world.witnesses;
  assert.ok(witness);
  const scenes = [
    {
      name: 'log',
      url: world.log.url,
      expected: [
        'Log log.example/test',
        'It takes entries.',
        'Published: ',
        'last cosigned',
        'witness.example/north',
        'Verifier key: log.example/test+',
        'api/v1/openapi.json',
      ],
    },
    {
      name: 'log-plain',
      url: plain.url,
      expected: ['any bytes', 'Published: 1 entry.', 'asks for no cosignature'],
    },
    {
      name: 'log-shut',
      url: shut.url,
      expected: ['It takes no entries:', 'Nothing is published yet.', 'not yet'],
    },
    {
      name: 'witness',
      url: witness.url,
      expected: ['Witness witness.example/north', 'It signs.', 'log.example/test'],
    },
    {
      name: 'witness-troubled',
      url: troubled.url,
      expected: ['<script>alert("x")</script>', 'Evidence against a key of this log', 'failed 2 times', LONG],
    },
    { name: 'witness-lonely', url: lonely.url, expected: ['None is configured.', 'ML-DSA-44 key'] },
  ];
  const close = async (): Promise<void> => {
    await Promise.all([plain.close(), shut.close(), world.close(), troubled.remove(), lonely.remove()]);
    rmSync(root, { recursive: true });
  };
  return { scenes, close };
}

async function start(root: string, name: string, policy: string): Promise<RunningLog> {
  const folder = join(root, name);
  const origin = `log.example/${name}`;
  const common = { folder, admission: 'none', clock: systemClock } as const;
  await initLog({ ...common, origin, policy: encodeUtf8(policy) });
  return startLog({ ...common, listen: { host: '127.0.0.1', port: 0 }, limits: { drainMs: 1000 } });
}

/** One that has seen a log with two histories, whose peer is away, and whose logs have names that hurt. */
async function troubledWitness(): Promise<TestWitness> {
  const log = new SigningLog('log.example/two-histories');
  const witness = await startTestWitness({
    name: 'witness.example/troubled',
    logs: [log.vkey],
    gossip: { drive: 'manual' },
  });
  const gone = newSigningKey('witness.example/<b>gone</b>', COSIGNATURE_ED25519, new Uint8Array(32).fill(4));
  await addPeer(witness.folder, [gone.vkey], { url: 'http://127.0.0.1:1' });
  const key = newSigningKey('log.example/key', NOTE_ED25519, new Uint8Array(32).fill(8));
  for (const origin of [HOSTILE, LONG]) await addLog(witness.folder, key.vkey, origin);
  await witness.reload();
  const client = new WitnessClient({ url: witness.url, vkeys: witness.vkeys });
  await client.addCheckpoint({ oldSize: 0, proof: [], note: log.note(5) });
  for (let i = 0; i < 2; i++) await witness.gossip.round();
  const other = new SigningLog(log.origin, 'another');
  const report = { method: 'POST', body: new Uint8Array(other.note(5)) };
  await fetch(`${witness.url}/gossip/checkpoint`, report);
  await witness.gossip.idle();
  return witness;
}
