import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { onResponse } from './listeners.js';

/** Requests that a connection may have sent ahead of the answer under way. */
const MAX_AHEAD = 16;

type Exchange = readonly [IncomingMessage, ServerResponse];

/** Requests that wait on a connection whose answer is in the making. On the socket itself: one look-up less for each. */
const WAITING = Symbol('waiting');

/** Of nearly every connection with an answer in the making. */
const NONE: readonly Exchange[] = [];

interface Connection extends Socket {
  [WAITING]?: readonly Exchange[] | undefined;
}

/**
 * Handles the requests of one connection one after the other. Node hands over all that were pipelined
 * at once: a client that asks a thousand times in one packet and reads nothing would have a thousand
 * answers kept for it. Who sends more ahead than MAX_AHEAD is cut off.
 */
export function inTurn(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): RequestListener {
  const start = (request: IncomingMessage, response: ServerResponse): void => {
    // After the last byte has been handed to the system, or when the connection has ended: once, either way.
    response.on('close', next);
    handle(request, response);
  };
  const next = onResponse((response) => {
    const socket: Connection = response.req.socket;
    const [following, ...others] = socket.destroyed ? NONE : (socket[WAITING] ?? NONE);
    socket[WAITING] = following === undefined ? undefined : others;
    if (following !== undefined) start(...following);
  });
  return (request, response) => {
    const socket: Connection = request.socket;
    const ahead = socket[WAITING];
    if (ahead === undefined) {
      socket[WAITING] = NONE;
      start(request, response);
    } else if (ahead.length < MAX_AHEAD) {
      socket[WAITING] = [...ahead, [request, response]];
    } else {
      socket.destroy();
    }
  };
}
