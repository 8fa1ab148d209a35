import type { RequestListener } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { addRoute, answerAdd } from './add.js';
import { apiRoutes } from './api.js';
import { errorResponse, reportError } from './errors.js';
import { frontRoute } from './front.js';
import { otherMethods } from './methods.js';
import { openapiRoute } from './openapi.js';
import { readRoutes } from './reads.js';
import { searchRoutes } from './search.js';
import { statusRoutes } from './status.js';
import type { HttpEnv, LogView } from './view.js';

/** The whole HTTP side, on Node's own objects where what is asked for is what most ask for. */
export function createListener(log: LogView): RequestListener {
  const others = getRequestListener(createApp(log).fetch, { overrideGlobalObjects: false });
  return (request, response) => {
    if (request.url !== '/add' || request.method !== 'POST') return void others(request, response);
    const requestId = log.nextRequestId();
    const answered = (): void => done(log, requestId, 'POST', '/add', response.statusCode);
    answerAdd(log, request, response, requestId).then(answered, (error: unknown) => {
      log.logger.log('error', 'request failed', { requestId, path: '/add', error: String(error) });
      response.destroy();
    });
  };
}

/** Its routes: C2SP reads, the write API, look-ups, health. */
export function createApp(log: LogView): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.use(async (c, next) => {
    const requestId = log.nextRequestId();
    c.set('requestId', requestId);
    await next();
    const { outgoing } = c.env;
    // What was answered on Node's own object has it already.
    if (!outgoing.headersSent) c.res.headers.set('x-request-id', requestId);
    done(log, requestId, c.req.method, c.req.path, outgoing.headersSent ? outgoing.statusCode : c.res.status);
  });
  addRoute(app, log);
  readRoutes(app, log);
  searchRoutes(app, log);
  apiRoutes(app, log);
  openapiRoute(app);
  statusRoutes(app, log);
  frontRoute(app, log);
  otherMethods(app);
  app.notFound((c) => {
    const hint = 'see / for what there is: /checkpoint, /tile/…, /add, /api/v1/…, /healthz and /readyz';
    return errorResponse(
      { status: 404, code: 'not_found', message: 'there is nothing here', hint },
      c.req.header('accept'),
    );
  });
  app.onError((error, c) =>
    reportError(log, error, {
      requestId: c.get('requestId'),
      path: c.req.path,
      accept: c.req.header('accept'),
    }),
  );
  return app;
}

function done(log: LogView, requestId: string, method: string, path: string, status: number): void {
  log.metrics.answered(method, path, status);
  log.logger.log('debug', 'request', { requestId, method, path, status });
}
