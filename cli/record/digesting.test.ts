import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { digestFile, fileUnreadable, identifyFolder } from '../model-digest.js';
import { withBench, writeEnd } from '../testing/recorder-bench.js';
import { DigestPool } from './digest-pool.js';
import { Journal } from './journal.js';

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
  // While the records cannot be written it is said no more often.
  await withBench(async (bench) => {
    const between = (looks: number): void => {
      if (looks === 150) {
        renameSync(bench.records, `${bench.records}-away`);
        symlinkSync(bench.records, bench.records);
      } else if (looks === 300) {
        rmSync(bench.records);
        renameSync(`${bench.records}-away`, bench.records);
        writeEnd(bench, 5);
      }
    };
    await bench.record({ digest }, { follow: true, between });
    assert.equal(bench.said.split('EIO').length, 3, bench.said);
    assert.deepEqual(bench.window(0)['checkpoints'], { unknown: 'not-recorded' });
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

test('weights that only the trainer may read are said with what to do', async () => {
  await withBench(async (bench) => {
    const digest = (path: string): Promise<Buffer> => Promise.reject(fileUnreadable(path, 'EACCES'));
    await assert.rejects(bench.record({ digest }), {
      code: 'bad_model',
      hint: /safetensors .* docs\/record\.md/,
    });
    // Who follows a run is told at once.
    const between = (looks: number): void => {
      if (looks === 1) writeEnd(bench, 5);
    };
    await bench.record({ digest }, { follow: true, between });
    assert.match(bench.said, /EACCES\. It is tried again; safetensors makes files/);
  });
});

test('a pipe that is put in the place of a file while its folder is digested keeps nobody waiting', async () => {
  await withBench(async (bench) => {
    const pool = new DigestPool(1);
    const path = join(bench.folder, 'checkpoint-5/model.safetensors');
    let piped = false;
    let waited = false;
    try {
      await bench.record({
        size: 1,
        digest: (file, listed) => {
          if (file === path && !piped) {
            piped = true;
            rmSync(path);
            execFileSync('mkfifo', [path]);
            // A reader that waits for a writer gets one in the end: the test fails instead of hanging.
            const writer = setTimeout(() => {
              waited = true;
              writeFileSync(path, '');
            }, 10_000);
            return pool.digest(file, listed).finally(() => {
              clearTimeout(writer);
              rmSync(path);
              bench.write('checkpoint-5/model.safetensors', 'weights');
            });
          }
          return pool.digest(file, listed);
        },
      });
    } finally {
      await pool.close();
    }
    assert.deepEqual([piped, waited], [true, false]);
    assert.ok(Array.isArray(bench.window(0)['checkpoints']));
  });
});
