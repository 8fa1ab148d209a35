import { ClientError } from '../../client/errors.js';
import { type TileSource, fetchBundle, fetchTile } from '../../client/source.js';
import {
  CompactRange,
  TILE_WIDTH,
  type TileId,
  bundleLeafHashes,
  emptyRoot,
  encodeHex,
  entriesPath,
  equalBytes,
  nodeHash,
  parseBundle,
  parseTile,
  tilePath,
  tileRoot,
  tileWidth,
} from '../../tlog/index.js';
import { reason } from '../storage/error.js';
import type { FullRoots } from './threads.js';

/** Something that is not as it has to be. */
export interface Problem {
  /** The file, relative to the log's folder or URL; `tree` for what concerns more than one. */
  readonly file: string;
  readonly expected: string;
  readonly found: string;
}

/** What a walk over a whole tree looked at, and what came out. */
export interface TreeWalk {
  readonly entries: number;
  readonly bundles: number;
  readonly tiles: number;
  /** Roots of the tree at the sizes asked for; fewer if the walk had to stop. */
  readonly roots: ReadonlyMap<number, Uint8Array>;
  /** undefined: everything was walked. Otherwise the entry where hashes could no longer be had. */
  readonly stoppedAt: number | undefined;
}

export interface WalkOptions {
  readonly size: number;
  /** Root at `size`, if known: it judges between a bundle and its tile where no tile above does. */
  readonly rootHash?: Uint8Array | undefined;
  /** Sizes, at most `size`, at which the root is wanted. */
  readonly rootsAt: readonly number[];
  /** Entries from here on are not expected as files: the source has them from elsewhere. */
  readonly sealedTo?: number;
  readonly report: (problem: Problem) => void;
  /** Called with each bundle's entries in order, as long as none is missing; perhaps twice for the first ones. */
  readonly onEntries?: (first: number, entries: readonly Uint8Array[]) => Promise<void>;
  /** What is said of full tiles is believed; they are not read here, and their entries not shown. */
  readonly fullRoots?: FullRoots;
}

/** How many bundles are read ahead. */
const AHEAD = 8;

/** Hashes one after the other, as in a tile: an object for each would cost more than hashing it. */
type Hashes = Uint8Array;

const HASH = 32;

function hashAt(hashes: Hashes, i: number): Uint8Array {
  return hashes.subarray(i * HASH, (i + 1) * HASH);
}

/** A tile's hashes. Throws as its source does, and TlogError "bad_tile" for another number of them. */
async function tileOf(source: TileSource, tile: TileId): Promise<Hashes> {
  const bytes = await fetchTile(source, tile);
  if (bytes.length !== tile.width * HASH) parseTile(bytes, tile.width);
  return bytes;
}

/** The positions at which two lists of the same length differ. */
function differing(a: Hashes, b: Hashes): number[] {
  if (equalBytes(a, b)) return [];
  return Array.from({ length: a.length / HASH }, (_, i) => i).filter(
    (i) => !equalBytes(hashAt(a, i), hashAt(b, i)),
  );
}

/** A bundle and its tile that disagree, and no tile above to say which is right. */
interface Doubt {
  readonly index: number;
  readonly bundle: Hashes;
  readonly tile: Hashes;
}

interface Pass extends TreeWalk {
  readonly problems: readonly Problem[];
  readonly doubts: readonly Doubt[];
  /** Root of each full tile of level 0, and the leaves behind them. */
  readonly tileRoots: readonly Uint8Array[];
  readonly rest: Hashes;
}

/** More doubts than this are not tried against the root: 2^10 trees are folded at most. */
const MAX_DOUBTS = 10;

/**
 * Reads every bundle and every tile of a tree and compares each with what lies below it. Unlike a
 * reader, which stops at the first thing that is wrong, it goes on and names all of them: where bundle
 * and tile disagree, the tile above or the root says which of the two is at fault. Memory: 32 bytes
 * per bundle.
 */
export async function walkTree(source: TileSource, options: WalkOptions): Promise<TreeWalk> {
  let pass = await walkOnce(source, options, new Map());
  const verdicts = judgeDoubts(pass, options.rootHash);
  if (verdicts) pass = await walkOnce(source, options, verdicts);
  pass.problems.forEach(options.report);
  return pass;
}

/** For each doubt whether the tile is right; undefined if there is none, or no choice gives the root. */
function judgeDoubts(pass: Pass, rootHash: Uint8Array | undefined): Map<number, boolean> | undefined {
  const { doubts, tileRoots, rest } = pass;
  if (!rootHash || doubts.length === 0 || doubts.length > MAX_DOUBTS || pass.stoppedAt !== undefined) {
    return undefined;
  }
  for (let choice = 0; choice < 2 ** doubts.length; choice++) {
    const roots = tileRoots.slice();
    let leaves = rest;
    const verdicts = new Map<number, boolean>();
    doubts.forEach(({ index, bundle, tile }, i) => {
      const tileIsRight = Math.floor(choice / 2 ** i) % 2 === 1;
      verdicts.set(index, tileIsRight);
      const hashes = tileIsRight ? tile : bundle;
      if (index < roots.length) roots[index] = tileRoot(hashes);
      else leaves = hashes;
    });
    if (equalBytes(foldTiles(roots, leaves), rootHash)) return verdicts;
  }
  return undefined;
}

