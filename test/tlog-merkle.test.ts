// Every tree up to 256 leaves, every proof in it, against the transcription of RFC 6962 in
// reference/; then tiles, where the sizes around 256 and 65,536 are the ones that go wrong.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  CompactRange,
  TlogError,
  edgeNodes,
  emptyRoot,
  leafHash,
  nodeHash,
  proveConsistency,
  proveInclusion,
  tileHashReader,
  tilePath,
  tilesBetween,
  tilesForSize,
  tileWidth,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
  type HashReader,
  type TileId,
} from '../tlog/index.js';
import { ReferenceTree, numberedEntries } from './reference/merkle.js';
import { referenceTiles } from './reference/tiles.js';

const MAX = 256;
const tree = new ReferenceTree(numberedEntries(MAX));

/** Reads nodes from the reference, by the definition of a node. */
function referenceReader(from: ReferenceTree, size: number): HashReader {
  return (nodes) =>
    Promise.resolve(
      nodes.map(({ level, index }) => {
        const width = 2 ** level;
        assert.ok((index + 1) * width <= size, `asked for node ${level}/${index} outside size ${size}`);
        return from.mth(index * width, (index + 1) * width);
      }),
    );
}

const code = (expected: string) => (error: unknown) => error instanceof TlogError && error.code === expected;
const refused = (error: unknown): boolean =>
  error instanceof TlogError && (error.code === 'root_mismatch' || error.code === 'bad_proof');

/** The same hashes with one bit of one of them turned over; `which` picks it. */
function flip(hashes: readonly Uint8Array[], which: number): Uint8Array[] {
  const bit = which % (hashes.length * 256);
  return hashes.map((hash, i) => {
    if (i !== Math.floor(bit / 256)) return hash;
    const copy = hash.slice();
    const byte = Math.floor((bit % 256) / 8);
    copy[byte] = (copy[byte] ?? 0) ^ (1 << (bit % 8));
    return copy;
  });
}

