import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Context, Hono } from 'hono';
import { SteleError, parseTilePath } from '../../tlog/index.js';
import { acceptsGzip } from './accept.js';
import { AnswerBudget } from './budget.js';
import type { HttpEnv, LogView } from './view.js';
import { errorResponse } from './errors.js';

const compress = promisify(gzip);
const IMMUTABLE = 'public, max-age=31536000, immutable';

/** The read side of C2SP tlog-tiles: `/checkpoint` and `/tile/…`. */
export function readRoutes(app: Hono<HttpEnv>, log: LogView): void {
  const budget = new AnswerBudget(log.answerBytes);
  app.get('/checkpoint', (c) => {
    const published = log.published();
    if (published === undefined) return notFound(c, 'no checkpoint is published yet', 30);
    return bytes(published.note, {
      // SPEC: "The Signed Tree Head MUST be served … with `Content-Type: text/plain; charset=utf-8`."
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-cache',
    });
  });

  app.get('/tile/*', async (c) => {
    let path;
    try {
      // Parsed by the grammar; what storage is asked for is built anew from the numbers.
      path = parseTilePath(c.req.path.slice(1));
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      return notFound(c, error.message);
    }
    const { storage } = log;
    if (path.kind === 'tile') {
      const tile = await storage.readTile({ level: path.level, index: path.index, width: path.width });
      if (tile === undefined) return notFound(c, 'the tree has no such tile');
      return bytes(tile, { 'content-type': 'application/octet-stream', 'cache-control': IMMUTABLE });
    }
    if (budget.isSpent()) return busy(c);
    const bundle = await storage.readBundle(path.index, path.width);
    if (bundle === undefined) return notFound(c, 'the tree has no such bundle');
    const headers = {
      'content-type': 'application/octet-stream',
      'cache-control': IMMUTABLE,
      vary: 'Accept-Encoding',
    };
    const gzipped = acceptsGzip(c.req.header('accept-encoding'));
    const body = gzipped ? await compress(bundle) : bundle;
    // Again: others were reading theirs at the same time.
    if (budget.isSpent()) return busy(c);
    budget.hold(c.env.outgoing, body.length);
    return bytes(body, gzipped ? { ...headers, 'content-encoding': 'gzip' } : headers);
  });
}

function busy(c: Context<HttpEnv>): Response {
  const message = 'expected room for one more bundle, found too many on their way to slow readers';
  const hint = 'ask again later';
  return errorResponse({ status: 503, code: 'busy', message, hint, retryAfter: 5 }, c.req.header('accept'));
}

function bytes(body: Uint8Array, headers: Record<string, string>): Response {
  const all = { ...headers, 'content-length': String(body.length), 'access-control-allow-origin': '*' };
  return new Response(body as Uint8Array<ArrayBuffer>, { headers: all });
}

function notFound(c: Context<HttpEnv>, message: string, retryAfter?: number): Response {
  const hint = 'fetch /checkpoint, and ask for tiles that a tree of its size has';
  return errorResponse({ status: 404, code: 'not_found', message, hint, retryAfter }, c.req.header('accept'));
}
