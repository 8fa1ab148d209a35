import { isOneReader } from './places.js';

/** At work at one time, of all who read many entries. Storage keeps as many bundles of the largest entries. */
const AT_WORK = 2;
/** Entries after which the event loop has a turn: 1 ms, about. */
const STRETCH = 8;

/**
 * Turns at reading many entries: two are at work, one of them from one address. Of those who wait each address has a
 * turn before any has its second. How many wait is bounded by their places.
 */
export class ReadingTurns {
  readonly #working = new Map<string, number>();
  /** Those who wait, by address, in the order in which addresses have their turn. */
  readonly #waiting = new Map<string, Set<() => void>>();
  #atWork = 0;

  /** Works when it is its turn; undefined where `gone` was aborted before that. */
  async run<T>(address: string, gone: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    if (!(await this.#turn(address, gone))) return undefined;
    try {
      return await work();
    } finally {
      this.#atWork--;
      const left = (this.#working.get(address) ?? 1) - 1;
      if (left === 0) this.#working.delete(address);
      else this.#working.set(address, left);
      this.#putLast(address);
      this.#next();
    }
  }

  /** Resolves when a place at work is taken, with true, or when who waits has gone. */
  #turn(address: string, gone: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      if (gone.aborted) {
        resolve(false);
        return;
      }
      const waiting = this.#waiting.get(address) ?? new Set();
      this.#waiting.set(address, waiting);
      const start = (): void => {
        gone.removeEventListener('abort', leave);
        resolve(true);
      };
      const leave = (): void => {
        const left = this.#waiting.get(address);
        left?.delete(start);
        if (left?.size === 0) this.#waiting.delete(address);
        resolve(false);
      };
      waiting.add(start);
      gone.addEventListener('abort', leave, { once: true });
      this.#next();
    });
  }

  /** Its next turn comes behind those of all other addresses. */
  #putLast(address: string): void {
    const waiting = this.#waiting.get(address);
    this.#waiting.delete(address);
    if (waiting !== undefined && waiting.size > 0) this.#waiting.set(address, waiting);
  }

  #next(): void {
    for (const [address, waiting] of this.#waiting) {
      if (this.#atWork >= AT_WORK) return;
      const working = this.#working.get(address) ?? 0;
      if (working > 0 && isOneReader(address)) continue;
      const [start] = waiting;
      if (start === undefined) continue;
      waiting.delete(start);
      this.#putLast(address);
      this.#atWork++;
      this.#working.set(address, working + 1);
      start();
    }
  }
}

/** Awaited after each of many entries, with their count: now and then others have a turn, adds above all. */
export function breathe(count: number): Promise<void> | undefined {
  return count % STRETCH === 0 ? new Promise((resolve) => setImmediate(resolve)) : undefined;
}
