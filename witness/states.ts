import type { LogState } from './state-file.js';

/** What a compare-and-swap came to. `state` is the one now in force. */
export type Advance = { swapped: boolean; state: LogState };

/** Makes the next state of a log from the one in force. */
export type Make = (before: LogState) => LogState | Promise<LogState>;

/** The states of all logs, as the witness's decisions need them. StateStore keeps them in files. */
export interface States {
  /** Whether the log was loaded. */
  has(origin: string): boolean;
  /** The state in force, which is durable; undefined if the log was not loaded. */
  get(origin: string): LogState | undefined;
  /**
   * Compare-and-swap: if `number` is still that of the state in force, makes the next one and resolves
   * when it is durable. `make` has the log to itself until it resolves: nobody else advances it meanwhile,
   * so a time taken in there is outrun by none. What it throws leaves everything as it was.
   * Throws WitnessError "state_failed" if the state may not have been written.
   */
  advance(origin: string, number: number, make: Make): Promise<Advance>;
}
