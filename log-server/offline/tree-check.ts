import { ClientError, type TileSource, fetchBundle, fetchTile } from '../../client/index.js';
import {
  CompactRange,
  TILE_WIDTH,
  type TileId,
  emptyRoot,
  encodeHex,
  entriesPath,
  equalBytes,
  leafHash,
  nodeHash,
  parseBundle,
  parseTile,
  perfectRoot,
  tilePath,
  tileWidth,
} from '../../tlog/index.js';
import { reason } from '../storage/error.js';

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
}

/** How many bundles are read ahead. */
const AHEAD = 8;

type Hashes = Uint8Array[];

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
      if (index < roots.length) roots[index] = perfectRoot(hashes);
      else leaves = hashes;
    });
    if (equalBytes(foldTiles(roots, leaves), rootHash)) return verdicts;
  }
  return undefined;
}

/** Root of a tree of full tiles of level 0 with these roots and the leaves behind them. */
export function foldTiles(roots: readonly Uint8Array[], rest: readonly Uint8Array[]): Uint8Array {
  const tiles = new CompactRange();
  for (const root of roots) tiles.append(root);
  const leaves = new CompactRange();
  for (const leaf of rest) leaves.append(leaf);
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
  let rest: Hashes = [];
  const report = (problem: Problem): void => void problems.push(problem);
  const sealedTo = options.sealedTo ?? size;
  const counts = { entries: 0, bundles: 0, tiles: 0 };
  const roots = new Map<number, Uint8Array>();
  const wanted = new Set(options.rootsAt);
  const range = new CompactRange();
  if (wanted.has(0)) roots.set(0, range.root());
  const rows: { first: number; hashes: Hashes }[] = [];
  /** As an object, since its field changes under the hands of the functions below. */
  const replay = { whole: true };

  /** A tile's hashes; undefined if it cannot be had, which is reported unless it is not expected. */
  async function tileHashes(tile: TileId, expected: boolean): Promise<Hashes | undefined> {
    try {
      return parseTile(await fetchTile(source, tile), tile.width);
    } catch (error) {
      const missing = error instanceof ClientError && error.code === 'not_found';
      if (expected || !missing) {
        const what = `${tile.width} hashes, ${tile.width * 32} bytes`;
        report({ file: tilePath(tile), expected: what, found: missing ? 'no file' : reason(error) });
      }
      return undefined;
    }
  }

  async function bundleEntries(index: number, width: number): Promise<Uint8Array[] | undefined> {
    try {
      return parseBundle(await fetchBundle(source, index, width), width);
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
    if (hashes.length < TILE_WIDTH) return false;
    const parent = { level: 1, index: Math.floor(index / TILE_WIDTH) };
    const width = tileWidth(parent.level, parent.index, size);
    try {
      const found = parseTile(await fetchTile(source, { ...parent, width }), width);
      return equalBytes(found[index % TILE_WIDTH] ?? new Uint8Array(0), perfectRoot(hashes));
    } catch {
      return false;
    }
  }

  interface Pair {
    readonly entries: Uint8Array[] | undefined;
    readonly tile: Hashes | undefined;
  }
  async function readPair(index: number): Promise<Pair> {
    const width = tileWidth(0, index, size);
    const expected = index * TILE_WIDTH + width <= sealedTo;
    const tile = await tileHashes({ level: 0, index, width }, expected);
    return { entries: await bundleEntries(index, width), tile };
  }

  async function judge(index: number, pair: Pair): Promise<Hashes | undefined> {
    const width = tileWidth(0, index, size);
    const path = tilePath({ level: 0, index, width });
    const { entries, tile } = pair;
    if (tile) counts.tiles++;
    if (!entries) {
      replay.whole = false;
      return tile;
    }
    counts.bundles++;
    counts.entries += width;
    const leaves = entries.map((entry) => leafHash(entry));
    if (!tile) return leaves;
    const differing = leaves.flatMap((leaf, i) => (equalBytes(leaf, tile[i] ?? leaf) ? [] : [i]));
    const [at] = differing;
    if (at === undefined) return leaves;
    const leaf = encodeHex(leaves[at] ?? new Uint8Array(0));
    const hash = encodeHex(tile[at] ?? new Uint8Array(0));
    const more = differing.length > 1 ? ` (and ${differing.length - 1} more entries of it)` : '';
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

  async function compareRow(level: number, first: number, hashes: Hashes): Promise<void> {
    const tile = { level, index: first / TILE_WIDTH, width: hashes.length };
    const expected =
      (first + hashes.length) * TILE_WIDTH ** level <= sealedTo && hashes.length === TILE_WIDTH;
    const found = await tileHashes(tile, expected || options.sealedTo === undefined);
    if (!found) return;
    counts.tiles++;
    const at = hashes.findIndex((hash, i) => !equalBytes(hash, found[i] ?? hash));
    if (at < 0) return;
    report({
      file: tilePath(tile),
      expected: `hash ${at} ${encodeHex(hashes[at] ?? new Uint8Array(0))}, that of the tile below`,
      found: encodeHex(found[at] ?? new Uint8Array(0)),
    });
  }

  const last = Math.ceil(size / TILE_WIDTH);
  const ahead: Promise<Pair>[] = [];
  let next = 0;
  for (let index = 0; index < last; index++) {
    while (next < last && ahead.length < AHEAD) {
      const pair = readPair(next++);
      pair.catch(() => undefined);
      ahead.push(pair);
    }
    const pair = await ahead.shift();
    const leaves = pair && (await judge(index, pair));
    if (!pair || !leaves) {
      await Promise.allSettled(ahead);
      return { ...counts, roots, stoppedAt: index * TILE_WIDTH, problems, doubts, tileRoots, rest };
    }
    if (replay.whole && pair.entries) await options.onEntries?.(index * TILE_WIDTH, pair.entries);
    if (leaves.length < TILE_WIDTH) rest = leaves;
    for (const leaf of leaves) {
      range.appendVisiting(leaf, (level, position, hash) => {
        if (level === 0 || level % 8 !== 0) return;
        if (level === 8) tileRoots.push(hash);
        const row = (rows[level / 8] ??= { first: position, hashes: [] });
        row.hashes.push(hash);
      });
      if (wanted.has(range.size)) roots.set(range.size, range.root());
    }
    for (const [level, row] of rows.entries()) {
      // The row of level 0 is a hole: bundles and their tiles were compared above.
      if (level === 0 || row.hashes.length < TILE_WIDTH) continue;
      await compareRow(level, row.first, row.hashes);
      rows[level] = { first: row.first + TILE_WIDTH, hashes: [] };
    }
  }
  for (const [level, row] of rows.entries()) {
    if (level > 0 && row.hashes.length > 0) await compareRow(level, row.first, row.hashes);
  }
  return { ...counts, roots, stoppedAt: undefined, problems, doubts, tileRoots, rest };
}
