import { createHash } from 'node:crypto';
import type { Loop } from './loop.js';

/** Lines kept for whoever looks at a failure. */
const KEPT = 400;

/** Everything that happened, in order: two runs of one seed must have the same digest. */
export class Trace {
  readonly #loop: Loop;
  readonly #hash = createHash('sha256');
  readonly #print: ((line: string) => void) | undefined;
  #last: string[] = [];
  events = 0;

  constructor(loop: Loop, print?: (line: string) => void) {
    this.#loop = loop;
    this.#print = print;
  }

  /** Virtual milliseconds. */
  get now(): number {
    return this.#loop.now;
  }

  event(who: string, what: string): void {
    const line = `${String(this.#loop.now).padStart(8)} ${who}: ${what}`;
    this.#hash.update(`${line}\n`);
    this.events++;
    this.#print?.(line);
    this.#last.push(line);
    if (this.#last.length > 2 * KEPT) this.#last = this.#last.slice(-KEPT);
  }

  /** The latest lines. */
  tail(): string[] {
    return this.#last.slice(-KEPT);
  }

  /** Hex SHA-256 of all lines. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
