/** What a long proof is given. */
export interface SoakOptions {
  /** How long it may go on, in minutes; a proof may end earlier when it has run out of cases. */
  readonly minutes: number;
  /** Chooses everything that is chosen at random, so that a failing run replays. */
  readonly seed: number;
  /** How many witnesses take part, where that can be chosen. */
  readonly witnesses?: number;
  /** How many entries a log gets, where that can be chosen. */
  readonly entries?: number;
}

/** What a long proof found. It throws when what it proves does not hold. */
export interface SoakResult {
  /** One line each, with the number and what it counts: `512 SIGKILLs, 0 acknowledged entries lost`. */
  readonly figures: readonly string[];
}

/** A long proof: `npm run soak -- NAME --minutes N --seed S`. */
export interface Soak {
  readonly desc: string;
  /** Where it ends with its work and not by the clock: undefined. */
  readonly minutes: number | undefined;
  /** The options, besides, that change what it does. */
  readonly takes: readonly ('seed' | 'witnesses' | 'entries')[];
  run(options: SoakOptions): Promise<SoakResult>;
}
