// Random requests to a real witness, against a model that compares whole histories instead of hashes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddCheckpoint } from '../client/index.js';
import { SigningLog } from './helpers/signing-log.js';
import { startTestWitness } from './helpers/witness.js';

const RUNS = 60;
const MAX_SIZE = 12;
/** Leaves that both histories share. */
const FORK = 5;

interface Ask {
  oldSize: number;
  /** Ask from what the witness holds instead, or nearly all requests would be conflicts. */
  inStep: boolean;
  size: number;
  history: 0 | 1;
  proof: 'right' | 'of the other history' | 'empty' | 'reversed' | 'longer';
}

const ask: fc.Arbitrary<Ask> = fc.record({
  oldSize: fc.nat(MAX_SIZE),
  inStep: fc.boolean(),
  size: fc.nat(MAX_SIZE),
  history: fc.constantFrom(0, 1),
  proof: fc.constantFrom('right', 'right', 'right', 'of the other history', 'empty', 'reversed', 'longer'),
});

test('the status of every request, and what the witness holds, are those of the model', async (t) => {
  const logs = Array.from({ length: RUNS }, (_, i) => new SigningLog(`log.example/${i}`));
  const witness = await startTestWitness({ logs: logs.map(({ vkey }) => vkey) });
  t.after(() => witness.remove());
  let run = 0;
  const met = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(ask, { minLength: 1, maxLength: 12 }), async (asks) => {
      const log = logs[run++];
      assert.ok(log);
      const histories = [log, new SigningLog(log.origin, 'forged', FORK)] as const;
      /** Sizes beyond the fork, and the histories in which the log signed them. */
      const signed = new Map<number, Set<number>>();
      let held: { size: number; history: 0 | 1 } = { size: 0, history: 0 };
      for (const { inStep, size, history, ...rest } of asks) {
        const oldSize = inStep ? held.size : rest.oldSize;
        const right = await histories[history].proof(oldSize, size);
        const proof = {
          right,
          'of the other history': await histories[history === 0 ? 1 : 0].proof(oldSize, size),
          empty: [],
          reversed: [...right].reverse(),
          longer: [...right, new Uint8Array(32)],
        }[rest.proof];
        const samePrefix = history === held.history || held.size <= FORK;
        const sameProof = Buffer.concat(proof).equals(Buffer.concat(right));
        let expected = 200;
        if (oldSize > size) expected = 400;
        else if (oldSize !== held.size) expected = 409;
        else if (!samePrefix || !sameProof) expected = 422;
        const response = await fetch(`${witness.url}/add-checkpoint`, {
          method: 'POST',
          body: Buffer.from(formatAddCheckpoint({ oldSize, proof, note: histories[history].note(size) })),
        });
        const body = await response.text();
        if (response.status === 403) {
          // Sooner or later after it signed two trees of one size, and never else.
          assert.ok([...signed.values()].some(({ size: histories }) => histories === 2));
          return;
        }
        if (size > FORK) signed.set(size, (signed.get(size) ?? new Set()).add(history));
        assert.equal(response.status, expected, body);
        if (expected === 409) assert.equal(body, `${held.size}\n`);
        if (expected === 200) held = { size, history };
        met.set(expected, (met.get(expected) ?? 0) + 1);
      }
    }),
    { numRuns: RUNS, seed: 20, endOnFailure: true },
  );
  assert.deepEqual([...met.keys()].sort(), [200, 400, 409, 422]);
});
