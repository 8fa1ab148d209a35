import type { Hono } from 'hono';
import { parseCheckpoint, parseNote } from '../../tlog/index.js';
import type { HttpEnv, LogView } from './view.js';

/** `GET /`: for whoever opens the log's URL in a browser, what this is and what there is to ask for. */
export function frontRoute(app: Hono<HttpEnv>, log: LogView): void {
  app.get('/', () => {
    const headers = {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-cache',
      'access-control-allow-origin': '*',
    };
    return new Response(frontPage(log), { headers });
  });
}

function frontPage(log: LogView): string {
  const published = log.published();
  const { state, message } = log.readiness();
  const takes =
    log.admission === 'none' ? 'any bytes, for tests and benchmarks' : 'attestations of AI training runs';
  const name =
    published === undefined
      ? ['A log that has published nothing yet']
      : [
          parseCheckpoint(parseNote(published.note).text).origin,
          '',
          `Published: ${published.size} ${published.size === 1 ? 'entry' : 'entries'}.`,
        ];
  return `${[
    ...name,
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
  'GET  /api/v1/search?participant=<id>     entries by participant, run, type, digest or time',
  'GET  /api/v1/events                      entries as they are published (server-sent events)',
  'GET  /api/v1/proofs/inclusion?index=<index>[&size=<size>]',
  'GET  /api/v1/proofs/consistency?from=<size>[&to=<size>]',
  'GET  /api/v1/openapi.json               all of this, for programs (OpenAPI 3.1)',
  'GET  /healthz, /readyz                  whether it runs, and whether it takes entries',
  'GET  /metrics                           for Prometheus',
  'POST /add                               log an entry',
];
