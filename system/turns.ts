import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests that a connection may have sent ahead of the answer under way. */
const MAX_AHEAD = 16;

/** Requests that wait on a connection whose answer is in the making. On the socket itself: one look-up less for each. */
const WAITING = Symbol('waiting');

interface Connection extends Socket {
  [WAITING]?: (() => void)[] | undefined;
}

/**
 * Handles the requests of one connection one after the other. Node hands over all that were pipelined
 * at once: a client that asks a thousand times in one packet and reads nothing would have a thousand
 * answers kept for it. Who sends more ahead than MAX_AHEAD is cut off.
 */
export function inTurn(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): RequestListener {
  return (request, response) => {
    const socket: Connection = request.socket;
    const start = (): void => {
      // After the last byte has been handed to the system, or when the connection has ended.
      response.once('close', next);
      handle(request, response);
    };
    const next = (): void => {
      const following = socket.destroyed ? undefined : socket[WAITING]?.shift();
      if (following === undefined) socket[WAITING] = undefined;
      else following();
    };
    const ahead = socket[WAITING];
    if (ahead === undefined) {
      socket[WAITING] = [];
      start();
    } else if (ahead.length < MAX_AHEAD) {
      ahead.push(start);
    } else {
      socket.destroy();
    }
  };
}
