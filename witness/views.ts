// What a witness shows of itself: GET / for people, GET /status.json for programs, GET /metrics for
// Prometheus. Nothing in them is secret, and none of it is proof of anything.
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import { METRICS_TYPE, PAGE_POLICY } from '../system/index.js';
import type { Clock } from '../tlog/index.js';
import type { WitnessMetrics } from './metrics.js';
import { witnessPage } from './page.js';
import type { StatusReport } from './status.js';

/** Milliseconds for which an answer serves everybody: thousands of logs take a while to write down. */
const FRESH = 1000;
/** Writing an answer down takes at most one part in so many of the main thread's time. */
const SHARE = 50;
/** Answers under way at once. Each may be megabytes, which a slow reader would hold. */
const MAX_READERS = 16;

type Env = { Bindings: HttpBindings };

export interface ViewOptions {
  clock: Clock;
  status: () => StatusReport;
  metrics: WitnessMetrics;
}

/** Adds the views to a witness's routes. */
export function addViews(app: Hono<Env>, { clock, status, metrics }: ViewOptions): void {
  let readers = 0;
  const views: Record<string, { write: () => string; headers: Record<string, string> }> = {
    '/': {
      write: () => witnessPage(status()),
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': PAGE_POLICY,
        'referrer-policy': 'no-referrer',
      },
    },
    '/status.json': {
      write: () => `${JSON.stringify(status())}\n`,
      headers: { 'content-type': 'application/json', 'access-control-allow-origin': '*' },
    },
    '/metrics': { write: () => metrics.text(), headers: { 'content-type': METRICS_TYPE } },
  };
  for (const [path, { write, headers }] of Object.entries(views)) {
    let last: { until: number; text: string } | undefined;
    app.get(path, (c: Context<Env>) => {
      if (readers >= MAX_READERS) {
        return c.text('too many are reading this just now\n', 503, { 'retry-after': '1' });
      }
      readers++;
      c.env.outgoing.once('close', () => readers--);
      const now = clock.monotonic();
      if (!last || now >= last.until) {
        const text = write();
        const done = clock.monotonic();
        last = { until: Math.max(now + FRESH, done + SHARE * (done - now)), text };
      }
      return c.body(last.text, 200, {
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        ...headers,
      });
    });
  }
}
