import assert from 'node:assert/strict';
import { existsSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { withBench, writeEnd, type Bench } from '../testing/recorder-bench.js';

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
