import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bundleLeafHashes, formatBundle, parseBundle, sliceBundle } from './bundles.js';
import { SteleError, TlogError } from './errors.js';
import { leafHash, nodeHash } from './merkle.js';
import { perfectRoot, tileRoot } from './tile-reader.js';
import {
  TILE_WIDTH,
  entriesPath,
  formatTile,
  parseTile,
  parseTilePath,
  partialWidth,
  sliceTile,
  tilePath,
  tileWidth,
} from './tiles.js';

const code = (expected: string) => (error: unknown) => error instanceof TlogError && error.code === expected;

describe('tile paths', () => {
  test('as the specification writes them', () => {
    const good: [string, number, number, number][] = [
      ['tile/0/000', 0, 0, 256],
      ['tile/0/x001/x234/067', 0, 1234067, 256],
      ['tile/63/999.p/255', 63, 999, 255],
      ['tile/1/x001/000.p/1', 1, 1000, 1],
      ['tile/2/x999/999', 2, 999_999, 256],
      ['tile/0/x009/x007/x199/x254/x740/991', 0, Number.MAX_SAFE_INTEGER, 256],
    ];
    for (const [path, level, index, width] of good) {
      assert.equal(tilePath({ level, index, width }), path);
      assert.deepEqual(parseTilePath(path), { kind: 'tile', level, index, width });
      const entries = path.replace(/^tile\/[0-9]+/, 'tile/entries');
      assert.equal(entriesPath(index, width), entries);
      assert.deepEqual(parseTilePath(entries), { kind: 'entries', index, width });
    }
  });

  test('every other spelling', () => {
    // prettier-ignore
    const wrong = ['', '/', 'tile', 'tile/', 'tile/0', 'tile/0/', '/tile/0/000', 'tile/0/000/', 'tile//000', 'tile/00/000',
      'tile/01/000', 'tile/64/000', 'tile/100/000', 'tile/-1/000', 'tile/+1/000', 'tile/0/0', 'tile/0/00', 'tile/0/0000',
      'tile/0/x000/000', 'tile/0/x000/001', 'tile/0/x000/x001/001', 'tile/0/001/000', 'tile/0/x001', 'tile/0/x001/', 'tile/0/x001/x002',
      'tile/0/X001/000', 'tile/0/x01/000', 'tile/0/000.p', 'tile/0/000.p/', 'tile/0/000.p/0', 'tile/0/000.p/00', 'tile/0/000.p/01',
      'tile/0/000.p/256', 'tile/0/000.p/257', 'tile/0/000.p/999', 'tile/0/000.p/1000', 'tile/0/000.p/1/', 'tile/0/000.p/-1', 'tile/0/000.P/1',
      'tile/0/000p/1', 'tile/0/000/p/1', 'tile/0/000.p.1', 'tile/8/entries', 'tile/entries', 'tile/entries/', 'tile/entries/0', 'tile/entries/x000/001', 'tile/Entries/000',
      'tile/data/000', 'tile/0/000\n', '\ntile/0/000', 'tile/0/000 ', 'tile/0/000\u0000', 'tile/0/../000', 'tile/0/x001/../000', 'tile/0/%30%30%30',
      'tile/0/000?x', 'tile/0/000#x', 'tile\\0\\000', 'tile/0/٠٠٠', 'tile/entries/000.p/0', 'TILE/0/000', 'checkpoint', 'tile/0/1e3', 'tile/0/x001/x000'];
    for (const path of wrong)
      assert.throws(() => parseTilePath(path), code('bad_tile_path'), JSON.stringify(path));
  });

  test('an index too large, and a path far too long', () => {
    assert.throws(() => parseTilePath('tile/0/x009/x007/x199/x254/x740/992'), code('unsafe_integer'));
    assert.throws(() => parseTilePath('tile/0/x018/x446/x744/x073/x709/x551/615'), code('unsafe_integer'));
    assert.throws(() => parseTilePath(`tile/0/${'x000/'.repeat(100_000)}000`), code('bad_tile_path'));
  });

  test('nothing else is formatted either', () => {
    for (const width of [0, 257, -1, 1.5, NaN]) {
      assert.throws(() => tilePath({ level: 0, index: 0, width }), code('bad_tile'));
      assert.throws(() => entriesPath(0, width), code('bad_tile'));
    }
    for (const level of [-1, 64, 0.5, NaN]) {
      assert.throws(() => tilePath({ level, index: 0, width: 1 }), code('bad_tile'));
    }
    for (const index of [-1, 0.5, 2 ** 53])
      assert.throws(() => entriesPath(index, 1), code('unsafe_integer'));
  });

  test('round trips', () => {
    const index = fc.oneof(fc.nat(2000), fc.maxSafeNat());
    const width = fc.integer({ min: 1, max: 256 });
    fc.assert(
      fc.property(fc.nat(63), index, width, (level, i, w) => {
        assert.deepEqual(parseTilePath(tilePath({ level, index: i, width: w })), {
          kind: 'tile',
          level,
          index: i,
          width: w,
        });
      }),
    );
    const char = fc.constantFrom(...Array.from('0123x/.p'));
    fc.assert(
      fc.property(fc.string({ unit: char, maxLength: 14 }), (rest) => {
        const path = `tile/0/${rest}`;
        let parsed;
        try {
          parsed = parseTilePath(path);
        } catch (error) {
          assert.ok(error instanceof SteleError);
          return;
        }
        assert.equal(parsed.kind === 'tile' ? tilePath(parsed) : '', path);
      }),
      { numRuns: 3000 },
    );
  });
});

