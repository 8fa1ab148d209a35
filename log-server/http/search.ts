import type { ServerResponse } from 'node:http';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Hono } from 'hono';
import { factsOf, timeBounds } from '../../attestation/index.js';
import type { EntryFacts } from '../../attestation/index.js';
import { networkOf } from '../../system/index.js';
import { encodeHex, leafHash } from '../../tlog/index.js';
import type { Clock } from '../../tlog/index.js';
import { SubmissionError } from '../errors.js';
import type { EntrySummary, EventData, FoundAnswer } from '../generated/answers.js';
import type { Query } from '../search/query-index.js';
import { EVENTS, SEARCH, readParameter, readQuery } from './parameters.js';
import type { HttpEnv, LogView } from './view.js';

/** Readers of events at one time; each costs a connection and what has not left it. */
const SUBSCRIBERS = 256;
/** Of these from one address, so that one cannot take all places. */
const SUBSCRIBERS_PER_ADDRESS = 16;
/** Bytes on their way to one reader of events, above which it is waited for. */
const UNSENT = 256 * 1024;
const HEARTBEAT_MS = 15_000;
/** As networkOf writes loopback. */
const OWN = ['127.0.0.1', networkOf('::1')];

/** Look-up of entries by what they say, and news of entries as they are published. spec/log.md "Searching". */
export function searchRoutes(app: Hono<HttpEnv>, log: LogView): void {
  app.get('/api/v1/search', async (c) => {
    const { search } = log;
    if (search === undefined)
      throw new SubmissionError('bad_request', 'this log holds any bytes: there is nothing to search by');
    const found = await search.search(parseQuery(c.req.url));
    const entries = await Promise.all(
      found.entries.map(({ index, facts, entry }) => summary(log, index, facts, entry)),
    );
    const answer: FoundAnswer = {
      indexed: found.size,
      published: log.published()?.size ?? 0,
      entries,
      next: found.next ?? null,
    };
    return new Response(`${JSON.stringify(answer)}\n`, { headers: HEADERS });
  });

  const readers = new Map<ServerResponse, string>();
  app.get('/api/v1/events', (c) => {
    if (log.search === undefined) throw new SubmissionError('bad_request', 'this log holds any bytes');
    if (readers.size >= SUBSCRIBERS)
      throw new SubmissionError('busy', `expected fewer than ${SUBSCRIBERS} readers of events`);
    // What connects from this machine is a proxy, behind which all readers share one address.
    const address = networkOf(c.env.incoming.socket.remoteAddress ?? '');
    const held = [...readers.values()].filter((other) => other === address).length;
    if (held >= SUBSCRIBERS_PER_ADDRESS && !OWN.includes(address))
      throw new SubmissionError(
        'busy',
        `expected fewer than ${SUBSCRIBERS_PER_ADDRESS} readers of events from one address`,
      );
    const { after: asked } = readQuery(c.req.url, EVENTS);
    // A browser that connects again says in the header how far it came, by the URL of the first time.
    const seen = c.req.header('last-event-id');
    const from = seen === undefined ? asked : readParameter('last-event-id', seen, EVENTS.after);
    const after = from ?? (log.published()?.size ?? 0) - 1;
    const { outgoing } = c.env;
    const headers = {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'access-control-allow-origin': '*',
      // A proxy that collects answers would keep news until there is enough of it.
      'x-accel-buffering': 'no',
      'x-request-id': c.get('requestId'),
    };
    if (c.req.method === 'HEAD') {
      outgoing.writeHead(200, headers).end();
      return RESPONSE_ALREADY_SENT;
    }
    readers.set(outgoing, address);
    outgoing.on('close', () => readers.delete(outgoing));
    outgoing.writeHead(200, headers);
    outgoing.write(': entries as they are published; id is the index\n\n');
    void follow(log, outgoing, after + 1).catch(() => outgoing.destroy());
    return RESPONSE_ALREADY_SENT;
  });
}

const HEADERS = {
  'cache-control': 'no-cache',
  'access-control-allow-origin': '*',
  'content-type': 'application/json',
};

/** Sends what is published from `next` on, as it comes, until the reader goes, lags too far, or the log ends. */
async function follow(log: LogView, outgoing: ServerResponse, next: number): Promise<void> {
  const { clock, signal } = log;
  const end = (): void => void outgoing.end();
  const gone = new AbortController();
  signal.addEventListener('abort', end, { once: true });
  outgoing.once('close', () => {
    signal.removeEventListener('abort', end);
    gone.abort();
  });
  void beat(clock, outgoing, gone.signal);
  const ended = (): boolean => outgoing.destroyed || signal.aborted;
  for (let at = next; !ended();) {
    // Asked before the look at the size, so that no publication falls between the two.
    const news = log.news(gone.signal);
    const size = log.published()?.size ?? 0;
    for (; at < size && !ended(); at++) {
      const entry = await log.storage.readEntry(at);
      const facts = factsOf(entry);
      const data: EventData = facts === undefined ? { index: at } : await summary(log, at, facts, entry);
      outgoing.write(`id: ${at}\nevent: entry\ndata: ${JSON.stringify(data)}\n\n`);
      if (outgoing.writableLength > UNSENT) await drained(outgoing);
    }
    await news;
  }
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
