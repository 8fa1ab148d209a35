import assert from 'node:assert/strict';
import test from 'node:test';
import { gathered } from './gathering.js';

/** What is there in each turn; how many turns were waited for, and a bound for a wait that would not end. */
async function turnsFor(counts: (turn: number) => number, enough: number): Promise<number> {
  let turns = 0;
  await gathered(
    () => counts(turns),
    enough,
    () => {
      assert.ok(++turns < 1000, 'it waits for ever');
      return Promise.resolve();
    },
  );
  return turns;
}

void test('a batch waits while turns bring more, one turn that brings none, and no longer', async () => {
  assert.equal(await turnsFor(() => 0, 100), 0, 'nothing is there');
  assert.equal(await turnsFor(() => 1, 100), 1, 'one alone');
  assert.equal(await turnsFor((turn) => [1, 40, 63, 64][turn] ?? 64, 100), 4);
  assert.equal(await turnsFor((turn) => [1, 40, 40, 64][turn] ?? 64, 100), 2);
});

void test('a batch does not wait when it is full', async () => {
  assert.equal(await turnsFor(() => 100, 100), 0);
  assert.equal(await turnsFor((turn) => [1, 100, 200][turn] ?? 300, 100), 1);
});

void test('who sends one entry in each turn keeps nobody waiting', async () => {
  assert.equal(await turnsFor((turn) => turn + 1, 100_000), 16);
});
