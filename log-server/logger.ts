import { jsonLines, type Level } from '../system/index.js';

export type { Level } from '../system/index.js';

/** What a line says beside its message. Never key material, never the bytes of an entry. */
export type Fields = Readonly<
  Record<string, string | number | boolean | null | undefined | readonly string[]>
>;

/** Where the server says what it does. */
export interface Logger {
  log(level: Level, message: string, fields?: Fields): void;
}

/** JSON lines, as {@link jsonLines} writes them; `now` is in milliseconds since 1970. */
export function jsonLogger(write: (line: string) => void, now: () => number, from?: Level): Logger {
  return { log: jsonLines({ write, now, from, about: 'message' }) };
}

/** Says nothing. */
export const silentLogger: Logger = { log: () => undefined };
