// The one folder that a witness operator looks after.
//
//   format            1
//   witness.key       Ed25519 signing key, type 0x04, mode 0600
//   witness-mldsa.key ML-DSA-44 signing key, type 0x06, mode 0600, if there is one
//   logs/<hash>.json  {"origin": …, "keys": [vkey, …], "url": …}, one per log; the URL may be left out
//   peers/<hash>.json other witnesses: see peers.ts
//   state/<hash>      that it was never cosigned; in a folder of format 0, what was last cosigned for it
//   state/journal     what was last cosigned for each log since: see journal-file.ts
//   gossip/<hash>/    what other witnesses showed of the log, and tiles: see gossip/file-store.ts
//   evidence/         files of spec/evidence.md, by their SHA-256
//   restored          there for good once this folder was found to be an older copy: see restored.ts
//   clock-leap        there while a leap of the clock waits for confirmation
//   lock/             held by the process that serves the folder
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createFile,
  describeError,
  makeFolder,
  readKeyFile,
  replaceFile,
  whatStandsAt,
} from '../system/index.js';
import {
  checkDistinctKeys,
  COSIGNATURE_ED25519,
  COSIGNATURE_MLDSA44,
  emptyRoot,
  encodeUtf8,
  formatCheckpoint,
  formatSigningKey,
  formatVkey,
  newSigningKey,
  NOTE_ED25519,
  parseVkey,
  SteleError,
  type SigningKey,
  type Vkey,
} from '../tlog/index.js';
import { WitnessError } from './errors.js';
import { createJournal, refuseJournal } from './state-journal.js';
import { createState, originHash } from './state-store.js';

const FORMAT = '1\n';
/** Without a journal: each log's state was replaced in its own file. */
const FORMER_FORMAT = '0\n';
/** Bytes of a log's file: room for a hundred keys. */
const MAX_LOG_FILE = 256 * 1024;

/** A log that the witness cosigns. */
export interface WitnessedLog {
  origin: string;
  keys: Vkey[];
  /** Prefix under which its checkpoint and tiles are read (C2SP tlog-tiles). */
  url?: string;
}

/** Where things lie in a witness's folder. */
export const layout = {
  format: (folder: string): string => join(folder, 'format'),
  key: (folder: string): string => join(folder, 'witness.key'),
  mldsaKey: (folder: string): string => join(folder, 'witness-mldsa.key'),
  logs: (folder: string): string => join(folder, 'logs'),
  log: (folder: string, origin: string): string => join(folder, 'logs', `${originHash(origin)}.json`),
  peers: (folder: string): string => join(folder, 'peers'),
  peer: (folder: string, name: string): string => join(folder, 'peers', `${originHash(name)}.json`),
  state: (folder: string): string => join(folder, 'state'),
  gossip: (folder: string): string => join(folder, 'gossip'),
  evidence: (folder: string): string => join(folder, 'evidence'),
  leap: (folder: string): string => join(folder, 'clock-leap'),
  restored: (folder: string): string => join(folder, 'restored'),
  lock: (folder: string): string => join(folder, 'lock'),
};

/** What a new folder may hold: what an init that was cut off leaves, and the root of a file system. */
const LEFT: readonly string[] = ['logs', 'state', 'lost+found'];

/**
 * Makes a new witness with new keys, from 32-byte seeds. Throws WitnessError "already_there" rather than
 * overwrite one, "not_empty" for a folder in which something else lies.
 */
export async function initFolder(
  folder: string,
  name: string,
  seeds: { ed25519: Uint8Array; mldsa?: Uint8Array },
): Promise<Vkey[]> {
  const keys = [newSigningKey(name, COSIGNATURE_ED25519, seeds.ed25519)];
  if (seeds.mldsa) keys.push(newSigningKey(name, COSIGNATURE_MLDSA44, seeds.mldsa));
  await makeFolder(folder, 0o700);
  const names = await readdir(folder);
  const others = names.filter((name) => !LEFT.includes(name));
  if (others.length > 0 && !names.includes('witness.key'))
    throw new WitnessError(
      'not_empty',
      `${folder}: expected an empty folder, found ${others.slice(0, 3).join(', ')}`,
      'choose another folder',
    );
  await makeFolder(layout.logs(folder), 0o700);
  await makeFolder(layout.state(folder), 0o700);
  for (const key of keys) {
    const file = key.type === COSIGNATURE_MLDSA44 ? layout.mldsaKey(folder) : layout.key(folder);
    await create(file, `${formatSigningKey(key)}\n`);
  }
  await createJournal(layout.state(folder));
  // Last, and needed by serve: what was interrupted before is no witness yet.
  await create(layout.format(folder), FORMAT);
  return keys.map(({ vkey }) => vkey);
}

