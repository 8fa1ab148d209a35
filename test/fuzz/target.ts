/** Something that takes bytes from strangers. */
export interface FuzzTarget {
  /** `part: what`, e.g. `tlog: signed notes`. */
  readonly name: string;
  /** Inputs to begin with: good ones of every shape, and the bad ones that were hard once. */
  readonly seeds: readonly Uint8Array[];
  /**
   * Takes one input. May return, or throw a SteleError with a code: everything else it throws is a
   * finding. A target asserts whatever must hold for what it accepts, such as that formatting gives
   * the same bytes again. It must not keep or change the input.
   */
  run(bytes: Uint8Array): void | Promise<void>;
  /** How many inputs `npm test` tries; 2,000 unless given. Fewer for what is slow. */
  readonly iterations?: number;
}
