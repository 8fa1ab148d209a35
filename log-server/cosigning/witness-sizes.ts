import type { Logger } from '../logger.js';
import type { LogStorage } from '../storage/types.js';

/**
 * Keeps what each witness last cosigned. What comes while one write is under way goes into the next: each is a sync
 * that commits wait for. Nothing waits for it: a crash before it landed leaves an older size, with which the next
 * start asks once more.
 */
export class WitnessSizes {
  readonly #storage: LogStorage;
  readonly #logger: Logger;
  readonly #waiting = new Map<string, number>();
  #writing: Promise<void> | undefined;

  constructor(storage: LogStorage, logger: Logger) {
    this.#storage = storage;
    this.#logger = logger;
  }

  /** The witness remembered by `key` has cosigned the tree of `size`. */
  put(key: string, size: number): void {
    this.#waiting.set(key, size);
    this.#writing ??= this.#write();
  }

  /** Resolves when all that was put is written, or has failed to be. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#waiting.size > 0) {
      // What is in hand first: the publication that this cosignature completes, say.
      await new Promise(setImmediate);
      const sizes = new Map(this.#waiting);
      this.#waiting.clear();
      try {
        await this.#storage.putWitnessSizes(sizes);
      } catch (error) {
        // It remembers less than it could: the next start asks with one question more.
        this.#logger.log('warn', 'witness sizes not stored', {
          witnesses: [...sizes.keys()],
          error: String(error),
        });
      }
    }
    this.#writing = undefined;
  }
}
