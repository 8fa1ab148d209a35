import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parseEnvelope, parseStatement } from '../../attestation/index.js';
import { formatFailure } from '../../system/index.js';
import { newSigningKey, NOTE_ED25519, parsePolicy } from '../../tlog/index.js';
import { tellEnd } from '../commands/record.js';
import { processContext } from '../context.js';
import { CliError, EXIT } from '../errors.js';
import { digestFile, fileUnreadable, identifyFolder, type Digester } from '../model-digest.js';
import { Report } from '../report.js';
import { AnchorPending } from './anchors.js';
import { DigestBar } from './bar.js';
import { DigestPool } from './digest-pool.js';
import { checkFurther, draftFinal, draftProgress, type RunFacts } from './drafts.js';
import { refuseInside } from './inside.js';
import { Journal } from './journal.js';
import { Watcher } from './look.js';
import { Outbox } from './outbox.js';
import { Recorder, type Pace } from './recorder.js';

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

/** How a recorder of the bench goes about it. */
interface Ways extends Partial<Pick<Pace, 'follow' | 'outcome'>> {
  /** Called between two looks, with the number of those that were. */
  readonly between?: (looks: number) => void;
  /** Whether the log has an anchor to name. */
  readonly hasAnchor?: () => boolean;
  /** Whether the log is still being asked for one. */
  readonly isSlow?: () => boolean;
}

/** A folder with one checkpoint, and one recorder after another that never reaches a log. */
class Bench {
  readonly root: string = mkdtempSync(join(tmpdir(), 'stele-recorder-'));
  readonly folder: string = join(this.root, 'run');
  readonly records: string = join(this.root, 'records');
  facts: RunFacts = FACTS;
  now = 1_000_000;
  /** By the clock that nobody sets. */
  elapsed = 0;
  /** What the last recorder said. */
  said = '';

  constructor() {
    this.write('checkpoint-5/model.safetensors', 'weights');
    this.write('checkpoint-5/trainer_state.json', '{"global_step": 5}');
  }