describe('every tree up to 256 leaves', () => {
  test('roots: appended, read from nodes and by definition', async () => {
    const range = new CompactRange();
    assert.deepEqual(range.root(), emptyRoot());
    for (let size = 0; size <= MAX; size++) {
      assert.equal(range.size, size);
      assert.deepEqual(range.root(), tree.root(size));
      const read = referenceReader(tree, size);
      assert.deepEqual(await treeRoot(size, read), tree.root(size));
      assert.deepEqual(await read(edgeNodes(size)), range.hashes);
      assert.deepEqual(new CompactRange(size, range.hashes).root(), tree.root(size));
      if (size < MAX) range.append(tree.leafHash(size));
    }
  });

  test('a range tells of each perfect subtree once, when it is complete', () => {
    const range = new CompactRange();
    const seen = new Set<string>();
    for (let i = 0; i < MAX; i++) {
      range.appendVisiting(tree.leafHash(i), (level, index, hash) => {
        const width = 2 ** level;
        assert.equal((index + 1) * width, i + 1);
        assert.deepEqual(hash, tree.mth(index * width, (index + 1) * width));
        assert.ok(!seen.has(`${level}/${index}`));
        seen.add(`${level}/${index}`);
      });
    }
    assert.equal(seen.size, 2 * MAX - 1);
  });

  test('every inclusion proof is the reference proof, verifies, and not with a bit changed', async () => {
    for (let size = 1; size <= MAX; size++) {
      const rootHash = tree.root(size);
      const read = referenceReader(tree, size);
      for (let index = 0; index < size; index++) {
        const proof = await proveInclusion(index, size, read);
        assert.deepEqual(proof, tree.path(index, size));
        const claim = { index, treeSize: size, leafHash: tree.leafHash(index), proof, rootHash };
        verifyInclusion(claim);
        const which = index * 2654435761 + size;
        assert.throws(
          () => verifyInclusion({ ...claim, leafHash: flip([claim.leafHash], which)[0] ?? rootHash }),
          refused,
        );
        if (proof.length > 0)
          assert.throws(() => verifyInclusion({ ...claim, proof: flip(proof, which) }), refused);
      }
    }
  });

  test('every consistency proof is the reference proof, verifies, and not with a bit changed', async () => {
    for (let newSize = 1; newSize <= MAX; newSize++) {
      const newRoot = tree.root(newSize);
      const read = referenceReader(tree, newSize);
      for (let oldSize = 1; oldSize <= newSize; oldSize++) {
        const proof = await proveConsistency(oldSize, newSize, read);
        assert.deepEqual(proof, tree.proof(oldSize, newSize));
        const claim = { oldSize, oldRoot: tree.root(oldSize), newSize, newRoot, proof };
        verifyConsistency(claim);
        const which = oldSize * 2654435761 + newSize;
        assert.throws(
          () => verifyConsistency({ ...claim, oldRoot: flip([claim.oldRoot], which)[0] ?? newRoot }),
          refused,
        );
        if (proof.length > 0)
          assert.throws(() => verifyConsistency({ ...claim, proof: flip(proof, which) }), refused);
      }
    }
  });

  test('no proof of another shape: each bit, cut, longer, for another place or size', () => {
    for (const [index, size] of [
      [0, 2],
      [6, 7],
      [5, 8],
      [70, 71],
      [3, 129],
      [255, 256],
    ] as const) {
      const proof = tree.path(index, size);
      const claim = {
        index,
        treeSize: size,
        leafHash: tree.leafHash(index),
        proof,
        rootHash: tree.root(size),
      };
      for (let bit = 0; bit < proof.length * 256; bit++) {
        assert.throws(() => verifyInclusion({ ...claim, proof: flip(proof, bit) }), refused);
      }
      for (let bit = 0; bit < 256; bit++) {
        const [rootHash = claim.rootHash] = flip([claim.rootHash], bit);
        assert.throws(() => verifyInclusion({ ...claim, rootHash }), refused);
      }
      assert.throws(() => verifyInclusion({ ...claim, proof: proof.slice(1) }), code('bad_proof'));
      assert.throws(
        () => verifyInclusion({ ...claim, proof: [...proof, claim.rootHash] }),
        code('bad_proof'),
      );
      for (let other = 0; other < size; other++) {
        if (other !== index) assert.throws(() => verifyInclusion({ ...claim, index: other }), refused);
      }
    }
    for (const [oldSize, newSize] of [
      [1, 2],
      [4, 7],
      [6, 8],
      [3, 129],
      [128, 256],
      [255, 256],
    ] as const) {
      const proof = tree.proof(oldSize, newSize);
      const claim = { oldSize, oldRoot: tree.root(oldSize), newSize, newRoot: tree.root(newSize), proof };
      for (let bit = 0; bit < proof.length * 256; bit++) {
        assert.throws(() => verifyConsistency({ ...claim, proof: flip(proof, bit) }), refused);
      }
      assert.throws(() => verifyConsistency({ ...claim, proof: proof.slice(0, -1) }), code('bad_proof'));
      assert.throws(
        () => verifyConsistency({ ...claim, proof: [...proof, claim.newRoot] }),
        code('bad_proof'),
      );
      const swapped = { ...claim, oldRoot: claim.newRoot, newRoot: claim.oldRoot };
      assert.throws(() => verifyConsistency(swapped), refused);
      for (let other = 1; other <= newSize; other++) {
        if (other !== oldSize) assert.throws(() => verifyConsistency({ ...claim, oldSize: other }), refused);
      }
    }
  });
});

