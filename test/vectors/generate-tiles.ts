// spec/vectors/tile-paths.json, tiles.json, bundles.json.
import { createHash } from 'node:crypto';
import { ReferenceTree, numberedEntries } from '../reference/merkle.js';
import { referenceBundle, referenceTilePath, referenceTiles } from '../reference/tiles.js';
import { hex, utf8, type Vector } from './vector.js';

/** Every spelling that is right, and the many that look like it. */
export function tilePaths(): Vector[] {
  const good = (desc: string, level: number | 'entries', index: number, width: number): Vector => ({
    desc,
    path: referenceTilePath(level, BigInt(index), width),
    level,
    index,
    width,
    want: 'ok',
  });
  const bad = (desc: string, path: string, want = 'bad_tile_path'): Vector => ({ desc, path, want });
  return [
    good('the first tile', 0, 0, 256),
    good('the first bundle', 'entries', 0, 256),
    good('the example of tlog-tiles', 0, 1_234_067, 256),
    good('a partial tile', 1, 0, 17),
    good('a partial bundle', 'entries', 273, 112),
    good('the narrowest', 2, 0, 1),
    good('the widest partial', 0, 999, 255),
    good('the first index of two elements', 0, 1000, 256),
    good('zeros inside', 0, 1_000_000, 256),
    good('a zero element before the last', 'entries', 5_000_007, 3),
    good('the highest level', 63, 0, 256),
    good('a level of two digits', 10, 1, 2),
    good('an index above 2^32', 0, 2 ** 32 + 1, 256),
    good('the largest index', 'entries', Number.MAX_SAFE_INTEGER, 1),
    bad('nothing', ''),
    bad('only the folder', 'tile/'),
    bad('no index', 'tile/0/'),
    bad('a leading slash', '/tile/0/000'),
    bad('a trailing slash', 'tile/0/000/'),
    bad('an empty element', 'tile/0//000'),
    bad('a dot element', 'tile/0/./000'),
    bad('a parent element', 'tile/0/x001/../000'),
    bad('percent-encoding', 'tile/0/%30%30%30'),
    bad('a query', 'tile/0/000?a'),
    bad('a trailing line end', 'tile/0/000\n'),
    bad('a trailing NUL', 'tile/0/000\u0000'),
    bad('a leading zero in the level', 'tile/00/000'),
    bad('a level of 64', 'tile/64/000'),
    bad('a negative level', 'tile/-1/000'),
    bad('another word for the level', 'tile/data/000'),
    bad('an index of one digit', 'tile/0/0'),
    bad('an index of four digits', 'tile/0/1234'),
    bad('an x before the last element', 'tile/0/x001'),
    bad('no x before the first of two', 'tile/0/001/234'),
    bad('a capital X', 'tile/0/X001/234'),
    bad('a leading zero element', 'tile/0/x000/001'),
    bad('two leading zero elements', 'tile/0/x000/x000/001'),
    bad('digits that are not ASCII', 'tile/0/\u0660\u0660\u0660'),
    bad('no width after .p', 'tile/0/000.p/'),
    bad('a width of 0', 'tile/0/000.p/0'),
    bad('a leading zero in the width', 'tile/0/000.p/01'),
    bad('a full tile written as partial', 'tile/0/000.p/256'),
    bad('a width of three digits above 256', 'tile/0/000.p/999'),
    bad('the suffix without its dot', 'tile/0/000p/1'),
    bad('a bundle with a level', 'tile/entries/0/000'),
    bad('a leading zero element in a bundle', 'tile/entries/x000/001'),
    bad('an index of 2^53', 'tile/0/x009/x007/x199/x254/x740/992', 'unsafe_integer'),
    bad('an index of 2^64 - 1', 'tile/0/x018/x446/x744/x073/x709/x551/615', 'unsafe_integer'),
  ];
}

