import assert from 'node:assert/strict';
import { rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { FACTS, withBench, writeEnd } from '../testing/recorder-bench.js';
import { checkFurther, draftFinal, draftProgress } from './drafts.js';

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
  // Said before anything is signed, not at the end of the run.
  for (const [field, value] of [
    ['parameters', 124000000],
    ['paramters', '124000000'],
  ] as const)
    assert.throws(() => checkFurther('f.json', 'run-final', { [field]: value }), {
      code: 'bad_fields',
      message: new RegExp(`^f\\.json: run-final: expected .* at "/${field}", found `),
    });
  checkFurther('f.json', 'run-final', { parameters: 124 }, ['parameters']);
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

test('a window begins no later than it ends, though the clock of its files was set back', () => {
  const of = (start: number, end: number): Record<string, unknown> =>
    draftProgress(
      { ...FACTS, chips: 8 },
      { step: 6, print: '', retrospective: false, end },
      { window: 1, firstStep: 5, start, previous: undefined },
    ).predicate;
  assert.deepEqual([of(7, 7)['start'], of(7, 7)['chipSeconds']], [7, '0']);
  assert.deepEqual([of(8, 7)['start'], of(8, 7)['end']], [{ unknown: 'not-recorded' }, 7]);
  assert.deepEqual(of(8, 7)['chipSeconds'], { unknown: 'not-measured' });
});
