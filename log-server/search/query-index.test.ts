import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joined } from './query-index.js';

test('ranges that touch are one, and gaps between anchors stay', () => {
  assert.deepEqual(joined([]), []);
  const months = Array.from({ length: 20_000 }, (_, i): [number, number] => [10 * i, 10 * i + 10]).reverse();
  assert.deepEqual(joined(months), [[0, 200_000]]);
  assert.deepEqual(
    joined([
      [30, 40],
      [0, 10],
      [10, 20],
      [12, 15],
      [41, 42],
    ]),
    [
      [0, 20],
      [30, 40],
      [41, 42],
    ],
  );
});
