// What all our programs say alike: their version, and what their exit statuses mean.
import { readFileSync } from 'node:fs';

/** Meanings of the exit statuses, of all programs together. README.md has the same table. */
const MEANINGS = {
  0: 'fine',
  1: 'failed: a check, a refusal, nothing found, or a folder that is not as it should be',
  2: 'usage, or input that cannot be read',
  3: 'try again: the network, or a folder or address that is taken',
  4: 'quorum not met',
  5: 'misbehaviour proven, evidence written to the file named',
} as const;

/** The part of a program's help that says what its exit statuses mean. */
export function exitStatusHelp(statuses: readonly (keyof typeof MEANINGS)[]): string {
  return ['', 'Exit status:', ...statuses.map((status) => `  ${status}  ${MEANINGS[status]}`)].join('\n');
}

/** The version of this package, from its package.json. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
