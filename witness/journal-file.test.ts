import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, emptyRoot, formatCheckpoint } from '../tlog/index.js';
import { formatGroup, formatJournal, parseJournal, type Group } from './journal-file.js';
import { initialState, nextState, type LogState } from './state-file.js';

const BLOCK = 4096;
/** Of one signature, which nobody verifies here; `length` makes it longer. */
function next(before: LogState, length = 60): LogState {
  const { origin, number } = before;
  const text = formatCheckpoint({ origin, size: number + 1, rootHash: emptyRoot(), extensions: [] });
  const line = `— w.example ${Buffer.alloc(length).toString('base64')}\n`;
  return nextState(before, 1_700_000_000 + number, `${text}\n${line}`);
}

const [a0, b0] = [initialState('log.example/a'), initialState('log.example/b')] as const;
const [a1, b1] = [next(a0), next(b0)] as const;
const a2 = next(a1);

/** A journal that began with `first`, and the groups written since. */
function journal(
  first: readonly LogState[],
  ...groups: (readonly LogState[])[]
): { bytes: Uint8Array; written: Group[]; ends: number[] } {
  const { bytes, checksum, end } = formatJournal(first, 16 * BLOCK);
  const written: Group[] = [];
  const ends = [end];
  for (const states of groups) {
    const group = formatGroup(written.length + 1, written.at(-1)?.checksum ?? checksum, states);
    bytes.set(group.bytes, ends.at(-1));
    ends.push((ends.at(-1) ?? 0) + group.bytes.length);
    written.push(group);
  }
  return { bytes, written, ends };
}

const read = (bytes: Uint8Array): Record<string, number> =>
  Object.fromEntries([...parseJournal(bytes, 'f')].map(([origin, { number }]) => [origin, number]));
const damaged = { code: 'state_damaged' };
const A = a0.origin;
const B = b0.origin;

test('the newest state of each log is read again', () => {
  assert.deepEqual(read(journal([]).bytes), {});
  assert.deepEqual(read(journal([a1]).bytes), { [A]: 1 });
  const { bytes } = journal([a1], [b1], [a2], []);
  assert.deepEqual(read(bytes), { [A]: 2, [B]: 1 });
  assert.deepEqual(parseJournal(bytes, 'f').get(A), a2);
});

test('any bit changed is damage, or the state is the newest all the same', () => {
  const { bytes, ends } = journal([a1], [b1], [a2], []);
  const [, , last = 0] = ends.toReversed();
  let refused = 0;
  for (let at = 0; at < bytes.length; at += at % BLOCK < 600 ? 1 : 101) {
    const good = bytes[at] ?? 0;
    bytes[at] = good ^ (1 << (at % 8));
    // From the settling group on there is no state.
    const settled = ends.at(-2) ?? 0;
    if (at < settled) assert.throws(() => read(bytes), damaged, String(at));
    else assert.deepEqual(read(bytes), { [A]: 2, [B]: 1 }, String(at));
    if (at < settled) refused++;
    bytes[at] = good;
  }
  assert.ok(refused > 1500 && last > 0);
});

test('without the group that settles it, a last group that is no more could be one that was cut short', () => {
  const { bytes, ends } = journal([a1], [a2]);
  bytes[ends[0] ?? 0] = 0;
  assert.deepEqual(read(bytes), { [A]: 1 });
});

test('a journal that was cut, or made longer, is damage', () => {
  const { bytes } = journal([a1], [a2], []);
  for (const length of [0, 1, BLOCK, 2 * BLOCK, 3 * BLOCK, bytes.length - BLOCK, bytes.length - 1]) {
    assert.throws(() => read(bytes.subarray(0, length)), damaged);
  }
  assert.throws(() => read(concatBytes(bytes, new Uint8Array(BLOCK))), damaged);
});

test('a group that was torn while it was written is as if it had not been, or is whole', () => {
  const sectors = 512;
  // A group of three blocks.
  const states = [b1, next(a1, 7000)];
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 24, maxLength: 24 }), (there) => {
      const { bytes, ends, written } = journal([a1], [], states);
      const [, at = 0] = ends;
      const length = written[1]?.bytes.length ?? 0;
      assert.equal(length, 24 * sectors);
      const whole = bytes.slice(at, at + length);
      there.forEach((kept, i) => {
        if (!kept) bytes.fill(0, at + i * sectors, at + (i + 1) * sectors);
      });
      const same = bytes.subarray(at, at + length).every((byte, i) => byte === whole[i]);
      assert.deepEqual(read(bytes), same ? { [A]: 2, [B]: 1 } : { [A]: 1 });
    }),
    { numRuns: 500, seed: 6 },
  );
});

test('what a group before its last one held is never gone back to', () => {
  // Group 1 is lost whole, as on a disk that never wrote it; what follows says that it was synced.
  const { bytes, ends } = journal([a1], [a2], []);
  bytes.fill(0, ends[0], ends[1]);
  assert.throws(() => read(bytes), damaged);
  // And a group of another journal, or a state twice, is none of this one's.
  const other = journal([b1], [], []);
  const mixed = journal([a1], [a2], []).bytes;
  mixed.set(other.written[1]?.bytes ?? [], ends[1]);
  assert.throws(() => read(mixed), damaged);
  for (const groups of [
    [[a2], [a2], []],
    [[next(a2)], []],
  ]) {
    assert.throws(() => read(journal([a1], ...groups).bytes), damaged);
  }
});
