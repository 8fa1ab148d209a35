import { Hono } from 'hono';
import { addRoute } from './add.js';
import { apiRoutes } from './api.js';
import { errorResponse, toHttpError } from './errors.js';
import { frontRoute } from './front.js';
import { openapiRoute } from './openapi.js';
import { readRoutes } from './reads.js';
import { searchRoutes } from './search.js';
import { statusRoutes } from './status.js';
import type { HttpEnv, LogView } from './view.js';

/** The whole HTTP side: C2SP reads, the write API, look-ups, health. */
export function createApp(log: LogView): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.use(async (c, next) => {
    const requestId = log.nextRequestId();
    c.set('requestId', requestId);
    await next();
    // What was answered directly has it already.
    if (!c.env.outgoing.headersSent) c.res.headers.set('x-request-id', requestId);
    log.metrics.answered(
      c.req.method,
      c.req.path,
      c.env.outgoing.headersSent ? c.env.outgoing.statusCode : c.res.status,
    );
    log.logger.log('debug', 'request', {
      requestId,
      method: c.req.method,
      path: c.req.path,
      status: c.res.status,
    });
  });
  addRoute(app, log);
  readRoutes(app, log);
  searchRoutes(app, log);
  apiRoutes(app, log);
  openapiRoute(app);
  statusRoutes(app, log);
  frontRoute(app, log);
  app.notFound((c) => {
    const hint = 'see / for what there is: /checkpoint, /tile/…, /add, /api/v1/…, /healthz and /readyz';
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
