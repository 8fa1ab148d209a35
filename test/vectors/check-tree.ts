// What the fast code makes of each vector. Takes the case apart by hand: an implementation in another
// language would do the same.
import {
  CompactRange,
  decodeBase64,
  decodeHex,
  decodeUtf8,
  encodeHex,
  leafHash,
  nodeHash,
  parseBundle,
  parseDecimal,
  parseTilePath,
  proveInclusion,
  sha256,
  tileHashReader,
  tilesForSize,
  tilePath,
  verifyConsistency,
  verifyEd25519,
  verifyInclusion,
  verifySubtreeConsistency,
  type TileId,
} from '../../tlog/index.js';
import { unhex, type Vector } from './vector.js';

/** Runs one case. Answers "ok" or a word for what was wrong, or throws a SteleError with its code. */
export type Checker = (vector: Vector) => string | Promise<string>;

const text = (vector: Vector, field: string): string => String(vector[field]);
const bytes = (vector: Vector, field: string): Uint8Array => unhex(text(vector, field));
const number = (vector: Vector, field: string): number => Number(vector[field]);
const list = (vector: Vector, field: string): Uint8Array[] => (vector[field] as string[]).map(unhex);
const same = (found: unknown, expected: unknown): string =>
  JSON.stringify(found) === JSON.stringify(expected) ? 'ok' : 'mismatch';

const entry = (index: number): Uint8Array => new TextEncoder().encode(`entry ${index}`);

/** Every tile of the tree of numbered entries, by path, as a log would have written them on the way. */
const written = new Map<string, Uint8Array>();
let range = new CompactRange();
const levels: Uint8Array[][] = [];
function grow(size: number): void {
  if (size < range.size) {
    range = new CompactRange();
    levels.length = 0;
    written.clear();
  }
  while (range.size < size) {
    range.appendVisiting(leafHash(entry(range.size)), (level, _, hash) => {
      if (level % 8 === 0) (levels[level / 8] ??= []).push(hash);
    });
  }
  for (const tile of tilesForSize(size)) {
    const hashes = (levels[tile.level] ?? []).slice(tile.index * 256, tile.index * 256 + tile.width);
    written.set(tilePath(tile), Buffer.concat(hashes));
  }
}

async function checkTile(vector: Vector): Promise<string> {
  const size = number(vector, 'size');
  const path = text(vector, 'path');
  if (![...tilesForSize(size)].some((tile) => tilePath(tile) === path)) return 'absent';
  grow(size);
  // A proof read from the tiles at hand shows that they are a tree, not merely bytes.
  const fetch = (tile: TileId): Promise<Uint8Array> =>
    Promise.resolve(written.get(tilePath(tile)) ?? new Uint8Array(0));
  const proof = await proveInclusion(size - 1, size, tileHashReader(size, fetch));
  verifyInclusion({
    index: size - 1,
    treeSize: size,
    leafHash: leafHash(entry(size - 1)),
    proof,
    rootHash: range.root(),
  });
  return same(encodeHex(sha256(written.get(path) ?? new Uint8Array(0))), vector['sha256']);
}

function checkHash(vector: Vector): string {
  if (vector['of'] === 'leaf') return same(encodeHex(leafHash(bytes(vector, 'entry'))), vector['hash']);
  if (vector['of'] === 'node') {
    return same(encodeHex(nodeHash(bytes(vector, 'left'), bytes(vector, 'right'))), vector['hash']);
  }
  const tree = new CompactRange();
  for (let i = 0; i < number(vector, 'size'); i++) tree.append(leafHash(entry(i)));
  return same(encodeHex(tree.root()), vector['hash']);
}

function checkEncoding(vector: Vector): string {
  const input = bytes(vector, 'input');
  if (vector['encoding'] === 'utf-8') {
    return same(
      Array.from(decodeUtf8(input), (c) => c.codePointAt(0)),
      vector['value'],
    );
  }
  const given = decodeUtf8(input);
  if (vector['encoding'] === 'decimal') return same(String(parseDecimal(given)), vector['value']);
  const decode = vector['encoding'] === 'base64' ? decodeBase64 : decodeHex;
  return same(encodeHex(decode(given)), vector['value']);
}

/** By file name. */
export const treeCheckers: Readonly<Record<string, Checker>> = {
  'hashes.json': checkHash,
  'inclusion.json': (vector) => {
    verifyInclusion({
      index: number(vector, 'index'),
      treeSize: number(vector, 'treeSize'),
      leafHash: bytes(vector, 'leafHash'),
      proof: list(vector, 'proof'),
      rootHash: bytes(vector, 'rootHash'),
    });
    return 'ok';
  },
  'consistency.json': (vector) => {
    verifyConsistency({
      oldSize: number(vector, 'oldSize'),
      oldRoot: bytes(vector, 'oldRoot'),
      newSize: number(vector, 'newSize'),
      newRoot: bytes(vector, 'newRoot'),
      proof: list(vector, 'proof'),
    });
    return 'ok';
  },
  'subtree-consistency.json': (vector) => {
    verifySubtreeConsistency({
      start: number(vector, 'start'),
      end: number(vector, 'end'),
      treeSize: number(vector, 'treeSize'),
      subtreeHash: bytes(vector, 'subtreeHash'),
      rootHash: bytes(vector, 'rootHash'),
      proof: list(vector, 'proof'),
    });
    return 'ok';
  },
  'tile-paths.json': (vector) => {
    const { level, index, width } = { level: 'entries', ...parseTilePath(text(vector, 'path')) };
    return same([level, index, width], [vector['level'], vector['index'], vector['width']]);
  },
  'tiles.json': checkTile,
  'bundles.json': (vector) =>
    same(parseBundle(bytes(vector, 'bundle'), number(vector, 'width')).map(encodeHex), vector['entries']),
  'encodings.json': checkEncoding,
  'ed25519.json': (vector) =>
    verifyEd25519(bytes(vector, 'signature'), bytes(vector, 'message'), bytes(vector, 'publicKey'))
      ? 'ok'
      : 'rejected',
};
