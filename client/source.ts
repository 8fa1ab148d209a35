// Where the bytes of a C2SP tlog-tiles log come from. Nothing here is verified: LogReader does that.
import {
  entriesPath,
  sliceBundle,
  sliceTile,
  tilePath,
  TILE_WIDTH,
  MAX_ENTRY_SIZE,
  type TileId,
} from '../tlog/index.js';
import { ClientError } from './errors.js';
import { exchange, joinUrl, systemTimer, type Fetch, type Timer } from './http.js';

/**
 * Gives the raw resources of one log: over HTTP, from a folder, from memory. What does not exist is
 * ClientError `not_found`, which is what lets a reader fall back to the full tile; anything else that
 * is thrown ends the read.
 */
export interface TileSource {
  /** The signed note at `<prefix>/checkpoint`. */
  checkpoint(): Promise<Uint8Array>;
  /** Exactly this tile, partial if its width is below 256. */
  tile(tile: TileId): Promise<Uint8Array>;
  /** The entry bundle with this index; partial if `width` is below 256. */
  bundle(index: number, width: number): Promise<Uint8Array>;
}

/** How a log is asked over HTTP. */
export interface HttpSourceOptions {
  fetch?: Fetch;
  timer?: Timer;
  /** Milliseconds for one request, answer included. Default 30,000. */
  timeoutMs?: number;
  /** Bytes of answer, after decompression, above which it is refused. */
  limits?: { checkpoint?: number; bundle?: number };
}

/** A full bundle of the longest entries is the longest that a log can serve: about 16 MiB. */
const LONGEST_BUNDLE = TILE_WIDTH * (2 + MAX_ENTRY_SIZE);

/** Reads a log under its URL prefix. `Content-Encoding: gzip` is undone by fetch itself. */
export function httpSource(url: string, options: HttpSourceOptions = {}): TileSource {
  const fetch: Fetch = options.fetch ?? ((address, init) => globalThis.fetch(address, init));
  const timer = options.timer ?? systemTimer;
  const timeoutMs = options.timeoutMs ?? 30_000;

  async function get(path: string, maxBody: number): Promise<Uint8Array> {
    const address = joinUrl(url, path);
    const answer = await exchange(address, {
      fetch,
      timer,
      timeoutMs,
      maxBody,
      // SPEC: "Clients SHOULD include gzip and identity in their Accept-Encoding headers." Browsers
      // send their own and ignore this one.
      headers: { 'accept-encoding': 'gzip, identity' },
    });
    if (answer.status === 200) return answer.body;
    // Object stores answer 403 for what does not exist when the reader may not list them.
    if (answer.status === 404 || answer.status === 410 || answer.status === 403) {
      throw new ClientError(
        'not_found',
        `${address}: expected a resource, found status ${answer.status}`,
        'is this the prefix of a tlog-tiles log?',
      );
    }
    throw new ClientError(
      'bad_status',
      `${address}: expected status 200, found ${answer.status}`,
      'try again later',
    );
  }

  return {
    checkpoint: () => get('checkpoint', options.limits?.checkpoint ?? 1024 * 1024),
    tile: (tile) => get(tilePath(tile), TILE_WIDTH * 32),
    bundle: (index, width) => get(entriesPath(index, width), options.limits?.bundle ?? LONGEST_BUNDLE),
  };
}

/**
 * Runs `partial`, and `full` if there is no such resource any more.
 *
 * SPEC: logs "MAY delete any partial tile once the corresponding full tile is … available".
 */
async function withFallback(
  width: number,
  fetch: (width: number) => Promise<Uint8Array>,
  slice: (bytes: Uint8Array, width: number) => Uint8Array,
): Promise<Uint8Array> {
  if (width === TILE_WIDTH) return fetch(width);
  try {
    return await fetch(width);
  } catch (error) {
    if (!(error instanceof ClientError && error.code === 'not_found')) throw error;
    let full: Uint8Array;
    try {
      full = await fetch(TILE_WIDTH);
    } catch {
      // What the reader asked for is the partial one; that the full one is missing too is no news.
      throw error;
    }
    return slice(full, width);
  }
}

/** The tile, cut from the full one where the partial one is gone. */
export function fetchTile(source: TileSource, tile: TileId): Promise<Uint8Array> {
  return withFallback(tile.width, (width) => source.tile({ ...tile, width }), sliceTile);
}

/** The bundle, cut from the full one where the partial one is gone. */
export function fetchBundle(source: TileSource, index: number, width: number): Promise<Uint8Array> {
  return withFallback(width, (w) => source.bundle(index, w), sliceBundle);
}