/** Which tiles trees have, and what is in them. Entries are those of the other files: "entry 0", … */
export function tiles(): Vector[] {
  const SIZE = 70_000;
  const tree = new ReferenceTree(numberedEntries(SIZE));
  const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const chosen: [number, string[]][] = [
    [1, ['tile/0/000.p/1']],
    [255, ['tile/0/000.p/255']],
    [256, ['tile/0/000', 'tile/1/000.p/1']],
    [257, ['tile/0/000', 'tile/0/001.p/1', 'tile/1/000.p/1']],
    [65_535, ['tile/0/255.p/255', 'tile/1/000.p/255']],
    [65_536, ['tile/0/255', 'tile/1/000', 'tile/2/000.p/1']],
    [SIZE, ['tile/0/272', 'tile/0/273.p/112', 'tile/1/000', 'tile/1/001.p/17', 'tile/2/000.p/1']],
  ];
  const absent: [number, string, string][] = [
    [0, 'tile/0/000.p/1', 'nothing in the empty tree'],
    [255, 'tile/0/000', 'a full tile too early'],
    [255, 'tile/1/000.p/1', 'a partial tile hashed into the one above'],
    [256, 'tile/0/000.p/255', 'a partial tile of an earlier size'],
    [256, 'tile/0/001.p/1', 'an empty tile beside a full one'],
    [257, 'tile/1/000.p/2', 'a width that counts the partial tile below'],
    [65_536, 'tile/1/001.p/1', 'an empty tile of level 1'],
    [SIZE, 'tile/0/273', 'the full tile in place of the partial one'],
    [SIZE, 'tile/0/273.p/113', 'one hash too wide'],
    [SIZE, 'tile/2/000.p/2', 'a width that counts the partial tile below, level 2'],
    [SIZE, 'tile/3/000.p/1', 'a level too high'],
    [SIZE, 'tile/0/274.p/1', 'one tile further'],
    [SIZE, 'tile/1/001', 'level 1 as if it were full'],
    [SIZE, 'tile/1/001.p/18', 'level 1 counting a tile that is not full'],
    [1, 'tile/0/000.p/2', 'an entry that is not there'],
    [1, 'tile/0/001.p/1', 'the second tile of a tree of one'],
  ];
  const byPath = (size: number, path: string) =>
    referenceTiles(size).find(
      ({ level, index, width }) => referenceTilePath(level, BigInt(index), width) === path,
    );
  const good = chosen.flatMap(([size, paths]) =>
    paths.map((path): Vector => {
      const tile = byPath(size, path);
      if (tile === undefined) throw new Error(`${path} at ${size}`);
      const sha256 = digest(tree.tile(tile.level, tile.index, tile.width));
      return { desc: `${path} at size ${size}`, size, path, sha256, want: 'ok' };
    }),
  );
  const bad = absent.map(([size, path, desc]): Vector => {
    if (byPath(size, path) !== undefined) throw new Error(`${path} at ${size}`);
    return { desc, size, path, want: 'absent' };
  });
  const wrong = [...tree.entries.slice(0, 1)].map((entry): Vector => ({
    desc: 'a tile of entries instead of their hashes',
    size: 1,
    path: 'tile/0/000.p/1',
    sha256: digest(entry),
    want: 'mismatch',
  }));
  const level1 = digest(tree.tile(0, 255, 256));
  const swapped: Vector = {
    desc: 'level 1 with the hashes of level 0',
    size: 65_536,
    path: 'tile/1/000',
    sha256: level1,
    want: 'mismatch',
  };
  const backwards = Buffer.concat([tree.leafHash(1), tree.leafHash(0)]);
  const reversed: Vector = {
    desc: 'hashes in the wrong order',
    size: 2,
    path: 'tile/0/000.p/2',
    sha256: digest(backwards),
    want: 'mismatch',
  };
  return [...good, ...bad, ...wrong, swapped, reversed];
}

/** Bundles with as many entries as their width says, and what falls short of that. */
export function bundles(): Vector[] {
  const good = (desc: string, entries: Uint8Array[]): Vector => ({
    desc,
    bundle: hex(referenceBundle(entries)),
    width: entries.length,
    entries: entries.map(hex),
    want: 'ok',
  });
  const bad = (desc: string, bundle: Uint8Array, width: number, want = 'bad_bundle'): Vector => ({
    desc,
    bundle: hex(bundle),
    width,
    want,
  });
  const three = numberedEntries(3);
  const bytes = referenceBundle(three);
  const empty = (count: number): Uint8Array[] => Array.from({ length: count }, () => new Uint8Array(0));
  return [
    good('one entry', [utf8('entry 0')]),
    good('three entries', three),
    good('an empty entry', [new Uint8Array(0)]),
    good('an empty entry between two', [utf8('a'), new Uint8Array(0), utf8('b')]),
    good('an entry longer than 255 bytes: the length is big-endian', [new Uint8Array(258).fill(7)]),
    good('entries that are not text', [Uint8Array.of(0, 255, 10, 0), Uint8Array.of(0)]),
    good('256 empty entries', empty(256)),
    bad('nothing', new Uint8Array(0), 1),
    bad('half a length', Uint8Array.of(0), 1),
    bad('a length and no entry', Uint8Array.of(0, 1), 1),
    bad('the last byte missing', bytes.slice(0, -1), 3),
    bad('one byte too many', Uint8Array.from([...bytes, 0]), 3),
    bad('one entry too few', bytes, 4),
    bad('one entry too many', bytes, 2),
    bad('lengths in little-endian', Uint8Array.of(1, 0, 97), 1),
    bad('lengths of four bytes', Uint8Array.of(0, 0, 0, 1, 97), 1),
    bad('257 entries', referenceBundle(empty(257)), 256),
    bad('a full bundle at a partial width', referenceBundle(empty(256)), 255),
  ];
}
