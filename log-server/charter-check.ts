// What must agree with the charter in force before a log may start: its policy and its keys.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { knownType, ledgerDigest, parseEnvelope, parseStatement } from '../attestation/index.js';
import type { Charter, Terms } from '../attestation/index.js';
import { readKeyFile } from '../system/index.js';
import { encodeHex, encodeUtf8, equalBytes, formatKeyId, formatVkey, parseVkey } from '../tlog/index.js';
import type { SigningKey } from '../tlog/index.js';
import { LogError } from './errors.js';
import { FILES, isThere } from './folder.js';
import type { LogKeys } from './log-keys.js';
import { RECOVER_HINT, StorageError, reason } from './storage/error.js';
import type { KeyedReader } from './storage/types.js';

/**
 * Holds the configured policy and the keys of a log's folder against the terms in force; gives the anchor key. Throws
 * LogError "policy_not_in_force", "wrong_anchor_key", "wrong_log_key", KeyFileError.
 */
export function checkTerms(folder: string, policy: Uint8Array, keys: LogKeys, terms: Terms): SigningKey {
  if (!equalBytes(policy, encodeUtf8(terms.policy))) {
    throw new LogError(
      'policy_not_in_force',
      'the configured witness policy is not the one of the charter in force',
      `put terms.policy of the terms in force, which stele-log terms --json prints, into ${join(folder, FILES.policy)}, byte for byte; policies change by charter-amendment alone`,
    );
  }
  const anchorKey = readKeyFile(join(folder, FILES.anchorKey));
  if (encodeHex(anchorKey.vkey.publicKey) !== terms.anchorKey) {
    throw new LogError(
      'wrong_anchor_key',
      'anchor.key is not the anchor key of the charter in force',
      `restore it from its backup; after an amendment of the anchor key, put the new key's file to ${join(folder, FILES.anchorKey)}`,
    );
  }
  checkListed(keys, terms.logKeys);
  checkHeld(keys, terms.logKeys, 'the charter in force');
  return anchorKey;
}

function checkListed(keys: LogKeys, listed: readonly string[]): void {
  const other = keys.find(({ vkey }) => !listed.includes(formatVkey(vkey)));
  if (other === undefined) return;
  throw new LogError(
    'wrong_log_key',
    `${formatKeyId(other.keyId)} is not a log key of the charter in force`,
    `restore ${FILES.logKeys} from its backup; after an amendment of the log keys, run stele-log add-key or retire-key`,
  );
}

/** Every checkpoint carries a line by each key that readers were told of. */
export function checkHeld(keys: LogKeys, listed: readonly string[], where: string): void {
  const held = keys.map(({ vkey }) => formatVkey(vkey));
  const missing = listed.map(parseVkey).find((vkey) => !held.includes(formatVkey(vkey)));
  if (missing === undefined) return;
  const found = keys.map(({ keyId }) => formatKeyId(keyId)).join(' and ');
  throw new LogError(
    'wrong_log_key',
    `expected the log key ${formatKeyId(missing.keyId)} (type ${missing.type}), which ${where} names, found ${found}`,
    `restore ${FILES.logKeys} and the keys from their backup; after an amendment of the log keys, run stele-log add-key or retire-key`,
  );
}

/** The charter in a log's folder. */
export interface CharterFile {
  /** Leaf bytes: those of entry 0. */
  readonly leaf: Uint8Array;
  readonly charter: Charter;
}

/** Reads it; undefined in a folder made with `--admission none`. Throws LogError "bad_charter". */
export async function readCharterFile(folder: string): Promise<CharterFile | undefined> {
  const path = join(folder, FILES.charter);
  let leaf: Uint8Array;
  try {
    leaf = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let found: string;
  let cause: unknown;
  try {
    const { known, statement } = parseStatement(parseEnvelope(leaf).payload);
    if (known && knownType(statement.predicateType) === 'charter')
      return { leaf, charter: statement as Charter };
    found = `a statement of type ${JSON.stringify(statement.predicateType)}`;
  } catch (error) {
    found = reason(error);
    cause = error;
  }
  throw new LogError('bad_charter', `expected a charter at ${path}, found ${found}`, RESTORE_CHARTER, {
    cause,
  });
}

/**
 * Whether the log of a folder was made with a charter: `init` leaves one beside an anchor key, of which no entry can say
 * that they are there.
 */
export async function hasCharter(folder: string): Promise<boolean> {
  return (await isThere(join(folder, FILES.anchorKey))) || (await isThere(join(folder, FILES.charter)));
}

const RESTORE_CHARTER = 'restore it from its backup: it is entry 0 of the log, byte for byte';

/**
 * The charter of a folder whose log has one. Throws LogError "no_charter", "bad_charter".
 */
export async function needCharterFile(folder: string): Promise<CharterFile> {
  const found = await readCharterFile(folder);
  if (found !== undefined) return found;
  throw new LogError(
    'no_charter',
    `expected a charter at ${join(folder, FILES.charter)}, found none`,
    `${RESTORE_CHARTER}; a log that was made with --admission none has none: it is started so, and cannot be frozen`,
  );
}

/** A ledger follows from the entries, all of them. Throws StorageError "state_damaged" where it is of another size. */
export async function checkLedger(ledger: KeyedReader, size: number): Promise<void> {
  const found = (await ledgerDigest(ledger)).size;
  if (found === size) return;
  throw new StorageError(
    'state_damaged',
    `ledger: expected one of the tree's ${size} entries, found one of ${found}`,
    RECOVER_HINT,
  );
}
