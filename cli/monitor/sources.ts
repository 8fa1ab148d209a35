// What a monitor asks: the log's addresses and the C2SP monitoring endpoint of every witness. All addresses
// are the user's; none is ever taken from what was read.
import { createHash } from 'node:crypto';
import {
  ClientError,
  exchange,
  httpSource,
  joinUrl,
  type TileSource,
  type Timer,
} from '../../client/index.js';
import { decodeBase64, decodeUtf8, encodeUtf8, SteleError } from '../../tlog/index.js';
import type { Context } from '../context.js';
import type { FollowedLog, WatchedWitness } from './config.js';
import type { Owed } from './reconcile.js';

/** Largest checkpoint read, in bytes: sixteen ML-DSA-44 lines are about 52 KB. */
const MAX_CHECKPOINT = 256 * 1024;

/** The part of the world that asking takes. */
export type Asking = Pick<Context, 'fetch' | 'sleep'>;

/** A place where checkpoints are met. */
export interface Place {
  /** As events and output name it. */
  readonly from: string;
  /** The log itself, another address of it, or a witness. */
  readonly kind: 'log' | 'view' | 'witness';
  readonly witness?: WatchedWitness;
}

/** What a place answered. */
export type Sighting = Place & ({ readonly note: Uint8Array } | { readonly error: ClientError });

/** The tiles of a log under each of its addresses. */
export function tileSources(context: Asking, { urls }: FollowedLog, timeoutMs: number): TileSource[] {
  const { fetch } = context;
  return urls.map((url) =>
    httpSource(url, { fetch, timer: timerOf(context), timeoutMs, limits: { checkpoint: MAX_CHECKPOINT } }),
  );
}

/** Asks every place at once. Never throws for what a place does. */
export async function lookEverywhere(
  context: Asking,
  log: FollowedLog,
  sources: readonly TileSource[],
  timeoutMs: number,
): Promise<Sighting[]> {
  const ofLog = log.urls.map((url, i) =>
    sight({ from: i === 0 ? 'the log' : url, kind: i === 0 ? 'log' : 'view' }, () =>
      (sources[i] ?? httpSource(url)).checkpoint(),
    ),
  );
  const ofWitnesses = log.witnesses.flatMap((witness) => {
    const { url, name } = witness;
    if (url === undefined) return [];
    const place: Place = { from: name, kind: 'witness', witness };
    return [sight(place, () => latestCosigned(context, url, log.origin, timeoutMs))];
  });
  return Promise.all([...ofLog, ...ofWitnesses]);
}

/** C2SP tlog-witness "Monitoring": what a witness says it has last cosigned. Nothing in it is verified. */
async function latestCosigned(
  context: Asking,
  url: string,
  origin: string,
  timeoutMs: number,
): Promise<Uint8Array> {
  const address = joinUrl(url, `${hashOf(origin)}/checkpoint`);
  const { status, body } = await exchange(address, {
    fetch: context.fetch,
    timer: timerOf(context),
    timeoutMs,
    maxBody: MAX_CHECKPOINT,
  });
  if (status === 200) return body;
  const none = status === 404;
  throw new ClientError(
    none ? 'not_found' : 'bad_status',
    `${address}: expected the checkpoint it last cosigned, found status ${status}`,
    none ? 'it never cosigned this log, or serves no monitoring endpoint' : 'try again later',
  );
}

/**
 * Asks witnesses, one after another, what root a tree of theirs had at a smaller size, and for the proof:
 * `GET <prefix>/<origin hash>/consistency/<old>/<new>`, spec/gossip.md. Others than ours answer 404. Nothing
 * is verified.
 */
export async function* askOwed(
  context: Asking,
  { origin, witnesses }: FollowedLog,
  timeoutMs: number,
  oldSize: number,
  newSize: number,
): AsyncGenerator<Owed> {
  for (const { url } of witnesses) {
    if (url === undefined) continue;
    try {
      const { status, body } = await exchange(
        joinUrl(url, `${hashOf(origin)}/consistency/${oldSize}/${newSize}`),
        { fetch: context.fetch, timer: timerOf(context), timeoutMs, maxBody: 64 * 1024 },
      );
      if (status !== 200) continue;
      const [first = '', ...lines] = decodeUtf8(body, 'consistency').split('\n');
      if (!first.startsWith('root ') || lines.pop() !== '' || lines.length > 64) continue;
      const proof = lines.map((line) => decodeBase64(line, 'hash'));
      yield { oldRoot: decodeBase64(first.slice('root '.length), 'root'), proof };
    } catch (error) {
      if (!(error instanceof SteleError)) throw error; // the next may have it
    }
  }
}

function hashOf(origin: string): string {
  return createHash('sha256').update(encodeUtf8(origin)).digest('hex');
}

async function sight(place: Place, ask: () => Promise<Uint8Array>): Promise<Sighting> {
  try {
    return { ...place, note: await ask() };
  } catch (error) {
    if (error instanceof ClientError) return { ...place, error };
    throw error;
  }
}

/** Time-outs run on the clock that the command was given. */
export function timerOf({ sleep }: Pick<Context, 'sleep'>): Timer {
  return { sleep };
}
