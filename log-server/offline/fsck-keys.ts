// log-keys.json and rotation.json against the terms that the log's own entries put into force: what a backup
// brought back may be older than both, also where no head has been signed since.
import { termsInForce } from '../../attestation/index.js';
import { formatKeyId, formatVkey, parseVkey } from '../../tlog/index.js';
import { LogError } from '../errors.js';
import { FILES } from '../folder.js';
import { activeLives } from '../log-keys.js';
import type { KeyLives } from '../log-keys.js';
import { checkNewer, readPlan } from '../rotation-plan.js';
import { reason } from '../storage/error.js';
import type { KeyedReader } from '../storage/types.js';
import type { Problem } from './tree-check.js';

/** A ledger, and of how many entries. */
export interface LedgerAt {
  readonly size: number;
  readonly store: KeyedReader;
}

/** What was found of a folder's list of keys: what is wrong, or what is as it should be and might surprise. */
export interface KeysFound {
  readonly problem?: Problem;
  readonly remark?: string;
}

/** Compares the keys of a folder with those that its ledger says sign now. Changes nothing. */
export async function fsckKeys(folder: string, lives: KeyLives, ledger: LedgerAt): Promise<KeysFound> {
  const found = await termsInForce(ledger.store);
  if (found === undefined) return {};
  const inForce = [...found.terms.logKeys].sort();
  const listed = active(lives);
  const older = 'is it an older copy?';
  let planned: string[] | undefined;
  try {
    const plan = await readPlan(folder);
    if (plan !== undefined) {
      checkNewer(lives, plan.keys);
      planned = active(plan.keys);
      // Where the amendment is not committed yet, its place is the next one.
      if (same(planned, inForce) || (plan.index === ledger.size && same(listed, inForce)))
        return { remark: `${FILES.rotation}: a change of keys has been decided; the next start makes it` };
    }
  } catch (error) {
    const isOlder = error instanceof LogError && error.code === 'rotation_overtaken';
    const expected = 'a change of keys that comes after what log-keys.json says';
    const what = isOlder ? `one from before its last change: ${older} Then remove it` : reason(error);
    return { problem: { file: FILES.rotation, expected, found: what } };
  }
  if (planned === undefined && same(listed, inForce)) return {};
  const expected = `the keys of the charter in force, ${named(inForce)}`;
  if (planned !== undefined)
    return { problem: { file: FILES.rotation, expected, found: `${named(planned)}: ${older}` } };
  const or = 'or did registrars decide while the log ran? Then add-key or retire-key ends the change';
  return { problem: { file: FILES.logKeys, expected, found: `${named(listed)}: ${older} ${or}` } };
}

function active(lives: KeyLives): string[] {
  return activeLives(lives)
    .map(({ vkey }) => formatVkey(vkey))
    .sort();
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.join('\n') === other.join('\n');
}

function named(vkeys: readonly string[]): string {
  return vkeys.map((vkey) => formatKeyId(parseVkey(vkey).keyId)).join(' and ');
}
