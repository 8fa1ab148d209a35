import { readFile } from 'node:fs/promises';
import type { Hono } from 'hono';
import type { HttpEnv } from './view.js';

/** Of this package: made by `npm run docs` from the schemas and tables that the server itself checks with. */
const DOCUMENT = new URL('../../../spec/http/log.openapi.json', import.meta.url);

/** `GET /api/v1/openapi.json`: what there is to ask this server, for programs (OpenAPI 3.1). */
export function openapiRoute(app: Hono<HttpEnv>): void {
  let document: Promise<string> | undefined;
  app.get('/api/v1/openapi.json', async () => {
    document ??= readFile(DOCUMENT, 'utf8');
    const headers = {
      'cache-control': 'no-cache',
      'access-control-allow-origin': '*',
      'content-type': 'application/json',
    };
    return new Response(await document, { headers });
  });
}