describe('preconditions', () => {
  const hash = emptyRoot();
  const read: HashReader = () => assert.fail('nothing may be read');

  test('an index outside the tree', async () => {
    await assert.rejects(proveInclusion(5, 5, read), code('bad_index'));
    await assert.rejects(proveInclusion(0, 0, read), code('bad_index'));
    assert.throws(
      () => verifyInclusion({ index: 1, treeSize: 1, leafHash: hash, proof: [], rootHash: hash }),
      code('bad_index'),
    );
  });

  test('an empty or a larger old tree', async () => {
    await assert.rejects(proveConsistency(0, 5, read), code('bad_size'));
    await assert.rejects(proveConsistency(6, 5, read), code('bad_size'));
    const roots = { oldRoot: hash, newRoot: hash, proof: [] };
    assert.throws(() => verifyConsistency({ oldSize: 0, newSize: 0, ...roots }), code('bad_size'));
    assert.throws(() => verifyConsistency({ oldSize: 0, newSize: 1, ...roots }), code('bad_size'));
    assert.throws(() => verifyConsistency({ oldSize: 2, newSize: 1, ...roots }), code('bad_size'));
  });

  test('one size, two roots', () => {
    const other = leafHash(new Uint8Array(0));
    const claim = { oldSize: 9, oldRoot: hash, newSize: 9, newRoot: other, proof: [] };
    assert.throws(() => verifyConsistency(claim), code('root_mismatch'));
  });

  test('hashes that are not 32 bytes', () => {
    const short = hash.subarray(1);
    const good = { index: 0, treeSize: 2, leafHash: hash, proof: [hash], rootHash: hash };
    assert.throws(() => verifyInclusion({ ...good, leafHash: short }), code('bad_hash'));
    assert.throws(() => verifyInclusion({ ...good, proof: [short] }), code('bad_hash'));
    assert.throws(() => verifyInclusion({ ...good, rootHash: short }), code('bad_hash'));
    const equal = { oldSize: 1, oldRoot: short, newSize: 1, newRoot: short, proof: [] };
    assert.throws(() => verifyConsistency(equal), code('bad_hash'));
    assert.throws(() => nodeHash(hash, short), code('bad_hash'));
    assert.throws(() => new CompactRange(1, [short]), code('bad_hash'));
    assert.throws(() => new CompactRange().append(short), code('bad_hash'));
  });

  test('sizes that a double does not hold', async () => {
    for (const size of [2 ** 53, -1, 1.5, NaN, Infinity]) {
      await assert.rejects(treeRoot(size, read), code('unsafe_integer'));
      await assert.rejects(proveInclusion(0, size, read), code('unsafe_integer'));
      await assert.rejects(proveConsistency(1, size, read), code('unsafe_integer'));
      assert.throws(() => tileHashReader(size, () => assert.fail()), code('unsafe_integer'));
      assert.throws(() => [...tilesForSize(size)], code('unsafe_integer'));
      assert.throws(() => new CompactRange(size), code('unsafe_integer'));
    }
    const full = 2 ** 53 - 1;
    const range = new CompactRange(
      full,
      Array.from({ length: 53 }, () => hash),
    );
    assert.throws(() => range.append(hash), code('unsafe_integer'));
    assert.equal(range.root().length, 32);
  });

  test('an edge of the wrong length', () => {
    assert.throws(() => new CompactRange(3, [hash]), code('bad_edge'));
    assert.throws(() => new CompactRange(0, [hash]), code('bad_edge'));
  });
});

/** Sizes beyond 2^31 and 2^32, where bitwise arithmetic would go wrong, in trees of one repeated leaf. */
describe('trees too large to build', () => {
  const perfect: Uint8Array[] = [leafHash(new Uint8Array(0))];
  for (let level = 1; level <= 52; level++) {
    const below = perfect[level - 1] ?? emptyRoot();
    perfect.push(nodeHash(below, below));
  }
  const read: HashReader = (nodes) =>
    Promise.resolve(nodes.map(({ level }) => perfect[level] ?? assert.fail()));
  const size = fc.oneof(
    fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    fc.integer({ min: 2 ** 31 - 3, max: 2 ** 31 + 3 }),
    fc.integer({ min: 2 ** 32 - 3, max: 2 ** 32 + 3 }),
    fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, 2 ** 52, 2 ** 52 + 1, 2 ** 40),
  );

  test('proofs of any safe size verify', async () => {
    await fc.assert(
      fc.asyncProperty(size, fc.double({ min: 0, max: 1, noNaN: true }), async (treeSize, where) => {
        const index = Math.min(treeSize - 1, Math.floor(where * treeSize));
        const rootHash = await treeRoot(treeSize, read);
        const proof = await proveInclusion(index, treeSize, read);
        verifyInclusion({ index, treeSize, leafHash: perfect[0] ?? rootHash, proof, rootHash });
        const oldSize = index + 1;
        verifyConsistency({
          oldSize,
          oldRoot: await treeRoot(oldSize, read),
          newSize: treeSize,
          newRoot: rootHash,
          proof: await proveConsistency(oldSize, treeSize, read),
        });
      }),
      { numRuns: 300 },
    );
  });

  test('a range of any safe size appends as the next size folds', async () => {
    await fc.assert(
      fc.asyncProperty(size, async (given) => {
        const from = Math.min(given, Number.MAX_SAFE_INTEGER - 1);
        const range = new CompactRange(from, await read(edgeNodes(from)));
        range.append(perfect[0] ?? emptyRoot());
        assert.deepEqual(range.root(), await treeRoot(from + 1, read));
        assert.deepEqual(range.hashes, await read(edgeNodes(from + 1)));
      }),
      { numRuns: 300 },
    );
  });
});

