import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { parseEnvelope, parseStatement } from '../../attestation/index.js';
import { newSigningKey, NOTE_ED25519, parsePolicy } from '../../tlog/index.js';
import { processContext } from '../context.js';
import { digestFile, type Digester } from '../model-digest.js';
import { Report } from '../report.js';
import type { RunFacts } from './drafts.js';
import { Journal } from './journal.js';
import { Watcher } from './look.js';
import { Outbox } from './outbox.js';
import { Recorder } from './recorder.js';

const FACTS: RunFacts = {
  participant: 'acme',
  run: 'run-1',
  specification: '00'.repeat(32),
  intent: {},
  otherwise: 'withheld',
  further: () => ({}),
  commit: [],
  chips: undefined,
  countingRule: '6nd-active',
  figures: [],
};

/** A folder with one checkpoint, and one recorder after another that never reaches a log. */
class Bench {
  readonly root: string = mkdtempSync(join(tmpdir(), 'stele-recorder-'));
  readonly folder: string = join(this.root, 'run');
  readonly records: string = join(this.root, 'records');
  now = 1_000_000;

  constructor() {
    this.write('checkpoint-5/model.safetensors', 'weights');
    this.write('checkpoint-5/trainer_state.json', '{"global_step": 5}');
  }

  write(path: string, text: string): void {
    mkdirSync(join(this.folder, path, '..'), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  async record(digester: Partial<Digester> = {}): Promise<void> {
    let digesting = false;
    const context = {
      ...processContext(),
      stderr: () => undefined,
      now: () => this.now,
      sleep: (ms: number) => {
        this.now += ms;
        // No look falls into a digest: what changes meanwhile is found by the digest alone.
        if (digesting) return new Promise<void>(() => undefined);
        return new Promise<void>((resolve) => setImmediate(resolve));
      },
      fetch: () => Promise.reject(new Error('away')),
    };
    const invocation = {
      context,
      report: new Report(context, false),
      settings: { log: 'http://log.example/', timeout: 1 },
    };
    const outbox = new Outbox(invocation, parsePolicy(new TextEncoder().encode('quorum none\n')), false);
    const recorder = new Recorder(
      {
        invocation,
        facts: FACTS,
        key: newSigningKey('acme', NOTE_ED25519, new Uint8Array(32).fill(7)),
        records: this.records,
        journal: new Journal(this.records, 'acme', 'run-1'),
        watcher: new Watcher(this.folder),
        digester: { size: 2, digest: digestFile, ...digester },
        outbox,
        onDigest: () => {
          digesting = true;
          return () => {
            digesting = false;
          };
        },
        anchor: () => Promise.resolve({ index: 1, leafHash: '00'.repeat(32) }),
      },
      { follow: false, every: 1000, outcome: undefined },
    );
    await recorder.run();
    await assert.rejects(outbox.drain(), { code: 'unreachable' });
  }

  window(number: number): Record<string, unknown> {
    const bytes = readFileSync(join(this.records, `run-1.progress-000${number}.dsse.json`));
    const parsed = parseStatement(parseEnvelope(bytes).payload);
    assert.ok(parsed.known);
    return parsed.statement.predicate as unknown as Record<string, unknown>;
  }
}

async function withBench(work: (bench: Bench) => Promise<void>): Promise<void> {
  const bench = new Bench();
  try {
    await work(bench);
  } finally {
    rmSync(bench.root, { recursive: true });
  }
}

test('a file that comes while a checkpoint is digested is in its digest', async () => {
  await withBench(async (bench) => {
    let late = false;
    await bench.record({
      digest: async (path) => {
        const digest = await digestFile(path);
        if (!late) bench.write('checkpoint-5/rng_state_1.pth', 'of another process');
        late = true;
        return digest;
      },
    });
    const [checkpoint] = bench.window(0)['checkpoints'] as { folder: { files: number } }[];
    assert.equal(checkpoint?.folder.files, 3);
  });
});

test('a checkpoint that goes while it is digested is a window without digests', async () => {
  await withBench(async (bench) => {
    await bench.record({
      digest: (path) => {
        rmSync(join(bench.folder, 'checkpoint-5'), { recursive: true, force: true });
        return digestFile(path);
      },
    });
    assert.deepEqual(bench.window(0)['checkpoints'], { unknown: 'not-recorded' });
    assert.throws(() => bench.window(1), { code: 'ENOENT' });
  });
});

test('a checkpoint that never rests is not recorded, and says so', async () => {
  await withBench(async (bench) => {
    let turn = 0;
    const digest = async (path: string): Promise<Buffer> => {
      bench.write('checkpoint-5/log.txt', String(turn++));
      return digestFile(path);
    };
    await assert.rejects(bench.record({ digest }), { code: 'still_changing', status: 3 });
    assert.throws(() => bench.window(0), { code: 'ENOENT' });
  });
});

test('a recorder that died between an envelope and its journal finds the envelope', async () => {
  await withBench(async (bench) => {
    await bench.record();
    const envelope = join(bench.records, 'run-1.progress-0000.dsse.json');
    const before = readFileSync(envelope);
    const journal = join(bench.records, 'run-1.recorder.json');
    const text = readFileSync(journal, 'utf8');
    // As it was before the envelope was there, before the window was given, and with no journal left at all.
    const states = [
      text.replace(',"signed":true', ''),
      text.replace(/,"window":0,"signed":true/, ''),
      undefined,
    ];
    for (const state of states) {
      if (state === undefined) rmSync(journal);
      else writeFileSync(journal, state);
      bench.now += 1000;
      await bench.record();
      assert.deepEqual(readFileSync(envelope), before);
      assert.throws(() => bench.window(1), { code: 'ENOENT' });
    }
    // And with no journal, the first checkpoint gone and another there, the next window is the next.
    rmSync(journal);
    rmSync(join(bench.folder, 'checkpoint-5'), { recursive: true });
    bench.write('checkpoint-6/model.safetensors', 'other weights');
    bench.write('checkpoint-6/trainer_state.json', '{"global_step": 6}');
    await bench.record();
    assert.deepEqual(readFileSync(envelope), before);
    assert.equal(bench.window(1)['lastStep'], 6);
  });
});
