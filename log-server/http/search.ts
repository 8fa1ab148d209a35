import type { ServerResponse } from 'node:http';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Hono } from 'hono';
import { factsOf, timeBounds } from '../../attestation/index.js';
import type { EntryFacts } from '../../attestation/index.js';
import { networkOf } from '../../system/index.js';
import { encodeHex, leafHash, parseDecimal } from '../../tlog/index.js';
import type { Clock } from '../../tlog/index.js';
import { SubmissionError } from '../errors.js';
import type { Query } from '../search/query-index.js';
import type { HttpEnv, LogView } from './view.js';

const PAGE = 100;
const LARGEST_PAGE = 1000;
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
    const found = await search.search(parseQuery(new URL(c.req.url).searchParams));
    const entries = await Promise.all(
      found.entries.map(({ index, facts, entry }) => summary(log, index, facts, entry)),
    );
    const answer = {
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
    const asked = c.req.header('last-event-id') ?? c.req.query('after');
    const after = asked === undefined ? (log.published()?.size ?? 0) - 1 : parseDecimal(asked, 'after');
    const { outgoing } = c.env;
    readers.set(outgoing, address);
    outgoing.on('close', () => readers.delete(outgoing));
    outgoing.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'access-control-allow-origin': '*',
      'x-request-id': c.get('requestId'),
    });
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
    // Taken before the look at the size, so that no publication falls between the two.
    const news = log.news();
    const size = log.published()?.size ?? 0;
    for (; at < size && !ended(); at++) {
      const entry = await log.storage.readEntry(at);
      const facts = factsOf(entry);
      const data = facts === undefined ? { index: at } : await summary(log, at, facts, entry);
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
): Promise<Record<string, unknown>> {
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

const PARAMETERS = ['participant', 'run', 'type', 'digest', 'from', 'until', 'order', 'after', 'limit'];

function parseQuery(parameters: URLSearchParams): Query {
  for (const name of parameters.keys()) {
    if (!PARAMETERS.includes(name))
      throw bad(`expected ${PARAMETERS.join(', ')}, found ${JSON.stringify(name.slice(0, 40))}`);
    if (parameters.getAll(name).length > 1) throw bad(`expected ${name} once`);
  }
  const text = (name: string): string | undefined => parameters.get(name) ?? undefined;
  const number = (name: string): number | undefined => {
    const value = text(name);
    return value === undefined ? undefined : parseDecimal(value, name);
  };
  const digest = text('digest');
  if (digest !== undefined && !/^[0-9a-f]{64}$/.test(digest))
    throw bad(`digest: expected 64 hex digits, found ${digest.length} characters`);
  const order = text('order') ?? 'oldest';
  if (order !== 'oldest' && order !== 'newest') throw bad('order: expected oldest or newest');
  const limit = number('limit') ?? PAGE;
  if (limit < 1 || limit > LARGEST_PAGE) throw bad(`limit: expected 1 to ${LARGEST_PAGE}, found ${limit}`);
  const given = {
    participant: text('participant'),
    run: text('run'),
    type: text('type'),
    digest,
    from: number('from'),
    until: number('until'),
    after: number('after'),
  };
  for (const name of ['participant', 'run', 'type'] as const)
    if (given[name] !== undefined && !/^[!-~]{1,200}$/.test(given[name]))
      throw bad(`${name}: expected 1 to 200 characters of printable ASCII`);
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { ...known, newestFirst: order === 'newest', limit };
}

function bad(message: string): SubmissionError {
  return new SubmissionError('bad_request', message, 'see spec/log.md, "Searching"');
}
