// Gossip's doors over HTTP: spec/gossip.md. What is in a note or a file, and what follows from it, is the
// engine's business; here its answers become statuses, and strangers are kept within bounds.
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import { MAX_EVIDENCE_BYTES } from '../../evidence/index.js';
import type { Bodies, Body } from '../../system/index.js';
import { parseDecimal, SteleError, type Clock } from '../../tlog/index.js';
import type { Logger } from '../log.js';
import { MAX_REPORT, type Gossip } from './engine.js';
import { nameHash } from '../elsewhere.js';
import { formatOwed } from './owed.js';
import type { Reconciled } from './ports.js';
import { Rate } from './rate.js';
import type { Shelved } from './shelf.js';

/** The one place where an outcome has a status. */
const STATUS = {
  consistent: 200,
  contradiction: 200,
  stored: 200,
  known: 200,
  open: 202,
  malformed: 400,
  gone: 400,
  untrusted: 403,
  unknown_key: 403,
  'unknown-origin': 404,
  'too-large': 413,
  refused: 422,
  crowded: 503,
} as const;

/** The same, for the description of the doors. */
export const GOSSIP_STATUS: Readonly<Record<keyof typeof STATUS, number>> = STATUS;

/** Tokens per second, and at once: for one address, and for all. A token is worth about 4 KiB to verify. */
const EACH = { rate: 50, burst: 400 };
const ALL = { rate: 200, burst: 1600 };
const BYTES_PER_TOKEN = 4096;
/** A proof costs reading tiles. */
const PROOF_TOKENS = 4;

type Env = { Bindings: HttpBindings };

export interface DoorOptions {
  gossip: Gossip;
  clock: Clock;
  log: Logger;
  /** Holds all request bodies. */
  bodies: Bodies;
  /** The log with this origin hash, if it is watched. */
  originOf: (hash: string) => string | undefined;
}