test('widths of tiles: the example of the specification', () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((level) => partialWidth(level, 70_000)),
    [112, 17, 1, 0],
  );
  assert.deepEqual(
    [0, 1, 2].map((level) => partialWidth(level, 256)),
    [0, 1, 0],
  );
  assert.equal(tileWidth(0, 272, 70_000), 256);
  assert.equal(tileWidth(0, 273, 70_000), 112);
  assert.equal(tileWidth(0, 274, 70_000), 0);
  assert.equal(partialWidth(4, 2 ** 40 + 2 ** 33), 2);
  assert.equal(partialWidth(6, Number.MAX_SAFE_INTEGER), 31);
});

describe('tiles', () => {
  const hashes = Array.from({ length: 5 }, (_, i) => new Uint8Array(32).fill(i));

  test('are their hashes one after the other', () => {
    const bytes = formatTile(hashes);
    assert.equal(bytes.length, 160);
    assert.deepEqual(parseTile(bytes, 5), hashes);
    assert.deepEqual(sliceTile(bytes, 2), formatTile(hashes.slice(0, 2)));
  });

  test('of the wrong length', () => {
    const bytes = formatTile(hashes);
    for (const width of [4, 6]) assert.throws(() => parseTile(bytes, width), code('bad_tile'));
    assert.throws(() => parseTile(bytes.subarray(1), 5), code('bad_tile'));
    assert.throws(() => parseTile(new Uint8Array(0), 0), code('bad_tile'));
    assert.throws(() => sliceTile(bytes, 6), code('bad_tile'));
    assert.throws(() => sliceTile(bytes.subarray(1), 2), code('bad_tile'));
    assert.throws(() => formatTile([]), code('bad_tile'));
    assert.throws(() => formatTile(Array.from({ length: 257 }, () => new Uint8Array(32))), code('bad_tile'));
    assert.throws(() => formatTile([new Uint8Array(31)]), code('bad_hash'));
  });
});

