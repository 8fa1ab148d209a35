// A network on which messages are late, lost, repeated, or stopped by a partition.
import type { Random } from '../random.js';
import type { Loop } from './loop.js';

/** How bad it is. Probabilities are for each message; an answer is a message too. */
export interface Conditions {
  readonly loss: number;
  /** Of a request that arrives a second time, later. */
  readonly repeat: number;
  /** Milliseconds. Each message takes any time up to this. */
  readonly delay: number;
}

/** Milliseconds after which nobody waits for an answer any more. */
export const TIMEOUT_MS = 10_000;

/** What a caller sees where no answer came. */
export class Unreachable extends Error {}

export class Network {
  readonly #loop: Loop;
  readonly #random: Random;
  /** Parties with different numbers do not reach each other; one without reaches all. */
  #parts: ReadonlyMap<string, number> = new Map();
  conditions: Conditions;
  messages = 0;

  constructor(loop: Loop, random: Random, conditions: Conditions) {
    this.#loop = loop;
    this.#random = random;
    this.conditions = conditions;
  }

  /** Nothing passes between parties of different numbers from now on. */
  partition(parts: ReadonlyMap<string, number>): void {
    this.#parts = parts;
  }

  heal(): void {
    this.#parts = new Map();
  }

  reaches(from: string, to: string): boolean {
    const [a, b] = [this.#parts.get(from), this.#parts.get(to)];
    return a === undefined || b === undefined || a === b;
  }

  /**
   * Has `to` do something and brings back what came of it. Rejects with Unreachable where no answer came in
   * time, and with what `handle` threw. `handle` may run although no answer comes, and may run twice.
   */
  call<T>(from: string, to: string, handle: () => Promise<T>): Promise<T> {
    const { loss, repeat } = this.conditions;
    return new Promise((resolve, reject) => {
      let over = false;
      const end = (settle: () => void): boolean => {
        if (over) return false;
        over = true;
        settle();
        return true;
      };
      this.#loop.after(TIMEOUT_MS, () => end(() => reject(new Unreachable(`${from} to ${to}: no answer`))));
      const answer = (settle: () => void): void => {
        this.messages++;
        if (!this.reaches(from, to) || this.#random.chance(loss)) return;
        this.#loop.after(this.#delay(), () => end(settle));
      };
      const request = (): void => {
        this.messages++;
        if (!this.reaches(from, to) || this.#random.chance(loss)) return;
        this.#loop.after(this.#delay(), () => {
          handle().then(
            (value) => answer(() => resolve(value)),
            (error: unknown) =>
              answer(() => reject(error instanceof Error ? error : new Error(String(error)))),
          );
        });
      };
      request();
      if (this.#random.chance(repeat)) request();
    });
  }

  #delay(): number {
    return 1 + this.#random.below(this.conditions.delay);
  }
}
