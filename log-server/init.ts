import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { buildCharter, buildTerms, checkTerms, formatEnvelope, sign } from '../attestation/index.js';
import type { Terms } from '../attestation/index.js';
import { createFile, makeFolder } from '../system/index.js';
import {
  COSIGNATURE_MLDSA44,
  NOTE_ED25519,
  concatBytes,
  decodeUtf8,
  emptyRoot,
  encodeHex,
  encodeUtf8,
  formatCheckpoint,
  formatSigningKey,
  formatVkey,
  newSigningKey,
  parsePolicy,
} from '../tlog/index.js';
import type { Clock, SigningKey } from '../tlog/index.js';
import { LogError } from './errors.js';
import { FILES } from './folder.js';
import { signHead, storageOf, writeKeyLives } from './log-keys.js';
import { UNFINISHED_HINT, isUnfinished } from './unfinished.js';
import type { KeyLives, LogKeys } from './log-keys.js';
import { initLogStorage } from './storage/index.js';

/** Who acts for the log. */
export interface OfficerOptions {
  /** A short lower-case identifier. */
  readonly participant: string;
  readonly name: string;
  /** Hex of the raw Ed25519 key. */
  readonly key: string;
}

/** What `stele-log init` is told. */
export interface InitOptions {
  /** Made if it is not there; must be empty. */
  readonly folder: string;
  /** The log's name for ever: its checkpoints' first line. A schema-less URL such as example.com/log42. */
  readonly origin: string;
  readonly admission: 'none' | 'charter';
  /** A tlog-policy, with or without the log's own lines, which are put in front where they are missing. */
  readonly policy: Uint8Array;
  /** Sign checkpoints with ML-DSA-44 beside Ed25519. */
  readonly mlDsa?: boolean;
  readonly clock: Pick<Clock, 'now'>;
  /** `count` bytes nobody can guess; the system's unless a test says otherwise. */
  readonly random?: (count: number) => Uint8Array;
  /** The operator's key; a new one is written to `operator.key` if there is none. */
  readonly operatorKey?: SigningKey;
  readonly operator?: { readonly participant: string; readonly name: string };
  /** Who introduces participants; the operator alone if nobody is named. */
  readonly registrars?: readonly OfficerOptions[];
  /** How many registrars it takes to amend the charter. */
  readonly registrarThreshold?: number;
  /** Seconds. */
  readonly anchorInterval?: number;
  /** Bytes of an entry. */
  readonly sizeLimit?: number;
  /** The log that this one goes on from: predecessorOf its last checkpoint. */
  readonly predecessor?: Terms['predecessor'];
}

/** What was made. */
export interface InitResult {
  /** The log's Ed25519 key. */
  readonly vkey: string;
  /** All keys of the log, that one first. */
  readonly vkeys: readonly string[];
  /** The policy as it is now in force, the log's lines included. */
  readonly policy: Uint8Array;
  readonly charter: Uint8Array | undefined;
}

/**
 * Makes the folder of a new log: keys (0600), policy, charter, data folder, and a signed checkpoint of
 * size 0, which the gate of the first start sends to the witnesses. Throws LogError "not_empty",
 * "bad_origin", "bad_predecessor", AttestationError for a policy or names that a charter cannot have, TlogError, StorageError.
 */
