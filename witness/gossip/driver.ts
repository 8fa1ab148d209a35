// When gossip asks: each peer at its own pace, so that one that hangs delays nobody, and all of them a little
// at random, so that a thousand witnesses do not ask at once.
import type { Clock } from '../../tlog/index.js';
import type { Gossip } from './engine.js';
import type { Peer } from './ports.js';

/** Milliseconds between two looks at one peer, give or take a quarter. */
const INTERVAL = 60_000;
/** After failures in a row the interval doubles, up to 32 times its length. */
const MOST_DOUBLINGS = 5;

export class Driver {
  readonly #gossip: Gossip;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #loops = new Map<string, { stop: AbortController; ended: Promise<void> }>();

  constructor(gossip: Gossip, clock: Clock, random: () => number) {
    this.#gossip = gossip;
    this.#clock = clock;
    this.#random = random;
  }

  /** Looks at these peers from now on, and at the logs. */
  update(peers: readonly Peer[]): void {
    const names = new Set(peers.filter(({ url }) => url !== undefined).map(({ name }) => name));
    for (const [name, { stop }] of this.#loops) {
      if (name === LOGS || names.has(name)) continue;
      stop.abort();
      this.#loops.delete(name);
    }
    for (const name of names) this.#start(name, () => this.#gossip.pull(name));
    this.#start(LOGS, async () => {
      await this.#gossip.readLogs();
      await this.#gossip.retry();
      return true;
    });
  }

  /** Asks nobody any more. What was asked may still be answered. */
  close(): void {
    for (const { stop } of this.#loops.values()) stop.abort();
    this.#loops.clear();
  }

  #start(name: string, look: () => Promise<boolean>): void {
    if (this.#loops.has(name)) return;
    const stop = new AbortController();
    this.#loops.set(name, { stop, ended: this.#loop(look, stop.signal) });
  }

  async #loop(look: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
    // The first look comes soon, whatever the interval.
    let wait = INTERVAL / 10;
    let failures = 0;
    for (;;) {
      await this.#clock.sleep(wait * (0.75 + this.#random() / 2), signal).catch(() => undefined);
      if (signal.aborted) return;
      failures = (await look().catch(() => false)) ? 0 : failures + 1;
      wait = INTERVAL * 2 ** Math.min(failures, MOST_DOUBLINGS);
    }
  }
}

/** The loop that looks at the logs; no key name has a space. */
const LOGS = 'all logs';
