// A witness's word is worth its clock. Two rules, beside the one in witness.ts that a log's timestamps
// never fall: what the monotonic clock cannot confirm is not signed, and a doubt once raised outlives a
// restart.
import type { Clock } from '../tlog/index.js';
import { markFile, type Mark } from './mark.js';

/** Milliseconds by which the wall clock may move ahead of the monotonic one. */
const MAX_LEAD = 60 * 60 * 1000;

/** What is written down when the clock leaps, for whoever has to confirm it. */
export interface ClockLeap {
  /** Milliseconds since the epoch that the monotonic clock leads to. */
  expected: number;
  /** Milliseconds since the epoch that the wall clock shows. */
  found: number;
}

export class ClockGuard {
  readonly #clock: Clock;
  readonly #leapMark: Mark<ClockLeap>;
  /** The smallest difference seen between wall clock and monotonic clock. */
  #offset: number;
  #leap: ClockLeap | undefined;
  /** Whether the mark for the leap reached the disk. */
  #written: Promise<boolean> = Promise.resolve(true);

  private constructor(clock: Clock, mark: Mark<ClockLeap>, leap: ClockLeap | undefined) {
    this.#clock = clock;
    this.#leapMark = mark;
    this.#offset = clock.now() - clock.monotonic();
    this.#leap = leap;
  }

  /** What is marked was not confirmed before the last stop. */
  static async open(clock: Clock, mark: Mark<ClockLeap>): Promise<ClockGuard> {
    return new ClockGuard(clock, mark, await mark.read());
  }

  /** Looks at both clocks. The leap that is not confirmed, if there is one: then nothing is signed. */
  check(): ClockLeap | undefined {
    if (this.#leap) return this.#leap;
    const now = this.#clock.now();
    const monotonic = this.#clock.monotonic();
    const lead = now - monotonic - this.#offset;
    if (lead > MAX_LEAD) {
      const leap = { expected: monotonic + this.#offset, found: now };
      this.#leap = leap;
      this.#written = this.#mark(leap);
      return leap;
    }
    // Taken back to the lowest, or many small steps would add up to a leap that nobody confirmed.
    this.#offset = Math.min(this.#offset, now - monotonic);
    return undefined;
  }

  /** Sees whether the operator has confirmed the leap, by removing the mark. */
  async refresh(): Promise<void> {
    const leap = this.#leap;
    if (!leap) return;
    if (!(await this.#written)) {
      // A full disk, perhaps. Without its mark the leap would not survive a restart: once more.
      this.#written = this.#mark(leap);
      return;
    }
    if ((await this.#leapMark.read()) || this.#leap !== leap) return;
    this.#leap = undefined;
    this.#offset = this.#clock.now() - this.#clock.monotonic();
  }

  async #mark(leap: ClockLeap): Promise<boolean> {
    try {
      await this.#leapMark.write(leap);
      return true;
    } catch {
      // The leap stays in memory: nothing is signed either way.
      return false;
    }
  }

  /** Resolves when no mark is being written any more. */
  async idle(): Promise<void> {
    await this.#written;
  }

  /** Whole seconds since the epoch. */
  seconds(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}

/** A file that exists as long as a leap is not confirmed. */
export function leapFile(file: string): Mark<ClockLeap> {
  return markFile(file, { expected: 0, found: 0 }, isLeap);
}

function isLeap(value: unknown): value is ClockLeap {
  const leap = value as Partial<ClockLeap> | null;
  return typeof leap?.expected === 'number' && typeof leap.found === 'number';
}
