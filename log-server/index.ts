/** The log server: sequencer, publisher, storage, HTTP. `main.ts` is its command line. */
import { join } from 'node:path';
import { parseStatement, parseEnvelope, termsInForce } from '../attestation/index.js';
import type { Charter, Terms } from '../attestation/index.js';
import { readKeyFile } from '../system/index.js';
import { encodeHex, encodeUtf8, equalBytes, formatVkey, parsePolicy } from '../tlog/index.js';
import type { SigningKey } from '../tlog/index.js';
import { CharterAdmission } from './admission-charter.js';
import { admitAnything } from './admission.js';
import { CharterCompanion } from './charter-companion.js';
import { LogError } from './errors.js';
import { FILES, readCharterFile, readPolicyFile } from './folder.js';
import { silentLogger } from './logger.js';
import { RateLimiter } from './rate.js';
import { runLog } from './running.js';
import type { OpenedLog, RunningLog } from './running.js';
import { DEFAULT_LIMITS } from './settings.js';
import type { LogSettings } from './settings.js';
import { storageHook } from './steps.js';
import { QueryIndex } from './search/query-index.js';
import { openLogStorage } from './storage/index.js';
import type { LogStorage } from './storage/index.js';

export { LogError, SubmissionError, NotAdmittedError, REFUSALS } from './errors.js';
export { FILES } from './folder.js';
export { initLog } from './init.js';
export type { InitOptions, InitResult } from './init.js';
export { jsonLogger, silentLogger } from './logger.js';
export type { Level, Logger } from './logger.js';
export type { RunningLog } from './running.js';
export type { Receipt } from './sequencer.js';
export { DEFAULT_LIMITS } from './settings.js';
export type { LogLimits, LogSettings } from './settings.js';
export { ALL_STEPS } from './steps.js';
export type { LogStep, LogStepHook } from './steps.js';

/**
 * Starts a log in its folder: checks everything, serves what was last published, and goes on once the
 * gate is open. Throws LogError and StorageError, of which the codes say what to do; see
 * spec/log.md "Starting".
 */
export async function startLog(settings: LogSettings): Promise<RunningLog> {
  const { folder, logger = silentLogger, step = () => undefined } = settings;
  const logKey = readKeyFile(join(folder, FILES.logKey));
  const storage = await openLogStorage({
    folder: join(folder, FILES.data),
    keyFolder: folder,
    origin: logKey.name,
    logKeys: [logKey.vkey],
    publishPartials: settings.publishPartials ?? false,
    ...(settings.reserveBytes !== undefined && { reserveBytes: settings.reserveBytes }),
    step: storageHook(step),
  });
  try {
    for (const what of storage.mended) logger.log('warn', 'mended', { what });
    const parts =
      settings.admission === 'none'
        ? await openPlain(settings, storage)
        : await openCharter(settings, storage, logKey);
    return await runLog({ storage, keys: [logKey], ...parts }, settings);
  } catch (error) {
    await storage.close();
    throw error;
  }
}

type Parts = Omit<OpenedLog, 'storage' | 'keys'>;

async function openPlain(settings: LogSettings, storage: LogStorage): Promise<Parts> {
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
  const policy = parsePolicy(settings.policy ?? (await readPolicyFile(settings.folder)));
  return { policy, admission: admitAnything };
}

async function openCharter(settings: LogSettings, storage: LogStorage, logKey: SigningKey): Promise<Parts> {
  const { folder, clock, logger = silentLogger } = settings;
  const charter = await readCharterFile(folder);
  const terms = (await termsInForce(storage.ledger))?.terms ?? termsOf(charter);
  if (charter === undefined || terms === undefined) {
    const hint = 'start it with --admission none, or restore the charter from its backup';
    throw new LogError(
      'no_charter',
      `expected a charter at ${join(folder, FILES.charter)}, found none`,
      hint,
    );
  }
  const configured = settings.policy ?? (await readPolicyFile(folder));
  if (!equalBytes(configured, encodeUtf8(terms.policy))) {
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
      "anchor.key is not the charter's anchor key",
      'restore it from its backup',
    );
  }
  if (!terms.logKeys.includes(formatVkey(logKey.vkey))) {
    throw new LogError(
      'wrong_log_key',
      'log.key is not a log key of the charter in force',
      'restore it from its backup',
    );
  }
  const { ratePerKey, burstPerKey } = { ...DEFAULT_LIMITS, ...settings.limits };
  return {
    policy: parsePolicy(configured),
    search: (published) => new QueryIndex(join(folder, FILES.search), storage, published, logger),
    admission: new CharterAdmission(storage, new RateLimiter(clock, ratePerKey, burstPerKey)),
    companion: new CharterCompanion({
      storage,
      charter,
      anchorSeed: anchorKey.secret,
      policy: configured,
      clock,
      logger,
    }),
  };
}

function termsOf(charter: Uint8Array | undefined): Terms | undefined {
  if (charter === undefined) return undefined;
  const { statement } = parseStatement(parseEnvelope(charter).payload);
  return (statement as Charter).predicate.terms;
}
