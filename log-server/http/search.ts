import type { ServerResponse } from 'node:http';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context, Hono } from 'hono';
import { factsOf, timeBounds } from '../../attestation/index.js';
import type { EntryFacts } from '../../attestation/index.js';
import { networkOf } from '../../system/index.js';
import { TILE_WIDTH, encodeHex, leafHash } from '../../tlog/index.js';
import type { Clock } from '../../tlog/index.js';
import { SubmissionError } from '../errors.js';
import type { EntrySummary, EventData, FoundAnswer } from '../generated/answers.js';
import type { Query, QueryIndex } from '../search/query-index.js';
import { EVENTS, SEARCH, readParameter, readQuery } from './parameters.js';
import { Places } from './places.js';
import { ReadingTurns, breathe } from './reading-turns.js';
import type { HttpEnv, LogView } from './view.js';

/** Readers of events at one time; each costs a connection and what has not left it. */
const SUBSCRIBERS = 256;
/** Of these from one address, so that one cannot take all places. */
const SUBSCRIBERS_PER_ADDRESS = 16;
/** Searches under way at one time, most of which wait for their turn. */
const SEARCHES = 64;
const SEARCHES_PER_ADDRESS = 8;
/** Bytes on their way to one reader of events, above which it is waited for. */
const UNSENT = 256 * 1024;
const HEARTBEAT_MS = 15_000;

/** Look-up of entries by what they say, and news of entries as they are published. spec/log.md "Searching". */
export function searchRoutes(app: Hono<HttpEnv>, log: LogView): void {
  const turns = new ReadingTurns();
  const searches = new Places(SEARCHES, SEARCHES_PER_ADDRESS, 'searches at once');
  app.get('/api/v1/search', async (c) => {
    const { search } = log;
    if (search === undefined) throw nothingSaid('there is nothing to search by');
    const query = parseQuery(c.req.url);
    const address = addressOf(c);
    const leave = searches.take(address);
    const gone = whenGone(c.env.outgoing);
    try {
      const answer = await turns.run(address, gone, () => find(log, search, query, gone));
      // Nobody reads this one.
      if (answer === undefined) return new Response(null, { status: 499 });
      return new Response(`${JSON.stringify(answer)}\n`, { headers: HEADERS });
    } finally {
      leave();
    }
  });

  const readers = new Places(SUBSCRIBERS, SUBSCRIBERS_PER_ADDRESS, 'readers of events');
  app.get('/api/v1/events', (c) => {
    if (log.search === undefined) throw nothingSaid('there is nothing to say of them');
    const { after: asked } = readQuery(c.req.url, EVENTS);
    // A browser that connects again says in the header how far it came, by the URL of the first time.
    const seen = c.req.header('last-event-id');
    const from = seen === undefined ? asked : readParameter('last-event-id', seen, EVENTS.after);
    const after = from ?? (log.published()?.size ?? 0) - 1;
    const { outgoing } = c.env;
    const address = addressOf(c);
    const leave = readers.take(address);
    const headers = {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'access-control-allow-origin': '*',
      // A proxy that collects answers would keep news until there is enough of it.
      'x-accel-buffering': 'no',
      'x-request-id': c.get('requestId'),
    };
    if (c.req.method === 'HEAD') {
      leave();
      outgoing.writeHead(200, headers).end();
      return RESPONSE_ALREADY_SENT;
    }
    const gone = whenGone(outgoing);
    if (gone.aborted) leave();
    else gone.addEventListener('abort', leave);
    outgoing.writeHead(200, headers);
    outgoing.write(': entries as they are published; id is the index\n\n');
    void follow(log, { outgoing, gone, turns, address }, after + 1).catch(() => outgoing.destroy());
    return RESPONSE_ALREADY_SENT;
  });
}

/** With --admission none. */
function nothingSaid(what: string): SubmissionError {
  const hint = 'entries are at /api/v1/entries/<index>, and in bundles at /tile/entries/…';
  return new SubmissionError('bad_request', `this log holds any bytes: ${what}`, hint);
}

const HEADERS = {
  'cache-control': 'no-cache',
  'access-control-allow-origin': '*',
  'content-type': 'application/json',
};

function addressOf(c: Context<HttpEnv>): string {
  return networkOf(c.env.incoming.socket.remoteAddress ?? '');
}

