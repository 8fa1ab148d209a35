// What each source may cost in signatures that are verified. A note is read whole, whatever stands before its
// good lines; but whoever shows notes full of forged ones, again and again, spends his own share on them.
import type { Source } from './ports.js';

/** What one Ed25519 verification counts, and one of ML-DSA-44, which takes fifty times as long. */
export const ED25519_UNITS = 1;
export const MLDSA44_UNITS = 50;

/**
 * Units for each peer, and each log's own address, from one round to the next, beyond what every note may cost:
 * one note as full of ML-DSA-44 lines as 128 KiB can be, or 18 of Ed25519 lines. For all strangers: four times that.
 */
const UNITS = 2400;
const STRANGERS = 4;

/** What one source has left. */
interface Share {
  left: number;
}

/** What one note may cost. */
export class Effort {
  /** Something was refused: not every line was tried. */
  short = false;
  readonly #share: Share;

  constructor(share: Share) {
    this.#share = share;
  }

  /** Whether so many units are left to its source; if so, they are spent. */
  spend(units: number): boolean {
    if (units > this.#share.left) {
      this.short = true;
      return false;
    }
    this.#share.left -= units;
    return true;
  }
}

/** The shares of all sources, from one round to the next. */
export class Efforts {
  readonly #shares = new Map<string, Share>();

  /** For a note of this log. No key name has a space. */
  of(from: Source, origin: string): Effort {
    const who = from.kind === 'peer' ? from.name : from.kind === 'log' ? `log ${origin}` : 'all strangers';
    let share = this.#shares.get(who);
    if (!share) {
      share = { left: UNITS * (from.kind === 'stranger' ? STRANGERS : 1) };
      this.#shares.set(who, share);
    }
    return new Effort(share);
  }

  /** A new round. */
  refill(): void {
    this.#shares.clear();
  }
}
