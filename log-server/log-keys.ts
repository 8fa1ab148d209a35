// The keys a log signs its checkpoints with: one or several, each for the heads of a range of sizes.
//
//   log-keys.json   {"keys": [{"vkey", "file", "from", "until"}, …]}: every key that ever signed, in the
//                   order in which they came. `from` and `until` are the sizes of the first and the last head that
//                   it signs, `until` null while it signs. `file` holds the secret; a key that has retired
//                   needs none. It changes by add-key and retire-key alone: rotation.ts.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyFileError, readKeyFile, replaceFile } from '../system/index.js';
import {
  COSIGNATURE_MLDSA44,
  NOTE_ED25519,
  formatKeyId,
  formatVkey,
  parseVkey,
  quote,
  signNote,
} from '../tlog/index.js';
import type { SigningKey, Vkey } from '../tlog/index.js';
import { LogError } from './errors.js';
import { FILES, checkFolder } from './folder.js';
import { UNFINISHED_HINT, isUnfinished } from './unfinished.js';
import { FolderDisk } from './storage/index.js';
import { checkCurrent, readFormat } from './storage/open.js';
import type { KeySpan, LogStorageOptions } from './storage/types.js';

/** Those that sign now. Ed25519 first, whose name is the origin; all are of one name. */
export type LogKeys = readonly [SigningKey, ...SigningKey[]];

/** A key of the log, and which heads it signs. */
export interface KeyLife extends KeySpan {
  readonly vkey: Vkey;
  /** The name, in the log's folder, of the file with its secret. */
  readonly file: string;
}

/** Every key that ever signed for a log. The first one's ID names the lock, for good. */
export type KeyLives = readonly [KeyLife, ...KeyLife[]];

/**
 * The time that ML-DSA-44 lines of a log state: none. A line says that this tree is consistent with all the
 * log has signed, and nothing of when; so the same head has the same bytes whenever it is signed, and a
 * clock that steps makes a log say nothing that it would have to take back. C2SP tlog-cosignature lets the
 * timestamp be zero.
 */
export const NO_TIME = 0;

/**
 * Reads which keys the log has and had. Throws LogError "no_log_keys", "bad_log_keys", "no_log_here" where there is
 * no log's folder, or what an init left that was cut off, StorageError "unknown_format", "old_format" for a folder of which
 * another program knows more.
 */
export async function readKeyLives(folder: string): Promise<KeyLives> {
  const found = await readFormat(new FolderDisk(join(folder, FILES.data)));
  if (found !== undefined) checkCurrent(found.format);
  else if (await isUnfinished(folder))
    throw new LogError(
      'no_log_here',
      `expected the folder of a log at ${folder}, found a part of one`,
      UNFINISHED_HINT,
    );
  return readListedKeys(folder);
}

/** As readKeyLives, of a folder of any format. */
export async function readListedKeys(folder: string): Promise<KeyLives> {
  const path = join(folder, FILES.logKeys);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    // Of any other reason the system's own words say what to do.
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    await checkFolder(folder);
    throw new LogError(
      'no_log_keys',
      `expected the list of the log's keys at ${path}, found none`,
      "is this a log's folder? Restore the file from its backup; a log of before there was one gets it by: stele-log upgrade",
      { cause },
    );
  }
  try {
    return parseKeyLives(text);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new LogError('bad_log_keys', `${path}: ${what}`, 'restore it from its backup', { cause });
  }
}

/** Throws TlogError for a vkey that is none, RangeError for anything else. */
export function parseKeyLives(text: string): KeyLives {
  const { keys } = JSON.parse(text) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new RangeError('expected {"keys": […]}');
  const lives = keys.map((each: unknown): KeyLife => {
    const { vkey, file, from, until } = each as Record<string, unknown>;
    const span = { from: sizeOf(from, 'from'), until: until === null ? null : sizeOf(until, 'until') };
    if (typeof file !== 'string' || !/^[a-z0-9][a-z0-9.-]*$/.test(file))
      throw new RangeError('file: expected the name of a file beside this one');
    return { vkey: parseVkey(String(vkey)), file, ...span };
  });
  const [first, ...rest] = lives;
  if (first === undefined) throw new RangeError('expected a key, found none');
  for (const { vkey } of lives) {
    if (vkey.type !== NOTE_ED25519 && vkey.type !== COSIGNATURE_MLDSA44)
      throw new RangeError(`expected log keys of type 1 or 6, found type ${vkey.type}`);
    if (vkey.name !== first.vkey.name)
      throw new RangeError(`expected keys of one name, found ${quote(vkey.name)} too`);
  }
  if (new Set(lives.map(({ vkey }) => vkey.keyId)).size !== lives.length)
    throw new RangeError('expected keys of different IDs');
  return [first, ...rest];
}

