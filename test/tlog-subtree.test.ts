// Every subtree of every tree up to 68 leaves, its consistency proof, and the verdicts on what is none,
// against the transcription of draft-ietf-plants-merkle-tree-certs-03 in reference/.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  emptyRoot,
  isSubtree,
  leafHash,
  nodeHash,
  proveConsistency,
  proveInclusion,
  proveSubtree,
  SteleError,
  TlogError,
  treeRoot,
  verifySubtreeConsistency,
  type HashReader,
} from '../tlog/index.js';
import { ReferenceTree, numberedEntries } from './reference/merkle.js';
import { referenceIsSubtree, referenceSubtreeProof, referenceVerifySubtree } from './reference/subtree.js';

const MAX = 68;
const tree = new ReferenceTree(numberedEntries(MAX));
const other = new ReferenceTree(numberedEntries(MAX + 1).slice(1));
const code = (expected: string) => (error: unknown) => error instanceof TlogError && error.code === expected;

const read: HashReader = (nodes) =>
  Promise.resolve(nodes.map(({ level, index }) => tree.mth(index * 2 ** level, (index + 1) * 2 ** level)));

interface Claim {
  start: number;
  end: number;
  treeSize: number;
  subtreeHash: Uint8Array;
  rootHash: Uint8Array;
  proof: readonly Uint8Array[];
}

const good = (start: number, end: number, treeSize: number): Claim => ({
  start,
  end,
  treeSize,
  subtreeHash: tree.mth(start, end),
  rootHash: tree.root(treeSize),
  proof: referenceSubtreeProof(tree, start, end, treeSize),
});

/** Ours and the transcription's verdict, which must be the same. */
function accepted(claim: Claim): boolean {
  const { start, end, treeSize, proof, subtreeHash, rootHash } = claim;
  let ours = true;
  try {
    verifySubtreeConsistency(claim);
  } catch (error) {
    assert.ok(error instanceof SteleError);
    ours = false;
  }
  assert.equal(
    ours,
    referenceVerifySubtree(start, end, treeSize, proof, subtreeHash, rootHash),
    JSON.stringify([start, end, treeSize, proof.length]),
  );
  return ours;
}

/** Every (start, end, size) that is a subtree of a tree of up to MAX leaves. */
function* subtrees(max = MAX): Generator<[number, number, number]> {
  for (let size = 1; size <= max; size++)
    for (let start = 0; start < size; start++)
      for (let end = start + 1; end <= size; end++) if (isSubtree(start, end)) yield [start, end, size];
}

test('which ranges are subtrees: all up to 68, as defined', () => {
  for (let start = -1; start <= MAX; start++) {
    for (let end = -1; end <= MAX; end++) {
      assert.equal(isSubtree(start, end), referenceIsSubtree(start, end, MAX), `${start} ${end}`);
    }
  }
  for (const [start, end] of [
    [0.5, 1],
    [0, NaN],
    [0, 2 ** 53],
    [2 ** 53, 2 ** 53 + 2],
  ] as const) {
    assert.equal(isSubtree(start, end), false);
  }
  assert.ok(isSubtree(0, Number.MAX_SAFE_INTEGER));
  assert.ok(isSubtree(2 ** 52, Number.MAX_SAFE_INTEGER));
  assert.ok(!isSubtree(2 ** 51, Number.MAX_SAFE_INTEGER));
});

test('every proof is the reference proof, verifies, and not with a bit changed anywhere', async () => {
  let count = 0;
  for (const [start, end, size] of subtrees()) {
    const claim = good(start, end, size);
    assert.deepEqual(await proveSubtree(start, end, size, read), claim.proof);
    assert.ok(accepted(claim));
    if (start === 0) assert.deepEqual(claim.proof, await proveConsistency(end, size, read));
    if (end === start + 1) assert.deepEqual(claim.proof, await proveInclusion(start, size, read));
    const flip = (hash: Uint8Array): Uint8Array =>
      hash.map((byte, i) => (i === count % 32 ? byte ^ 1 : byte));
    assert.ok(!accepted({ ...claim, subtreeHash: flip(claim.subtreeHash) }));
    assert.ok(!accepted({ ...claim, rootHash: flip(claim.rootHash) }));
    if (claim.proof.length > 0) {
      const at = count % claim.proof.length;
      assert.ok(!accepted({ ...claim, proof: claim.proof.map((hash, i) => (i === at ? flip(hash) : hash)) }));
      assert.ok(!accepted({ ...claim, proof: claim.proof.slice(1) }));
      assert.ok(!accepted({ ...claim, proof: claim.proof.slice(0, -1) }));
    }
    assert.ok(!accepted({ ...claim, proof: [...claim.proof, claim.rootHash] }));
    assert.ok(!accepted({ ...claim, subtreeHash: other.mth(start, end) }));
    count++;
  }
  assert.ok(count > 5000, `${count} subtrees`);
});

