import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { CliError, EXIT } from '../errors.js';
import { withBench, writeEnd } from '../testing/recorder-bench.js';
import { refuseInside } from './inside.js';
import { Journal } from './journal.js';

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
    mkdirSync(join(bench.records, 'folder.dsse.json'));
    bench.write('checkpoint-6/model.safetensors', 'more weights');
    bench.write('checkpoint-6/trainer_state.json', '{"global_step": 6}');
    await bench.record();
    assert.equal(bench.window(1)['lastStep'], 6);
    for (const name of [...foreign, 'no-statement.dsse.json', 'folder.dsse.json'])
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
