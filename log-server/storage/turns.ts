import { StorageError, reason } from './error.js';

/** What waits for its own kind and not for the others. */
export type TurnKind = 'commit' | 'readable' | 'notes';

/** One call of a kind at a time, and none after a failure whose outcome is unknown. */
export class Turns {
  #failed: StorageError | undefined;
  readonly #queues: Record<TurnKind, Promise<unknown>> = {
    commit: Promise.resolve(),
    readable: Promise.resolve(),
    notes: Promise.resolve(),
  };

  run<T>(kind: TurnKind, work: () => Promise<T>): Promise<T> {
    const result = this.#queues[kind].then(async () => {
      if (this.#failed) throw this.#failed;
      try {
        return await work();
      } catch (error) {
        // Anything but a clean refusal, a thrown hook too: what is in memory may not be what is on disk.
        const clean =
          error instanceof StorageError &&
          ['size_conflict', 'not_allowed', 'storage_failed'].includes(error.code);
        if (!clean) this.#failed ??= failure(error);
        throw error;
      }
    });
    this.#queues[kind] = result.catch(() => undefined);
    return result;
  }

  /** Lets what is under way end; everything after it is refused. */
  async close(): Promise<void> {
    this.#failed ??= new StorageError('closed', 'storage: it was closed', 'open the folder again');
    await Promise.allSettled(Object.values(this.#queues));
  }
}

function failure(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  return new StorageError('outcome_unknown', `storage: ${reason(error)}`, 'the log stops', { cause: error });
}