test('no proof serves another range or another size: all up to 16 leaves', () => {
  for (const [start, end, size] of subtrees(16)) {
    const claim = good(start, end, size);
    for (let from = 0; from <= 16; from++) {
      for (let to = from; to <= 16; to++) {
        if (from !== start || to !== end) accepted({ ...claim, start: from, end: to });
      }
    }
    for (let treeSize = 0; treeSize <= 16; treeSize++) {
      // A size of which the same shape is asked is a claim about the same hashes: RFC 6962 has that, too.
      if (treeSize !== size) accepted({ ...claim, treeSize });
    }
  }
});

test('what is no subtree has no proof, and hashes have 32 bytes', async () => {
  for (const [start, end, size] of [
    [0, 0, 5],
    [3, 3, 5],
    [1, 3, 5],
    [2, 5, 8],
    [4, 9, 16],
    [4, 8, 7],
    [0, 6, 5],
    [5, 4, 8],
    [0, 1, 0],
  ] as const) {
    await assert.rejects(
      proveSubtree(start, end, size, () => assert.fail()),
      code('bad_subtree'),
    );
    const claim = { start, end, treeSize: size, subtreeHash: emptyRoot(), rootHash: emptyRoot(), proof: [] };
    assert.throws(() => verifySubtreeConsistency(claim), code('bad_subtree'));
  }
  const claim = good(8, 13, 14);
  const short = new Uint8Array(31);
  assert.throws(() => verifySubtreeConsistency({ ...claim, subtreeHash: short }), code('bad_hash'));
  assert.throws(() => verifySubtreeConsistency({ ...claim, rootHash: short }), code('bad_hash'));
  const [, ...rest] = claim.proof;
  assert.throws(() => verifySubtreeConsistency({ ...claim, proof: [short, ...rest] }), code('bad_hash'));
  await assert.rejects(proveSubtree(0, 1, 2 ** 53, read), code('unsafe_integer'));
});

/** Sizes where bitwise arithmetic would go wrong, in trees of one repeated leaf. */
test('subtrees of trees too large to build', async () => {
  const perfect: Uint8Array[] = [leafHash(new Uint8Array(0))];
  for (let level = 1; level <= 52; level++) {
    const below = perfect[level - 1] ?? emptyRoot();
    perfect.push(nodeHash(below, below));
  }
  const repeated: HashReader = (nodes) =>
    Promise.resolve(nodes.map(({ level }) => perfect[level] ?? assert.fail()));
  const part = fc.double({ min: 0, max: 1, noNaN: true });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      fc.integer({ min: 0, max: 52 }),
      part,
      part,
      async (treeSize, height, where, share) => {
        const width = 2 ** height;
        const places = Math.ceil(treeSize / width);
        const start = Math.min(places - 1, Math.floor(where * places)) * width;
        const end = Math.min(treeSize, start + Math.max(1, Math.ceil(share * width)));
        const proof = await proveSubtree(start, end, treeSize, repeated);
        assert.ok(proof.length <= 63);
        const claim = {
          start,
          end,
          treeSize,
          subtreeHash: await treeRoot(end - start, repeated),
          rootHash: await treeRoot(treeSize, repeated),
          proof,
        };
        assert.ok(accepted(claim));
        assert.ok(!accepted({ ...claim, subtreeHash: emptyRoot() }));
      },
    ),
    { numRuns: 300 },
  );
});
