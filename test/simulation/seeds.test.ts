// Seeds that turn red when a protection is taken out: test/mutants/simulation.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Mode } from './plan.js';
import { simulate } from './world.js';

const seeds: readonly { seed: number; mode: Mode; shows: string }[] = [
  { seed: 10, mode: 'within', shows: 'requests that race for two histories' },
  { seed: 9, mode: 'within', shows: 'a witness that is offered both histories' },
  { seed: 8, mode: 'honest', shows: 'clocks that are set back' },
  { seed: 0, mode: 'honest', shows: 'false evidence out of honest signatures' },
  { seed: 4, mode: 'beyond', shows: 'two histories that meet' },
  { seed: 6, mode: 'beyond', shows: 'tiles that the log no longer serves' },
  { seed: 1, mode: 'beyond', shows: 'a convicted log that goes on asking' },
  { seed: 0, mode: 'beyond', shows: 'two histories that only clients hold' },
];

for (const { seed, mode, shows } of seeds) {
  test(`seed ${seed}, ${mode}: ${shows}`, async () => {
    assert.deepEqual((await simulate(seed, { mode })).violations, []);
  });
}
