// In whatever order the checkpoints of a log arrive, the same keys are found guilty; and of an honest log
// none, whatever the network does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { convictedKeys, MAX_OPEN, Reconciler, type Head, type Trees } from '../../cli/monitor/reconcile.js';
import { ClientError, VerifiedTiles } from '../../client/index.js';
import { encodeUtf8, evaluatePolicy, parsePolicy, tilePath } from '../../tlog/index.js';
import { POLICY, cosigned, plain, type History } from './lab.js';

const policy = parsePolicy(encodeUtf8(POLICY));
const FORK = 261;
const honest = plain();
const forked = plain('other', FORK);
const TIME = 1_800_000_000;

async function head(history: History, size: number, witnesses: number[]): Promise<Head> {
  return { size, rootHash: await history.root(size), note: await cosigned(history, size, TIME, witnesses) };
}

/** The tiles of one history up to a size, some of which cannot be read just now. */
function treesOf(history: History, size: () => number, fails: () => boolean = () => false): Trees {
  return {
    read: ({ size: wanted, rootHash }, use) =>
      use(
        new VerifiedTiles(
          {
            checkpoint: () => Promise.reject(new ClientError('not_found', 'not asked')),
            bundle: () => Promise.reject(new ClientError('not_found', 'not asked')),
            tile: (tile) => {
              const file = fails() ? undefined : history.file(tilePath(tile), size());
              return file === undefined
                ? Promise.reject(new ClientError('not_found', 'no such tile'))
                : Promise.resolve(file);
            },
          },
          wanted,
          rootHash,
        ),
      ),
    keep: () => Promise.resolve(),
    owed: () => Promise.resolve(undefined),
  };
}

/** Everybody whom these heads convict, met in this order; open ones tried again after each. */
async function guilty(
  trees: Trees,
  heads: readonly Head[],
  witness: (head: Head) => string[],
): Promise<string[]> {
  const reconciler = new Reconciler(policy, trees);
  const found = new Set<string>();
  for (const met of heads) {
    const standings = [
      await reconciler.meet(met, 'somewhere', 0, witness(met)),
      ...(await reconciler.retry()).map(({ standing }) => standing),
    ];
    for (const standing of standings)
      if (standing.kind === 'contradiction')
        for (const made of standing.evidence) found.add(convictedKeys(made));
  }
  for (let more = true; more;) {
    const settled = await reconciler.retry();
    more = settled.length > 0;
    for (const { standing } of settled)
      if (standing.kind === 'contradiction')
        for (const made of standing.evidence) found.add(convictedKeys(made));
  }
  return [...found].sort();
}

test('any order of the checkpoints of a fork gives the same verdict', async () => {
  const sizes = [40, 256, 300, 512, 700];
  // North and the log sign both sides, east one only, south what was before the fork and the other side.
  const all = await Promise.all([
    ...sizes.map((size) => head(honest, size, [0, 1])),
    head(honest, 100, [2]),
    ...[280, 300, 600].map((size) => head(forked, size, [0, 2])),
  ]);
  const names = (met: Head): string[] =>
    ['witness.example/north', 'witness.example/east', 'witness.example/south'].filter((name) =>
      Buffer.from(met.note).includes(name),
    );
  // The log serves the honest history to the end.
  const trees = treesOf(honest, () => 700);
  const expected = await guilty(trees, all, names);
  assert.deepEqual(
    expected.map((keys) => /log\.example\/watched (\S+?)\+/.exec(keys)?.[1]),
    ['log.example/watched', 'witness.example/north'],
  );
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(all, { minLength: all.length }), async (order) => {
      assert.deepEqual(await guilty(trees, order, names), expected);
    }),
    { numRuns: 60 },
  );
});

test('an honest log is never convicted, whichever tiles cannot be read and whatever comes late', async () => {
  const sizes = [1, 40, 255, 256, 257, 511, 700];
  const all = await Promise.all(sizes.map((size) => head(honest, size, [0, 1, 2])));
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray(all, { minLength: all.length }),
      fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
      fc.integer({ min: 1, max: 700 }),
      async (order, luck, served) => {
        const fails = (): boolean => luck.next().value === 0;
        const trees = treesOf(honest, () => served, fails);
        assert.deepEqual(await guilty(trees, [...order, ...order], () => ['witness.example/north']), []);
      },
    ),
    { numRuns: 60 },
  );
});

test('copies of one head that cannot be judged take one place', async () => {
  const trees = treesOf(honest, () => 300);
  const reconciler = new Reconciler(policy, trees);
  await reconciler.meet(await head(honest, 300, [0]), 'the log', 0);
  for (let i = 0; i < 2 * MAX_OPEN; i++) {
    const note = await cosigned(honest, 600, TIME + i, [[], [0], [1], [0, 1], [2]][i % 5]);
    const standing = await reconciler.meet({ ...(await head(honest, 600, [])), note }, 'a copy', i);
    assert.equal(standing.kind, 'open');
  }
  await reconciler.meet(await head(honest, 700, [2]), 'another', 0);
  const { open } = reconciler.state;
  assert.deepEqual(
    open.map(({ size, from, since }) => [size, from, since]),
    [
      [600, 'a copy', 0],
      [700, 'another', 0],
    ],
  );
  assert.equal(reconciler.dropped, 0);
  // Of each key the newest line.
  const { cosignatures } = evaluatePolicy(policy, open[0]?.note ?? new Uint8Array());
  assert.deepEqual(
    cosignatures.map(({ vkey, timestamp }) => [vkey.name.slice(-5), timestamp - TIME]).sort(),
    [
      ['/east', 127],
      ['north', 126],
      ['south', 124],
    ].sort(),
  );
});
