import type { Clock } from '../tlog/index.js';
import { SubmissionError } from './errors.js';

interface Bucket {
  tokens: number;
  at: number;
}

/** As many of them are remembered; the one unused for longest is forgotten, with a full bucket. */
const MAX_KEYS = 10_000;

/** A token bucket per participant, so that one cannot fill the log's queue for the others. */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #rate: number;
  readonly #burst: number;
  /** In order of last use. */
  readonly #buckets = new Map<string, Bucket>();

  /**
   * @param rate entries per second; 0 for no limit
   * @param burst entries at once after a pause
   */
  constructor(clock: Clock, rate: number, burst: number) {
    this.#clock = clock;
    this.#rate = rate;
    this.#burst = burst;
  }

  /** Takes one token of `key`, a participant. Throws SubmissionError "rate_limited" if there is none. */
  take(key: string): void {
    if (this.#rate === 0) return;
    const now = this.#clock.monotonic();
    const { tokens, at } = this.#buckets.get(key) ?? { tokens: this.#burst, at: now };
    const filled = Math.min(this.#burst, tokens + ((now - at) / 1000) * this.#rate);
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: filled < 1 ? filled : filled - 1, at: now });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > MAX_KEYS && oldest !== undefined) this.#buckets.delete(oldest);
    if (filled < 1) {
      throw new SubmissionError(
        'rate_limited',
        `expected at most ${this.#rate} ${this.#rate === 1 ? 'entry' : 'entries'} per second of one participant`,
      );
    }
  }
}