  write(path: string, text: string): void {
    mkdirSync(join(this.folder, path, '..'), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  /** Whether something lies in the records folder. */
  has(name: string): boolean {
    return existsSync(join(this.records, name));
  }

  async record(digester: Partial<Digester> = {}, ways: Ways = {}): Promise<void> {
    const { follow = false, outcome, between, hasAnchor = () => true, isSlow = () => false } = ways;
    let digesting = false;
    let looks = 0;
    this.said = '';
    const context = {
      ...processContext(),
      stderr: (text: string) => {
        this.said += text;
      },
      now: () => this.now,
      monotonic: () => this.elapsed,
      sleep: async (ms: number) => {
        this.now += ms;
        this.elapsed += ms;
        between?.(++looks);
        if (looks > 1000) throw new Error(`expected an end within 1000 looks, found none: ${this.said}`);
        // No look falls into a digest: what changes meanwhile is found by the digest alone.
        await new Promise<void>((resolve) => {
          if (!digesting) setImmediate(resolve);
        });
      },
      fetch: () => Promise.reject(new Error('away')),
    };
    const invocation = {
      context,
      report: new Report(context, false),
      settings: { log: 'http://log.example/', timeout: 1 },
    };
    // Of one that is patient only the first attempt is of interest.
    const patient = {
      ...invocation,
      context: { ...context, sleep: () => new Promise<void>(() => undefined) },
    };
    const policy = parsePolicy(new TextEncoder().encode('quorum none\n'));
    const outbox = new Outbox(follow ? patient : invocation, policy, follow);
    const recorder = new Recorder(
      {
        invocation,
        facts: this.facts,
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
        anchor: () => {
          if (isSlow()) return Promise.reject(new AnchorPending());
          return hasAnchor()
            ? Promise.resolve({ index: 1, leafHash: '00'.repeat(32) })
            : Promise.reject(new CliError(EXIT.network, 'unreachable', 'no anchor', 'wait'));
        },
      },
      { follow, every: 1000, outcome },
    );
    await recorder.run();
    if (!follow) await assert.rejects(outbox.drain(), { code: 'unreachable' });
  }

  window(number: number): Record<string, unknown> {
    return this.predicate(`progress-000${number}`);
  }

  predicate(name: string): Record<string, unknown> {
    const bytes = readFileSync(join(this.records, `run-1.${name}.dsse.json`));
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

test('a folder that is put in the place of a checkpoint while that is digested is not taken for it', async () => {
  await withBench(async (bench) => {
    for (const name of ['a', 'z']) bench.write(`checkpoint-5/${name}.json`, name);
    const [there, other, aside] = ['checkpoint-5', 'other', 'aside'].map((name) => join(bench.folder, name));
    assert.ok(there && other && aside);
    // All but the weights are the same files, and those are of the same size.
    mkdirSync(other);
    for (const name of ['a.json', 'z.json', 'trainer_state.json'])
      linkSync(join(there, name), join(other, name));
    bench.write('other/model.safetensors', 'WEIGHTS');
    const swap = (from: string, to: string): void => {
      renameSync(there, to);
      renameSync(from, there);
    };
    const pool = new DigestPool(1);
    let swaps = 0;
    try {
      await bench.record({
        size: 1,
        digest: async (path, listed) => {
          const digest = await pool.digest(path, listed).finally(() => {
            // Back again, whether it was taken or refused.
            if (path.endsWith('model.safetensors') && swaps === 1) swap(aside, other);
          });
          if (path.endsWith('a.json') && swaps++ === 0) swap(other, aside);
          return digest;
        },
      });
    } finally {
      await pool.close();
    }
    assert.equal(swaps, 2, 'it was digested twice');
    const [checkpoint] = bench.window(0)['checkpoints'] as { folder: unknown }[];
    assert.deepEqual(checkpoint?.folder, (await identifyFolder(there)).folder);
  });
});

test('a checkpoint that goes while it is digested is a window without digests', async () => {
  await withBench(async (bench) => {
    bench.write('config.json', '{}');
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

test("a broken envelope is passed over and said once, but not one of the run's own: nothing is signed or skipped in its place", async () => {
  await withBench(async (bench) => {
    await bench.record();
    const foreign = ['empty.dsse.json', 'run-1.b.progress-0000.dsse.json', 'run-10.final.dsse.json'];
    for (const name of foreign) writeFileSync(join(bench.records, name), '');
    writeFileSync(join(bench.records, 'no-statement.dsse.json'), '{"payload":"e30="}');
    bench.write('checkpoint-6/model.safetensors', 'more weights');
    bench.write('checkpoint-6/trainer_state.json', '{"global_step": 6}');
    await bench.record();
    assert.equal(bench.window(1)['lastStep'], 6);
    for (const name of [...foreign, 'no-statement.dsse.json'])
      assert.equal(bench.said.split(`${name} is passed over`).length, 2, bench.said);

    // Power went before the disk had what it said it had.
    const journal = join(bench.records, 'run-1.recorder.json');
    const text = readFileSync(journal, 'utf8');
    writeEnd(bench, 7);
    for (const name of ['run-1.progress-0000.dsse.json', 'run-1.progress-0001.dsse.json']) {
      const path = join(bench.records, name);
      const whole = readFileSync(path);
      for (const left of [new Uint8Array(0), whole.subarray(0, 100), Buffer.alloc(whole.length)]) {
        for (const noted of [text, text.replaceAll(',"signed":true', ''), undefined]) {
          writeFileSync(path, left);
          if (noted === undefined) rmSync(journal);
          else writeFileSync(journal, noted);
          await assert.rejects(bench.record(), (error) => {
            assert.ok(error instanceof CliError);
            assert.deepEqual([error.code, error.status], ['record_damaged', EXIT.usage]);
            return error.message.startsWith(`${path}: `);
          });
          assert.deepEqual(readFileSync(path), Buffer.from(left), 'it is left as it lies');
          assert.ok(!bench.has('run-1.progress-0002.dsse.json') && !bench.has('run-1.final.dsse.json'));
        }
      }
      writeFileSync(path, whole);
      writeFileSync(journal, text);
    }
    // Restored, it goes on where it was.
    await bench.record();
    assert.ok(bench.has('run-1.final.dsse.json') && !bench.has('run-1.progress-0002.dsse.json'));
  });
});

/** What a trainer leaves at the top in the end. */
function writeEnd(bench: Bench, step: number): void {
  bench.write('model.safetensors', 'weights');
  bench.write('trainer_state.json', `{"global_step": ${step}, "log_history": [{"train_runtime": 1}]}`);
}

test('a checkpoint on another disk, linked to, is recorded as any other', async () => {
  await withBench(async (bench) => {
    renameSync(join(bench.folder, 'checkpoint-5'), join(bench.root, 'fast'));
    symlinkSync(join(bench.root, 'fast'), join(bench.folder, 'checkpoint-5'));
    await bench.record();
    assert.ok(!bench.has('run-1.intent.dsse.json'), 'the run had begun');
    const [checkpoint] = bench.window(0)['checkpoints'] as { folder: { files: number } }[];
    assert.equal(checkpoint?.folder.files, 2);
    // And the end is that of the folder without its checkpoints.
    writeEnd(bench, 5);
    await bench.record();
    assert.equal((bench.predicate('final')['folder'] as { files: number }).files, 2);
  });
});

test('whatever says that a run has begun forbids an intent', async () => {
  const begun: Record<string, (bench: Bench) => void> = {
    'a checkpoint being written': (bench) => bench.write('tmp-checkpoint-10/model.safetensors', 'w'),
    'a link to a disk that is not there': (bench) =>
      symlinkSync(join(bench.root, 'none'), join(bench.folder, 'checkpoint-10')),
    'weights at the top': (bench) => bench.write('model.safetensors', 'w'),
    'a state that is no end': (bench) => bench.write('trainer_state.json', '{"global_step": 1}'),
  };
  for (const [what, write] of Object.entries(begun)) {
    await withBench(async (bench) => {
      rmSync(join(bench.folder, 'checkpoint-5'), { recursive: true });
      write(bench);
      const between = (looks: number): void => {
        if (looks > 3) throw new Error('enough');
      };
      await assert.rejects(bench.record({}, { follow: true, between }), { message: 'enough' });
      assert.match(bench.said, /had begun at the first look/, what);
      assert.ok(!bench.has('run-1.intent.dsse.json'), what);
    });
  }
});

test('of a folder with files and no checkpoint nothing is recorded afterwards', async () => {
  await withBench(async (bench) => {
    rmSync(join(bench.folder, 'checkpoint-5'), { recursive: true });
    bench.write('config.json', '{}');
    await assert.rejects(bench.record(), { code: 'no_checkpoints', status: 2 });
    assert.ok(!existsSync(bench.records));
  });
});

test('a run that is over is never declared after the fact, and an empty folder declares nothing with --once', async () => {
  for (const outcome of ['completed', undefined] as const) {
    for (const path of ['epoch_1/model.safetensors', 'trainer_state.json', undefined]) {
      await withBench(async (bench) => {
        rmSync(join(bench.folder, 'checkpoint-5'), { recursive: true });
        if (path !== undefined) bench.write(path, '{"global_step": 1}');
        const recorded = bench.record({}, { outcome });
        if (outcome === undefined) await assert.rejects(recorded, { code: 'no_checkpoints', status: 2 });
        else await recorded;
        assert.ok(!bench.has('run-1.intent.dsse.json'));
        assert.equal(bench.has('run-1.final.dsse.json'), outcome !== undefined);
        // Whoever mistyped the folder has nothing to clear away.
        assert.equal(existsSync(bench.records), outcome !== undefined);
        if (outcome === undefined) return;
        assert.equal(bench.predicate('final')['retrospective'], true);
        assert.match(bench.said, /was over at the first look/);
      });
    }
  }
  // One that followed died before it had declared the run.
  await withBench(async (bench) => {
    rmSync(bench.folder, { recursive: true });
    const between = (): void => {
      throw new Error('killed');
    };
    const died = bench.record({}, { follow: true, between, hasAnchor: () => false });
    await assert.rejects(died, { message: 'killed' });
    await assert.rejects(bench.record(), { code: 'no_checkpoints' });
    writeEnd(bench, 5);
    await bench.record();
    assert.ok(!bench.has('run-1.intent.dsse.json'));
    assert.equal(bench.predicate('final')['retrospective'], true);
  });
});

test('a run that began before the log gave an anchor has no intent', async () => {
  await withBench(async (bench) => {
    rmSync(bench.folder, { recursive: true });
    let hasAnchor = false;
    const between = (looks: number): void => {
      if (looks === 2) {
        bench.write('checkpoint-5/model.safetensors', 'weights');
        bench.write('checkpoint-5/trainer_state.json', '{"global_step": 5}');
      }
      if (looks === 6) hasAnchor = true;
      if (looks === 8) writeEnd(bench, 5);
    };
    await bench.record({}, { follow: true, between, hasAnchor: () => hasAnchor });
    assert.equal(bench.said.split('begun before it could be declared').length, 2, bench.said);
    assert.ok(!bench.has('run-1.intent.dsse.json'));
    assert.equal(bench.window(0)['retrospective'], false);
    assert.equal(bench.predicate('final')['retrospective'], false);
  });
});

test('of checkpoints that do not count nothing is recorded afterwards, and it is said why', async () => {
  await withBench(async (bench) => {
    bench.write('checkpoint-5/trainer_state.json', '{"global_step": 5');
    bench.write('checkpoint-6/model.safetensors', 'weights');
    await assert.rejects(bench.record(), { code: 'no_checkpoints', status: 2 });
    assert.match(bench.said, /checkpoint-5 is passed over: its trainer_state\.json is not whole/);
    assert.match(bench.said, /checkpoint-6 is passed over: it has no trainer_state\.json/);
    assert.ok(!existsSync(bench.records));
    // Beside it: once it has been at rest for as long as weights are waited for.
    let early = '';
    const between = (looks: number): void => {
      if (looks === 4) early = bench.said;
      if (looks === 10) bench.write('checkpoint-5/trainer_state.json', '{"global_step": 5}');
      if (looks === 20) writeEnd(bench, 5);
    };
    await bench.record({}, { follow: true, between });
    assert.doesNotMatch(early, /passed over/);
    assert.equal(bench.said.split('is passed over').length, 3, bench.said);
    assert.match(bench.said, /checkpoint-5 is as it should be now/);
    assert.ok(bench.has('run-1.final.dsse.json'));
  });
});

test('a checkpoint that is emptied while its folder stays is a window without digests', async () => {
  const emptied: Record<string, (bench: Bench) => void> = {
    emptied: (bench) => {
      rmSync(join(bench.folder, 'checkpoint-5'), { recursive: true });
      mkdirSync(join(bench.folder, 'checkpoint-5'));
    },
    'with what is still open': (bench) => {
      rmSync(join(bench.folder, 'checkpoint-5/trainer_state.json'));
      renameSync(
        join(bench.folder, 'checkpoint-5/model.safetensors'),
        join(bench.folder, 'checkpoint-5/.nfs0001'),
      );
    },
    'of another step': (bench) => bench.write('checkpoint-5/trainer_state.json', '{"global_step": 50}'),
  };
  for (const [what, empty] of Object.entries(emptied)) {
    for (const ways of [{ follow: true }, {}, { outcome: 'completed' }] as const) {
      await withBench(async (bench) => {
        const between = (looks: number): void => {
          if (looks !== 1) return;
          empty(bench);
          if (!('outcome' in ways)) writeEnd(bench, 60);
        };
        await bench.record({}, { ...ways, between });
        assert.match(bench.said, /checkpoint-5 lost its trainer_state\.json before it was digested/, what);
        assert.deepEqual(bench.window(0)['checkpoints'], { unknown: 'not-recorded' });
        assert.ok(bench.has('run-1.final.dsse.json'), what);
      });
    }
  }
  // One that cannot be read is waited for, unless the run is over by word.
  await withBench(async (bench) => {
    const path = join(bench.folder, 'checkpoint-5');
    const between = (looks: number): void => {
      if (looks !== 1) return;
      renameSync(path, join(bench.root, 'away'));
      symlinkSync(path, path);
    };
    await assert.rejects(bench.record({}, { between }), { code: 'still_changing' });
    await bench.record({}, { outcome: 'failed' });
    assert.ok(bench.has('run-1.final.dsse.json'));
  });
});

test('shards that are not all there are waited for, and never taken for the whole unless by word', async () => {
  const first = 'model-00001-of-00002.safetensors';
  const second = 'model-00002-of-00002.safetensors';
  const index = (...files: string[]): string =>
    JSON.stringify({ weight_map: Object.fromEntries(files.map((file) => [`of ${file}`, file])) });
  // The end, whose second shard comes after a pause.
  await withBench(async (bench) => {
    let waited = false;
    const between = (looks: number): void => {
      if (looks === 3) {
        writeEnd(bench, 5);
        rmSync(join(bench.folder, 'model.safetensors'));
        bench.write(first, 'one');
      }
      if (looks === 30) {
        waited = !bench.has('run-1.final.dsse.json');
        bench.write(second, 'two');
      }
    };
    await bench.record({}, { follow: true, between });
    assert.ok(waited);
    assert.match(bench.said, /expected 2 files of model-\*-of-00002\.safetensors, found 1/);
    assert.equal((bench.predicate('final')['weights'] as { files: number }).files, 2);
  });
  const incomplete: [string, string][] = [
    [first, 'one'],
    ['model.safetensors.index.json', index('a.safetensors', 'b.safetensors')],
  ];
  for (const [name, text] of incomplete) {
    await withBench(async (bench) => {
      renameSync(
        join(bench.folder, 'checkpoint-5/model.safetensors'),
        join(bench.folder, 'checkpoint-5/a.safetensors'),
      );
      bench.write(`checkpoint-5/${name}`, text);
      writeEnd(bench, 5);
      await assert.rejects(bench.record(), { code: 'weights_incomplete', status: 2 });
      assert.ok(!bench.has('run-1.progress-0000.dsse.json'));
      await bench.record({}, { outcome: 'completed' });
      assert.match(bench.said, /It is recorded as it is/);
      assert.ok(Array.isArray(bench.window(0)['checkpoints']));
    });
    // Followed, it is given up in the end, and its part is not stated as its weights.
    await withBench(async (bench) => {
      bench.write(`checkpoint-5/${name.replace('model.', 'other.')}`, text);
      const between = (looks: number): void => {
        if (looks === 2) writeEnd(bench, 5);
      };
      await bench.record({}, { follow: true, between });
      assert.match(bench.said, /It is recorded without digests/);
      assert.deepEqual(bench.window(0)['checkpoints'], { unknown: 'not-recorded' });
      assert.ok(bench.has('run-1.final.dsse.json'));
    });
  }
  // An index of shards that one file has taken the place of, and sets that are whole, however they are counted.
  await withBench(async (bench) => {
    bench.write('checkpoint-5/model.safetensors.index.json', index('gone.safetensors'));
    bench.write('checkpoint-5/pytorch_model.bin.index.json', '[');
    for (const shard of ['x-00000-of-00002.bin', 'x-00001-of-00002.bin', 'optimizer-00001-of-00002.bin'])
      bench.write(`checkpoint-5/${shard}`, shard);
    await bench.record();
    assert.ok(Array.isArray(bench.window(0)['checkpoints']));
  });
});

test('looking again and again while a log is away leaves nothing behind', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await withBench(async (bench) => {
    const context = { ...processContext(), stderr: () => undefined };
    const sleep = (): Promise<void> => new Promise(() => undefined);
    const fetch = (): Promise<Response> => new Promise(() => undefined);
    const invocation = {
      context: { ...context, sleep, fetch },
      report: new Report(context, false),
      settings: { log: 'http://log.example/', timeout: 1 },
    };
    await bench.record();
    const outbox = new Outbox(
      invocation,
      parsePolicy(new TextEncoder().encode('quorum none\n')),
      true,
      sleep,
    );
    outbox.add({ path: join(bench.records, 'run-1.progress-0000.dsse.json'), label: '' });
    const seen: WeakRef<Promise<never>>[] = [];
    for (let looks = 0; looks < 100; looks++) {
      const stopped = outbox.stopped();
      seen.push(new WeakRef(stopped));
      await Promise.race([stopped, Promise.resolve()]);
    }
    await new Promise(setImmediate);
    collect();
    const held = seen.filter((each) => each.deref() !== undefined);
    assert.ok(held.length <= 2, `${held.length} of 100 are held`);
  });
});

test('a file system that fails for a while is waited for, and said once', async () => {
  for (const which of ['folder', 'records'] as const) {
    await withBench(async (bench) => {
      const path = bench[which];
      const between = (looks: number): void => {
        if (looks === 2) {
          bench.write('checkpoint-6/model.safetensors', 'more weights');
          bench.write('checkpoint-6/trainer_state.json', '{"global_step": 6}');
          renameSync(path, `${path}-away`);
          symlinkSync(path, path); // ELOOP, as ESTALE or EIO would be
        } else if (looks === 8) {
          rmSync(path);
          renameSync(`${path}-away`, path);
          writeEnd(bench, 6);
        }
      };
      await bench.record({}, { follow: true, between });
      assert.equal(bench.said.split('It is tried again and again').length, 2, bench.said);
      assert.match(bench.said, /That is over/);
      assert.equal(bench.window(0)['lastStep'], 5);
      assert.equal(bench.window(1)['lastStep'], 6);
      assert.ok(bench.has('run-1.final.dsse.json'));
    });
  }
});

test('a checkpoint that cannot be read keeps back the end alone, until it can, or by word', async () => {
  await withBench(async (bench) => {
    const path = join(bench.folder, 'checkpoint-4');
    symlinkSync(path, path);
    writeEnd(bench, 5);
    await assert.rejects(bench.record(), { code: 'unreadable', status: 2 });
    assert.equal(bench.window(0)['lastStep'], 5);
    assert.ok(!bench.has('run-1.final.dsse.json'));
    const between = (looks: number): void => {
      if (looks !== 8) return;
      rmSync(path);
      bench.write('checkpoint-4/model.safetensors', 'weights');
      bench.write('checkpoint-4/trainer_state.json', '{"global_step": 4}');
    };
    await bench.record({}, { follow: true, between });
    assert.equal(bench.said.split('cannot be read: ELOOP').length, 2, bench.said);
    assert.equal(bench.window(1)['lastStep'], 4);
    assert.ok(bench.has('run-1.final.dsse.json'));
  });
  await withBench(async (bench) => {
    const path = join(bench.folder, 'checkpoint-4');
    symlinkSync(path, path);
    await bench.record({}, { outcome: 'aborted' });
    assert.ok(bench.has('run-1.final.dsse.json'));
  });
});

test('links keep no checkpoint and no end from the record: weights are, folders are not', async () => {
  await withBench(async (bench) => {
    bench.write('checkpoint-6/model.safetensors', 'more weights');
    bench.write('checkpoint-6/trainer_state.json', '{"global_step": 6}');
    symlinkSync('../checkpoint-6/model.safetensors', join(bench.folder, 'checkpoint-5', 'tokenizer.json'));
    symlinkSync('checkpoint-6', join(bench.folder, 'latest'));
    const between = (looks: number): void => {
      if (looks === 1) writeEnd(bench, 6);
    };
    await bench.record({}, { follow: true, between });
    assert.match(bench.said, /checkpoint-5 holds links or devices \(tokenizer\.json\)/);
    const [first] = bench.window(0)['checkpoints'] as { weights: { files: number }; folder: unknown }[];
    assert.equal(first?.weights.files, 1);
    assert.deepEqual(first.folder, { unknown: 'not-recorded' });
    const final = bench.predicate('final');
    assert.equal((final['weights'] as { files: number }).files, 1);
    assert.deepEqual(final['folder'], { unknown: 'not-recorded' });
  });
});

test('a checkpoint that cannot be digested, time and again, is a window without digests', async () => {
  const digest = (path: string): Promise<Buffer> =>
    path.includes('checkpoint-5') ? Promise.reject(fileUnreadable(path, 'EIO')) : digestFile(path);
  await withBench(async (bench) => {
    const began = bench.now;
    const between = (looks: number): void => {
      if (looks === 1) writeEnd(bench, 5);
    };
    await bench.record({ digest }, { follow: true, between });
    assert.ok(bench.now - began > 200_000, 'it is given time');
    assert.equal(bench.said.split('EIO').length, 3, bench.said);
    assert.deepEqual(bench.window(0)['checkpoints'], { unknown: 'not-recorded' });
    assert.ok(bench.has('run-1.final.dsse.json'));
  });
  // Afterwards the rest is recorded, and it is left to whoever can mend it.
  await withBench(async (bench) => {
    bench.write('checkpoint-6/model.safetensors', 'more weights');
    bench.write('checkpoint-6/trainer_state.json', '{"global_step": 6}');
    writeEnd(bench, 6);
    await assert.rejects(bench.record({ digest }), { code: 'bad_model', status: 2 });
    assert.equal(bench.window(0)['lastStep'], 6);
    assert.ok(!bench.has('run-1.final.dsse.json'));
    await bench.record({ digest }, { outcome: 'completed' });
    assert.deepEqual(bench.window(1)['checkpoints'], { unknown: 'not-recorded' });
    assert.ok(bench.has('run-1.final.dsse.json'));
  });
});

test('a disk that is not mounted for a while has rotated nothing away', async () => {
  await withBench(async (bench) => {
    const away = `${bench.folder}-away`;
    const between = (looks: number): void => {
      if (looks === 1) renameSync(bench.folder, away);
      if (looks === 3) mkdirSync(bench.folder);
      if (looks !== 5) return;
      rmSync(bench.folder, { recursive: true });
      renameSync(away, bench.folder);
      writeEnd(bench, 5);
    };
    await bench.record({}, { follow: true, between });
    assert.match(bench.said, /is waited for[^]*is there again/);
    assert.ok(Array.isArray(bench.window(0)['checkpoints']));
  });
  // Afterwards nobody waits for long: that it is gone for good is said by its user.
  await withBench(async (bench) => {
    const away = (): void => rmSync(bench.folder, { recursive: true, force: true });
    await assert.rejects(bench.record({}, { between: away }), { code: 'folder_away', status: 3 });
    assert.ok(!bench.has('run-1.progress-0000.dsse.json'));
    mkdirSync(bench.folder);
    await bench.record({}, { outcome: 'failed' });
    assert.deepEqual(bench.window(0)['checkpoints'], { unknown: 'not-recorded' });
  });
});

test('a checkpoint that was gone and is back before that was signed is digested', async () => {
  await withBench(async (bench) => {
    bench.write('config.json', '{}');
    let anchored = false;
    const between = (looks: number): void => {
      if (looks === 1) renameSync(join(bench.folder, 'checkpoint-5'), join(bench.root, 'away'));
      if (looks === 4) renameSync(join(bench.root, 'away'), join(bench.folder, 'checkpoint-5'));
      if (looks === 8) anchored = true;
      if (looks === 9) writeEnd(bench, 5);
    };
    await bench.record({}, { follow: true, between, hasAnchor: () => anchored });
    assert.match(bench.said, /checkpoint-5 was gone/);
    assert.ok(Array.isArray(bench.window(0)['checkpoints']), bench.said);
    assert.ok(!bench.has('run-1.progress-0001.dsse.json'));
  });
});

test('the end of another run, which lay in the folder before, is not taken for this one', async () => {
  await withBench(async (bench) => {
    writeEnd(bench, 5);
    await assert.rejects(bench.record({}, { follow: true }), { code: 'run_over', status: 2 });
    assert.ok(!existsSync(bench.records));
    // What goes on beyond it shows that it is not over.
    const between = (looks: number): void => {
      if (looks === 4) writeEnd(bench, 6);
    };
    bench.write('checkpoint-6/model.safetensors', 'more weights');
    bench.write('checkpoint-6/trainer_state.json', '{"global_step": 6}');
    await bench.record({}, { follow: true, between });
    assert.match(bench.said, /of an end before/);
    assert.ok(bench.has('run-1.final.dsse.json'));
  });
  await withBench(async (bench) => {
    const old = join(bench.root, 'old.json');
    let waited = false;
    rmSync(join(bench.folder, 'checkpoint-5'), { recursive: true });
    const between = (looks: number): void => {
      // Put back with its times, and long before the intent.
      if (looks === 2) {
        writeEnd(bench, 9);
        utimesSync(join(bench.folder, 'trainer_state.json'), 500, 500);
      }
      if (looks === 12) {
        waited = !bench.has('run-1.final.dsse.json');
        renameSync(join(bench.folder, 'trainer_state.json'), old);
        writeEnd(bench, 9);
      }
    };
    await bench.record({}, { follow: true, between });
    assert.ok(waited, 'with that end it would not have come so far');
    assert.ok(bench.has('run-1.intent.dsse.json'));
    assert.ok(bench.has('run-1.final.dsse.json'));
  });
});

test('a checkpoint whose state is of another step is passed over, and that is said', async () => {
  await withBench(async (bench) => {
    bench.write('checkpoint-6/trainer_state.json', '{"global_step": 7}');
    await bench.record();
    assert.match(bench.said, /checkpoint-6 is passed over: its trainer_state\.json is of step 7/);
    assert.throws(() => bench.window(1), { code: 'ENOENT' });
  });
});

test('another shard of a divided model is another model, and a window of its own', async () => {
  const shard = 'checkpoint-5/global_step5/zero_pp_rank_0_mp_rank_00_optim_states.pt';
  for (const files of [
    { 'checkpoint-5/global_step5/zero_pp_rank_0_mp_rank_00_model_states.pt': 'shapes', [shard]: 'weights' },
    // Of files that nobody knows to be weights the folder tells.
    { [shard]: 'weights' },
  ]) {
    await withBench(async (bench) => {
      rmSync(join(bench.folder, 'checkpoint-5/model.safetensors'));
      for (const [path, text] of Object.entries(files)) bench.write(path, text);
      const state = join(bench.folder, 'checkpoint-5/trainer_state.json');
      const between = (looks: number): void => {
        if (looks === 6) utimesSync(state, 2000, 2000);
        if (looks === 12) {
          assert.ok(bench.has('run-1.progress-0000.dsse.json'));
          assert.ok(!bench.has('run-1.progress-0001.dsse.json'), 'only its time was another');
          bench.write(shard, 'WEIGHTS');
          utimesSync(state, 3000, 3000);
        }
        if (looks === 18) writeEnd(bench, 5);
      };
      await bench.record({}, { follow: true, between });
      assert.equal(bench.window(1)['lastStep'], 5);
    });
  }
});

test('afterwards too a checkpoint that was written again is a window of its own, if it is another model', async () => {
  await withBench(async (bench) => {
    const state = join(bench.folder, 'checkpoint-5/trainer_state.json');
    await bench.record();
    utimesSync(state, 2000, 2000);
    await bench.record();
    assert.ok(!bench.has('run-1.progress-0001.dsse.json'), 'only its time was another');
    bench.write('checkpoint-5/model.safetensors', 'WEIGHTS');
    utimesSync(state, 3000, 3000);
    const digest = (path: string): Promise<Buffer> => Promise.reject(fileUnreadable(path, 'EIO'));
    await assert.rejects(bench.record({ digest }), { code: 'bad_model' });
    await bench.record();
    assert.equal(bench.window(1)['lastStep'], 5);
  });
});

test('a copy below the model that is not whole keeps no end from the record', async () => {
  await withBench(async (bench) => {
    bench.write('merged/model-00001-of-00002.safetensors', 'half');
    writeEnd(bench, 5);
    await bench.record();
    assert.equal((bench.predicate('final')['weights'] as { files: number }).files, 1);
  });
});

test('what has no weights that are known, or more than the model, goes on record as what it is, and says so', async () => {
  await withBench(async (bench) => {
    rmSync(join(bench.folder, 'checkpoint-5/model.safetensors'));
    for (const step of [5, 6]) {
      bench.write(`checkpoint-${step}/state.orbax`, 'weights');
      bench.write(`checkpoint-${step}/trainer_state.json`, `{"global_step": ${step}}`);
    }
    bench.write('params.orbax', 'weights');
    bench.write('trainer_state.json', '{"global_step": 6, "log_history": [{"train_runtime": 1}]}');
    await bench.record();
    for (const window of [0, 1])
      assert.deepEqual(bench.window(window)['checkpoints'], { unknown: 'not-recorded' });
    assert.equal(bench.said.split('holds no file that is known to hold weights').length, 2, bench.said);
    const final = bench.predicate('final');
    assert.deepEqual(final['weights'], { unknown: 'not-recorded' });
    assert.equal((final['folder'] as { files: number }).files, 2);
    assert.match(bench.said, /At the top of the folder is no file that is known to hold weights/);
    assert.equal(new Journal(bench.records, 'acme', 'run-1').withoutDigests, 2);
  });
  await withBench(async (bench) => {
    for (const path of ['checkpoint-5/global_step5/mp_rank_00_model_states.pt', 'merged/model.safetensors'])
      bench.write(path, 'w');
    for (const path of ['checkpoint-best', 'tmp-checkpoint-9']) bench.write(`${path}/model.safetensors`, 'w');
    writeEnd(bench, 5);
    await bench.record();
    const [checkpoint] = bench.window(0)['checkpoints'] as { weights: { files: number }; folder: unknown }[];
    assert.equal(checkpoint?.weights.files, 1);
    const final = bench.predicate('final') as Record<string, { files: number }>;
    assert.deepEqual([final['weights']?.files, final['folder']?.files], [1, 3]);
    assert.match(bench.said, /checkpoint-5: the weights are .*\(global_step5\/mp_rank_00_model_states\.pt\)/);
    assert.match(bench.said, /run: the weights are .*\(merged\/model\.safetensors\)/);
  });
});

test('a count of compute that falls is said once, and is exact no more', async () => {
  await withBench(async (bench) => {
    bench.facts = { ...FACTS, countingRule: 'exact-operations' };
    const state = (step: number, flop: string): string => `{"global_step": ${step}, "total_flos": ${flop}}`;
    bench.write('checkpoint-5/trainer_state.json', state(5, '15e17'));
    await bench.record();
    assert.doesNotMatch(bench.said, /FLOP/);
    rmSync(join(bench.folder, 'checkpoint-5'), { recursive: true });
    for (const [step, flop] of [
      [3, '9e17'],
      [4, '10e17'],
    ] as const) {
      bench.write(`checkpoint-${step}/model.safetensors`, 'weights');
      bench.write(`checkpoint-${step}/trainer_state.json`, state(step, flop));
    }
    await bench.record();
    assert.deepEqual(
      [0, 1, 2].map((window) => bench.window(window)['flopToDate']),
      ['1500000000000000000', '900000000000000000', '1000000000000000000'],
    );
    const said = "The trainer's count of FLOP is lower than on record";
    assert.equal(bench.said.split(said).length, 2, bench.said);
    await bench.record({}, { outcome: 'aborted' });
    assert.equal(bench.said.split(said).length, 2, bench.said);
    const [figure] = bench.predicate('final')['flop'] as Record<string, unknown>[];
    assert.deepEqual(figure?.['relativeUncertainty'], { unknown: 'not-measured' });
  });
});

test('further fields take no place in the chain, whatever the type', () => {
  for (const field of ['window', 'firstStep', 'lastStep', 'previous', 'supersedes', 'retrospective', 'run'])
    assert.throws(() => checkFurther('f.json', 'run-progress', { end: 7, [field]: 3 }), {
      code: 'owned_field',
    });
  for (const field of ['participant', 'signer', 'issuedAt', 'recentAnchor', 'committed'])
    assert.throws(() => checkFurther('f.json', 'run-final', { [field]: 'x' }), { code: 'owned_field' });
  checkFurther('f.json', 'run-final', { parameters: '124000000', outcome: 'failed' });
});

test('records lie nowhere in the folder that is recorded, through links either', async () => {
  await withBench((bench) => {
    symlinkSync(bench.folder, join(bench.root, 'alias'));
    for (const inside of ['run', 'run/records', 'run/checkpoint-5/records', 'alias/records/more'])
      assert.throws(
        () => refuseInside(join(bench.root, inside), bench.folder),
        { code: 'records_inside' },
        inside,
      );
    for (const outside of ['records', 'run-records', '..run', '.'])
      refuseInside(join(bench.root, outside), bench.folder);
    refuseInside(join(bench.root, 'records'), join(bench.root, 'yet-to-come'));
    assert.throws(() =>
      refuseInside(join(bench.root, 'yet-to-come/records'), join(bench.root, 'yet-to-come')),
    );
    return Promise.resolve();
  });
});

test('what a real Trainer leaves is read as it is', async () => {
  await withBench(async (bench) => {
    const fixture = fileURLToPath(new URL('../../../test/fixtures/hf-trainer-5.23', import.meta.url));
    rmSync(bench.folder, { recursive: true });
    cpSync(join(fixture, 'run'), bench.folder, { recursive: true });
    for (const line of readFileSync(join(fixture, 'others'), 'utf8').trim().split('\n')) {
      const [path = '', size] = line.split(' ');
      bench.write(path, path[0]?.repeat(Number(size)) ?? '');
    }
    await bench.record();
    const counted = (
      name: string,
    ): { weights: number; folder: number; predicate: Record<string, unknown> } => {
      const predicate = bench.predicate(name);
      const [of] = (predicate['checkpoints'] ?? [predicate]) as Record<string, { files: number }>[];
      return { predicate, weights: of?.['weights']?.files ?? 0, folder: of?.['folder']?.files ?? 0 };
    };
    for (const [window, step, flop] of [
      [0, 10, '12718080'],
      [1, 12, '15261696'],
    ] as const) {
      const { predicate, weights, folder } = counted(`progress-000${window}`);
      assert.deepEqual([weights, folder], [1, 8]);
      assert.deepEqual([predicate['lastStep'], predicate['flopToDate']], [step, flop]);
    }
    const { predicate, weights, folder } = counted('final');
    assert.deepEqual([weights, folder], [1, 7]);
    assert.deepEqual([predicate['outcome'], predicate['tokens']], ['completed', '768']);
    assert.equal((predicate['flop'] as { value: string }[])[0]?.value, '15261696');
  });
});

test('weights that only the trainer may read are said with what to do', async () => {
  await withBench(async (bench) => {
    const digest = (path: string): Promise<Buffer> => Promise.reject(fileUnreadable(path, 'EACCES'));
    await assert.rejects(bench.record({ digest }), {
      code: 'bad_model',
      hint: /safetensors .* docs\/record\.md/,
    });
    assert.match(bench.said, /EACCES\. It is tried again; safetensors makes files/);
  });
});

test('a bar says how long the rest takes once that is no guess', () => {
  let drawn = '';
  let now = 0;
  const terminal = Object.assign(new PassThrough(), { isTTY: true, columns: 120 });
  terminal.on('data', (chunk: Buffer) => (drawn += chunk.toString()));
  const bar = new DigestBar(terminal, () => now);
  const after = (ms: number, bytes: number): string => {
    drawn = '';
    bar.begin('checkpoint-5', 357_000);
    now += ms;
    bar.advance(bytes);
    bar.end();
    return drawn;
  };
  assert.match(after(0, 0), /0% of 357\.0 kB/);
  assert.doesNotMatch(after(0, 0), /left/);
  assert.doesNotMatch(after(500, 300), /left/, 'a reading that has only begun');
  assert.doesNotMatch(after(60_000, 300), /left/, 'next to nothing was read');
  assert.doesNotMatch(after(1000, 178_500), /left/, 'no time has passed');
  assert.match(after(3000, 35_700), /10% of 357\.0 kB, 27 seconds left/);
});

test('what is signed while the log is away is told, each statement once', async () => {
  await withBench(async (bench) => {
    const between = (looks: number): void => {
      if (looks === 3) {
        bench.write('checkpoint-6/model.safetensors', 'more weights');
        bench.write('checkpoint-6/trainer_state.json', '{"global_step": 6}');
      }
      if (looks === 9) writeEnd(bench, 6);
    };
    await bench.record({}, { follow: true, between });
    const told = bench.said.split('\n').filter((line) => line.includes('signed and on disk'));
    assert.match(told[0] ?? '', /away.* 1 signed and on disk: run-progress 0, to step 5; the log is asked/);
    assert.deepEqual(told.slice(1), [
      'run-progress 1, to step 6: signed and on disk; 2 wait for the log.',
      'run-final: signed and on disk; 3 wait for the log.',
    ]);
  });
});

test('a log whose faults come by turns is complained of once for each, however often it is asked', async () => {
  await withBench(async (bench) => {
    await bench.record();
    let said = '';
    let attempts = 0;
    const context = {
      ...processContext(),
      stderr: (text: string) => (said += text),
      sleep: () => Promise.resolve(),
    };
    const invocation = { context, report: new Report(context, false), settings: {} };
    const outbox = new Outbox(invocation, parsePolicy(new TextEncoder().encode('quorum none\n')), true, () =>
      Promise.reject(
        ++attempts > 9
          ? new CliError(EXIT.usage, 'records_behind', 'ends it', '')
          : new Error(attempts % 2 === 0 ? 'busy' : 'away'),
      ),
    );
    outbox.add({ path: join(bench.records, 'run-1.progress-0000.dsse.json'), label: 'run-progress 0' });
    await assert.rejects(outbox.drain(), { code: 'records_behind' });
    assert.equal(attempts, 10);
    assert.deepEqual(said.match(/away|busy/g), ['away', 'busy'], said);
  });
});

test('checkpoints that come and go while a slow log is asked for its anchor are on record', async () => {
  await withBench(async (bench) => {
    let slow = true;
    const between = (looks: number): void => {
      if (looks === 2) {
        bench.write('checkpoint-6/model.safetensors', 'more weights');
        bench.write('checkpoint-6/trainer_state.json', '{"global_step": 6}');
      }
      if (looks === 8) rmSync(join(bench.folder, 'checkpoint-6'), { recursive: true });
      if (looks === 10) slow = false;
      if (looks === 12) writeEnd(bench, 6);
    };
    await bench.record({}, { follow: true, between, isSlow: () => slow });
    for (const window of [0, 1]) assert.ok(Array.isArray(bench.window(window)['checkpoints']), bench.said);
  });
});

test('a clock that is set back keeps nothing from being at rest', async () => {
  await withBench(async (bench) => {
    const between = (looks: number): void => {
      if (looks === 1) bench.now -= 900_000;
    };
    await bench.record({}, { between });
    assert.ok(Array.isArray(bench.window(0)['checkpoints']));
  });
});

test('a time that no statement can name is not recorded, and ends nothing', async () => {
  await withBench(async (bench) => {
    rmSync(bench.folder, { recursive: true });
    const between = (looks: number): void => {
      if (looks !== 1) return;
      bench.write('checkpoint-5/model.safetensors', 'weights');
      bench.write('checkpoint-5/trainer_state.json', '{"global_step": 5}');
      const before1970 = new Date(-300_000_000_000);
      utimesSync(join(bench.folder, 'checkpoint-5/trainer_state.json'), before1970, before1970);
      writeEnd(bench, 5);
    };
    await bench.record({}, { follow: true, between });
    assert.deepEqual(bench.window(0)['end'], { unknown: 'not-recorded' });
  });
  const facts = { ...FACTS, chips: 8 };
  const place = { window: 1, firstStep: 5, start: -1, previous: undefined };
  for (const [end, stated] of [
    [253_402_300_799, true],
    [253_402_300_800, false],
    [9.2e18, false],
  ] as const) {
    const told = { print: '', retrospective: false, end };
    for (const { predicate } of [
      draftProgress(facts, { ...told, step: 6 }, place),
      draftFinal(facts, { ...told, outcome: 'completed' }, undefined),
    ])
      assert.deepEqual(predicate['end'], stated ? end : { unknown: 'not-recorded' });
    const { predicate } = draftProgress(facts, { ...told, step: 6 }, place);
    assert.deepEqual(predicate['start'], { unknown: 'not-recorded' });
    assert.deepEqual(predicate['chipSeconds'], { unknown: 'not-measured' });
  }
});

test('a journal that is not as it is written is refused, whatever is wrong in it', async () => {
  await withBench(async (bench) => {
    await bench.record();
    const path = join(bench.records, 'run-1.recorder.json');
    const text = readFileSync(path, 'utf8');
    const load = (): Journal => new Journal(bench.records, 'acme', 'run-1');
    // As an older recorder wrote it of a file with an odd time.
    writeFileSync(path, text.replace(/"written":[0-9]+/, '"written":9.2e18,"end":-1'));
    assert.ok(load().file);
    const broken = [
      'null',
      '[]',
      text.replace('"checkpoints":', '"other":'),
      text.replace('"checkpoints":[', '"checkpoints":[null,'),
      text.replace(/"found":"[a-z]+"/, '"found":"all"'),
      text.replace('"step":5', '"step":"5"'),
      text.replace(/"root":"[0-9a-f]+"/, '"root":1'),
      text.replace(/"folder":\{[^}]*\}/, '"folder":"x"'),
      text.replace('"signed":true', '"signed":false'),
      text.replace(/\}\s*$/, ',"final":{}}'),
    ];
    for (const each of broken) {
      assert.notEqual(each, text);
      writeFileSync(path, each);
      assert.throws(load, { code: 'bad_journal', status: 2 }, each);
    }
  });
});

test('what only waits for the log is not said to be logged', () => {
  const said: string[] = [];
  const report = { check: (...words: string[]) => void said.push(words.join(' ')) };
  const recorder = { notSeen: [], over: true, windows: 1 };
  const waiting = [{ path: 'a', label: 'a' }];
  tellEnd(report, recorder, { sent: [], waiting });
  tellEnd(report, recorder, { sent: [], waiting: [] }, 1);
  assert.deepEqual(said, [
    'recorded fail 1 checkpoint; 0 statements logged, 1 waiting; the run is over',
    'recorded pass 1 checkpoint, 1 of them without digests; 0 statements logged; the run is over',
  ]);
});

test('what is said of a file stays on its line, whatever its name', () => {
  let said = '';
  const report = new Report({ ...processContext(), stderr: (text) => void (said += text) }, false);
  report.say('x\nrun-final: entry 4711: expected a file');
  assert.equal(said, 'x\\u{a}run-final: entry 4711: expected a file\n');
  assert.equal(
    formatFailure('stele', { code: 'bad_model', message: 'x\ny', hint: 'z\nz' }),
    'stele: x\\u{a}y (bad_model)\n  z\\u{a}z\n',
  );
});
