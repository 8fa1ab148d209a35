import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { EXAMPLE, makePlan, type TrainingArguments } from './config.js';
import { makeCorpus, proofLength, tokenize } from './corpus.js';
import { exp, log, Random } from './exact.js';
import { Model } from './model.js';
import { formatSafetensors, parseSafetensors } from './safetensors.js';
import { Trainer } from './trainer.js';

const SHORT: TrainingArguments = { ...EXAMPLE, maxSteps: 6, saveSteps: 3, loggingSteps: 2, warmupSteps: 2 };

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'stele-train-'));
  return work(folder).finally(() => rmSync(folder, { recursive: true }));
}

test('exp and log agree with the engine to a part in 10^14', () => {
  const random = new Random(1);
  for (let i = 0; i < 20000; i++) {
    const x = (random.uint32() / 4294967296) * 80 - 60;
    assert.ok(Math.abs(exp(x) / Math.exp(x) - 1) < 1e-14, `exp(${x})`);
    const y = exp(x);
    assert.ok(Math.abs(log(y) - Math.log(y)) <= 1e-14 * Math.max(1, Math.abs(Math.log(y))), `log(${y})`);
  }
  assert.equal(exp(0), 1);
  assert.equal(exp(-1000), 0);
  assert.equal(log(1), 0);
});

test('every sentence of the corpus can be written in the alphabet, and proof lengths are right', () => {
  const text = makeCorpus(3, 500);
  assert.equal(tokenize(text).length, text.length);
  assert.throws(() => tokenize('É'), RangeError);
  for (const [index, size, length] of [
    [0, 1, 0],
    [0, 8, 3],
    [4, 5, 1],
    [6, 7, 2],
    [0, 7, 3],
  ] as const) {
    assert.equal(proofLength(index, size), length, `leaf ${index} of ${size}`);
  }
});

test('safetensors: what is written is read back, and a changed type is refused', () => {
  const tensors = [
    { name: 'a', shape: [2, 2], value: Float32Array.of(1, -2.5, 3e-8, 4) },
    { name: 'b', shape: [1], value: Float32Array.of(7) },
  ];
  const bytes = formatSafetensors(tensors, { format: 'pt' });
  assert.deepEqual(parseSafetensors(bytes), tensors);
  const text = Buffer.from(bytes).toString('latin1').replace('"F32"', '"F16"');
  assert.throws(() => parseSafetensors(Buffer.from(text, 'latin1')), /expected dtype F32, found F16/);
});

test('gradients are those of finite differences', () => {
  const shape = { vocabulary: 12, context: 8, width: 8, layers: 2, heads: 2 };
  const model = new Model(shape, 4, 5);
  const random = new Random(9);
  const tokens = Uint8Array.from({ length: 4 * 9 }, () => random.below(12));
  model.run(tokens, true);
  const gradients = model.parameters.map((p) => p.gradient.slice());
  for (const [n, parameter] of model.parameters.entries()) {
    for (let sample = 0; sample < 4; sample++) {
      const i = random.below(parameter.value.length);
      const kept = parameter.value[i];
      const step = 0.01;
      parameter.value[i] = kept + step;
      const above = model.run(tokens, false);
      parameter.value[i] = kept - step;
      const below = model.run(tokens, false);
      parameter.value[i] = kept;
      const expected = (above - below) / (2 * step);
      const found = gradients[n][i];
      assert.ok(
        Math.abs(expected - found) < 0.01 * Math.max(0.02, Math.abs(expected)),
        `${parameter.name}[${i}]: expected ${expected}, found ${found}`,
      );
    }
  }
});

test('six steps give the pinned weights, bit for bit, and a resumed run the same', async () => {
  await inTemporaryFolder(async (folder) => {
    let clock = 0;
    const trainer = new Trainer(SHORT);
    const saved: number[] = [];
    await trainer.train(folder, () => (clock += 1000), { onCheckpoint: (_, step) => void saved.push(step) });
    assert.deepEqual(saved, [3, 6]);
    const weights = readFileSync(join(folder, 'model.safetensors'));
    assert.equal(sha256(weights), 'c8e67506154eca8184f5b2b490e56a179129c6f74bd47590fd53bb2731aa787f');

    const resumed = new Trainer(SHORT);
    resumed.resume(join(folder, 'checkpoint-3'));
    assert.equal(resumed.step, 3);
    while (resumed.step < SHORT.maxSteps) resumed.trainStep();
    assert.equal(sha256(resumed.weights()), sha256(weights));
    assert.equal(resumed.totalFlos, trainer.totalFlos);
  });
});

test('the folder is laid out as Hugging Face Trainer leaves it', async () => {
  await inTemporaryFolder(async (folder) => {
    let clock = 0;
    await new Trainer(SHORT).train(folder, () => (clock += 1000));
    const read = (name: string): Record<string, unknown> =>
      JSON.parse(readFileSync(join(folder, name), 'utf8')) as Record<string, unknown>;
    const state = read('checkpoint-3/trainer_state.json');
    assert.equal(state['global_step'], 3);
    assert.equal(state['max_steps'], 6);
    assert.ok(existsSync(join(folder, 'checkpoint-6/optimizer.safetensors')));
    assert.deepEqual(read('train_results.json'), read('all_results.json'));
    assert.equal(String(read('trainer_state.json')['total_flos']), makePlan(SHORT).plannedFlop);
  });
});
