// C2SP tlog-tiles: a tree as files. A tile is up to 256 consecutive hashes; tile level L holds tree
// level 8L, and the seven levels between are computed from the tile. An entry bundle is the entries
// behind one tile of level 0. The rightmost ones may be partial, with their width in the path:
//
//   tile/0/x001/234/067      tile/1/000.p/17      tile/entries/x001/067.p/3
import { concatBytes, safeInteger } from './encoding.js';
import { TlogError, quote } from './errors.js';
import { HASH_SIZE, checkHash } from './merkle.js';

/** Hashes in a full tile and entries in a full bundle. */
export const TILE_WIDTH = 256;

/** Bytes in the longest entry that a bundle's uint16 length prefix can describe. */
export const MAX_ENTRY_SIZE = 65_535;

/** SPEC: "`<L>` … MUST be a decimal ASCII integer between 0 and 63". */
const MAX_TILE_LEVEL = 63;

/** A tile of hashes. `width` is 1 to 256; below 256 the tile is partial. */
export interface TileId {
  level: number;
  index: number;
  width: number;
}

/** What a path under `tile/` names. */
export type TilePath = ({ kind: 'tile' } & TileId) | { kind: 'entries'; index: number; width: number };

function checkWidth(width: number): void {
  if (!Number.isInteger(width) || width < 1 || width > TILE_WIDTH) {
    throw new TlogError(
      'bad_tile',
      `tile width: expected 1 to ${TILE_WIDTH}, found ${width}`,
      'tiles are as C2SP tlog-tiles says: it may be damaged on its way or at its source',
    );
  }
}

