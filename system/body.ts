import type { IncomingMessage, ServerResponse } from 'node:http';
import { ByteCollector } from '../tlog/index.js';

/** A body, or why there is none: longer than its limit, given up for others, or its sender went away. */
export type Body =
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-large' | 'crowded' | 'gone' };

/**
 * Reads request bodies, which together hold at most `limit` bytes: from their first byte until their answer
 * has been taken. Where one more byte would be too much, the body that began first and is not here whole is
 * given up: thousands that drip never keep out one that comes at once. Before that, whoever has sent a body whole and
 * does not take the answer is cut off: he would hold his share for as long as a connection may stall.
 */
export class Bodies {
  readonly #limit: number;
  #held = 0;
  /** How to give up each that is not here whole, the one that began first in front. */
  readonly #unfinished = new Map<IncomingMessage, () => void>();
  /** How to let go of each that is here whole. */
  readonly #whole = new Map<ServerResponse, () => void>();

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
  async read(request: IncomingMessage, response: ServerResponse, limit: number): Promise<Body> {
    const announced = Number(request.headers['content-length']);
    if (announced > limit) return { kind: 'too-large' };
    // Most bodies come in one piece, which is taken as it is.
    let only: Uint8Array | undefined;
    let collected: ByteCollector | undefined;
    let held = 0;
    const release = (): void => {
      this.#held -= held;
      held = 0;
    };
    const kind = await new Promise<Body['kind']>((resolve) => {
      const end = (how: Body['kind']): void => {
        this.#unfinished.delete(request);
        request.off('data', take);
        if (how !== 'whole') request.pause();
        resolve(how);
      };
      const take = (chunk: Uint8Array): void => {
        if (chunk.length === announced && held === 0) {
          only = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
        } else {
          collected ??= new ByteCollector(limit);
          if (!collected.add(chunk)) {
            end('too-large');
            return;
          }
        }
        held += chunk.length;
        this.#held += chunk.length;
        while (this.#held > this.#limit && (this.#cutOffUntaken() || this.#giveUpOldest()));
        // Only bodies that are here whole are left: their answers are under way.
        if (this.#held > this.#limit) giveUp();
      };
      const giveUp = (): void => {
        release();
        end('crowded');
      };
      this.#unfinished.set(request, giveUp);
      request.on('data', take);
      request.once('end', () => end('whole'));
      // The client went away, or was too slow.
      request.once('error', () => end('gone'));
      request.once('close', () => end('gone'));
    });
    if (kind !== 'whole') {
      release();
      return { kind };
    }
    if (response.destroyed) release();
    else {
      this.#whole.set(response, release);
      response.once('close', () => {
        this.#whole.delete(response);
        release();
      });
    }
    return { kind, bytes: only ?? collected?.bytes() ?? new Uint8Array(0) };
  }

  /** Ends the connection of one whose answer has been written and does not leave. */
  #cutOffUntaken(): boolean {
    for (const [response, release] of this.#whole) {
      if (!response.writableEnded || response.writableFinished) continue;
      this.#whole.delete(response);
      release();
      response.destroy();
      return true;
    }
    return false;
  }

  #giveUpOldest(): boolean {
    for (const giveUp of this.#unfinished.values()) {
      giveUp();
      return true;
    }
    return false;
  }
}
