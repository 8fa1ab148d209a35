/** How loud a line is. `alarm` is for what a human has to look at: a contradiction, a stopped pipeline. */
export type Level = 'debug' | 'info' | 'warn' | 'error' | 'alarm';

/** What a line says beside its message. Never key material, never the bytes of an entry. */
export type Fields = Readonly<
  Record<string, string | number | boolean | null | undefined | readonly string[]>
>;

/** Where the server says what it does. */
export interface Logger {
  log(level: Level, message: string, fields?: Fields): void;
}

const ORDER: readonly Level[] = ['debug', 'info', 'warn', 'error', 'alarm'];

/**
 * Writes one JSON object per line: `{"time","level","message",...fields}`.
 *
 * @param write takes one line, newline included
 * @param now milliseconds since 1970
 * @param threshold the quietest level that is written
 */
export function jsonLogger(
  write: (line: string) => void,
  now: () => number,
  threshold: Level = 'info',
): Logger {
  const least = ORDER.indexOf(threshold);
  return {
    log(level, message, fields = {}) {
      if (ORDER.indexOf(level) < least) return;
      write(`${JSON.stringify({ time: new Date(now()).toISOString(), level, message, ...fields })}\n`);
    },
  };
}

/** Says nothing. */
export const silentLogger: Logger = { log: () => undefined };
