// The doors of the witness: C2SP tlog-witness over HTTP. What is decided, and why, is in
// add-checkpoint.ts and witness.ts; here outcomes become statuses.
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono, type Context } from 'hono';
import { allowedMethods, type Bodies, type Body } from '../system/index.js';
import type { Clock } from '../tlog/index.js';
import { WitnessError } from './errors.js';
import type { Level, Logger } from './log.js';
import type { WitnessMetrics } from './metrics.js';
import type { Outcome, Witness } from './witness.js';

/** Sixteen ML-DSA-44 lines are about 52 KB; larger kinds are to come. */
export const MAX_BODY: number = 128 * 1024;

type Kind = Outcome['kind'] | Exclude<Body['kind'], 'whole'> | 'failed';

/** The one place where an outcome has a status. C2SP tlog-witness, "add-checkpoint", "sign-subtree". */
const STATUS = {
  cosigned: 200,
  'subtree-signed': 200,
  malformed: 400,
  untrusted: 403,
  'unknown-origin': 404,
  'not-offered': 404,
  conflict: 409,
  'too-large': 413,
  inconsistent: 422,
  'bad-subtree': 422,
  failed: 500,
  gone: 400,
  crowded: 503,
  'clock-behind': 503,
  'clock-leapt': 503,
  spent: 503,
  contended: 503,
  unsigned: 503,
} as const satisfies Record<Kind, number>;

/** The same, for the description of the doors. */
export const DOOR_STATUS: Readonly<Record<Kind, number>> = STATUS;

/** Nobody is sent away for longer than this, however far behind the clock is: it may be set right. */
const LONGEST_RETRY = 3600;
/** Seconds after which a clock that leapt, or what others ask at the same time, may have been dealt with. */
const RETRY = { spent: LONGEST_RETRY, 'clock-leapt': 300, contended: 1, unsigned: 1, crowded: 1 } as const;

export interface AppOptions {
  witness: Witness;
  clock: Clock;
  log: Logger;
  /** Holds all request bodies. */
  bodies: Bodies;
  /** Counts what was answered. */
  measured?: Pick<WitnessMetrics, 'answered'>;
  /** What `/healthz` says: the reason why nothing is signed, if there is one. */
  ailing: () => string | undefined;
}

type Env = { Bindings: HttpBindings };

/** The routes. The server's own limits (times, connections) are set where it is made, in index.ts. */
export function witnessApp({ witness, clock, log, bodies, measured, ailing }: AppOptions): Hono<Env> {
  const app = new Hono<Env>();
  let requests = 0;

  const door = (name: string, decide: (body: Uint8Array) => Promise<Outcome>): void => {
    app.post(`/${name}`, async (c) => {
      const id = ++requests;
      const begun = clock.monotonic();
      const body = await bodies.read(c.env.incoming, c.env.outgoing, MAX_BODY);
      const answer =
        body.kind === 'whole' ? await answerTo(c, () => decide(body.bytes)) : refuse(c, body.kind);
      log(levelOf(answer.kind), name, {
        request: id,
        status: STATUS[answer.kind],
        outcome: answer.kind,
        ...answer.fields,
        ms: Math.round(clock.monotonic() - begun),
      });
      measured?.answered(name, answer.kind, (clock.monotonic() - begun) / 1000);
      return answer.response;
    });
  };
  door('add-checkpoint', (body) => witness.addCheckpoint(body));
  door('sign-subtree', (body) => witness.signSubtree(body));

  app.get('/healthz', (c) => {
    const reason = ailing();
    c.header('cache-control', 'no-store');
    return reason === undefined ? c.json({ ok: true }) : c.json({ ok: false, reason }, 503);
  });

  app.get('/:hash/checkpoint', (c) => {
    // Monitors of any kind read it, a page in a browser too.
    c.header('access-control-allow-origin', '*');
    const note = witness.latest(c.req.param('hash'));
    if (note === undefined) {
      c.header('cache-control', 'no-store');
      return c.text('no checkpoint of that log was cosigned\n', 404);
    }
    c.header('cache-control', 'no-cache');
    c.header('content-type', 'text/plain; charset=utf-8');
    return c.body(note);
  });

  app.notFound((c) => {
    c.header('access-control-allow-origin', '*');
    return c.text('expected /add-checkpoint or /<origin hash>/checkpoint\n', 404);
  });

  app.onError((error, c) => {
    log('error', 'request-failed', { message: error.message });
    return c.text('internal error\n', 500);
  });

  return app;
}

/** What is there, asked for by a method that it does not take: 405, RFC 9110 §15.5.6. After all routes. */
export function otherMethods(app: Hono<Env>): void {
  // SPEC: "The request MUST be an HTTP POST."
  const all = [...allowedMethods(app.routes)];
  const fixed = all.filter(([path]) => !path.includes(':'));
  // Whole paths first: /gossip/checkpoint is no /:hash/checkpoint.
  for (const [path, allow] of new Map([...fixed, ...all])) {
    app.all(path, (c) => {
      c.header('access-control-allow-origin', '*');
      c.header('cache-control', 'no-store');
      return c.text(`expected ${allow.replaceAll(', ', ' or ')}, found ${c.req.method}\n`, 405, { allow });
    });
  }
}

