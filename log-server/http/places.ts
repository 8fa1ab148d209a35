import { networkOf } from '../../system/index.js';
import { SubmissionError } from '../errors.js';

/** As networkOf writes loopback. */
const OWN = ['127.0.0.1', networkOf('::1')];

/** Whether an address is one reader's: what connects from this machine is a proxy, behind which all share one. */
export function isOneReader(address: string): boolean {
  return !OWN.includes(address);
}

/** How many are served at one time, and how many of them from one address, so that one cannot take all places. */
export class Places {
  readonly #all: number;
  readonly #perAddress: number;
  readonly #of: string;
  readonly #held = new Map<string, number>();
  #taken = 0;

  /** `of` says in an error what there are too many of. */
  constructor(all: number, perAddress: number, of: string) {
    this.#all = all;
    this.#perAddress = perAddress;
    this.#of = of;
  }

  /** Takes one; what it answers gives it back, once. Throws SubmissionError "busy". */
  take(address: string): () => void {
    if (this.#taken >= this.#all)
      throw new SubmissionError('busy', `expected fewer than ${this.#all} ${this.#of}`);
    const held = this.#held.get(address) ?? 0;
    if (held >= this.#perAddress && isOneReader(address))
      throw new SubmissionError(
        'busy',
        `expected fewer than ${this.#perAddress} ${this.#of} from one address`,
      );
    this.#taken++;
    this.#held.set(address, held + 1);
    return () => {
      this.#taken--;
      const left = (this.#held.get(address) ?? 1) - 1;
      if (left === 0) this.#held.delete(address);
      else this.#held.set(address, left);
    };
  }
}