/**
 * Adds a log, or a key to a log, or gives one another URL. The state of a log that was added before is
 * never touched. A serving witness sees it when it reloads. Throws WitnessError "bad_key", "bad_log",
 * "already_there".
 */
export async function addLog(
  folder: string,
  vkey: Vkey,
  origin: string = vkey.name,
  url?: string,
): Promise<WitnessedLog> {
  await checkFormat(folder);
  // SPEC (tlog-checkpoint): logs sign with Ed25519 (0x01) or ML-DSA-44 (0x06).
  if (vkey.type !== NOTE_ED25519 && vkey.type !== COSIGNATURE_MLDSA44) {
    throw new WitnessError(
      'bad_key',
      `${vkey.name}: expected a log's key, type 1 or 6, found type ${vkey.type}`,
      "give the log's verifier key, not a witness's",
    );
  }
  checkOrigin(origin);
  const file = layout.log(folder, origin);
  const before = await readLog(file);
  // A state that is there already outlived its log's file: the log was taken out and is put back.
  if (!before) await createState(layout.state(folder), origin);
  const known = before?.keys.some((key) => formatVkey(key) === formatVkey(vkey)) === true;
  const prefix = url === undefined ? before?.url : checkUrl(url);
  const log: WitnessedLog = {
    origin,
    // A key that is known already comes with a new URL, or it is a mistake.
    keys: known && url !== undefined ? before.keys : [...(before?.keys ?? []), vkey],
    ...(prefix !== undefined && { url: prefix }),
  };
  distinct(log);
  const keys = log.keys.map((key) => formatVkey(key));
  await replaceFile(file, `${JSON.stringify({ ...log, keys }, null, 2)}\n`);
  return log;
}

/**
 * Takes one key from a log: what it alone signs is refused from the next reload on. Throws WitnessError "bad_log" where
 * the log or the key is not configured, or the key is the only one.
 */
export async function removeKey(
  folder: string,
  vkey: Vkey,
  origin: string = vkey.name,
): Promise<WitnessedLog> {
  await checkFormat(folder);
  const file = layout.log(folder, origin);
  const log = await readLog(file);
  const keys = log?.keys.filter((key) => formatVkey(key) !== formatVkey(vkey)) ?? [];
  if (log === undefined || keys.length === log.keys.length || keys.length === 0) {
    const found = log === undefined ? 'no such log' : keys.length === 0 ? 'no other key' : 'others only';
    throw new WitnessError(
      'bad_log',
      `${origin}: expected this key and another one to be configured, found ${found}`,
      'give the key that retires as stele-witness add-log got it; a whole log is taken out by removing its file',
    );
  }
  const texts = keys.map((key) => formatVkey(key));
  await replaceFile(file, `${JSON.stringify({ ...log, keys: texts }, null, 2)}\n`);
  return { ...log, keys };
}

/**
 * Brings a folder of format 0 to this one: it gets a journal. Only with the folder's lock held. From then on
 * an older version of this program, which would not see what is in there, refuses the folder. False where there was
 * nothing to do. Throws WitnessError "state_damaged" where a journal has states already: it would forget them.
 */
export async function upgradeFolder(folder: string): Promise<boolean> {
  if ((await checkFormat(folder)) === FORMAT) return false;
  await refuseJournal(layout.state(folder));
  await createJournal(layout.state(folder));
  await replaceFile(layout.format(folder), FORMAT);
  return true;
}

/** The folder's format. Throws WitnessError "bad_folder" unless it is a witness's, of this format or the one before. */
export async function checkFormat(folder: string): Promise<string> {
  let found: string;
  try {
    found = await readFile(layout.format(folder), 'utf8');
  } catch (error) {
    throw await noWitnessHere(folder, error);
  }
  if (found !== FORMAT && found !== FORMER_FORMAT) {
    throw new WitnessError(
      'bad_folder',
      `${folder}: expected format 0 or 1, found ${JSON.stringify(found.slice(0, 20))}`,
      'a newer version of this program wrote it: use that one',
    );
  }
  return found;
}

/** What to say where the folder's format could not be read, because of `cause`. */
async function noWitnessHere(folder: string, cause: unknown): Promise<WitnessError> {
  const { found, names, error } = await whatStandsAt(folder);
  const because = (code: string, what: string, hint: string): WitnessError =>
    new WitnessError(code, `${folder}: expected a witness's folder, found ${what}`, hint, { cause });
  const unread = error ?? (names?.includes('format') === true ? cause : undefined);
  if (unread !== undefined) {
    const { code, hint } = describeError(unread);
    const what = `one whose file "format" cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unreadable'})`;
    return because(code, error === undefined ? what : found, hint);
  }
  if (names?.includes('witness.key') === true)
    return because(
      'bad_folder',
      'one without its file "format"',
      'put the whole folder back from its backup; one that is new, and whose init was cut off, may be deleted and made again with: stele-witness init',
    );
  return because(
    'bad_folder',
    found,
    'check --folder, and that its disk is mounted; a new witness is made with: stele-witness init',
  );
}

