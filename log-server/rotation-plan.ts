// A change of the log's keys, decided and not yet done to its end.
//
//   rotation.json   {"index", "entry", "policy", "keys"}: the amendment (base64 of its leaf, or null where it is
//                   logged already), the index it gets, and what `policy` and log-keys.json are to say.
//
// The file is the decision: it is durable before anything else changes, and all that follows can be done
// again. Whoever opens the folder next, a command or `serve`, does what is left.
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { prepareEntry } from '../attestation/index.js';
import { replaceFile, syncFolder, writeTemporary } from '../system/index.js';
import { decodeBase64, encodeBase64, formatKeyId, formatVkey } from '../tlog/index.js';
import { charterEffects } from './admission-charter.js';
import { LogError } from './errors.js';
import { FILES, isThere } from './folder.js';
import { formatKeyLives, parseKeyLives, readKeyLives, storageOf, writeKeyLives } from './log-keys.js';
import type { KeyLives } from './log-keys.js';
import { PUBLIC, openLogStorage } from './storage/index.js';
import type { LogStorage } from './storage/types.js';

/** What is to become of a folder. */
export interface RotationPlan {
  /** Of the amendment: heads larger than this are signed by the new set of keys. */
  readonly index: number;
  /** Leaf of the amendment; undefined where the log has it. */
  readonly entry: Uint8Array | undefined;
  readonly policy: string;
  readonly keys: KeyLives;
}

/** Where a crash can fall in a change of the keys, in order. */
export const ROTATION_STEPS = [
  'rotate:key',
  'rotate:terms',
  'rotate:planned',
  'rotate:committed',
  'rotate:policy',
  'rotate:keys',
  'rotate:told',
  'rotate:done',
] as const;

/** Called, and awaited, at each step. */
export type RotationHook = (name: (typeof ROTATION_STEPS)[number]) => void | Promise<void>;

/** Durable when it resolves. */
export async function writePlan(folder: string, plan: RotationPlan): Promise<void> {
  const { index, entry, policy, keys } = plan;
  const text = {
    index,
    entry: entry === undefined ? null : encodeBase64(entry),
    policy,
    keys: JSON.parse(formatKeyLives(keys)) as unknown,
  };
  await replaceFile(join(folder, FILES.rotation), `${JSON.stringify(text, null, 2)}\n`);
}

/** The change that is under way, if there is one. Throws LogError "bad_log_keys". */
export async function readPlan(folder: string): Promise<RotationPlan | undefined> {
  const path = join(folder, FILES.rotation);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { index, entry, policy, keys } = JSON.parse(text) as Record<string, unknown>;
    if (
      !Number.isSafeInteger(index) ||
      typeof policy !== 'string' ||
      (entry !== null && typeof entry !== 'string')
    )
      throw new RangeError('expected other fields');
    return {
      index: Number(index),
      entry: entry === null ? undefined : decodeBase64(entry),
      policy,
      keys: parseKeyLives(JSON.stringify(keys)),
    };
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new LogError('bad_log_keys', `${path}: ${what}`, 'restore it from its backup', { cause });
  }
}

/**
 * Does what is left of a change of the keys. False where there is none. `report` is told the keys before the decision
 * is removed: whoever is cut off before he has heard of them hears of them from the next run. Throws LogError
 * "rotation_overtaken" where the log has gone on without it, and as openLogStorage.
 */
export async function settleRotation(
  folder: string,
  step: RotationHook = () => undefined,
  report: (lives: KeyLives) => void | Promise<void> = () => undefined,
): Promise<boolean> {
  const plan = await readPlan(folder);
  if (plan === undefined) return false;
  const lives = await readKeyLives(folder);
  checkNewer(lives, plan.keys);
  // Nobody may sign while the keys change: the lock is held to the end.
  const storage = await openStopped(folder, lives);
  try {
    if (plan.entry !== undefined) await commitAmendment(storage, plan.index, plan.entry);
    await step('rotate:committed');
    const policy = join(folder, FILES.policy);
    // Public, as `init` made it.
    await rename(await writeTemporary(policy, plan.policy, 0o644), policy);
    await syncFolder(folder);
    await step('rotate:policy');
    await writeKeyLives(folder, plan.keys);
    await step('rotate:keys');
    await rm(join(folder, FILES.nextTerms), { force: true });
    await report(plan.keys);
    await step('rotate:told');
    await rm(join(folder, FILES.rotation));
    await syncFolder(folder);
    await step('rotate:done');
  } finally {
    await storage.close();
  }
  return true;
}

/**
 * A plan that was done and put back, out of a backup, would bring keys to life that have retired since. Throws
 * LogError "rotation_overtaken".
 */
export function checkNewer(lives: KeyLives, planned: KeyLives): void {
  const lost = lives.find(({ vkey, until }) => {
    const then = planned.find((life) => formatVkey(life.vkey) === formatVkey(vkey));
    return then === undefined || (until !== null && then.until !== until);
  });
  if (lost === undefined) return;
  throw new LogError(
    'rotation_overtaken',
    `expected a change that comes after what ${FILES.logKeys} says, found one from before ${formatKeyId(lost.vkey.keyId)} ${lost.until === null ? 'came' : 'retired'}`,
    `${FILES.rotation} is an older copy: remove it`,
  );
}

/** Opens a stopped log as it is served: where its folder is a complete log for any web server, it stays one. */
export async function openStopped(folder: string, lives: KeyLives): Promise<LogStorage> {
  const publishPartials = await isThere(join(folder, FILES.data, PUBLIC, 'checkpoint'));
  return openLogStorage({ ...storageOf(folder, lives), publishPartials });
}

/** COMMIT and READABLE of one entry, once. It is signed by the next start, behind its gate. */
async function commitAmendment(storage: LogStorage, index: number, entry: Uint8Array): Promise<void> {
  const { id } = prepareEntry(entry);
  const logged = await storage.lookup(id);
  if (logged === undefined && storage.size === index) {
    const effects = await charterEffects(storage.origin)(storage.ledger, index, entry, (size) =>
      storage.rootAt(size),
    );
    await storage.commit({ oldSize: index, entries: [entry], ids: [[id, index]], ledger: effects.ledger });
  } else if (logged !== index) {
    throw new LogError(
      'rotation_overtaken',
      `expected to log the amendment as entry ${index}, found ${logged === undefined ? `a tree of ${storage.size} entries without it` : `it as entry ${logged}`}`,
      `this folder has gone on without the change of keys that was begun: look at ${FILES.rotation}, then remove it and begin anew`,
    );
  }
  await storage.makeReadable();
}