/** Aborted when the answer has been taken or nobody is there to take it. */
function whenGone(outgoing: ServerResponse): AbortSignal {
  const gone = new AbortController();
  if (outgoing.destroyed) gone.abort();
  outgoing.once('close', () => gone.abort());
  return gone.signal;
}

/** A page; undefined where who asked has gone. */
async function find(
  log: LogView,
  search: Pick<QueryIndex, 'search'>,
  query: Query,
  gone: AbortSignal,
): Promise<FoundAnswer | undefined> {
  const found = await search.search(query, gone, breathe);
  const entries: EntrySummary[] = [];
  for (const { index, facts, entry } of found.entries) {
    if (gone.aborted) return undefined;
    entries.push(await summary(log, index, facts, entry));
    await breathe(entries.length);
  }
  if (gone.aborted) return undefined;
  return {
    indexed: found.size,
    published: log.published()?.size ?? 0,
    entries,
    next: found.next ?? null,
  };
}

/** Who follows the events. */
interface Follower {
  readonly outgoing: ServerResponse;
  readonly gone: AbortSignal;
  readonly turns: ReadingTurns;
  readonly address: string;
}

/** Sends what is published from `next` on, as it comes, until the reader goes, lags too far, or the log ends. */
async function follow(
  log: LogView,
  { outgoing, gone, turns, address }: Follower,
  next: number,
): Promise<void> {
  const { clock, signal } = log;
  const end = (): void => void outgoing.end();
  signal.addEventListener('abort', end, { once: true });
  gone.addEventListener('abort', () => signal.removeEventListener('abort', end));
  void beat(clock, outgoing, gone);
  const ended = (): boolean => outgoing.destroyed || signal.aborted;
  for (let at = next; !ended();) {
    // Asked before the look at the size, so that no publication falls between the two.
    const news = log.news(gone);
    const size = log.published()?.size ?? 0;
    while (at < size && !ended()) {
      const [from, to] = [at, Math.min(size, at - (at % TILE_WIDTH) + TILE_WIDTH)];
      at = (await turns.run(address, gone, () => send(log, outgoing, from, to, ended))) ?? at;
      // Others have their turn meanwhile.
      if (outgoing.writableLength > UNSENT) await drained(outgoing);
    }
    await news;
  }
}

/** Sends entries [from, to), or as many as there is room for; answers where it ended. */
async function send(
  log: LogView,
  outgoing: ServerResponse,
  from: number,
  to: number,
  ended: () => boolean,
): Promise<number> {
  let at = from;
  while (at < to && !ended()) {
    const entry = await log.storage.readEntry(at);
    const facts = factsOf(entry);
    const data: EventData = facts === undefined ? { index: at } : await summary(log, at, facts, entry);
    outgoing.write(`id: ${at}\nevent: entry\ndata: ${JSON.stringify(data)}\n\n`);
    at++;
    if (outgoing.writableLength > UNSENT) break;
    await breathe(at);
  }
  return at;
}

/** Resolves when the reader has taken what was on its way, or is gone: one that takes nothing is cut off. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done);
      outgoing.off('close', done);
      resolve();
    };
    outgoing.on('drain', done);
    outgoing.on('close', done);
  });
}

/** So that both sides notice when the other is gone. */
async function beat(clock: Clock, outgoing: ServerResponse, gone: AbortSignal): Promise<void> {
  while (!gone.aborted) {
    const slept = await clock.sleep(HEARTBEAT_MS, gone).then(
      () => true,
      () => false,
    );
    if (slept && outgoing.writableLength < UNSENT) outgoing.write(': still here\n\n');
  }
}

/** What an answer says of an entry: enough to choose by. The entry itself comes with its proof. */
async function summary(
  log: LogView,
  index: number,
  facts: EntryFacts,
  entry: Uint8Array,
): Promise<EntrySummary> {
  const { statement, id, type, participants, run } = facts;
  const { notAfter } = await timeBounds(log.storage.ledger, index, undefined);
  const about = participants[1];
  return {
    index,
    id,
    leafHash: encodeHex(leafHash(entry)),
    type,
    participant: statement.predicate.participant,
    ...(about !== undefined && { about }),
    ...(run !== undefined && { run }),
    loggedBy: notAfter.seconds ?? null,
  };
}

function parseQuery(url: string): Query {
  const { order, limit, ...given } = readQuery(url, SEARCH);
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { ...known, newestFirst: order === 'newest', limit: limit ?? SEARCH.limit.standard };
}