interface Answer {
  kind: Kind;
  response: Response;
  fields: Record<string, unknown>;
}

async function answerTo(c: Context<Env>, decide: () => Promise<Outcome>): Promise<Answer> {
  let outcome: Outcome;
  try {
    outcome = await decide();
  } catch (error) {
    if (!(error instanceof WitnessError)) throw error;
    return respond(c, 'failed', 'the state could not be written\n', {
      code: error.code,
      message: error.message,
    });
  }
  const { kind } = outcome;
  switch (outcome.kind) {
    case 'cosigned': {
      const { origin, size, lines } = outcome;
      return { kind, response: answerDirectly(c, lines), fields: { origin, size } };
    }
    case 'subtree-signed': {
      const { origin, start, end, lines } = outcome;
      return respond(c, kind, lines, { origin, start, end });
    }
    case 'not-offered':
      return respond(c, kind, 'subtrees are signed with ML-DSA-44, and this witness has no such key\n');
    case 'bad-subtree': {
      const { origin, detail } = outcome;
      return respond(c, kind, `${detail}\n`, { origin, detail });
    }
    case 'conflict':
      // SPEC: "The response body MUST consist of the tree size of the latest cosigned checkpoint in
      // decimal, followed by a newline. The response MUST have a Content-Type of text/x.tlog.size."
      // Without parameters: clients of the field compare the whole header.
      c.header('content-type', 'text/x.tlog.size');
      return {
        kind,
        response: c.body(`${outcome.size}\n`, STATUS.conflict),
        fields: { origin: outcome.origin, size: outcome.size },
      };
    case 'malformed':
      return respond(c, kind, `${shorten(outcome.detail)}\n`, { detail: shorten(outcome.detail) });
    case 'unknown-origin':
      return respond(c, kind, 'this log is not configured here\n', { origin: shorten(outcome.origin) });
    case 'untrusted':
      return respond(c, kind, 'expected a good signature by a key that this takes, and no bad one\n', {
        origin: outcome.origin,
      });
    case 'inconsistent':
      // SPEC: "the witness MAY log the request … as it might be proof of log misbehavior."
      return respond(c, kind, `${outcome.detail}\n`, {
        origin: outcome.origin,
        detail: outcome.detail,
        note: outcome.note,
      });
    case 'clock-behind': {
      c.header('retry-after', String(Math.min(outcome.seconds, LONGEST_RETRY)));
      const text = 'the clock of this witness is behind its last cosignature\n';
      return respond(c, kind, text, { origin: outcome.origin, seconds: outcome.seconds });
    }
    case 'spent':
    case 'clock-leapt':
    case 'contended':
    case 'unsigned': {
      c.header('retry-after', String(RETRY[outcome.kind]));
      const { origin } = outcome;
      return respond(c, kind, 'this witness signs nothing just now\n', {
        origin,
        ...(outcome.kind === 'unsigned' && { code: outcome.code, message: outcome.detail }),
      });
    }
  }
}

/**
 * Answers 200 past the `Response` object, whose body is a web stream and whose headers are parsed again: for
 * the one answer that is given thousands of times.
 */
function answerDirectly({ env }: Context<Env>, text: string): Response {
  env.outgoing.writeHead(STATUS.cosigned, {
    'content-type': 'text/plain; charset=UTF-8',
    'content-length': Buffer.byteLength(text),
  });
  env.outgoing.end(text);
  return RESPONSE_ALREADY_SENT;
}

/** No body, no answer to it. The rest of it is not read: the connection cannot go on. */
function refuse(c: Context<Env>, kind: Exclude<Body['kind'], 'whole'>): Answer {
  c.header('connection', 'close');
  switch (kind) {
    case 'too-large':
      return respond(c, kind, `expected at most ${MAX_BODY} bytes\n`);
    case 'crowded':
      c.header('retry-after', String(RETRY[kind]));
      return respond(c, kind, 'too much is being sent to this witness at once\n');
    case 'gone':
      // Nobody is left to be told, but the log.
      return respond(c, kind, 'expected a whole body\n');
  }
}

function respond(c: Context<Env>, kind: Kind, text: string, fields: Record<string, unknown> = {}): Answer {
  return { kind, response: c.text(text, STATUS[kind]), fields };
}

/** Strangers choose these texts, and could fill a disk with them. */
function shorten(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

function levelOf(kind: Kind): Level {
  if (kind === 'failed') return 'error';
  return kind === 'inconsistent' || STATUS[kind] === 503 ? 'warn' : 'info';
}
