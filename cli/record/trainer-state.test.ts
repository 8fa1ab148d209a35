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
    [`${'1'.repeat(60)}.0`, '1'.repeat(60)],
    [`${'1'.repeat(61)}.0`, undefined],
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

/** A text of which is counted how often a byte of it is looked at. */
function counted(text: string): { bytes: Uint8Array; looks: () => number } {
  let looks = 0;
  const bytes = new Proxy(Buffer.from(text), {
    get: (target, key): unknown => {
      if (typeof key === 'string' && /^\d+$/.test(key)) looks++;
      return Reflect.get(target, key, target);
    },
  });
  return { bytes, looks: () => looks };
}

test('a state that is made to be slow takes a few looks at each byte, or is none', () => {
  const long = counted(`{"run_name":"${'x'.repeat(50_000)}","global_step":7}`);
  assert.equal(parseTrainerState([long.bytes], 0).step, 7);
  assert.ok(long.looks() < 3 * 50_000, `${long.looks()} looks`);
  // Each quote of it is the beginning of a string that does not end.
  for (const end of ['', '\\', '\\\n']) {
    const { bytes, looks } = counted(`"${'\\"'.repeat(10_000)}${end}`);
    assert.throws(() => parseTrainerState([bytes], 0), SyntaxError);
    assert.ok(looks() >= bytes.length && looks() < 4 * bytes.length, `${looks()} looks`);
  }
});

test('a history of any length is read in constant memory', () => {
  // Longer than what it may take, however little of it is kept by the line.
  const piece = Buffer.from(`{"loss": 1.25, "note": "${'x'.repeat(998)}"},`.repeat(1 << 10));
  function* pieces(): Generator<Uint8Array> {
    yield Buffer.from('{"global_step": 7, "log_history": [');
    for (let i = 0; i < 120; i++) yield piece;
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