function sizeOf(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`${what}: expected a tree size`);
}

export function formatKeyLives(lives: KeyLives): string {
  const keys = lives.map(({ vkey, file, from, until }) => ({ vkey: formatVkey(vkey), file, from, until }));
  return `${JSON.stringify({ keys }, null, 2)}\n`;
}

/** Durable when it resolves. */
export function writeKeyLives(folder: string, lives: KeyLives): Promise<void> {
  return replaceFile(join(folder, FILES.logKeys), formatKeyLives(lives));
}

/** Those that sign, Ed25519 first. */
export function activeLives(lives: readonly KeyLife[]): KeyLife[] {
  const active = lives.filter(({ until }) => until === null);
  const isFirst = ({ vkey }: KeyLife): boolean => vkey.type === NOTE_ED25519;
  return [...active.filter(isFirst), ...active.filter((life) => !isFirst(life))];
}

/** Reads the secrets of the keys that sign now. Throws KeyFileError, LogError "wrong_log_key", and as readKeyLives. */
export async function readLogKeys(folder: string): Promise<LogKeys> {
  return keysOf(folder, await readKeyLives(folder));
}

/** The secrets of those of these keys that sign now. Throws KeyFileError, LogError "wrong_log_key". */
export function keysOf(folder: string, lives: KeyLives): LogKeys {
  const active = activeLives(lives);
  const [first, ...others] = active.map((life) => {
    const goesOn = active.some((each) => each !== life && each.vkey.type === NOTE_ED25519);
    return readKey(folder, life, goesOn);
  });
  if (first?.type !== NOTE_ED25519) {
    const found = `expected ${FILES.logKeys} to have an Ed25519 key that signs, found none`;
    throw new LogError('bad_log_keys', found, 'restore it from its backup');
  }
  return [first, ...others];
}

/** `goesOn`: whether the log can do without this one. */
function readKey(folder: string, { vkey, file }: KeyLife, goesOn: boolean): SigningKey {
  const id = formatKeyId(vkey.keyId);
  const wanted = `the log key ${id} (type ${vkey.type})`;
  const otherwise = goesOn
    ? `; of a log with a charter one that is lost is retired: stele-log retire-key ${id}`
    : '';
  const wrong = (message: string, cause?: unknown): LogError =>
    new LogError('wrong_log_key', `${file}: ${message}`, `restore it from its backup${otherwise}`, { cause });
  let key: SigningKey;
  try {
    key = readKeyFile(join(folder, file));
  } catch (cause) {
    if (cause instanceof KeyFileError && cause.code === 'no_key' && file !== FILES.logKey)
      throw wrong(`expected ${wanted}, found no file`, cause);
    throw cause;
  }
  if (key.type !== vkey.type)
    throw wrong(`expected a log's signing key of type ${vkey.type}, found type ${key.type}`);
  if (key.name !== vkey.name)
    throw wrong(`expected it to be named ${quote(vkey.name)} as the log is, found ${quote(key.name)}`);
  if (formatVkey(key.vkey) !== formatVkey(vkey))
    throw wrong(`expected ${wanted}, found ${formatKeyId(key.keyId)}`);
  return key;
}

/** The public keys, in their order. */
export function vkeysOf([first, ...others]: LogKeys): [Vkey, ...Vkey[]] {
  return [first.vkey, ...others.map(({ vkey }) => vkey)];
}

/** Where a log's data lies, and which keys sign what: for whoever opens its storage. */
export function storageOf(
  folder: string,
  lives: KeyLives,
): Pick<LogStorageOptions, 'folder' | 'keyFolder' | 'origin' | 'logKeys' | 'keySpans'> {
  const [first, ...others] = lives;
  return {
    folder: join(folder, FILES.data),
    keyFolder: folder,
    origin: first.vkey.name,
    logKeys: [first.vkey, ...others.map(({ vkey }) => vkey)],
    keySpans: lives,
  };
}

/**
 * The note with a line by each key, in their order. Deterministic: the same text gives the same bytes.
 * Throws TlogError "bad_subtree" where the origin is too long for an ML-DSA-44 line.
 */
export function signHead(text: string, keys: readonly SigningKey[]): Uint8Array {
  return signNote(text, keys, NO_TIME);
}
