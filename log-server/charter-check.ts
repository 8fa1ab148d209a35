// What must agree with the charter in force before a log may start: its policy and its keys.
import { join } from 'node:path';
import { parseEnvelope, parseStatement } from '../attestation/index.js';
import type { Charter, Terms } from '../attestation/index.js';
import { readKeyFile } from '../system/index.js';
import { encodeHex, encodeUtf8, equalBytes, formatKeyId, formatVkey, parseVkey } from '../tlog/index.js';
import type { SigningKey } from '../tlog/index.js';
import { LogError } from './errors.js';
import { FILES } from './folder.js';
import type { LogKeys } from './log-keys.js';

/**
 * Holds the configured policy and the keys of a log's folder against the terms in force; gives the anchor key. Throws
 * LogError "policy_not_in_force", "wrong_anchor_key", "wrong_log_key", KeyFileError.
 */
export function checkTerms(folder: string, policy: Uint8Array, keys: LogKeys, terms: Terms): SigningKey {
  if (!equalBytes(policy, encodeUtf8(terms.policy))) {
    throw new LogError(
      'policy_not_in_force',
      'the configured witness policy is not the one of the charter in force',
      `write terms.policy of the charter, or of the amendment in force, to ${join(folder, FILES.policy)}, byte for byte; policies change by charter-amendment alone`,
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

/** The terms of a charter's leaf; undefined where there is none. */
export function termsOf(charter: Uint8Array | undefined): Terms | undefined {
  if (charter === undefined) return undefined;
  const { statement } = parseStatement(parseEnvelope(charter).payload);
  return (statement as Charter).predicate.terms;
}
