import type { LogState } from './state-file.js';

/** What a compare-and-swap came to. `state` is the one now in force. */
export type Advance = { swapped: boolean; state: LogState };

/** The states of all logs, as the witness's decisions need them. StateStore keeps them in files. */
export interface States {
  /** Whether the log was loaded. */
  has(origin: string): boolean;
  /** The state in force, which is durable; undefined if the log was not loaded. */
  get(origin: string): LogState | undefined;
  /**
   * Compare-and-swap: if `number` is still that of the state in force, makes the next one and resolves
   * when it is durable. `make` runs with the log to itself; what it throws leaves everything as it was.
   * Throws WitnessError "state_failed" if the state may not have been written.
   */
  advance(origin: string, number: number, make: (before: LogState) => LogState): Promise<Advance>;
}
