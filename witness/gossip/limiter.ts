/** Lets so many jobs run at once, the others in the order in which they came. */
export class Limiter {
  readonly #most: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  async run<T>(job: () => Promise<T>): Promise<T> {
    // The place of one that ends goes straight to the next, so nobody who comes in between takes it.
    if (this.#running >= this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await job();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}

/** Runs `job` for each item, `most` at a time. The first failure ends it, once what runs has ended. */
export async function forEachOf<T>(
  items: readonly T[],
  most: number,
  job: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items].reverse();
  let failed: { error: unknown } | undefined;
  const work = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined && !failed; item = left.pop()) {
      try {
        await job(item);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, work));
  if (failed) throw failed.error;
}
