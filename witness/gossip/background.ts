// What goes on while others go on: nobody waits for it, and nothing of it is lost sight of.
import type { Logger } from '../log.js';

export class Background {
  readonly #log: Logger;
  readonly #running = new Set<Promise<unknown>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Runs on while others go on; what goes wrong in it is logged, and `promise` still tells its owner. */
  run<T>(promise: Promise<T>): Promise<T> {
    const watched = promise.catch((error: unknown) => {
      this.#log('error', 'gossip-failed', { message: error instanceof Error ? error.message : '' });
    });
    this.#running.add(watched);
    void watched.finally(() => this.#running.delete(watched));
    return promise;
  }

  /** Resolves when nothing is under way any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
