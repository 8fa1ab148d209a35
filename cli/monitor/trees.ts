// The tiles of a log's trees: read from its addresses, verified, and kept where an address may one day
// serve another history. Full tiles lie under tiles/, the right edge of the largest tree in edge.json.
import { join } from 'node:path';
import { ClientError, VerifiedTiles, type TileCache, type TileSource } from '../../client/index.js';
import {
  decodeBase64,
  encodeBase64,
  formatTile,
  partialWidth,
  SteleError,
  tilePath,
  TILE_WIDTH,
  verifyConsistency,
  type TileId,
} from '../../tlog/index.js';
import { readIfThere, writeDurably } from '../files.js';
import type { Head, Owed, Trees } from './reconcile.js';

interface EdgeFile {
  readonly format: 1;
  readonly size: number;
  /** Base64. */
  readonly rootHash: string;
  /** Base64 by path. */
  readonly tiles: Readonly<Record<string, string>>;
}

/** Trees that are read again and again stay in memory. */
const KEPT_TREES = 4;

export class TreeStore implements Trees {
  readonly #folder: string;
  readonly #sources: readonly TileSource[];
  readonly #ask: (oldSize: number, newSize: number) => AsyncIterable<Owed>;
  readonly #trees = new Map<string, VerifiedTiles>();
  #edge: EdgeFile | undefined;

  /** `sources`: the log's own address first. `ask`: those who may vouch for a tree, one after another. */
  constructor(
    folder: string,
    sources: readonly TileSource[],
    ask: (oldSize: number, newSize: number) => AsyncIterable<Owed> = noneOwed,
  ) {
    this.#folder = folder;
    this.#sources = sources;
    this.#ask = ask;
    this.#edge = readEdge(join(folder, 'edge.json'));
  }

  async read<T>(head: Head, use: (tiles: VerifiedTiles) => Promise<T>): Promise<T> {
    let failure: unknown = new ClientError(
      'not_found',
      'expected an address of the log, found none',
      'name it: url in the configuration, or --log',
    );
    for (const [i, source] of this.#sources.entries()) {
      try {
        return await use(this.#tree(head, i, source));
      } catch (error) {
        if (!(error instanceof SteleError)) throw error;
        this.#trees.delete(nameOf(head, i));
        failure = error;
      }
    }
    throw failure;
  }

  async owed(size: number, head: Head): Promise<Owed | undefined> {
    if (size === 0 || size >= head.size) return undefined;
    for await (const { oldRoot, proof } of this.#ask(size, head.size)) {
      try {
        verifyConsistency({ oldSize: size, oldRoot, newSize: head.size, newRoot: head.rootHash, proof });
        return { oldRoot, proof };
      } catch (error) {
        if (!(error instanceof SteleError)) throw error; // of another history, or made up
      }
    }
    return undefined;
  }

  async keep(head: Head): Promise<void> {
    const hashes = await this.read(head, (tiles) => tiles.edge());
    const tiles: Record<string, string> = {};
    for (const [level, row] of hashes.entries()) {
      const width = partialWidth(level, head.size);
      const index = Math.floor(head.size / TILE_WIDTH ** (level + 1));
      if (width > 0) tiles[tilePath({ level, index, width })] = encodeBase64(formatTile(row));
    }
    this.#edge = { format: 1, size: head.size, rootHash: encodeBase64(head.rootHash), tiles };
    writeDurably(join(this.#folder, 'edge.json'), JSON.stringify(this.#edge));
  }

  #tree(head: Head, number: number, source: TileSource): VerifiedTiles {
    const name = nameOf(head, number);
    const known = this.#trees.get(name);
    if (known !== undefined) return known;
    const tree = new VerifiedTiles(this.#withEdge(head, source), head.size, head.rootHash, this.#cache);
    this.#trees.set(name, tree);
    const [oldest] = this.#trees.keys();
    if (this.#trees.size > KEPT_TREES && oldest !== undefined) this.#trees.delete(oldest);
    return tree;
  }

  /** The source, but for the partial tiles that are kept of this very tree. */
  #withEdge(head: Head, source: TileSource): TileSource {
    const edge = this.#edge;
    if (edge?.size !== head.size || edge.rootHash !== encodeBase64(head.rootHash)) return source;
    return {
      checkpoint: () => source.checkpoint(),
      bundle: (index, width) => source.bundle(index, width),
      tile: (tile: TileId) => {
        const kept = edge.tiles[tilePath(tile)];
        return kept === undefined ? source.tile(tile) : Promise.resolve(decodeBase64(kept, 'kept tile'));
      },
    };
  }

  /** Of two histories' tiles at one place the first stays: the other is read again each time. */
  readonly #cache: TileCache = {
    get: (path) => Promise.resolve(isTile(path) ? readIfThere(join(this.#folder, path)) : undefined),
    put: (path, bytes) => {
      const file = join(this.#folder, path);
      if (isTile(path) && readIfThere(file) === undefined) writeDurably(file, bytes);
      return Promise.resolve();
    },
  };
}

async function* noneOwed(): AsyncGenerator<Owed> {
  // Nobody to ask.
}

/** Entries are not kept: a log's entries may be many times its tiles. */
function isTile(path: string): boolean {
  return path.startsWith('tile/') && !path.startsWith('tile/entries/');
}

function nameOf({ size, rootHash }: Head, source: number): string {
  return `${source} ${size} ${encodeBase64(rootHash)}`;
}

/** What is kept is verified when it is used, so an unreadable file is as good as none. */
function readEdge(path: string): EdgeFile | undefined {
  const bytes = readIfThere(path);
  try {
    const file = bytes && (JSON.parse(new TextDecoder().decode(bytes)) as EdgeFile);
    return file?.format === 1 ? file : undefined;
  } catch {
    return undefined;
  }
}
