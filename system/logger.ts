/** How loud a line is. `alarm` is for what a human has to look at: a contradiction, a stopped pipeline. */
export type Level = 'debug' | 'info' | 'warn' | 'error' | 'alarm';

const ORDER: readonly Level[] = ['debug', 'info', 'warn', 'error', 'alarm'];

/** What a server's lines are made with. */
export interface LineOptions {
  /** Takes one line, newline included. */
  readonly write: (line: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** The quietest level that is written; `info` where nothing is said. */
  readonly from?: Level | undefined;
  /** What the second field is called: a log says a `message`, a witness names an `event`. */
  readonly about: 'message' | 'event';
}

/** Writes one JSON object per line: `{"time","level","message",...fields}`, or with `event` in place of `message`. */
export function jsonLines({
  write,
  now,
  from = 'info',
  about,
}: LineOptions): (level: Level, text: string, fields?: Readonly<Record<string, unknown>>) => void {
  const least = ORDER.indexOf(from);
  return (level, text, fields = {}) => {
    if (ORDER.indexOf(level) < least) return;
    write(`${JSON.stringify({ time: new Date(now()).toISOString(), level, [about]: text, ...fields })}\n`);
  };
}
