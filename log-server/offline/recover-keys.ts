// log-keys.json against the ledger that is being rebuilt: a list of another time names other keys as those that sign,
// and a line that was never written would be signed, or one that was be lost.
import { termsInForce } from '../../attestation/index.js';
import { formatKeyId, formatVkey, openCheckpoint, parseNote, parseVkey } from '../../tlog/index.js';
import type { Vkey } from '../../tlog/index.js';
import { LogError } from '../errors.js';
import type { SignedHead } from './recover-sources.js';
import { keysAt, keysDue, keysMissing } from '../storage/note-check.js';
import type { KeyedReader, LogStorageOptions } from '../storage/types.js';

type Keys = Pick<LogStorageOptions, 'logKeys' | 'keySpans' | 'origin'>;

/**
 * Refuses to go on from `head`, of which `ledger` has all entries and no others, with a list of keys that says that others
 * signed it than the terms of its time. Where registrars have changed the keys of a running log, heads behind their amendment are
 * the old keys': then every line that the list asks for is there. Throws LogError "wrong_log_key".
 */
export async function checkKeysAt(head: SignedHead, ledger: KeyedReader, keys: Keys): Promise<void> {
  const terms = (await termsInForce(ledger))?.terms;
  if (terms === undefined) return;
  const named = terms.logKeys.map(parseVkey);
  const listed = keysAt(keys, head.size);
  if (textOf(named) === textOf(listed) || isWhole(head, keys)) return;
  throw new LogError(
    'wrong_log_key',
    `expected log-keys.json to say of a head of size ${head.size} that it is signed by ${idsOf(named)}, as the charter in force there does, found ${idsOf(listed)}`,
    `log-keys.json is of another time, older most likely: restore it and the policy as they were when this head was signed, then run this again; nothing was signed or changed. Where no copy is left, "until" of a key is the index of the amendment that took it away`,
  );
}

/** Whether the note of a head has every line that is due by the list, and by no key that the list does not have. */
function isWhole(head: SignedHead, keys: Keys): boolean {
  if (head.note === undefined) return false;
  const opened = openCheckpoint(head.note, keys.logKeys, [], keys.origin);
  const ids = new Set(keys.logKeys.map(({ keyId }) => keyId));
  const isUnlisted = parseNote(head.note).signatures.some((l) => l.name === keys.origin && !ids.has(l.keyId));
  return !isUnlisted && keysMissing(opened, keysDue(keys, head.size)).length === 0;
}

function textOf(vkeys: readonly Vkey[]): string {
  return vkeys.map(formatVkey).sort().join('\n');
}

function idsOf(vkeys: readonly Vkey[]): string {
  return vkeys.map(({ keyId }) => formatKeyId(keyId)).join(' and ') || 'none';
}