/** Root of a tree of full tiles of level 0 with these roots and the leaves behind them. */
export function foldTiles(roots: readonly Uint8Array[], rest: Hashes): Uint8Array {
  const tiles = new CompactRange();
  for (const root of roots) tiles.append(root);
  return rootOf(tiles, rest);
}

/** Root of a tree of full tiles, of which `tiles` holds the edge of their roots, and the leaves behind them. */
function rootOf(tiles: CompactRange, rest: Hashes): Uint8Array {
  const leaves = new CompactRange();
  for (let i = 0; i < rest.length / HASH; i++) leaves.append(hashAt(rest, i));
  const edge = [...tiles.hashes, ...leaves.hashes];
  return edge.length === 0 ? emptyRoot() : edge.reduceRight((right, left) => nodeHash(left, right));
}

/** `verdicts` says of bundles that disagree with their tile whether the tile is right. */
async function walkOnce(
  source: TileSource,
  options: WalkOptions,
  verdicts: ReadonlyMap<number, boolean>,
): Promise<Pass> {
  const { size } = options;
  const problems: Problem[] = [];
  const doubts: Doubt[] = [];
  const tileRoots: Uint8Array[] = [];
  let rest: Hashes = new Uint8Array(0);
  const report = (problem: Problem): void => void problems.push(problem);
  const sealedTo = options.sealedTo ?? size;
  const counts = { entries: 0, bundles: 0, tiles: 0 };
  const roots = new Map<number, Uint8Array>();
  const wanted = new Set(options.rootsAt);
  if (wanted.has(0)) roots.set(0, emptyRoot());
  /** The tree over the roots of the full tiles of level 0. */
  const range = new CompactRange();
  const rows: { first: number; hashes: Uint8Array[] }[] = [];
  /** As an object, since its field changes under the hands of the functions below. */
  const replay = { whole: true };

  /** A tile's hashes; undefined if it cannot be had, which is reported unless it is not expected. */
  async function tileHashes(tile: TileId, expected: boolean): Promise<Hashes | undefined> {
    try {
      return await tileOf(source, tile);
    } catch (error) {
      const missing = error instanceof ClientError && error.code === 'not_found';
      if (expected || !missing) {
        const what = `${tile.width} hashes, ${tile.width * 32} bytes`;
        report({ file: tilePath(tile), expected: what, found: missing ? 'no file' : reason(error) });
      }
      return undefined;
    }
  }

  async function readBundle(index: number, width: number): Promise<Uint8Array | Error> {
    return fetchBundle(source, index, width).catch((error: unknown) =>
      error instanceof Error ? error : new Error(String(error)),
    );
  }

  /** Hashed only when it is its turn: what is read ahead is read while others are hashed. */
  function bundleLeaves(bundle: Uint8Array | Error, index: number, width: number): Hashes | undefined {
    try {
      if (bundle instanceof Error) throw bundle;
      return bundleLeafHashes(bundle, width);
    } catch (error) {
      const missing = error instanceof ClientError && error.code === 'not_found';
      report({
        file: entriesPath(index, width),
        expected: `${width} entries`,
        found: missing ? 'no file' : reason(error),
      });
      return undefined;
    }
  }

  /** Which of two lists of leaf hashes the tile above level 0 confirms; false if it has no opinion. */
  async function parentConfirms(index: number, hashes: Hashes): Promise<boolean> {
    if (hashes.length < TILE_WIDTH * HASH) return false;
    const parent = { level: 1, index: Math.floor(index / TILE_WIDTH) };
    const width = tileWidth(parent.level, parent.index, size);
    try {
      const found = await tileOf(source, { ...parent, width });
      return equalBytes(hashAt(found, index % TILE_WIDTH), tileRoot(hashes));
    } catch {
      return false;
    }
  }

  interface Pair {
    readonly bundle: Uint8Array | Error;
    readonly tile: Hashes | undefined;
  }
  async function readPair(index: number): Promise<Pair> {
    const width = tileWidth(0, index, size);
    const expected = index * TILE_WIDTH + width <= sealedTo;
    const tile = await tileHashes({ level: 0, index, width }, expected);
    return { bundle: await readBundle(index, width), tile };
  }

  async function judge(index: number, pair: Pair): Promise<Hashes | undefined> {
    const width = tileWidth(0, index, size);
    const path = tilePath({ level: 0, index, width });
    const { bundle, tile } = pair;
    const leaves = bundleLeaves(bundle, index, width);
    if (tile) counts.tiles++;
    if (!leaves) {
      replay.whole = false;
      return tile;
    }
    counts.bundles++;
    counts.entries += width;
    if (!tile) return leaves;
    const others = differing(leaves, tile);
    const [at] = others;
    if (at === undefined) return leaves;
    const leaf = encodeHex(hashAt(leaves, at));
    const hash = encodeHex(hashAt(tile, at));
    const more = others.length > 1 ? ` (and ${others.length - 1} more entries of it)` : '';
    const verdict = verdicts.get(index);
    const tileIsRight = verdict ?? (await parentConfirms(index, tile));
    if (!tileIsRight && verdict === undefined) {
      replay.whole = false;
      doubts.push({ index, bundle: leaves, tile });
    }
    if (tileIsRight) {
      replay.whole = false;
      const entry = `entry ${index * TILE_WIDTH + at} that hashes to ${hash}`;
      report({
        file: entriesPath(index, width),
        expected: entry,
        found: `one that hashes to ${leaf}${more}`,
      });
      return tile;
    }
    report({ file: path, expected: `hash ${at} ${leaf}, that of the entry`, found: `${hash}${more}` });
    return leaves;
  }

  async function compareRow(level: number, first: number, hashes: readonly Uint8Array[]): Promise<void> {
    const tile = { level, index: first / TILE_WIDTH, width: hashes.length };
    const expected =
      (first + hashes.length) * TILE_WIDTH ** level <= sealedTo && hashes.length === TILE_WIDTH;
    const found = await tileHashes(tile, expected || options.sealedTo === undefined);
    if (!found) return;
    counts.tiles++;
    const at = hashes.findIndex((hash, i) => !equalBytes(hash, hashAt(found, i)));
    if (at < 0) return;
    report({
      file: tilePath(tile),
      expected: `hash ${at} ${encodeHex(hashes[at] ?? new Uint8Array(0))}, that of the tile below`,
      found: encodeHex(hashAt(found, at)),
    });
  }

  /** The root of a full tile that is as its bundle says, where that is all that is wanted of it. */
  function quickRoot(index: number): Uint8Array | undefined {
    const [first, end] = [index * TILE_WIDTH, (index + 1) * TILE_WIDTH];
    if (!options.fullRoots || options.onEntries || end > sealedTo) return undefined;
    for (const at of wanted) if (at > first && at <= end) return undefined;
    return options.fullRoots(index);
  }

  /** A root of a full tile of level 0 goes into the tree, and what lies above is compared as soon as it is complete. */
  async function grow(root: Uint8Array): Promise<void> {
    range.appendVisiting(root, (above, position, hash) => {
      // A root of a tile of level 0 is a leaf here and a hash of level 1 of tiles.
      if (above % 8 !== 0) return;
      if (above === 0) tileRoots.push(hash);
      const row = (rows[above / 8 + 1] ??= { first: position, hashes: [] });
      row.hashes.push(hash);
    });
    for (const [level, row] of rows.entries()) {
      // The row of level 0 is a hole: bundles and their tiles were compared above.
      if (level === 0 || row.hashes.length < TILE_WIDTH) continue;
      await compareRow(level, row.first, row.hashes);
      rows[level] = { first: row.first + TILE_WIDTH, hashes: [] };
    }
  }

  const last = Math.ceil(size / TILE_WIDTH);
  const ahead: Promise<Uint8Array | Pair>[] = [];
  let next = 0;
  for (let index = 0; index < last; index++) {
    while (next < last && ahead.length < AHEAD) {
      const root = quickRoot(next);
      const pair = root ? Promise.resolve(root) : readPair(next);
      pair.catch(() => undefined);
      ahead.push(pair);
      next++;
    }
    const pair = await ahead.shift();
    if (pair instanceof Uint8Array) {
      counts.entries += TILE_WIDTH;
      counts.bundles++;
      counts.tiles++;
      await grow(pair);
      continue;
    }
    const leaves = pair && (await judge(index, pair));
    if (!pair || !leaves) {
      await Promise.allSettled(ahead);
      return { ...counts, roots, stoppedAt: index * TILE_WIDTH, problems, doubts, tileRoots, rest };
    }
    const first = index * TILE_WIDTH;
    const { bundle } = pair;
    if (replay.whole && options.onEntries && bundle instanceof Uint8Array)
      await options.onEntries(first, parseBundle(bundle));
    for (const at of wanted) {
      const inside = at - first;
      if (inside > 0 && inside <= leaves.length / HASH)
        roots.set(at, rootOf(range, leaves.subarray(0, inside * HASH)));
    }
    if (leaves.length < TILE_WIDTH * HASH) {
      rest = leaves;
      continue;
    }
    await grow(tileRoot(leaves));
  }
  for (const [level, row] of rows.entries()) {
    if (level > 0 && row.hashes.length > 0) await compareRow(level, row.first, row.hashes);
  }
  return { ...counts, roots, stoppedAt: undefined, problems, doubts, tileRoots, rest };
}
