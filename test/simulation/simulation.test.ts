// The witness network, simulated: a few seeds here, hundreds by `npm run simulate`, thousands by soak.
// The simulated disk stands in for the journal, whose own proofs are test/witness-durability.test.ts and the kill soak.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyOverlap } from '../../tlog/index.js';
import { detect } from './detection.js';
import { makePlan } from './plan.js';
import { simulate, type Result } from './world.js';

/** Fails with the command that runs the seed again. */
function holds({ plan: { seed, mode }, violations, tail }: Result): void {
  assert.deepEqual(
    violations,
    [],
    `${tail.slice(-20).join('\n')}\nagain: npm run simulate -- --seed ${seed} --mode ${mode}`,
  );
}

test('an honest log, with witnesses that lie about it: nobody honest is convicted', async () => {
  let accepted = 0;
  for (let seed = 100; seed < 104; seed++) {
    const result = await simulate(seed, { mode: 'honest' });
    holds(result);
    accepted += result.accepted;
  }
  assert.ok(accepted > 8, `clients accepted ${accepted} checkpoints only`);
});

test('with at most f liars no two clients accept two histories', async () => {
  let seen = 0;
  for (let seed = 200; seed < 207; seed++) {
    const result = await simulate(seed, { mode: 'within' });
    holds(result);
    if (result.plan.mode === 'within') seen++;
  }
  assert.ok(seen > 2, `only ${seen} policies withstand anybody`);
});

test('with one liar more the attack works', async () => {
  for (let seed = 300; seed < 303; seed++) {
    const result = await simulate(seed, { mode: 'beyond' });
    holds(result);
    assert.ok(result.deceived);
  }
});

test('a seed replays: everything happens again, in the same order', async () => {
  for (const seed of [1, 2]) {
    const [once, again] = [await simulate(seed), await simulate(seed)];
    assert.equal(again.digest, once.digest, `seed ${seed}`);
    assert.ok(once.events > 50);
  }
  assert.notEqual((await simulate(1)).digest, (await simulate(2)).digest);
});

test('one of thirty witnesses is shown another history: the first round proves it, and soon all know', async () => {
  const what = { witnesses: 30, peers: 4, loss: 0.1, deceived: 1 };
  const { first, all } = await detect(what, 1);
  assert.equal(first, 1);
  assert.ok(all <= 3, `known to all by round ${all}`);
});

test('what makes an attack work is what policyOverlap says', () => {
  const met = new Set<number>();
  for (let seed = 0; seed < 200; seed++) {
    const { policies, mode, overlap } = makePlan(seed);
    const [a, b = a] = policies;
    assert.ok(a && b);
    assert.equal(policyOverlap(a, b), overlap, `seed ${seed}, ${mode}`);
    met.add(overlap);
  }
  assert.ok(met.size > 3);
});