/** Adds the doors to a witness's routes. */
export function addGossipDoors(app: Hono<Env>, { gossip, clock, log, bodies, originOf }: DoorOptions): void {
  const rate = new Rate(clock, EACH, ALL);
  const addressOf = (c: Context<Env>): string => c.env.incoming.socket.remoteAddress ?? '';

  /** The body, paid for; or the answer to who may not send one now. */
  async function take(c: Context<Env>, limit: number): Promise<Uint8Array | Response> {
    const address = addressOf(c);
    if (!rate.allows(address)) {
      c.header('connection', 'close');
      return busy(c);
    }
    rate.charge(address, 1);
    const body = await bodies.read(c.env.incoming, c.env.outgoing, limit);
    if (body.kind !== 'whole') return refuse(c, body.kind, limit);
    rate.charge(address, Math.floor(body.bytes.length / BYTES_PER_TOKEN));
    return body.bytes;
  }

  app.post('/gossip/checkpoint', async (c) => {
    const body = await take(c, MAX_REPORT);
    if (body instanceof Response) return body;
    const { now, settled } = await gossip.take(body, { kind: 'stranger' });
    // Proofs are asked for meanwhile; what comes of them is in the log and in the status.
    settled.catch(() => undefined);
    const outcome: Reconciled = now ?? { kind: 'open', detail: 'being looked into' };
    log('info', 'gossip-checkpoint', { outcome: outcome.kind });
    return c.text(wordsFor(outcome), STATUS[outcome.kind]);
  });

  app.post('/gossip/evidence', async (c) => {
    const body = await take(c, MAX_EVIDENCE_BYTES);
    if (body instanceof Response) return body;
    const outcome = await gossip.takeEvidence(body);
    log('info', 'gossip-evidence', { outcome: outcome.kind });
    if (outcome.kind !== 'refused') return c.text(`${outcome.kept.sha256}\n`, STATUS[outcome.kind]);
    return c.text(`${outcome.detail}\n`, statusOf(outcome));
  });

  app.get('/gossip/evidence', (c) => {
    forReaders(c, 'no-cache');
    return c.text(
      gossip
        .evidenceList()
        .map(({ sha256 }) => `${sha256}\n`)
        .join(''),
    );
  });

  app.get('/gossip/evidence/:sha256', (c) => {
    const bytes = gossip.evidenceFile(c.req.param('sha256'));
    forReaders(c, bytes ? 'public, max-age=31536000, immutable' : 'no-store');
    if (!bytes) return c.text('no evidence with that hash is kept here\n', 404);
    // What slow readers have not taken stays in memory.
    if (!rate.allows(addressOf(c))) return busy(c);
    rate.charge(addressOf(c), Math.ceil(bytes.length / BYTES_PER_TOKEN));
    c.header('content-type', 'text/plain; charset=utf-8');
    return c.body(Uint8Array.from(bytes));
  });

  app.get('/:hash/consistency/:old/:new', async (c) => {
    forReaders(c, 'no-store');
    const sizes = sizesOf(c.req.param('old'), c.req.param('new'));
    if (!sizes) return c.text('expected two sizes, 0 < old <= new\n', 400);
    const origin = originOf(c.req.param('hash'));
    if (origin === undefined) return c.text('this log is not configured here\n', 404);
    if (!rate.allows(addressOf(c))) return busy(c);
    rate.charge(addressOf(c), PROOF_TOKENS);
    const owed = await gossip.consistency(origin, ...sizes);
    return owed ? c.text(formatOwed(owed)) : c.text('that cannot be shown here\n', 404);
  });

  // As the monitoring endpoint of another witness: what that one was last seen here to cosign.
  app.get('/seen/:name/:hash/checkpoint', (c) => {
    forReaders(c, 'no-cache');
    const origin = originOf(c.req.param('hash'));
    const name = gossip.peerNames.find((peer) => nameHash(peer) === c.req.param('name'));
    const note = origin === undefined || name === undefined ? undefined : gossip.seen(origin, name);
    if (!note) return c.text('no cosignature of that witness for that log was seen here\n', 404);
    c.header('content-type', 'text/plain; charset=utf-8');
    return c.body(Uint8Array.from(note));
  });
}

/** Anybody may read, a page in a browser too. */
function forReaders(c: Context<Env>, caching: string): void {
  c.header('access-control-allow-origin', '*');
  c.header('cache-control', caching);
}

function busy(c: Context<Env>): Response {
  c.header('cache-control', 'no-store');
  c.header('retry-after', '1');
  return c.text('too much was asked just now\n', 429);
}

/** The rest of the body is not read: the connection cannot go on. */
function refuse(c: Context<Env>, kind: Exclude<Body['kind'], 'whole'>, limit: number): Response {
  c.header('connection', 'close');
  if (kind === 'crowded') c.header('retry-after', '1');
  return c.text(kind === 'too-large' ? `expected at most ${limit} bytes\n` : `${kind}\n`, STATUS[kind]);
}

function wordsFor(outcome: Reconciled): string {
  switch (outcome.kind) {
    case 'contradiction':
      return ['contradiction', ...outcome.evidence, ''].join('\n');
    case 'malformed':
    case 'open':
      return `${outcome.kind}: ${outcome.detail.slice(0, 300)}\n`;
    default:
      return `${outcome.kind}\n`;
  }
}

function statusOf({ code }: Extract<Shelved, { kind: 'refused' }>): 400 | 403 | 422 {
  if (code === 'bad_evidence') return STATUS.malformed;
  return code === 'unknown_key' ? STATUS.unknown_key : STATUS.refused;
}

function sizesOf(oldSize: string, newSize: string): [number, number] | undefined {
  try {
    const sizes: [number, number] = [parseDecimal(oldSize, 'old size'), parseDecimal(newSize, 'new size')];
    return sizes[0] > 0 && sizes[0] <= sizes[1] ? sizes : undefined;
  } catch (error) {
    if (error instanceof SteleError) return undefined;
    throw error;
  }
}
