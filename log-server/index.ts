/** The log server: sequencer, publisher, storage, HTTP. `main.ts` is its command line. */
import { join } from 'node:path';
import { termsInForce } from '../attestation/index.js';
import { formatVkey, parsePolicy } from '../tlog/index.js';
import type { Policy } from '../tlog/index.js';
import { CharterAdmission } from './admission-charter.js';
import { admitAnything } from './admission.js';
import { CharterCompanion } from './charter-companion.js';
import { checkHeld, checkLedger, checkTerms, needCharterFile, readCharterFile } from './charter-check.js';
import { LogError } from './errors.js';
import { FILES, readPolicyFile } from './folder.js';
import { poolSigner } from './head-signer.js';
import { keysOf, readKeyLives, storageOf } from './log-keys.js';
import type { LogKeys } from './log-keys.js';
import { silentLogger } from './logger.js';
import { settleRotation } from './rotation-plan.js';
import { RateLimiter } from './rate.js';
import { runLog } from './running.js';
import type { OpenedLog, RunningLog } from './running.js';
import { DEFAULT_LIMITS } from './settings.js';
import type { LogSettings } from './settings.js';
import { storageHook } from './steps.js';
import { QueryIndex } from './search/query-index.js';
import { reason } from './storage/error.js';
import { openLogStorage } from './storage/index.js';
import type { LogStorage } from './storage/index.js';

export { REFUSALS } from './errors.js';
export { FILES } from './folder.js';
export { readKeyLives, readLogKeys } from './log-keys.js';
export type { KeyLife, KeyLives } from './log-keys.js';
export { addKey, retireKey } from './rotation.js';
export type { Rotated } from './rotation.js';
export { ROTATION_STEPS } from './rotation-plan.js';
export { UPGRADE_STEPS, upgradeLog } from './upgrade.js';
export { initLog } from './init.js';
export type { InitOptions } from './init.js';
export { jsonLogger } from './logger.js';
export type { Level, Logger } from './logger.js';
export type { RunningLog } from './running.js';
export { ALL_STEPS } from './steps.js';
export type { LogStep } from './steps.js';

/**
 * Starts a log in its folder: checks everything, serves what was last published, and goes on once the
 * gate is open. Throws LogError and StorageError, of which the codes say what to do; see
 * spec/log.md "Starting".
 */
export async function startLog(settings: LogSettings): Promise<RunningLog> {
  const { folder, logger = silentLogger, step = () => undefined } = settings;
  if (await settleRotation(folder)) logger.log('warn', 'a change of the log keys that was cut off is done');
  const lives = await readKeyLives(folder);
  const keys = keysOf(folder, lives);
  const storage = await openLogStorage({
    ...storageOf(folder, lives),
    publishPartials: settings.publishPartials ?? false,
    ...(settings.reserveBytes !== undefined && { reserveBytes: settings.reserveBytes }),
    step: storageHook(step),
  });
  try {
    for (const what of storage.mended) logger.log('warn', 'mended', { what });
    const parts =
      settings.admission === 'none'
        ? await openPlain(settings, storage, keys)
        : await openCharter(settings, storage, keys);
    const signer = poolSigner(keys);
    try {
      return await runLog({ storage, signer, ...parts }, settings);
    } catch (error) {
      await signer.close();
      throw error;
    }
  } catch (error) {
    await storage.close();
    throw error;
  }
}

type Parts = Omit<OpenedLog, 'storage' | 'signer'>;

async function openPlain(settings: LogSettings, storage: LogStorage, keys: LogKeys): Promise<Parts> {
  if (
    (await readCharterFile(settings.folder)) !== undefined ||
    (await termsInForce(storage.ledger)) !== undefined
  ) {
    throw new LogError(
      'wrong_admission',
      'this log has a charter',
      'start it with --admission charter, as it was made',
    );
  }
  const policy = plainPolicy(settings.policy ?? (await readPolicyFile(settings.folder)));
  const named = policy.logs.flatMap(({ vkey }) => (vkey.name === storage.origin ? [formatVkey(vkey)] : []));
  checkHeld(keys, named, 'the policy');
  return { policy, admission: admitAnything };
}

/** One that no charter has been held against. Throws LogError "bad_policy". */
function plainPolicy(text: Uint8Array): Policy {
  try {
    return parsePolicy(text);
  } catch (cause) {
    throw new LogError(
      'bad_policy',
      `expected a tlog-policy in ${FILES.policy} of the folder, or where --policy says: ${reason(cause)}`,
      'correct it, or restore it from its backup',
      { cause },
    );
  }
}

async function openCharter(settings: LogSettings, storage: LogStorage, keys: LogKeys): Promise<Parts> {
  const { folder, clock, logger = silentLogger } = settings;
  const { leaf, charter } = await needCharterFile(folder);
  await checkLedger(storage.ledger, storage.size);
  const terms = (await termsInForce(storage.ledger))?.terms ?? charter.predicate.terms;
  const configured = settings.policy ?? (await readPolicyFile(folder));
  const anchorKey = checkTerms(folder, configured, keys, terms);
  const { ratePerParticipant, burstPerParticipant } = { ...DEFAULT_LIMITS, ...settings.limits };
  return {
    policy: parsePolicy(configured),
    search: (published) => new QueryIndex(join(folder, FILES.search), storage, published, logger),
    admission: new CharterAdmission(storage, new RateLimiter(clock, ratePerParticipant, burstPerParticipant)),
    companion: new CharterCompanion({
      storage,
      charter: leaf,
      anchorSeed: anchorKey.secret,
      anchorKey: terms.anchorKey,
      policy: configured,
      clock,
      logger,
    }),
  };
}
