// add-key and retire-key: how the keys of a stopped log change. Each logs a charter-amendment, and the next head
// is signed by the new set: the index of the amendment that completes the change is the size of the last head
// of the old one.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  buildCharterAmendment,
  canonicalJson,
  checkTerms,
  formatEnvelope,
  lastAnchor,
  parseEnvelope,
  parseJson,
  parseStatement,
  prepareEntry,
  sign,
  termsDigest,
  termsInForce,
} from '../attestation/index.js';
import type { Terms } from '../attestation/index.js';
import { KeyFileError, createFile, readKeyFile, replaceFile } from '../system/index.js';
import {
  COSIGNATURE_MLDSA44,
  NOTE_ED25519,
  encodeHex,
  encodeUtf8,
  formatKeyId,
  formatSigningKey,
  formatVkey,
  newSigningKey,
  openCheckpoint,
  parseCheckpoint,
  parseNote,
  parseVkey,
} from '../tlog/index.js';
import type { Clock, Vkey } from '../tlog/index.js';
import { charterEffects } from './admission-charter.js';
import { Overlay } from './admission.js';
import { checkLedger, readCharterFile } from './charter-check.js';
import { LogError } from './errors.js';
import { FILES } from './folder.js';
import { activeLives, readKeyLives } from './log-keys.js';
import type { KeyLife, KeyLives } from './log-keys.js';
import { openStopped, settleRotation, writePlan } from './rotation-plan.js';
import type { RotationHook, RotationPlan } from './rotation-plan.js';
import type { LogStorage } from './storage/types.js';

/** What add-key and retire-key are told. */
export interface RotateOptions {
  readonly folder: string;
  readonly clock: Pick<Clock, 'now'>;
  /** Path of the operator's key; the folder's own where nothing is said. */
  readonly operatorKey?: string | undefined;
  /** A registrar's signed charter-amendment, to be logged instead of one by the operator's key. */
  readonly consent?: Uint8Array | undefined;
  /** `count` bytes nobody can guess; the system's unless a test says otherwise. */
  readonly random?: (count: number) => Uint8Array;
  readonly step?: RotationHook;
  /** Told of what was done while a run that is cut off can still be resumed: it is done again until this was told. */
  readonly report?: (done: Rotated) => void | Promise<void>;
}

/** How the keys of a log are now. */
export interface Rotated {
  /** Whether a change that had been cut off was ended, and nothing else done. */
  readonly resumed: boolean;
  /** Whether there was nothing to do: the key to be retired had retired before. */
  readonly unchanged: boolean;
  readonly lives: KeyLives;
}

/**
 * Gives a stopped log another key, which signs every head from the next one on, beside those that are there. Throws
 * LogError "no_charter", "no_anchor", "consents_missing", "bad_consent", "bad_origin", AttestationError for terms that
 * cannot be, NotAdmittedError, and as openLogStorage.
 */
export async function addKey(options: RotateOptions & { readonly mlDsa?: boolean }): Promise<Rotated> {
  return change(options, async (terms) => {
    const { folder, random = randomBytes, step = () => undefined } = options;
    const type = options.mlDsa ? COSIGNATURE_MLDSA44 : NOTE_ED25519;
    const kept = await keptTerms(folder, terms, type);
    if (kept !== undefined) return kept;
    // SPEC (tlog-cosignature): "opaque log_origin<1..2^8-1>".
    if (options.mlDsa && encodeUtf8(terms.origin).length > 255)
      throw new LogError(
        'bad_origin',
        `origin: expected at most 255 bytes for a log that signs with ML-DSA-44, found ${encodeUtf8(terms.origin).length}`,
        'this log can have Ed25519 keys only',
      );
    const key = newSigningKey(terms.origin, type, random(32));
    const next = termsWith(terms, key.vkey);
    checkTerms(next);
    await createFile(join(folder, fileOf(key.vkey)), `${formatSigningKey(key)}\n`);
    await step('rotate:key');
    return next;
  });
}

/**
 * Takes a key from a stopped log: the head signed last is its last one. Its secret is not needed, so a key that is
 * lost can be retired too. One that has retired stays as it is. Throws as addKey, and LogError "bad_key", "no_overlap".
 */
export async function retireKey(options: RotateOptions & { readonly keyId: string }): Promise<Rotated> {
  return change(options, (terms, lives, storage) => {
    const isNamed = ({ vkey }: KeyLife): boolean => formatKeyId(vkey.keyId) === options.keyId;
    if (lives.some((life) => isNamed(life) && life.until !== null)) return Promise.resolve(undefined);
    const active = activeLives(lives);
    const leaving = active.find(isNamed);
    const staying = active.filter((life) => life !== leaving);
    const ids = active.map(({ vkey }) => `${formatKeyId(vkey.keyId)} (type ${vkey.type})`).join(', ');
    if (leaving === undefined)
      throw new LogError(
        'bad_key',
        `expected one of the keys ${ids}, found ${options.keyId}`,
        'name it by its ID',
      );
    if (staying.every(({ vkey }) => vkey.type !== NOTE_ED25519))
      throw new LogError(
        'bad_key',
        `expected an Ed25519 key to stay, found that ${options.keyId} is the last one`,
        'give the log another one first: stele-log add-key',
      );
    checkOverlap(storage, staying);
    return Promise.resolve(termsWithout(terms, leaving.vkey));
  });
}