/** The witness's signing keys, Ed25519 first. Throws KeyFileError, WitnessError "bad_key". */
export async function readKeys(folder: string): Promise<SigningKey[]> {
  const keys = [readKey(layout.key(folder), COSIGNATURE_ED25519)];
  if ((await readdir(folder)).includes('witness-mldsa.key')) {
    keys.push(readKey(layout.mldsaKey(folder), COSIGNATURE_MLDSA44));
  }
  return keys;
}

/** All configured logs. Throws WitnessError "bad_log". */
export async function readLogs(folder: string): Promise<WitnessedLog[]> {
  const logs: WitnessedLog[] = [];
  for (const name of await readdir(layout.logs(folder))) {
    // A temporary of an add-log that is under way, or was cut short.
    if (name.endsWith('.tmp')) continue;
    const file = join(layout.logs(folder), name);
    const log = await readLog(file);
    if (!log || file !== layout.log(folder, log.origin))
      throw badLog(file, 'another origin than its name says');
    logs.push(log);
  }
  return logs;
}

function readKey(file: string, type: number): SigningKey {
  const key = readKeyFile(file);
  if (key.type === type) return key;
  throw new WitnessError(
    'bad_key',
    `${file}: expected a cosigner's signing key of type ${type}, found type ${key.type}`,
    'stele-witness init makes one',
  );
}

async function readLog(file: string): Promise<WitnessedLog | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw badLog(file, (error as NodeJS.ErrnoException).code ?? 'an unreadable file', error);
  }
  if (text.length > MAX_LOG_FILE) throw badLog(file, 'a file of unlikely length');
  let log: WitnessedLog;
  try {
    const { origin, keys, url } = JSON.parse(text) as Record<string, unknown>;
    if (typeof origin !== 'string' || !Array.isArray(keys)) throw badLog(file, 'other fields');
    if (url !== undefined && typeof url !== 'string') throw badLog(file, 'a url that is no text');
    log = {
      origin,
      keys: keys.map((key) => parseVkey(String(key))),
      ...(url !== undefined && { url: checkUrl(url) }),
    };
  } catch (error) {
    if (error instanceof WitnessError) throw error;
    throw badLog(file, error instanceof Error ? error.message : 'something else', error);
  }
  distinct(log);
  return log;
}

/** An origin that a checkpoint can have, and that an ML-DSA-44 cosignature can name. */
function checkOrigin(origin: string): void {
  try {
    formatCheckpoint({ origin, size: 0, rootHash: emptyRoot(), extensions: [] });
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    throw new WitnessError('bad_log', `origin: ${error.message}`, "give the checkpoint's first line", {
      cause: error,
    });
  }
  // SPEC (tlog-cosignature): "opaque log_origin<1..2^8-1>".
  const { length } = encodeUtf8(origin);
  if (length > 255) {
    throw new WitnessError(
      'bad_log',
      `origin: expected at most 255 bytes, found ${length}`,
      'no ML-DSA-44 cosignature can name a longer one: the log needs another origin',
    );
  }
}

/** An address that the operator wrote down. Throws WitnessError "bad_url". */
export function checkUrl(url: string): string {
  if (URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol)) return url;
  throw new WitnessError(
    'bad_url',
    `expected an address such as https://log.example/prefix, found ${JSON.stringify(url.slice(0, 200))}`,
    'give the prefix under which the paths of the specification are served',
  );
}

function distinct(log: WitnessedLog): void {
  try {
    checkDistinctKeys(log.keys);
  } catch (error) {
    throw new WitnessError(
      'already_there',
      `${log.origin}: expected keys that differ in name or ID, found two that do not`,
      'the key is configured already',
      { cause: error },
    );
  }
}

async function create(file: string, content: string): Promise<void> {
  try {
    await createFile(file, content);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new WitnessError(
      'already_there',
      `${file}: expected no such file, found one`,
      'a witness keeps its key for life: name another folder for a new one',
    );
  }
}

function badLog(file: string, found: string, cause?: unknown): WitnessError {
  return new WitnessError(
    'bad_log',
    `${file}: expected {"origin": …, "keys": [vkey, …], "url": …}, found ${found}`,
    'mend the file, or add the log again after removing it',
    { cause },
  );
}