describe('tiles', () => {
  const LARGE = 65_536 + 600;
  const large = new ReferenceTree(numberedEntries(LARGE));
  const sizes = [
    1,
    2,
    3,
    255,
    256,
    257,
    511,
    512,
    513,
    65_279,
    65_280,
    65_535,
    65_536,
    65_537,
    65_792,
    LARGE,
  ];

  /** Serves the tiles of one size, refuses all others, and counts. */
  function serve(size: number): { fetched: string[]; fetch: (tile: TileId) => Promise<Uint8Array> } {
    const exists = new Set(referenceTiles(size).map((tile) => tilePath(tile)));
    const fetched: string[] = [];
    const fetch = (tile: TileId): Promise<Uint8Array> => {
      const path = tilePath(tile);
      assert.ok(exists.has(path), `${path} does not exist at size ${size}`);
      fetched.push(path);
      return Promise.resolve(large.tile(tile.level, tile.index, tile.width));
    };
    return { fetched, fetch };
  }

  test('the tiles of a size', () => {
    for (const size of [0, ...sizes]) {
      assert.deepEqual([...tilesForSize(size)], referenceTiles(size));
      for (const { level, index, width } of referenceTiles(size)) {
        assert.equal(tileWidth(level, index, size), width);
      }
      assert.equal(tileWidth(0, Math.ceil(size / 256), size), 0);
    }
  });

  test('what is written step by step is what a size needs', () => {
    const paths = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(paths, (steps) => {
        const written = new Set<string>();
        let size = 0;
        for (const step of steps) {
          for (const tile of tilesBetween(size, size + step)) {
            assert.ok(!written.has(tilePath(tile)), `${tilePath(tile)} is written twice`);
            written.add(tilePath(tile));
          }
          size += step;
          for (const tile of referenceTiles(size)) assert.ok(written.has(tilePath(tile)), tilePath(tile));
        }
      }),
      { numRuns: 60 },
    );
  });

  test('roots and proofs of sizes around 256 and 65,536, each tile once', async () => {
    for (const size of sizes) {
      const rootHash = large.root(size);
      const indexes = [0, 1, 255, 256, 257, 65_535, 65_536, size - 2, size - 1];
      for (const index of new Set(indexes.filter((i) => i >= 0 && i < size))) {
        for (const prove of [
          async (read: HashReader) => assert.deepEqual(await treeRoot(size, read), rootHash),
          async (read: HashReader) => {
            assert.deepEqual(await proveInclusion(index, size, read), large.path(index, size));
          },
          async (read: HashReader) => {
            assert.deepEqual(await proveConsistency(index + 1, size, read), large.proof(index + 1, size));
          },
        ]) {
          const { fetched, fetch } = serve(size);
          await prove(tileHashReader(size, fetch));
          assert.equal(new Set(fetched).size, fetched.length, 'a tile was fetched twice');
        }
      }
    }
  });

  test('any node of a tree, read from tiles', async () => {
    const node = fc
      .integer({ min: 0, max: 16 })
      .chain((level) =>
        fc.record({ level: fc.constant(level), index: fc.integer({ min: 0, max: 2 ** (16 - level) - 1 }) }),
      );
    await fc.assert(
      fc.asyncProperty(fc.array(node, { maxLength: 8 }), async (nodes) => {
        const { fetched, fetch } = serve(LARGE);
        const found = await tileHashReader(LARGE, fetch)(nodes);
        assert.deepEqual(found, await referenceReader(large, LARGE)(nodes));
        assert.equal(new Set(fetched).size, fetched.length);
      }),
      { numRuns: 100 },
    );
  });

  test('nodes outside the tree', async () => {
    const read = tileHashReader(300, serve(300).fetch);
    for (const [level, index] of [
      [0, 300],
      [8, 1],
      [9, 0],
      [53, 0],
      [60, 0],
    ] as const) {
      await assert.rejects(read([{ level, index }]), code('bad_node'));
    }
  });

  test('a tile of the wrong length', async () => {
    const read = tileHashReader(300, async (tile) => (await serve(300).fetch(tile)).subarray(32));
    await assert.rejects(read([{ level: 0, index: 0 }]), code('bad_tile'));
  });
});