/** Readers have to have seen what they are to rely on. */
function checkOverlap(storage: LogStorage, staying: readonly KeyLife[]): void {
  const note = storage.published?.note;
  const vkeys = staying.map(({ vkey }) => vkey);
  const signed = note === undefined || vkeys.length === 0 ? [] : signersOf(note, vkeys);
  const missing = vkeys.find((vkey) => !signed.includes(vkey));
  if (missing === undefined) return;
  throw new LogError(
    'no_overlap',
    `expected the published checkpoint to have a line by ${formatKeyId(missing.keyId)}, which is to stay, found none`,
    'start the log, let it publish, and give readers and witnesses time to learn the new key',
  );
}

function signersOf(note: Uint8Array, vkeys: readonly Vkey[]): Vkey[] {
  try {
    return openCheckpoint(note, vkeys).logSignatures.map(({ vkey }) => vkey);
  } catch {
    return [];
  }
}

async function change(
  options: RotateOptions,
  decide: (terms: Terms, lives: KeyLives, storage: LogStorage) => Promise<Terms | undefined>,
): Promise<Rotated> {
  const { folder, step = () => undefined, report = () => undefined } = options;
  const tell = async (done: Rotated): Promise<Rotated> => {
    await report(done);
    return done;
  };
  const settle = async (resumed: boolean): Promise<Rotated | undefined> => {
    const done = (now: KeyLives): Rotated => ({ resumed, unchanged: false, lives: now });
    const isSettled = await settleRotation(folder, step, (now) => report(done(now)));
    return isSettled ? done(await readKeyLives(folder)) : undefined;
  };
  const earlier = await settle(true);
  if (earlier !== undefined) return earlier;
  const lives = await readKeyLives(folder);
  const storage = await openStopped(folder, lives);
  let resumed = false;
  try {
    const { terms, digest } = await chartered(folder, storage);
    let plan: RotationPlan;
    if (sameKeys(terms, activeLives(lives))) {
      const next = await decide(terms, lives, storage);
      if (next === undefined) return await tell({ resumed, unchanged: true, lives });
      await replaceFile(join(folder, FILES.nextTerms), canonicalJson(next));
      await step('rotate:terms');
      const entry = await amendment(options, storage, { terms, digest }, next);
      await checkCompletes(options, storage, entry, { next, terms });
      plan = { index: storage.size, entry, policy: next.policy, keys: livesUnder(lives, next, storage.size) };
    } else {
      // Registrars have logged it themselves: what was signed since is the old keys'.
      resumed = true;
      const index = signedSize(storage);
      plan = { index, entry: undefined, policy: terms.policy, keys: livesUnder(lives, terms, index) };
    }
    await writePlan(folder, plan);
    await step('rotate:planned');
  } finally {
    await storage.close();
  }
  // Where somebody else has come first, it is done all the same.
  return (
    (await settle(resumed)) ?? (await tell({ resumed, unchanged: false, lives: await readKeyLives(folder) }))
  );
}

async function chartered(folder: string, storage: LogStorage): Promise<{ terms: Terms; digest: string }> {
  const found = await termsInForce(storage.ledger);
  if (found !== undefined) {
    await checkLedger(storage.ledger, storage.size);
    return found;
  }
  if ((await readCharterFile(folder)) === undefined)
    throw new LogError(
      'no_charter',
      'expected a log with a charter, found one of --admission none, whose keys stay as init made them',
      'nothing in such a log could say which key signs from when on: make another log, of another origin',
    );
  throw new LogError(
    'no_charter',
    'expected a log with a charter, found none in its tree',
    'the keys of a log change by charter-amendment: start the log, and let it publish its charter first',
  );
}

function sameKeys({ logKeys }: Terms, active: readonly KeyLife[]): boolean {
  const held = active.map(({ vkey }) => formatVkey(vkey)).sort();
  return [...logKeys].sort().join('\n') === held.join('\n');
}

function signedSize({ signed }: LogStorage): number {
  return signed === undefined ? 0 : parseCheckpoint(parseNote(signed).text).size;
}

/** The new keys sign heads larger than `index`, those that are named no more sign up to it. */
function livesUnder([first, ...others]: KeyLives, { logKeys }: Terms, index: number): KeyLives {
  const end = (life: KeyLife): KeyLife =>
    life.until === null && !logKeys.includes(formatVkey(life.vkey)) ? { ...life, until: index } : life;
  const known = [first, ...others].map(({ vkey }) => formatVkey(vkey));
  const come = logKeys.filter((vkey) => !known.includes(vkey)).map(parseVkey);
  return [
    end(first),
    ...others.map(end),
    ...come.map((vkey) => ({ vkey, file: fileOf(vkey), from: index + 1, until: null })),
  ];
}

function fileOf({ keyId }: Vkey): string {
  return `log-${formatKeyId(keyId)}.key`;
}

