import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { StateLimitError } from './state-scanner.js';
import { exactDecimal, parseTrainerState, readTrainerState, type TrainerState } from './trainer-state.js';

const parse = (text: string, writtenAt: number): TrainerState =>
  parseTrainerState([Buffer.from(text)], writtenAt);

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
  const state = parse(text, 3);
  assert.deepEqual(state, {
    step: 7,
    flop: '100000000000000000',
    tokens: undefined,
    ended: false,
    writtenAt: 3,
  });
  for (let length = 0; length < text.length; length++)
    assert.throws(() => parse(text.slice(0, length), 0), SyntaxError);
  for (const other of [
    '[]',
    'null',
    '7',
    '{}',
    '{"global_step": 1.5}',
    '{"global_step": -1}',
    '{"global_step": ""}',
  ])
    assert.throws(() => parse(other, 0), SyntaxError, other);
});

test('a string of endless escapes is read', () => {
  const escapes = '\\n'.repeat(3_000_000);
  assert.equal(parse(`{"x": "${escapes}", "global_step": 7}`, 0).step, 7);
  assert.throws(() => parse(`{"global_step": 7, "x": "${escapes}`, 0), SyntaxError);
});

test('training has ended when its totals are in the history', () => {
  const text = '{"global_step": 7, "log_history": [{"loss": 1}, {"train_runtime": 20.5}, {"eval_loss": 2}]}';
  assert.equal(parse(text, 0).ended, true);
});

test('a state that is made to be slow is read in no time, or is none', () => {
  const long = `{"run_name":"${'x'.repeat(20_000_000)}","global_step":7}`;
  assert.equal(parse(long, 0).step, 7);
  // Each quote of it is the beginning of a string that does not end.
  const begun = performance.now();
  for (const end of ['', '\\', '\\\n'])
    assert.throws(() => parse(`"${'\\"'.repeat(100_000)}${end}`, 0), SyntaxError);
  assert.ok(performance.now() - begun < 10_000);
});

test('a history of any length is read in constant memory', () => {
  // As long as no copy of it can be: JSON.parse of the half of it takes 2 GB.
  const piece = Buffer.from('1,'.repeat(1 << 19));
  function* pieces(): Generator<Uint8Array> {
    yield Buffer.from('{"global_step": 7, "log_history": [');
    for (let i = 0; i < 70; i++) yield piece;
    yield Buffer.from('{"train_runtime": 1}]}');
  }
  const before = process.memoryUsage().rss;
  assert.equal(parseTrainerState(pieces(), 0).ended, true);
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 100_000_000, `${grown} bytes`);
});

test('a state that is too much to be read says so', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'stele-state-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'trainer_state.json');
  writeFileSync(path, '');
  truncateSync(path, 256 * 1024 * 1024 + 1);
  assert.throws(() => readTrainerState(folder), StateLimitError);
  writeFileSync(path, `{"x": ${'['.repeat(500)}`);
  assert.throws(() => readTrainerState(folder), StateLimitError);
});

test('what has no end is not read', { skip: process.platform === 'win32' }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'stele-state-'));
  t.after(() => rmSync(folder, { recursive: true }));
  symlinkSync('/dev/zero', join(folder, 'trainer_state.json'));
  assert.equal(readTrainerState(folder), undefined);
});
