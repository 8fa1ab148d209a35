import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * A listener of requests that is made once: a closure made for each request lives as long as its answer takes, and
 * garbage collection copies it.
 */
export function onRequest(
  listener: (request: IncomingMessage, chunk: Uint8Array) => void,
): (this: IncomingMessage, chunk: Uint8Array) => void {
  return function (chunk) {
    listener(this, chunk);
  };
}

/** The same of answers. */
export function onResponse(listener: (response: ServerResponse) => void): (this: ServerResponse) => void {
  return function () {
    listener(this);
  };
}
