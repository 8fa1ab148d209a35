// stele-log terms: the terms in force in a stopped log's folder, for whoever cannot ask the log because it does not
// start without the policy in them.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { termsInForce } from '../attestation/index.js';
import type { Terms } from '../attestation/index.js';
import { LogError } from './errors.js';
import { FILES } from './folder.js';
import { acquireKeyLock } from './lock.js';
import { readKeyLives } from './log-keys.js';
import { LevelTreeState } from './storage/index.js';
import { withStateCopy } from './storage/salvage.js';

/** The terms that a folder's ledger has, of so many entries. */
export interface TermsHere {
  readonly size: number;
  readonly terms: Terms;
  readonly digest: string;
}

/**
 * Reads them, of whatever notes and policy lie beside; changes nothing. Throws LogError "no_charter", StorageError "locked"
 * while the log runs, "state_damaged".
 */
export async function termsHere(folder: string, scratch: string = tmpdir()): Promise<TermsHere> {
  const [{ vkey }] = await readKeyLives(folder);
  const lock = await acquireKeyLock(folder, vkey.keyId);
  try {
    return await withStateCopy(join(folder, FILES.data, 'state'), scratch, async (copy) => {
      const state = await LevelTreeState.open(copy);
      try {
        const found = await termsInForce(state.ledger);
        if (found !== undefined) return { size: state.head.size, ...found };
      } finally {
        await state.close();
      }
      throw new LogError(
        'no_charter',
        'expected a log with a charter, found none in its tree',
        'a log with --admission none has no terms; any other has them from its first start on, and until then they are in charter.json',
      );
    });
  } finally {
    await lock.close();
  }
}
