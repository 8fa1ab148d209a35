import type { IncomingMessage, ServerResponse } from 'node:http';
import { ByteCollector } from '../tlog/index.js';
import { onRequest, onResponse } from './listeners.js';

/** A body, or why there is none: longer than its limit, given up for others, or its sender went away. */
export type Body =
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-large' | 'crowded' | 'gone' };

/** A body that is not here whole. */
interface Reading {
  readonly response: ServerResponse;
  readonly announced: number;
  readonly limit: number;
  readonly resolve: (body: Body) => void;
  /** Bytes of it that are held. */
  held: number;
  /** Most bodies come in one piece, which is taken as it is. */
  only: Uint8Array | undefined;
  collected: ByteCollector | undefined;
}

/**
 * Reads request bodies, which together hold at most `limit` bytes: from their first byte until their answer
 * has been taken. Where one more byte would be too much, the body that began first and is not here whole is
 * given up: thousands that drip never keep out one that comes at once. Before that, whoever has sent a body whole and
 * does not take the answer is cut off: he would hold his share for as long as a connection may stall.
 */
export class Bodies {
  readonly #limit: number;
  #held = 0;
  /** The one that began first in front. */
  readonly #unfinished = new Map<IncomingMessage, Reading>();
  /** Bytes of each that is here whole, by its answer. */
  readonly #whole = new Map<ServerResponse, number>();
  readonly #onData = onRequest((request, chunk) => this.#take(request, chunk));
  readonly #onEnd = onRequest((request) => this.#end(request, 'whole'));
  /** The client went away, or was too slow; or all is done. */
  readonly #onGone = onRequest((request) => this.#end(request, 'gone'));
  readonly #onTaken = onResponse((response) => this.#letGo(response));

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes held. */
  get held(): number {
    return this.#held;
  }

  /**
   * At most `limit` bytes. Unless it is `whole`, what is left of the body is not read: the answer must close
   * the connection.
   */
  read(request: IncomingMessage, response: ServerResponse, limit: number): Promise<Body> {
    const announced = Number(request.headers['content-length']);
    if (announced > limit) return Promise.resolve({ kind: 'too-large' });
    return new Promise((resolve) => {
      this.#unfinished.set(request, {
        response,
        announced,
        limit,
        resolve,
        held: 0,
        only: undefined,
        collected: undefined,
      });
      request.on('data', this.#onData);
      request.on('end', this.#onEnd);
      request.on('error', this.#onGone);
      request.on('close', this.#onGone);
    });
  }

  #take(request: IncomingMessage, chunk: Uint8Array): void {
    const reading = this.#unfinished.get(request);
    if (reading === undefined) return;
    if (chunk.length === reading.announced && reading.held === 0) {
      reading.only = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    } else {
      reading.collected ??= new ByteCollector(reading.limit);
      if (!reading.collected.add(chunk)) {
        this.#end(request, 'too-large');
        return;
      }
    }
    reading.held += chunk.length;
    this.#held += chunk.length;
    while (this.#held > this.#limit && (this.#cutOffUntaken() || this.#giveUpOldest()));
    // Only bodies that are here whole are left: their answers are under way.
    if (this.#held > this.#limit) this.#end(request, 'crowded');
  }

  /** The first end of a body is its end. */
  #end(request: IncomingMessage, kind: Body['kind']): void {
    const reading = this.#unfinished.get(request);
    if (reading === undefined) return;
    this.#unfinished.delete(request);
    const { response, resolve, only, collected } = reading;
    if (kind !== 'whole') {
      request.off('data', this.#onData);
      request.pause();
      this.#held -= reading.held;
      resolve({ kind });
      return;
    }
    if (response.destroyed) {
      this.#held -= reading.held;
    } else {
      this.#whole.set(response, reading.held);
      response.on('close', this.#onTaken);
    }
    resolve({ kind, bytes: only ?? collected?.bytes() ?? new Uint8Array(0) });
  }

  #letGo(response: ServerResponse): void {
    this.#held -= this.#whole.get(response) ?? 0;
    this.#whole.delete(response);
  }

  /** Ends the connection of one whose answer has been written and does not leave. */
  #cutOffUntaken(): boolean {
    for (const response of this.#whole.keys()) {
      if (!response.writableEnded || response.writableFinished) continue;
      this.#letGo(response);
      response.destroy();
      return true;
    }
    return false;
  }

  #giveUpOldest(): boolean {
    for (const request of this.#unfinished.keys()) {
      this.#end(request, 'crowded');
      return true;
    }
    return false;
  }
}
