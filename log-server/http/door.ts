import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

/** Turns of the event loop that requests wait at most while connections are being taken. */
const TURNS = 512;
/** Requests that wait at most. Each may have 64 KiB of its body in memory that nothing counts yet. */
const WAITING = 1024;

/**
 * Lets connections in before requests. libuv takes one connection in each turn of the event loop (since 1.45), and
 * a turn lasts as long as all requests that came in it: where 4,096 clients connected at once, the last was taken
 * 3.5 s after the first, who had been answered ten times by then. So requests that come while there are more at the
 * door wait until it is empty: turns are short, and each takes one in. Bounded, so that who only opens connections
 * does not keep those waiting who ask.
 */
export class Door {
  readonly #handle: RequestListener;
  readonly #later: (turn: () => void) => void;
  #waiting: (readonly [IncomingMessage, ServerResponse])[] = [];
  #watching = false;
  #came = false;
  #turns = 0;

  /** `later` calls back when all that the system had ready has been taken: `setImmediate`. */
  constructor(handle: RequestListener, later: (turn: () => void) => void = setImmediate) {
    this.#handle = handle;
    this.#later = later;
  }

  /** A connection was taken. */
  opened(): void {
    this.#came = true;
    if (this.#watching) return;
    this.#watching = true;
    this.#turns = 0;
    this.#later(this.#turn);
  }

  /** Handles a request, at once or when the door is empty. */
  enter(request: IncomingMessage, response: ServerResponse): void {
    if (!this.#watching) {
      this.#handle(request, response);
      return;
    }
    this.#waiting.push([request, response]);
    if (this.#waiting.length >= WAITING) this.#letIn();
  }

  readonly #turn = (): void => {
    if (this.#came && this.#turns < TURNS) {
      this.#came = false;
      this.#turns++;
      this.#later(this.#turn);
      return;
    }
    this.#watching = false;
    this.#letIn();
  };

  #letIn(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [request, response] of waiting) {
      // Who has gone meanwhile says so no more.
      if (!request.socket.destroyed) this.#handle(request, response);
    }
  }
}