export async function initLog(options: InitOptions): Promise<InitResult> {
  const { folder, origin, clock, admission, random = randomBytes } = options;
  await makeFolder(folder);
  const found = await readdir(folder);
  if (found.length > 0) {
    throw new LogError(
      'not_empty',
      `expected an empty folder, found ${found.slice(0, 3).join(', ')}`,
      (await isUnfinished(folder)) ? UNFINISHED_HINT : 'choose another folder',
    );
  }
  // SPEC (tlog-cosignature): "opaque log_origin<1..2^8-1>".
  const { length } = encodeUtf8(origin, 'origin');
  if (options.mlDsa && length > 255) {
    throw new LogError(
      'bad_origin',
      `origin: expected at most 255 bytes for a log that signs with ML-DSA-44, found ${length}`,
      'choose a shorter one',
    );
  }
  checkPredecessorOrigin(options);
  const newKey = (name: string, type: number = NOTE_ED25519): SigningKey =>
    newSigningKey(name, type, random(32));
  const logKeys: LogKeys = [newKey(origin), ...(options.mlDsa ? [newKey(origin, COSIGNATURE_MLDSA44)] : [])];
  const policy = withLogLines(options.policy, logKeys);
  // Everything that can be refused is refused before anything is written.
  parsePolicy(policy);
  const empty = formatCheckpoint({ origin, size: 0, rootHash: emptyRoot(), extensions: [] });
  const firstNote = signHead(empty, logKeys);
  let charter: Uint8Array | undefined;
  if (admission === 'charter') {
    const anchorKey = newKey('anchor');
    const operatorKey = options.operatorKey ?? newKey('operator');
    const terms = termsOf(options, { logKeys, anchorKey, operatorKey }, policy);
    checkTerms(terms);
    charter = formatEnvelope(sign(buildCharter(terms, Math.floor(clock.now() / 1000)), operatorKey.secret));
    // Never over a file that is there: a key lost is a log lost.
    await createFile(join(folder, FILES.anchorKey), keyFile(anchorKey));
    if (options.operatorKey === undefined)
      await createFile(join(folder, FILES.operatorKey), keyFile(operatorKey));
    await createFile(join(folder, FILES.charter), charter, 0o644);
  }
  await createFile(join(folder, FILES.policy), policy, 0o644);
  const [logKey, mldsaKey] = logKeys;
  if (mldsaKey !== undefined) await createFile(join(folder, FILES.logMldsaKey), keyFile(mldsaKey));
  const span = { from: 0, until: null };
  const lives: KeyLives = [
    { vkey: logKey.vkey, file: FILES.logKey, ...span },
    ...(mldsaKey === undefined ? [] : [{ vkey: mldsaKey.vkey, file: FILES.logMldsaKey, ...span }]),
  ];
  await writeKeyLives(folder, lives);
  // Last of the keys: it is what makes the folder a log's.
  await createFile(join(folder, FILES.logKey), keyFile(logKey));
  const storage = await initLogStorage(storageOf(folder, lives));
  try {
    await storage.writeSigned(firstNote);
  } finally {
    await storage.close();
  }
  return {
    vkey: formatVkey(logKey.vkey),
    vkeys: logKeys.map(({ vkey }) => formatVkey(vkey)),
    policy,
    charter,
  };
}

interface Keys {
  readonly logKeys: LogKeys;
  readonly anchorKey: SigningKey;
  readonly operatorKey: SigningKey;
}

function termsOf(options: InitOptions, keys: Keys, policy: Uint8Array): Terms {
  const { origin, registrars, registrarThreshold, anchorInterval, sizeLimit, predecessor } = options;
  const officer = {
    ...(options.operator ?? { participant: 'operator', name: 'Operator' }),
    key: encodeHex(keys.operatorKey.vkey.publicKey),
  };
  const members = registrars === undefined || registrars.length === 0 ? [officer] : [...registrars];
  return buildTerms({
    origin,
    operator: officer,
    anchorKey: encodeHex(keys.anchorKey.vkey.publicKey),
    logKeys: keys.logKeys.map(({ vkey }) => formatVkey(vkey)),
    policy: decodeUtf8(policy, 'policy'),
    registrars: { threshold: registrarThreshold ?? members.length, members },
    ...(anchorInterval === undefined ? {} : { anchorInterval }),
    ...(sizeLimit === undefined ? {} : { sizeLimit }),
    ...(predecessor === undefined ? {} : { predecessor }),
  });
}

/** A log goes on from another one: under its own name and key it would be the same log with two histories. */
function checkPredecessorOrigin({ origin, admission, predecessor }: InitOptions): void {
  if (predecessor === undefined || predecessor === null) return;
  if (admission === 'none') {
    throw new LogError(
      'bad_predecessor',
      'expected a log with a charter, which names the log that it continues, found --admission none',
      'leave out the predecessor, or --admission none',
    );
  }
  if (predecessor.origin === origin) {
    throw new LogError(
      'bad_predecessor',
      `expected a new origin for the log that continues ${origin}, found the same`,
      'choose another one: what the old log signed stays its own',
    );
  }
}

/** A policy names its log; whoever makes the log cannot know the keys before. */
function withLogLines(policy: Uint8Array, logKeys: LogKeys): Uint8Array {
  const named = parsePolicy(policy).logs.length > 0;
  const lines = logKeys.map(({ vkey }) => encodeUtf8(`log ${formatVkey(vkey)}\n`));
  return named ? policy : concatBytes(...lines, policy);
}

function keyFile(key: SigningKey): Uint8Array {
  return encodeUtf8(`${formatSigningKey(key)}\n`);
}
