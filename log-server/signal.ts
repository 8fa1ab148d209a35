/** A promise with its ends outside. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(reason: Error): void;
}

/** Makes a promise that somebody else settles. A rejection that nobody awaits is not a crash. */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: Error) => void;
  const promise = new Promise<T>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}

/**
 * A bell that loops sleep on: `wait` resolves at the next `ring`, or at once if it rang since the
 * last wait. So a loop that checks its conditions, then waits, misses nothing.
 */
export class Bell {
  #rung = false;
  #waiting: Deferred<void> | undefined;

  ring(): void {
    this.#rung = true;
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  async wait(): Promise<void> {
    if (!this.#rung) {
      this.#waiting ??= deferred();
      await this.#waiting.promise;
    }
    this.#rung = false;
  }
}

/** Runs tasks one after another, in the order they were given. A failed one does not stop the rest. */
export class Turnstile {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const next = this.#last.then(task, task);
    this.#last = next.catch(() => undefined);
    return next;
  }
}

/** News for any number of listeners, of whom nothing is kept once they have stopped waiting. */
export class News {
  readonly #waiting = new Set<() => void>();

  /** Those who wait now. */
  get waiting(): number {
    return this.#waiting.size;
  }

  tell(): void {
    for (const told of [...this.#waiting]) told();
  }

  /** Resolves when there is news, or when `until` is aborted. */
  next(until: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        until.removeEventListener('abort', done);
        resolve();
      };
      if (until.aborted) {
        resolve();
        return;
      }
      this.#waiting.add(done);
      until.addEventListener('abort', done);
    });
  }
}
