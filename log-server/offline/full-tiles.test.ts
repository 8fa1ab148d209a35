import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import {
  TILE_WIDTH,
  bundleLeafHashes,
  entriesPath,
  formatBundle,
  tilePath,
  tileRoot,
} from '../../tlog/index.js';
import { FullTiles, type Job, fromTheEnd, newBoard, pathOf, settle, settled, take } from './full-tiles.js';

const folder = mkdtempSync(join(tmpdir(), 'full-tiles-'));
after(() => rmSync(folder, { recursive: true }));

function put(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), bytes);
}

/** Entries of these lengths, over and over, each another. */
function bundleOf(lengths: readonly number[], count: number = TILE_WIDTH): Uint8Array {
  return formatBundle(
    Array.from({ length: count }, (_, i) => new Uint8Array(lengths[i % lengths.length] ?? 0).fill(i)),
  );
}

/** Writes bundle and tile `index` and answers the root as tlog has it. */
function putFull(index: number, bundle: Uint8Array): Uint8Array {
  const hashes = bundleLeafHashes(bundle);
  put(entriesPath(index, TILE_WIDTH), bundle);
  put(tilePath({ level: 0, index, width: TILE_WIDTH }), hashes);
  return tileRoot(hashes);
}

test('paths are those of tlog-tiles', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (index) => {
      assert.equal(`tile/0/${pathOf(index)}`, tilePath({ level: 0, index, width: TILE_WIDTH }));
    }),
  );
});

test('a root is that of tlog, and of a file with any other bytes there is none', () => {
  const reader = new FullTiles(folder);
  const lengths = fc.array(fc.nat(600), { minLength: 1, maxLength: 7 });
  const change = fc.record({
    inTile: fc.boolean(),
    at: fc.nat(2 ** 20),
    bit: fc.nat(7),
    cut: fc.integer({ min: -2, max: 2 }),
  });
  fc.assert(
    fc.property(lengths, change, (sizes, { inTile, at, bit, cut }) => {
      const bundle = bundleOf(sizes);
      const root = putFull(7, bundle);
      assert.deepEqual(reader.root(7), root);
      const path = inTile ? tilePath({ level: 0, index: 7, width: TILE_WIDTH }) : entriesPath(7, TILE_WIDTH);
      const good = inTile ? bundleLeafHashes(bundle) : bundle;
      const bad = new Uint8Array(good.length + cut);
      bad.set(good.subarray(0, bad.length));
      if (cut === 0) bad[at % bad.length] = (bad[at % bad.length] ?? 0) ^ (1 << bit);
      put(path, bad);
      assert.equal(reader.root(7), undefined);
    }),
    { numRuns: 40 },
  );
});

test('bundles of every size there is, and files that are none', () => {
  const reader = new FullTiles(folder);
  for (const length of [0, 1, 65_535, 3]) {
    const root = putFull(2, bundleOf([length]));
    assert.deepEqual(reader.root(2), root, String(length));
  }
  const full = bundleOf([5]);
  const others: Record<string, Uint8Array> = {
    'one entry less': bundleOf([5], 255),
    'a byte behind': Uint8Array.from([...full, 0]),
    'an entry more': Uint8Array.from([...full, 0, 1, 7]),
    'cut off': full.subarray(0, -1),
    'cut off in a length': full.subarray(0, -6),
    empty: new Uint8Array(),
  };
  for (const [name, bytes] of Object.entries(others)) {
    putFull(3, full);
    put(entriesPath(3, TILE_WIDTH), bytes);
    assert.equal(reader.root(3), undefined, name);
  }
  assert.equal(reader.root(4), undefined, 'no file');
});

test('threads share the bundles of a board, each taken once, and what one leaves another looks at', async () => {
  const roots = Array.from({ length: 40 }, (_, i) => putFull(100 + i, bundleOf([i])));
  put(tilePath({ level: 0, index: 117, width: TILE_WIDTH }), new Uint8Array(TILE_WIDTH * 32));
  const board = newBoard(140);
  for (let index = 0; index < 100; index++) assert.ok(take(board, index));
  const job: Job = { folder, board };
  const worker = new Worker(new URL('./check-thread.js', import.meta.url), { workerData: job });
  const ended = new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
  fromTheEnd(job);
  await ended;
  assert.equal(take(board, 120), false);
  roots.forEach((root, i) => assert.deepEqual(settled(board, 100 + i, 0), i === 17 ? undefined : root));
  // Taken by one who never settles it.
  assert.equal(settled(board, 50, 1), undefined);
  settle(board, 50, roots[0]);
  assert.deepEqual(settled(board, 50, 0), roots[0]);
});
