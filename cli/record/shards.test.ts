import assert from 'node:assert/strict';
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { withBench, writeEnd } from '../testing/recorder-bench.js';
import { incompleteShards } from './shards.js';

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

test('an index that no loader comes to costs a checkpoint nothing, one that it would come to does', async () => {
  const index = (file: string): string => JSON.stringify({ weight_map: { a: file, b: `2-${file}` } });
  const stale: Record<string, string> = {
    'pytorch_model.bin.index.json': index('gone.bin'),
    'unet/diffusion_pytorch_model.bin.index.json': index('gone.bin'),
  };
  const whole: Record<string, string> = {
    'model.safetensors.index.json': index('part.safetensors'),
    'part.safetensors': 'a',
    '2-part.safetensors': 'b',
    'unet/diffusion_pytorch_model.safetensors': 'c',
  };
  const found = async (files: Record<string, string>): Promise<ReturnType<typeof incompleteShards>> => {
    let set: ReturnType<typeof incompleteShards>;
    await withBench((bench) => {
      for (const [path, text] of Object.entries(files)) bench.write(path, text);
      set = incompleteShards(bench.folder, Object.keys(files));
      return Promise.resolve();
    });
    return set;
  };
  assert.equal(await found({ ...stale, ...whole }), undefined);
  for (const missing of ['2-part.safetensors', 'unet/diffusion_pytorch_model.safetensors']) {
    const rest = Object.entries(whole).filter(([path]) => path !== missing);
    assert.ok(await found({ ...stale, ...Object.fromEntries(rest) }), missing);
  }
  // Loaders come to it first, whatever else is there; and parts of the other set may be on their way.
  const safe = { 'model.safetensors.index.json': index('gone.safetensors'), 'pytorch_model.bin': 'a' };
  assert.deepEqual((await found(safe))?.name, 'model.safetensors.index.json');
  assert.ok(await found({ ...stale, ...whole, 'pytorch_model-00001-of-00002.bin': 'half' }));
  // One that is no index says nothing of what is there.
  assert.ok(
    await found({ 'pytorch_model.bin.index.json': index('gone.bin'), 'model.safetensors.index.json': '{' }),
  );
});
