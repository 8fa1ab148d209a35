import type { Clock } from '../../tlog/index.js';

interface Bucket {
  tokens: number;
  at: number;
}

/** As many addresses are remembered; the one unused for longest is forgotten, with a full bucket. */
const MAX_ADDRESSES = 4096;

/** What strangers may cost: a token bucket for each address, and one for all together. */
export class Rate {
  readonly #clock: Clock;
  readonly #each: { rate: number; burst: number };
  readonly #all: { rate: number; burst: number };
  readonly #buckets = new Map<string, Bucket>();
  #shared: Bucket | undefined;

  /** Tokens per second, and at once after a pause. */
  constructor(clock: Clock, each: { rate: number; burst: number }, all: { rate: number; burst: number }) {
    this.#clock = clock;
    this.#each = each;
    this.#all = all;
  }

  /** Whether anything is left for this address. What it costs in the end may be more: then it pays later. */
  allows(address: string): boolean {
    const now = this.#clock.monotonic();
    const mine = fill(this.#buckets.get(address), now, this.#each);
    const shared = fill(this.#shared, now, this.#all);
    return mine.tokens >= 1 && shared.tokens >= 1;
  }

  charge(address: string, tokens: number): void {
    const now = this.#clock.monotonic();
    const mine = fill(this.#buckets.get(address), now, this.#each);
    this.#buckets.delete(address);
    this.#buckets.set(address, { ...mine, tokens: mine.tokens - tokens });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > MAX_ADDRESSES && oldest !== undefined) this.#buckets.delete(oldest);
    const shared = fill(this.#shared, now, this.#all);
    this.#shared = { ...shared, tokens: shared.tokens - tokens };
  }
}

function fill(
  bucket: Bucket | undefined,
  now: number,
  { rate, burst }: { rate: number; burst: number },
): Bucket {
  if (!bucket) return { tokens: burst, at: now };
  return { tokens: Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * rate), at: now };
}
