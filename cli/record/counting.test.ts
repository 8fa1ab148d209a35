import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { digestFile } from '../model-digest.js';
import { withBench, writeEnd, type Bench } from '../testing/recorder-bench.js';

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
