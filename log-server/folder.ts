import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeUtf8, parseSigningKey } from '../tlog/index.js';
import type { SigningKey } from '../tlog/index.js';
import { LogError } from './errors.js';

/** The names in a log's folder. Keys lie beside the data, never in it: a copy of the data holds no key. */
export const FILES = {
  logKey: 'log.key',
  anchorKey: 'anchor.key',
  operatorKey: 'operator.key',
  policy: 'policy',
  charter: 'charter.json',
  data: 'data',
} as const;

/**
 * Reads a signing key. Throws LogError `no_key`, or `key_exposed` if anybody but its owner may read
 * it.
 */
export async function readKey(path: string): Promise<SigningKey> {
  let mode: number;
  try {
    ({ mode } = await stat(path));
  } catch (cause) {
    throw new LogError(
      'no_key',
      `expected a key at ${path}, found none`,
      'run stele-log init, or restore the key',
      { cause },
    );
  }
  // Group and others may do nothing with it.
  if ((mode & 0o077) !== 0) {
    const found = (mode & 0o777).toString(8).padStart(4, '0');
    throw new LogError(
      'key_exposed',
      `expected mode 0600 of ${path}, found ${found}`,
      `chmod 600 ${path}, and ask who has read it`,
    );
  }
  return parseSigningKey(decodeUtf8(await readFile(path), 'signing key').trimEnd());
}

/** Reads the policy of a log's folder. Throws LogError `no_policy`. */
export async function readPolicyFile(folder: string): Promise<Uint8Array> {
  const path = join(folder, FILES.policy);
  try {
    return await readFile(path);
  } catch (cause) {
    throw new LogError(
      'no_policy',
      `expected a tlog-policy at ${path}, found none`,
      'name one with --policy',
      { cause },
    );
  }
}

/** The charter's leaf bytes; undefined in a folder made with `--admission none`. */
export async function readCharterFile(folder: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(join(folder, FILES.charter));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