/** The line of the key that is first, with the other's vkey, behind the last `log` line. */
function termsWith(terms: Terms, vkey: Vkey): Terms {
  const lines = terms.policy.split('\n');
  const last = lines.findLastIndex(isLogLine);
  const [, , ...rest] = (lines[last] ?? '').trim().split(/[ \t]+/);
  lines.splice(last + 1, 0, ['log', formatVkey(vkey), ...rest].join(' '));
  return {
    ...terms,
    logKeys: [...terms.logKeys, formatVkey(vkey)] as Terms['logKeys'],
    policy: lines.join('\n'),
  };
}

function termsWithout(terms: Terms, vkey: Vkey): Terms {
  const text = formatVkey(vkey);
  const isGone = (line: string): boolean => isLogLine(line) && line.trim().split(/[ \t]+/)[1] === text;
  const policy = terms.policy
    .split('\n')
    .filter((line) => !isGone(line))
    .join('\n');
  const left: string[] = terms.logKeys.filter((each) => each !== text);
  return { ...terms, logKeys: left, policy };
}

function isLogLine(line: string): boolean {
  return /^[ \t]*log[ \t]/.test(line);
}

/** The terms of a run that ended before enough registrars had consented: the same key again, if it is still there. */
async function keptTerms(folder: string, terms: Terms, type: number): Promise<Terms | undefined> {
  const bytes = await readFile(join(folder, FILES.nextTerms)).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const kept = parseJson(bytes) as unknown as Terms;
  const [added, ...more] = kept.logKeys.filter((vkey) => !terms.logKeys.includes(vkey));
  if (added === undefined || more.length > 0) return undefined;
  const vkey = parseVkey(added);
  const isSame = termsDigest(kept) === termsDigest(termsWith(terms, vkey));
  return isSame && vkey.type === type && isHeld(folder, vkey) ? kept : undefined;
}

/** Whether its secret is there: terms that name a key which nobody has would keep the log from starting. */
function isHeld(folder: string, vkey: Vkey): boolean {
  try {
    return formatVkey(readKeyFile(join(folder, fileOf(vkey))).vkey) === formatVkey(vkey);
  } catch (error) {
    // A mode that is wrong can be put right.
    if (error instanceof KeyFileError && error.code !== 'key_exposed') return false;
    throw error;
  }
}

async function amendment(
  { folder, clock, operatorKey, consent }: RotateOptions,
  storage: LogStorage,
  { terms, digest }: { terms: Terms; digest: string },
  next: Terms,
): Promise<Uint8Array> {
  if (consent !== undefined) return formatEnvelope(parseEnvelope(consent));
  const key = readKeyFile(operatorKey ?? join(folder, FILES.operatorKey));
  const raw = encodeHex(key.vkey.publicKey);
  const registrar = terms.registrars.members.find((member) => member.key === raw);
  if (registrar === undefined) throw consentsMissing(folder, terms, 'this key is no registrar’s');
  const anchor = await lastAnchor(storage.ledger);
  if (anchor === undefined)
    throw new LogError(
      'no_anchor',
      'expected an anchor in the log, found none',
      'start it, and wait until it is ready',
    );
  const statement = buildCharterAmendment({
    participant: registrar.participant,
    issuedAt: Math.floor(clock.now() / 1000),
    recentAnchor: { index: anchor.index, leafHash: anchor.leafHash },
    amends: digest,
    terms: next,
  });
  return formatEnvelope(sign(statement, key.secret));
}

/** Nothing is logged that would not put these very terms into force. */
async function checkCompletes(
  { folder }: RotateOptions,
  storage: LogStorage,
  entry: Uint8Array,
  { next, terms }: { next: Terms; terms: Terms },
): Promise<void> {
  const { statement } = parseStatement(parseEnvelope(entry).payload);
  if (statement.predicateType !== 'https://stele-log/charter-amendment/v1')
    throw new LogError(
      'bad_consent',
      `expected a charter-amendment, found ${statement.predicateType}`,
      'see --help',
    );
  const { id } = prepareEntry(entry);
  if ((await storage.lookup(id)) !== undefined)
    throw new LogError(
      'bad_consent',
      'expected a consent that is not logged yet, found one that is',
      'one is left to be given',
    );
  const overlay = new Overlay(storage.ledger);
  const { size, origin } = storage;
  overlay.apply(
    (await charterEffects(origin)(overlay, size, entry, (earlier) => storage.rootAt(earlier))).ledger,
  );
  if ((await termsInForce(overlay))?.digest === termsDigest(next)) return;
  throw consentsMissing(folder, terms, 'with this one they are not enough, or it is for other terms');
}

function consentsMissing(folder: string, terms: Terms, why: string): LogError {
  const { threshold, members } = terms.registrars;
  return new LogError(
    'consents_missing',
    `expected ${threshold} of ${members.length} registrars to consent, and ${why}`,
    `start the log, have all but the last of them submit a charter-amendment with the terms in ${join(folder, FILES.nextTerms)} (stele attest charter-amendment --terms FILE --amends ${termsDigest(terms)}), then stop it and run this again, with the last one as --consent`,
  );
}
