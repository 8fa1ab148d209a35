import type { ServerResponse } from 'node:http';

/**
 * Bytes of answers that have not been taken yet, over all connections. A reader may take as long as the
 * limits of a connection let him, and what he has not taken stays in memory: many slow readers of large
 * bundles together must not take all of it.
 */
export class AnswerBudget {
  readonly #limit: number;
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Is there room for anything? Asked before an answer is read from the disk. */
  isSpent(): boolean {
    return this.#held >= this.#limit;
  }

  /** Holds `bytes` until the answer has been taken or its connection has ended. */
  hold(response: ServerResponse, bytes: number): void {
    this.#held += bytes;
    response.once('close', () => (this.#held -= bytes));
  }
}
