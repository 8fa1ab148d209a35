/** How much an event matters. */
export type Level = 'debug' | 'info' | 'warn' | 'error';

/** Takes one event. Fields never hold key material. */
export type Logger = (level: Level, event: string, fields?: Record<string, unknown>) => void;

const ORDER: readonly Level[] = ['debug', 'info', 'warn', 'error'];

/** JSON lines, one per event at `from` or above. `write` takes a line with its newline. */
export function jsonLogger(write: (line: string) => void, now: () => number, from: Level = 'info'): Logger {
  return (level, event, fields = {}) => {
    if (ORDER.indexOf(level) < ORDER.indexOf(from)) return;
    write(`${JSON.stringify({ time: new Date(now()).toISOString(), level, event, ...fields })}\n`);
  };
}
