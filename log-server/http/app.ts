import { Hono } from 'hono';
import type { HttpBindings } from '@hono/node-server';
import type { Logger } from '../logger.js';
import type { LogStorage } from '../storage/types.js';
import type { PublishedHead } from '../head.js';
import type { Receipt } from '../sequencer.js';
import { addRoute } from './add.js';
import { apiRoutes } from './api.js';
import { errorResponse, toHttpError } from './errors.js';
import { readRoutes } from './reads.js';
import { statusRoutes } from './status.js';
import type { Readiness } from './status.js';

/** What the HTTP side sees of the log: nothing that could commit or sign but `submit`. */
export interface LogView {
  readonly storage: LogStorage;
  readonly admission: 'none' | 'charter';
  readonly logger: Logger;
  /** Bytes of a request body to `POST /add`. */
  readonly maxBody: number;
  submit(body: Uint8Array): Promise<Receipt>;
  published(): PublishedHead | undefined;
  readiness(): Readiness;
  /** A short identifier of a request, for logs and their readers. */
  nextRequestId(): string;
}

/** The environment of every handler. */
export interface HttpEnv {
  Bindings: HttpBindings;
  Variables: { requestId: string };
}

/** The whole HTTP side: C2SP reads, the write API, look-ups, health. */
export function createApp(log: LogView): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.use(async (c, next) => {
    const requestId = log.nextRequestId();
    c.set('requestId', requestId);
    await next();
    // What was answered directly has it already.
    if (!c.env.outgoing.headersSent) c.res.headers.set('x-request-id', requestId);
    log.logger.log('debug', 'request', {
      requestId,
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
    });
  });
  addRoute(app, log);
  readRoutes(app, log);
  apiRoutes(app, log);
  statusRoutes(app, log);
  app.notFound((c) => {
    const hint = 'this log serves /checkpoint, /tile/…, /add, /api/v1/…, /healthz and /readyz';
    return errorResponse(
      { status: 404, code: 'not_found', message: 'there is nothing here', hint },
      c.req.header('accept'),
    );
  });
  app.onError((error, c) => {
    const found = toHttpError(error);
    const level = found.status >= 500 ? 'error' : 'debug';
    log.logger.log(level, 'request failed', {
      requestId: c.get('requestId'),
      path: c.req.path,
      code: found.code,
      error: error.message,
    });
    return errorResponse(found, c.req.header('accept'));
  });
  return app;
}
