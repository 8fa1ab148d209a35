// What several commands of stele-log take, and how what is missing or cannot be read is said.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Option } from 'commander';
import type { Fetch } from '../../client/index.js';
import { quote } from '../../tlog/index.js';
import { LogError } from '../errors.js';
import { checkFolder } from '../folder.js';
import { setting, whereToSet, wholeNumber } from '../options.js';
import { DEFAULT_LIMITS } from '../settings.js';

/** Node loads its own only when it is first named, which takes a while. */
export const fetch: Fetch = (url, init) => globalThis.fetch(url, init);

export const folderOption = (): Option => setting('-f, --folder <folder>', "the log's folder");

export const admissionOption = (): Option =>
  setting(
    '--admission <rules>',
    'charter: the rules of spec/attestations.md; none: any bytes, for tests and benchmarks',
  )
    .choices(['charter', 'none'])
    .default('charter');

/** Of an operator who logs something himself. */
export const operatorKeyOption = (): Option =>
  setting('--operator-key <file>', "the operator's signing key; the folder's where nothing is said");

/** Of a command that speaks to the log's server. */
export const urlOption = (): Option =>
  setting('--url <url>', 'of the running log').default('http://127.0.0.1:7381');

export const witnessTimeoutOption = (): Option =>
  setting(
    '--witness-timeout <ms>',
    `for one exchange with a witness (${DEFAULT_LIMITS.witnessTimeoutMs})`,
  ).argParser(wholeNumber(1));

export const reserveOption = (): Option =>
  setting('--reserve <MiB>', 'free space without which nothing is admitted (64)').argParser(wholeNumber(0));

/** An option that may come from the environment or a file too. Throws LogError `missing_option`. */
export function needed<T>(value: T | undefined, flag: string): T {
  if (value !== undefined) return value;
  throw new LogError('missing_option', `expected ${flag}, found none`, whereToSet(flag.replace(/^--/, '')));
}

/** The address of the log's server. Throws LogError `missing_option`, `bad_url`. */
export function neededUrl(given: string | undefined): string {
  const url = needed(given, '--url');
  if (URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol)) return url;
  throw new LogError(
    'bad_url',
    `--url: expected an http or https URL, found ${quote(url)}`,
    'such as http://127.0.0.1:7381',
  );
}

/** The path of a log's folder. Throws LogError `missing_option`, `no_log_here`. */
export async function neededFolder(folder: string | undefined): Promise<string> {
  const path = resolve(needed(folder, '--folder'));
  await checkFolder(path);
  return path;
}

/** The bytes of a file that the user named. Throws LogError `unreadable`. */
export async function readInput(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const found = reason === 'ENOENT' ? 'none' : reason;
    throw new LogError('unreadable', `expected a file at ${path}, found ${found}`, 'check the path', {
      cause,
    });
  }
}
