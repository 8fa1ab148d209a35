// Checks of what people type, with the same rules as spec/schema/common.json.
import { CliError, EXIT } from './errors.js';

/** Throws CliError "bad_identifier". */
export function checkIdentifier(text: string, what: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,63}$/.test(text)) return text;
  throw new CliError(
    EXIT.usage,
    'bad_identifier',
    `${what}: expected lower-case letters, digits, dots, underscores and hyphens, at most 64, found ${JSON.stringify(text)}`,
    'for example example-lab',
  );
}

/** A non-negative integer of any size, as decimal digits. Throws CliError "bad_number". */
export function checkDecimal(text: string, what: string): string {
  if (/^(0|[1-9][0-9]{0,59})$/.test(text)) return text;
  throw new CliError(
    EXIT.usage,
    'bad_number',
    `${what}: expected a whole number in decimal digits, found ${JSON.stringify(text)}`,
    'write it out: 18520473600, not 1.85e10',
  );
}

/** A count, step or index. Throws CliError "bad_number". */
export function checkCount(text: string, what: string): number {
  const value = Number(checkDecimal(text, what));
  if (Number.isSafeInteger(value)) return value;
  throw new CliError(
    EXIT.usage,
    'bad_number',
    `${what}: expected at most 2^53 - 1, found ${text}`,
    'larger numbers are not supported',
  );
}

/** A SHA-256. Throws CliError "bad_digest". */
export function checkDigest(text: string, what: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new CliError(
    EXIT.usage,
    'bad_digest',
    `${what}: expected a SHA-256 in hex, found ${JSON.stringify(text)}`,
    '64 lower-case hexadecimal digits',
  );
}

/** Seconds since 1970 from such a number or an ISO 8601 time with its zone. Throws CliError "bad_time". */
export function checkTime(text: string, what: string): number {
  // Before March 1973 there was no such number of nine digits: 2026 is a year, and 20260301 a day.
  if (/^[1-9][0-9]{8,11}$/.test(text)) return Number(text);
  const milliseconds = /(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(milliseconds) && milliseconds >= 0) return Math.floor(milliseconds / 1000);
  throw new CliError(
    EXIT.usage,
    'bad_time',
    `${what}: expected a time with its zone, found ${JSON.stringify(text)}`,
    'for example 2026-03-01T12:00:00Z, or seconds since 1970 from 100000000 on',
  );
}
