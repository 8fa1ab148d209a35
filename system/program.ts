// What all our programs say alike: their version, and what their exit statuses mean.
import { readFileSync } from 'node:fs';
import { EXIT_MEANINGS, type ExitStatus } from './exit.js';
import { wrapText } from './terminal.js';

/** The part of a program's help that says what its exit statuses mean. */
export function exitStatusHelp(statuses: readonly ExitStatus[]): string {
  const lines = statuses.map((status) => `  ${status}  ${wrapText(EXIT_MEANINGS[status], 75, 5)}`);
  return ['', 'Exit status:', ...lines].join('\n');
}

/** The version of this package, from its package.json. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