describe('the root of a tile', () => {
  const naive = (hashes: readonly Uint8Array[]): Uint8Array => {
    const [first] = hashes;
    if (hashes.length === 1 && first) return first;
    const half = hashes.length / 2;
    return nodeHash(naive(hashes.slice(0, half)), naive(hashes.slice(half)));
  };

  test('is that of its hashes, two by two, and the tile is left as it was', () => {
    for (const count of [1, 2, 4, 8, 64, 256]) {
      const hashes = Array.from({ length: count }, (_, i) => leafHash(Uint8Array.of(i)));
      const tile = formatTile(hashes);
      assert.deepEqual(tileRoot(tile), naive(hashes), `${count}`);
      assert.deepEqual(perfectRoot(hashes), naive(hashes), `${count}`);
      assert.deepEqual(tile, formatTile(hashes));
    }
  });

  test('only of a perfect subtree', () => {
    for (const bytes of [0, 31, 33, 96, 255 * 32])
      assert.throws(() => tileRoot(new Uint8Array(bytes)), code('bad_tile'), `${bytes}`);
  });
});

describe('entry bundles', () => {
  const entries = [
    Uint8Array.of(1, 2, 3),
    new Uint8Array(0),
    new Uint8Array(65_535).fill(7),
    Uint8Array.of(9),
  ];

  test('lengths are big-endian, empty and longest entries included', () => {
    const bytes = formatBundle(entries);
    assert.deepEqual(bytes.subarray(0, 9), Uint8Array.of(0, 3, 1, 2, 3, 0, 0, 255, 255));
    assert.deepEqual(parseBundle(bytes), entries);
    assert.deepEqual(parseBundle(bytes, 4), entries);
    assert.deepEqual(sliceBundle(bytes, 2), formatBundle(entries.slice(0, 2)));
    assert.deepEqual(sliceBundle(bytes, 4), bytes);
  });

  test('their leaf hashes are those of each entry, and the bundle is left as it was', () => {
    const bytes = formatBundle(entries);
    const before = bytes.slice();
    assert.deepEqual(bundleLeafHashes(bytes), formatTile(entries.map(leafHash)));
    assert.deepEqual(bundleLeafHashes(bytes, 4), formatTile(entries.map(leafHash)));
    assert.deepEqual(bytes, before);
    assert.throws(() => bundleLeafHashes(bytes, 3), code('bad_bundle'));
    assert.throws(() => bundleLeafHashes(bytes.subarray(0, 8)), code('bad_bundle'));
    assert.throws(() => bundleLeafHashes(new Uint8Array(0)), code('bad_bundle'));
  });

  test('cut off, too long, of another count', () => {
    const bytes = formatBundle(entries.slice(0, 2));
    for (let cut = 1; cut < bytes.length; cut++) {
      if (cut !== 5) assert.throws(() => parseBundle(bytes.subarray(0, cut)), code('bad_bundle'), `${cut}`);
    }
    assert.throws(() => parseBundle(new Uint8Array(0)), code('bad_bundle'));
    assert.throws(() => parseBundle(Uint8Array.of(...bytes, 0)), code('bad_bundle'));
    assert.throws(() => parseBundle(bytes, 1), code('bad_bundle'));
    assert.throws(() => parseBundle(bytes, 3), code('bad_bundle'));
    assert.throws(() => sliceBundle(bytes, 3), code('bad_bundle'));
    assert.throws(() => sliceBundle(bytes, 0), code('bad_bundle'));
    assert.throws(() => parseBundle(new Uint8Array(2 * 257)), code('bad_bundle'));
    assert.equal(parseBundle(new Uint8Array(2 * 256)).length, TILE_WIDTH);
    assert.throws(() => parseBundle(new Uint8Array(10_000_000)), code('bad_bundle'));
  });

  test('what cannot be written', () => {
    assert.throws(() => formatBundle([]), code('bad_bundle'));
    assert.throws(
      () => formatBundle(Array.from({ length: 257 }, () => new Uint8Array(0))),
      code('bad_bundle'),
    );
    assert.throws(() => formatBundle([new Uint8Array(65_536)]), code('entry_too_large'));
  });

  test('one spelling each', () => {
    const list = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(list, (given) => assert.deepEqual(parseBundle(formatBundle(given), given.length), given)),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12, max: 3 }), (bytes) => {
        let parsed;
        try {
          parsed = parseBundle(bytes);
        } catch (error) {
          assert.ok(code('bad_bundle')(error));
          return;
        }
        assert.deepEqual(formatBundle(parsed), bytes);
      }),
    );
  });
});