/** Index and width as tlog-tiles writes them: `x001/x234/067` and `.p/3` if partial. */
function pathSuffix(index: number, width: number): string {
  safeInteger(index, 'tile index');
  checkWidth(width);
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/.../g) ?? [];
  const elements = groups.map((group, i) => (i === groups.length - 1 ? group : `x${group}`));
  return `${elements.join('/')}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

/** `tile/<L>/<N>[.p/<W>]`, relative to the log's prefix. Throws TlogError "bad_tile" or "unsafe_integer". */
export function tilePath(tile: TileId): string {
  if (!Number.isInteger(tile.level) || tile.level < 0 || tile.level > MAX_TILE_LEVEL) {
    throw new TlogError(
      'bad_tile',
      `tile level: expected 0 to ${MAX_TILE_LEVEL}, found ${tile.level}`,
      'tiles are as C2SP tlog-tiles says: it may be damaged on its way or at its source',
    );
  }
  return `tile/${tile.level}/${pathSuffix(tile.index, tile.width)}`;
}

/** `tile/entries/<N>[.p/<W>]`, relative to the log's prefix. Throws like tilePath. */
export function entriesPath(index: number, width: number): string {
  return `tile/entries/${pathSuffix(index, width)}`;
}

const PATH = /^tile\/(0|[1-9][0-9]?|entries)\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/**
 * Parses what tilePath and entriesPath write, and nothing else: no leading slash, no other spelling
 * of a number. The answer may be formatted again and used as a file name; the input may not. Throws
 * TlogError "bad_tile_path", or "unsafe_integer" for an index above 2^53 - 1.
 */
export function parseTilePath(path: string): TilePath {
  const bad = (): TlogError =>
    new TlogError(
      'bad_tile_path',
      `tile path: expected tile/<level>/<index>[.p/<width>] or tile/entries/<index>[.p/<width>], found ${quote(path)}`,
      'the index is in groups of three digits, all but the last beginning with x, e.g. tile/0/x001/067.p/3',
    );
  // The longest path of a 16-digit index is far shorter; a bound keeps long input cheap.
  const match = path.length <= 64 ? PATH.exec(path) : null;
  const [, level, digits, partial] = match ?? [];
  if (level === undefined || digits === undefined) throw bad();
  const index = safeInteger(Number(digits.replace(/[x/]/g, '')), 'tile index');
  const width = partial === undefined ? TILE_WIDTH : Number(partial);
  // SPEC: "`<W>` is the width of the tile, a decimal ASCII integer between 1 and 255".
  if (width >= TILE_WIDTH && partial !== undefined) throw bad();
  if (level === 'entries') {
    // A leading x000 and the like: the grammar allows it, the encoding of a number does not.
    if (entriesPath(index, width) !== path) throw bad();
    return { kind: 'entries', index, width };
  }
  const tile = { level: Number(level), index, width };
  if (tile.level > MAX_TILE_LEVEL || tilePath(tile) !== path) throw bad();
  return { kind: 'tile', ...tile };
}

/** Hashes of level `level` tiles in a tree of `size` leaves: floor(size / 256^level). */
function hashesAt(level: number, size: number): number {
  let count = safeInteger(size, 'tree size');
  for (let i = 0; i < level && count > 0; i++) count = Math.floor(count / TILE_WIDTH);
  return count;
}

/** Width of the partial tile at `level` in a tree of `size` leaves, 0 if there is none. */
export function partialWidth(level: number, size: number): number {
  // SPEC: "The partial tile at level l for a tree of size s has floor(s / 256**l) mod 256 entries."
  return hashesAt(level, size) % TILE_WIDTH;
}

/** Width of one tile in a tree of `size` leaves: 256, less at the right edge, 0 if it does not exist. */
export function tileWidth(level: number, index: number, size: number): number {
  const count = hashesAt(level, size);
  const full = Math.floor(count / TILE_WIDTH);
  if (index < full) return TILE_WIDTH;
  return index === full ? count % TILE_WIDTH : 0;
}

/**
 * The tiles that a tree has at `newSize` and did not have, or had only narrower, at `oldSize`, lowest
 * level first: what a log writes when it grows. With oldSize 0, every tile there is. Partial tiles
 * are those of `newSize` only.
 */
export function* tilesBetween(oldSize: number, newSize: number): Generator<TileId, void, undefined> {
  for (let level = 0; hashesAt(level, newSize) > 0; level++) {
    const before = hashesAt(level, oldSize);
    const after = hashesAt(level, newSize);
    if (before === after) return;
    // SPEC: "Empty tiles MUST NOT be served", and a partial tile "MUST NOT be hashed into a tile at
    // the level above": hashesAt counts whole tiles only.
    for (let index = Math.floor(before / TILE_WIDTH); index * TILE_WIDTH < after; index++) {
      yield { level, index, width: Math.min(TILE_WIDTH, after - index * TILE_WIDTH) };
    }
  }
}

/** Every tile of a tree of `size` leaves, full ones and the partial ones of exactly that size. */
export function tilesForSize(size: number): Generator<TileId, void, undefined> {
  return tilesBetween(0, size);
}

/** The hashes of a tile, one after the other. Throws TlogError "bad_tile" or "bad_hash". */
export function formatTile(hashes: readonly Uint8Array[]): Uint8Array {
  checkWidth(hashes.length);
  return concatBytes(...hashes.map((hash) => checkHash(hash, 'tile')));
}

/** Splits a tile into its hashes. Requires exactly `width` of them. Throws TlogError "bad_tile". */
export function parseTile(bytes: Uint8Array, width: number): Uint8Array[] {
  checkWidth(width);
  if (bytes.length !== width * HASH_SIZE) {
    throw new TlogError(
      'bad_tile',
      `tile: expected ${width} hashes, ${width * HASH_SIZE} bytes, found ${bytes.length} bytes`,
      'the file may be cut off, or of another width',
    );
  }
  return Array.from({ length: width }, (_, i) => bytes.slice(i * HASH_SIZE, (i + 1) * HASH_SIZE));
}

/** The narrower tile of `width` hashes that a wider one begins with. Throws TlogError "bad_tile". */
export function sliceTile(bytes: Uint8Array, width: number): Uint8Array {
  checkWidth(width);
  if (bytes.length < width * HASH_SIZE || bytes.length % HASH_SIZE !== 0) {
    throw new TlogError(
      'bad_tile',
      `tile: expected at least ${width} hashes, found ${bytes.length} bytes`,
      'tiles are as C2SP tlog-tiles says: it may be damaged on its way or at its source',
    );
  }
  return bytes.slice(0, width * HASH_SIZE);
}
