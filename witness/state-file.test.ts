import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeUtf8,
  encodeUtf8,
  formatCheckpoint,
  newSigningKey,
  NOTE_ED25519,
  signNote,
} from '../tlog/index.js';
import { formatState, initialState, nextState, parseState, type LogState } from './state-file.js';

const ORIGIN = 'log.example/état';
const key = newSigningKey('log.example/key', NOTE_ED25519, new Uint8Array(32).fill(1));

function stateOf(number: number, timestamp: number, size: number): LogState {
  const rootHash = new Uint8Array(32).fill(size % 256);
  const note = signNote(formatCheckpoint({ origin: ORIGIN, size, rootHash, extensions: [] }), [key]);
  const before = { ...initialState(ORIGIN), number: number - 1 };
  return nextState(before, timestamp, decodeUtf8(note, 'note'));
}

test('what is written is read again', () => {
  assert.deepEqual(parseState(formatState(initialState(ORIGIN)), ORIGIN, 'f'), initialState(ORIGIN));
  const integer = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(integer, integer, fc.nat(), (number, timestamp, size) => {
      const state = stateOf(number, timestamp, size);
      assert.equal(state.latest?.size, size);
      assert.deepEqual(parseState(formatState(state), ORIGIN, 'f'), state);
    }),
    { numRuns: 100, seed: 4 },
  );
});

test('any byte changed, added or left out is damage, and never "never cosigned"', () => {
  const good = formatState(stateOf(3, 1_700_000_000, 9));
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(2), (at, flip, how) => {
      const bytes = [...good];
      if (how === 0) bytes[at] = (bytes[at] ?? 0) ^ flip;
      else if (how === 1) bytes.splice(at, 1);
      else bytes.splice(at, 0, flip);
      assert.throws(() => parseState(Uint8Array.from(bytes), ORIGIN, 'f'), { code: 'state_damaged' });
    }),
    { numRuns: 1000, seed: 5 },
  );
});

test('another log, another format, and nothing at all are damage', () => {
  const good = formatState(initialState(ORIGIN));
  for (const [bytes, origin] of [
    [good, 'log.example/other'],
    [new Uint8Array(), ORIGIN],
    [encodeUtf8('{}\n'), ORIGIN],
    [encodeUtf8('null\n'), ORIGIN],
    [encodeUtf8(decodeUtf8(good, 'state').replace('"format":0', '"format":1')), ORIGIN],
  ] as const) {
    assert.throws(() => parseState(bytes, origin, 'f'), { code: 'state_damaged' });
  }
});
