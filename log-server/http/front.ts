import type { Hono } from 'hono';
import { PAGE_POLICY } from '../../system/index.js';
import { chooseType } from './accept.js';
import { pageOf } from './page.js';
import type { HttpEnv, LogView } from './view.js';

/** `GET /`: for whoever opens the log's URL, what this is and what there is to ask for; a page in a browser. */
export function frontRoute(app: Hono<HttpEnv>, log: LogView): void {
  const page = pageOf(log);
  app.get('/', (c) => {
    const type = chooseType(c.req.header('accept'), ['text/plain', 'text/html']);
    const headers = {
      'content-type': `${type}; charset=utf-8`,
      'cache-control': 'no-cache',
      'access-control-allow-origin': '*',
      vary: 'Accept',
    };
    if (type === 'text/plain') return new Response(frontPage(log), { headers });
    return new Response(page(), { headers: { ...headers, ...OF_PAGES } });
  });
}

const OF_PAGES = {
  'content-security-policy': PAGE_POLICY,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

function frontPage(log: LogView): string {
  const published = log.published();
  const { state, message } = log.readiness();
  const takes =
    log.admission === 'none' ? 'any bytes, for tests and benchmarks' : 'attestations of AI training runs';
  return `${[
    log.storage.origin,
    '',
    published === undefined
      ? 'Nothing is published yet.'
      : `Published: ${published.size} ${published.size === 1 ? 'entry' : 'entries'}.`,
    `State: ${state} (${message}).`,
    '',
    `An append-only transparency log (C2SP tlog-tiles) of ${takes}.`,
    'Believe nothing here that you have not verified: with the stele program, or any other',
    'reader of these formats, and a policy from somebody you trust.',
    '',
    ...ROUTES,
  ].join('\n')}\n`;
}

const ROUTES = [
  'GET  /checkpoint                        the newest tree head, with its cosignatures',
  'GET  /tile/<L>/<N>[.p/<W>]              hashes of the tree',
  'GET  /tile/entries/<N>[.p/<W>]          entries, in bundles of 256',
  'GET  /api/v1/checkpoint                 the same tree head, in JSON',
  'GET  /api/v1/entries/<index>            an entry with its proof',
  'GET  /api/v1/entries?payload=<hex>      the entry with that payload digest',
  'GET  /api/v1/search?participant=<id>    entries by participant, run, type, digest or time',
  'GET  /api/v1/events                     entries as they are published (server-sent events)',
  'GET  /api/v1/proofs/inclusion?index=<index>[&size=<size>]',
  'GET  /api/v1/proofs/consistency?from=<size>[&to=<size>]',
  'GET  /api/v1/openapi.json               all of this, for programs (OpenAPI 3.1)',
  'GET  /healthz, /readyz                  whether it runs, and whether it takes entries',
  'GET  /metrics                           for Prometheus',
  'POST /add                               log an entry',
];
