import type { Hono } from 'hono';
import { METRICS_TYPE } from '../../system/index.js';
import type { HttpEnv, LogView } from './view.js';

/** `/healthz`: the process answers. `/readyz`: it takes entries, or why it does not. `/metrics`: Prometheus. */
export function statusRoutes(app: Hono<HttpEnv>, log: LogView): void {
  app.get(
    '/healthz',
    () => new Response('ok\n', { headers: { ...HEADERS, 'content-type': 'text/plain; charset=utf-8' } }),
  );
  app.get(
    '/metrics',
    () => new Response(log.metrics.text(), { headers: { ...HEADERS, 'content-type': METRICS_TYPE } }),
  );
  app.get('/readyz', () => {
    const readiness = log.readiness();
    const headers = { ...HEADERS, 'content-type': 'application/json' };
    return new Response(`${JSON.stringify(readiness)}\n`, { status: readiness.ready ? 200 : 503, headers });
  });
}

const HEADERS = { 'cache-control': 'no-store', 'access-control-allow-origin': '*' };
