import { type TileSource, fetchBundle, fetchTile } from '../../client/index.js';
import {
  TILE_WIDTH,
  concatBytes,
  encodeHex,
  entriesPath,
  equalBytes,
  leafHash,
  parseBundle,
  parseTile,
  tileRoot,
  tileWidth,
} from '../../tlog/index.js';
import { foldTiles } from './tree-check.js';
import { FolderSource } from '../storage/folder-source.js';
import type { Origin } from './recover-sources.js';

/** How many ways of choosing between disagreeing sources are tried against the signed root. */
const MAX_CHOICES = 4096;

/** The leaf hashes of a tree, proven by a signed root: 32 bytes of memory per leaf. */
export class LeafHashes {
  readonly size: number;
  /** Tiles of level 0, the last one perhaps partial. */
  readonly #tiles: Uint8Array[];
  readonly #roots: Uint8Array[];

  constructor(size: number, tiles: Uint8Array[]) {
    this.size = size;
    this.#tiles = tiles;
    this.#roots = tiles.filter((tile) => tile.length === TILE_WIDTH * 32).map((tile) => tileRoot(tile));
  }

  /** Hashes of one bundle's leaves. */
  tile(index: number): Uint8Array[] {
    const bytes = this.#tiles[index] ?? new Uint8Array(0);
    return parseTile(bytes, bytes.length / 32);
  }

  /** Root of the tree of the first `size` leaves. */
  rootAt(size: number): Uint8Array {
    const full = Math.floor(size / TILE_WIDTH);
    const rest = this.#tiles[full]?.subarray(0, (size % TILE_WIDTH) * 32) ?? new Uint8Array(0);
    return foldTiles(this.#roots.slice(0, full), rest);
  }
}

/**
 * Finds the leaf hashes of the tree with this root among what the origins offer for each bundle: the
 * tile, the hashes of the bundle's entries, those of single entries. Where they disagree, every choice
 * is tried, the likeliest first. Answers with the bundles nobody offers anything for, if the tree
 * cannot be had.
 */
export async function findLeafHashes(
  origins: readonly Origin[],
  size: number,
  rootHash: Uint8Array,
): Promise<LeafHashes | { readonly missing: number[] }> {
  const offers: Uint8Array[][] = [];
  const missing: number[] = [];
  for (let index = 0; index * TILE_WIDTH < size; index++) {
    const found = await offersFor(origins, index, tileWidth(0, index, size), size);
    if (found.length === 0) missing.push(index);
    offers.push(found);
  }
  if (missing.length > 0) return { missing };

  const roots = offers.map((tiles) => tiles.map((tile) => perfectOrSelf(tile)));
  const doubtful = offers.flatMap((tiles, index) => (tiles.length > 1 ? [index] : []));
  const chosen = offers.map(() => 0);
  for (let choice = 0; choice < MAX_CHOICES; choice++) {
    let rest = choice;
    for (const index of doubtful) {
      const count = offers[index]?.length ?? 1;
      chosen[index] = rest % count;
      rest = Math.floor(rest / count);
    }
    if (rest > 0) break;
    const tiles = offers.map((list, index) => list[chosen[index] ?? 0] ?? new Uint8Array(0));
    const full = Math.floor(size / TILE_WIDTH);
    const last = tiles[full];
    const found = foldTiles(
      roots.slice(0, full).map((list, index) => list[chosen[index] ?? 0] ?? new Uint8Array(32)),
      last ?? new Uint8Array(0),
    );
    if (equalBytes(found, rootHash)) return new LeafHashes(size, tiles);
  }
  return { missing: doubtful };
}

function perfectOrSelf(tile: Uint8Array): Uint8Array {
  return tile.length === TILE_WIDTH * 32 ? tileRoot(tile) : tile;
}

/** Distinct level 0 tiles for one bundle, the one with most votes first. */
async function offersFor(
  origins: readonly Origin[],
  index: number,
  width: number,
  size: number,
): Promise<Uint8Array[]> {
  const votes = new Map<string, { tile: Uint8Array; count: number }>();
  const vote = (hashes: readonly Uint8Array[] | undefined): void => {
    if (hashes?.length !== width) return;
    const tile = concatBytes(...hashes);
    const name = encodeHex(tile);
    const known = votes.get(name);
    if (known) known.count++;
    else votes.set(name, { tile, count: 1 });
  };
  for (const { source, entries } of origins) {
    if (source) {
      const entriesOf = await readBundle(source, index, width);
      vote(await readTile(source, index, width));
      vote(entriesOf?.map((entry) => leafHash(entry)));
      // Bundle and tile of one place agree, and nobody before it said anything else: enough.
      if (votes.size === 1 && [...votes.values()][0]?.count === 2) break;
    }
    if (entries) {
      const list = Array.from({ length: width }, (_, i) => entries.get(index * TILE_WIDTH + i));
      vote(list.flatMap((entry) => (entry ? [leafHash(entry)] : [])));
    }
  }
  // Two copies with different gaps: together they may be whole.
  const single = Array.from({ length: width }, (_, i) => {
    for (const { entries } of origins) {
      const entry = entries?.get(index * TILE_WIDTH + i);
      if (entry) return [leafHash(entry)];
    }
    return [];
  });
  if (votes.size === 0) vote(single.flat());
  if (votes.size > 1) await countParents(origins, index, size, votes);
  return [...votes.values()].sort((a, b) => b.count - a.count).map(({ tile }) => tile);
}

/** The tile above speaks for the candidate whose root it holds. */
async function countParents(
  origins: readonly Origin[],
  index: number,
  size: number,
  votes: Map<string, { tile: Uint8Array; count: number }>,
): Promise<void> {
  const parent = { level: 1, index: Math.floor(index / TILE_WIDTH) };
  const width = tileWidth(parent.level, parent.index, size);
  for (const { source } of origins) {
    if (!source || index % TILE_WIDTH >= width) continue;
    try {
      const hashes = parseTile(await fetchTile(source, { ...parent, width }), width);
      const hash = hashes[index % TILE_WIDTH] ?? new Uint8Array(0);
      for (const candidate of votes.values()) {
        if (equalBytes(perfectOrSelf(candidate.tile), hash)) candidate.count += 2;
      }
    } catch {
      // No such tile here.
    }
  }
}

async function readTile(source: TileSource, index: number, width: number): Promise<Uint8Array[] | undefined> {
  const widths = await wider(source, `tile/0`, index, width);
  for (const w of widths) {
    try {
      const bytes = await fetchTile(source, { level: 0, index, width: w });
      return parseTile(bytes, w).slice(0, width);
    } catch {
      // Not this wide, or damaged.
    }
  }
  return undefined;
}

/** A bundle's first `width` entries; undefined if it is not there or does not parse. */
export async function readBundle(
  source: TileSource,
  index: number,
  width: number,
): Promise<Uint8Array[] | undefined> {
  const widths = await wider(source, 'tile/entries', index, width);
  for (const w of widths) {
    try {
      return parseBundle(await fetchBundle(source, index, w), w).slice(0, width);
    } catch {
      // Not this wide, or damaged.
    }
  }
  return undefined;
}

/** Widths to ask for: the wanted one, and in a folder whatever partial files reach further. */
async function wider(source: TileSource, prefix: string, index: number, width: number): Promise<number[]> {
  if (width === TILE_WIDTH || !(source instanceof FolderSource)) return [width];
  const path = entriesPath(index, TILE_WIDTH).replace('tile/entries', prefix);
  const partials = await source.partials(path);
  return [width, ...partials.filter((w) => w > width)];
}
