import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { exactDecimal, parseTrainerState, readTrainerState } from './trainer-state.js';

test('counts are exact, whatever way a trainer writes them', () => {
  const cases: [string, string | undefined][] = [
    ['2.380746355434848e+18', '2380746355434848000'],
    ['2380746355434848127', '2380746355434848127'],
    ['1e3', '1000'],
    ['1500.0', '1500'],
    ['1.5e1', '15'],
    ['120e-1', '12'],
    ['0', undefined],
    ['0.0', undefined],
    ['1.25', undefined],
    ['1e-3', undefined],
    ['1e61', undefined],
    ['-5', undefined],
    ['NaN', undefined],
    ['Infinity', undefined],
  ];
  for (const [text, expected] of cases) assert.equal(exactDecimal(text), expected, text);
  assert.equal(exactDecimal(5), undefined);
});

test('a state with losses that are no numbers is read, half a state is not', () => {
  const text =
    '{"global_step": 7, "total_flos": 1e17, "log_history": [{"loss": NaN, "note": "a NaN \\" -Infinity"}], "x": -Infinity}';
  const state = parseTrainerState(text, 3);
  assert.deepEqual(state, {
    step: 7,
    flop: '100000000000000000',
    tokens: undefined,
    ended: false,
    writtenAt: 3,
  });
  for (let length = 0; length < text.length; length++)
    assert.throws(() => parseTrainerState(text.slice(0, length), 0), SyntaxError);
  for (const other of [
    '[]',
    'null',
    '7',
    '{}',
    '{"global_step": 1.5}',
    '{"global_step": -1}',
    '{"global_step": ""}',
  ])
    assert.throws(() => parseTrainerState(other, 0), SyntaxError, other);
});

test('a string of endless escapes is read', () => {
  const escapes = '\\n'.repeat(14_000_000);
  assert.equal(parseTrainerState(`{"x": "${escapes}", "global_step": 7}`, 0).step, 7);
  assert.throws(() => parseTrainerState(`{"global_step": 7, "x": "${escapes}`, 0), SyntaxError);
});

test('training has ended when its totals are in the history', () => {
  const text = '{"global_step": 7, "log_history": [{"loss": 1}, {"train_runtime": 20.5}, {"eval_loss": 2}]}';
  assert.equal(parseTrainerState(text, 0).ended, true);
});

test('a state that is made to be slow is read in no time, or is none', () => {
  const long = `{"run_name":"${'x'.repeat(20_000_000)}","global_step":7}`;
  assert.equal(parseTrainerState(long, 0).step, 7);
  // Each quote of it is the beginning of a string that does not end.
  const begun = performance.now();
  for (const end of ['', '\\', '\\\n'])
    assert.throws(() => parseTrainerState(`"${'\\"'.repeat(100_000)}${end}`, 0), SyntaxError);
  assert.ok(performance.now() - begun < 10_000);
});

test('what has no end is not read', { skip: process.platform === 'win32' }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'stele-state-'));
  t.after(() => rmSync(folder, { recursive: true }));
  symlinkSync('/dev/zero', join(folder, 'trainer_state.json'));
  assert.equal(readTrainerState(folder), undefined);
});
