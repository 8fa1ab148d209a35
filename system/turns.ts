import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests that a connection may have sent ahead of the answer under way. */
const MAX_AHEAD = 16;

/**
 * Handles the requests of one connection one after the other. Node hands over all that were pipelined
 * at once: a client that asks a thousand times in one packet and reads nothing would have a thousand
 * answers kept for it. Who sends more ahead than MAX_AHEAD is cut off.
 */
export function inTurn(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): RequestListener {
  const waiting = new WeakMap<Socket, (() => void)[]>();
  return (request, response) => {
    const { socket } = request;
    const start = (): void => {
      // After the last byte has been handed to the system, or when the connection has ended.
      response.once('close', next);
      handle(request, response);
    };
    const next = (): void => {
      const following = socket.destroyed ? undefined : waiting.get(socket)?.shift();
      if (following === undefined) waiting.delete(socket);
      else following();
    };
    const ahead = waiting.get(socket);
    if (ahead === undefined) {
      waiting.set(socket, []);
      start();
    } else if (ahead.length < MAX_AHEAD) {
      ahead.push(start);
    } else {
      socket.destroy();
    }
  };
}
