/** Time, as everything here is given it: real in a daemon, virtual in a test. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970-01-01T00:00:00Z. May step, in either direction. */
  now(): number;
  /** Milliseconds since some fixed moment. Never goes back; says nothing about the date. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds of `monotonic`; rejects with the signal's reason if aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
