import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_ENTRY_SIZE, TILE_WIDTH } from '../../tlog/index.js';
import { BUNDLE_BYTES, BundleCache } from './bundle-cache.js';

const bundle = (size: number): Uint8Array[] => [new Uint8Array(size), new Uint8Array(size)];

test('bundles are kept up to a number of bytes, those that were used last', () => {
  const cache = new BundleCache(10_000);
  for (let index = 0; index < 4; index++) cache.keep(index, bundle(1000));
  assert.ok(cache.get(0));
  cache.keep(4, bundle(1000));
  assert.deepEqual(
    [0, 1, 2, 3, 4].filter((index) => cache.get(index) !== undefined),
    [0, 2, 3, 4],
  );
  for (let index = 0; index < 100; index++) {
    cache.keep(index, bundle(50 * (index % 90)));
    assert.ok(cache.bytes <= 10_000);
  }
  cache.keep(100, bundle(5000));
  assert.equal(cache.get(100), undefined, 'larger than all of it');
  for (let index = 0; index <= 100; index++) cache.forget(index);
  assert.equal(cache.bytes, 0);
});

test('two bundles of the largest entries have room', () => {
  const cache = new BundleCache();
  const largest = Array<Uint8Array>(TILE_WIDTH).fill(new Uint8Array(MAX_ENTRY_SIZE));
  for (const index of [0, 1, 2]) cache.keep(index, largest);
  assert.ok(cache.get(1) && cache.get(2) && !cache.get(0));
  assert.ok(cache.bytes <= BUNDLE_BYTES && BUNDLE_BYTES < 34_000_000);
});
