import type { Hono } from 'hono';
import { allowedMethods } from '../../system/index.js';
import { errorResponse } from './errors.js';
import type { HttpEnv } from './view.js';

/** What is there, asked for by a method that it does not take: 405. After all routes. */
export function otherMethods(app: Hono<HttpEnv>): void {
  for (const [path, allow] of allowedMethods(app.routes)) {
    app.all(path, (c) => {
      const message = `expected ${allow.replaceAll(', ', ' or ')}, found ${c.req.method}`;
      const hint =
        path === '/add' ? 'send the entry as the body of a POST' : 'GET / says what there is to ask';
      const answer = errorResponse(
        { status: 405, code: 'bad_method', message, hint },
        c.req.header('accept'),
      );
      // RFC 9110 §15.5.6: "The origin server MUST generate an Allow header field in a 405 response".
      answer.headers.set('allow', allow);
      return answer;
    });
  }
}
