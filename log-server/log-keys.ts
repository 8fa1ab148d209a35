// The keys a log signs its checkpoints with: Ed25519 always, ML-DSA-44 beside it if it was made so.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readKeyFile } from '../system/index.js';
import { COSIGNATURE_MLDSA44, NOTE_ED25519, quote, signNote } from '../tlog/index.js';
import type { SigningKey, Vkey } from '../tlog/index.js';
import { LogError } from './errors.js';
import { FILES } from './folder.js';

/** Ed25519 first, whose name is the origin and whose ID names the lock; all are of one name. */
export type LogKeys = readonly [SigningKey, ...SigningKey[]];

/**
 * The time that ML-DSA-44 lines of a log state: none. A line says that this tree is consistent with all the
 * log has signed, and nothing of when; so the same head has the same bytes whenever it is signed, and a
 * clock that steps makes a log say nothing that it would have to take back. C2SP tlog-cosignature lets the
 * timestamp be zero.
 */
export const NO_TIME = 0;

/** Reads the keys of a log's folder. Throws KeyFileError, LogError "wrong_log_key". */
export async function readLogKeys(folder: string): Promise<LogKeys> {
  const first = readKey(folder, FILES.logKey, NOTE_ED25519);
  if (!(await readdir(folder)).includes(FILES.logMldsaKey)) return [first];
  const second = readKey(folder, FILES.logMldsaKey, COSIGNATURE_MLDSA44);
  if (second.name !== first.name) {
    throw new LogError(
      'wrong_log_key',
      `expected ${FILES.logMldsaKey} to be named ${quote(first.name)} as ${FILES.logKey} is, found ${quote(second.name)}`,
      'restore it from its backup',
    );
  }
  return [first, second];
}

function readKey(folder: string, file: string, type: number): SigningKey {
  const key = readKeyFile(join(folder, file));
  if (key.type === type) return key;
  throw new LogError(
    'wrong_log_key',
    `${file}: expected a log's signing key of type ${type}, found type ${key.type}`,
    'restore it from its backup',
  );
}

/** The public keys, in their order. */
export function vkeysOf([first, ...others]: LogKeys): [Vkey, ...Vkey[]] {
  return [first.vkey, ...others.map(({ vkey }) => vkey)];
}

/**
 * The note with a line by each key, in their order. Deterministic: the same text gives the same bytes.
 * Throws TlogError "bad_subtree" where the origin is too long for an ML-DSA-44 line.
 */
export function signHead(text: string, keys: readonly SigningKey[]): Uint8Array {
  return signNote(text, keys, NO_TIME);
}
