import type { Clock } from '../../tlog/index.js';

interface Sleeper {
  readonly until: number;
  wake(): void;
}

/** A clock that a test owns: nothing passes but what `advance` says. */
export class ManualClock implements Clock {
  #elapsed = 0;
  #start: number;
  #sleepers: Sleeper[] = [];

  /** @param start milliseconds since 1970 */
  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#start = start;
  }

  now(): number {
    return this.#start + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  /** How many are asleep. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const off = (): void => {
        this.#sleepers = this.#sleepers.filter((each) => each !== sleeper);
        reject(signal?.reason as Error);
      };
      const wake = (): void => {
        signal?.removeEventListener('abort', off);
        resolve();
      };
      const sleeper = { until: this.#elapsed + ms, wake };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', off);
    });
  }

  /** Lets time pass and wakes, in order, whoever's time has come. */
  advance(ms: number): void {
    this.#elapsed += ms;
    const due = this.#sleepers
      .filter((each) => each.until <= this.#elapsed)
      .sort((a, b) => a.until - b.until);
    this.#sleepers = this.#sleepers.filter((each) => each.until > this.#elapsed);
    for (const sleeper of due) sleeper.wake();
  }

  /** Steps the wall clock, in either direction; nobody's sleep is changed. */
  step(ms: number): void {
    this.#start += ms;
  }
}
