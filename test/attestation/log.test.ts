import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildRunFinal,
  buildRunIntent,
  buildRunProgress,
  encodeLedgerLine,
  ledgerDigest,
  replay,
} from '../../attestation/index.js';
import { SPECIFICATION, World, final, intent, progress } from './world.js';

test('a small log: charter, anchor, lab, run, anchors; the replay gives the same line', async () => {
  const world = await new World().begin();
  await world.introduce('example-lab');
  await world.anchor();
  const first = await world.logSigned(
    buildRunIntent(SPECIFICATION, await intent(world, 'example-lab', 'run-1')),
    'example-lab',
  );
  const second = await world.logSigned(
    buildRunProgress(SPECIFICATION, await progress(world, 'example-lab', 'run-1', 0, { previous: first })),
    'example-lab',
  );
  await world.logSigned(
    buildRunFinal(SPECIFICATION, await final(world, 'example-lab', 'run-1', { previous: second })),
    'example-lab',
  );
  await world.anchor();
  const ledger = await replay(world.leaves);
  assert.deepEqual(ledger.refused, []);
  assert.deepEqual(ledger.findings, []);
  assert.equal(encodeLedgerLine(ledger), encodeLedgerLine(await ledgerDigest(world.store)));
  assert.deepEqual(ledger.root, world.root(world.leaves.length));
  assert.deepEqual(ledger.store.values, world.store.values);
});
