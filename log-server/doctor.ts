// stele-log doctor: what is wrong with a log's folder, its server and its witnesses, and what to do about it. The
// checks are those of the start, on what is read without opening the log: nothing is changed, no lock is taken.
import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { termsInForce } from '../attestation/index.js';
import type { Charter } from '../attestation/index.js';
import type { Fetch } from '../client/index.js';
import { readKeyFile } from '../system/index.js';
import {
  age,
  checkClocks,
  checkFolder,
  checkNode,
  checkSpace,
  checkTimeSync,
  checkWitnesses,
  Examination,
  lockHolder,
  STALE,
  whoAnswers,
  type Asking,
  type TimeShown,
} from '../system/doctor/index.js';
import { lyingInWords, strengthOf } from '../system/policy-words.js';
import { equalBytes, evaluatePolicy, formatKeyId, formatVkey, parsePolicy } from '../tlog/index.js';
import type { Policy } from '../tlog/index.js';
import { checkLedger, checkTerms, needCharterFile, readCharterFile } from './charter-check.js';
import { checkReadiness } from './doctor-readiness.js';
import { FILES, isThere, readPolicyFile } from './folder.js';
import { activeLives, keysOf, readKeyLives, storageOf } from './log-keys.js';
import type { KeyLives, LogKeys } from './log-keys.js';
import { FileTileStore, FolderDisk, LevelTreeState, PUBLIC } from './storage/index.js';
import { RESERVE_BYTES } from './storage/log-storage.js';
import { checkFormat } from './storage/open.js';
import { withStateCopy } from './storage/salvage.js';
import { checkStart, readNote } from './storage/start-check.js';
import { Tail } from './storage/tail.js';

/** What `stele-log doctor` is told. */
export interface LogDoctorOptions {
  readonly folder: string;
  /** Where its server answers, if it runs. */
  readonly url: string;
  /** Bytes that must be free, as `serve` is told. */
  readonly reserveBytes?: number | undefined;
  /** For one exchange, milliseconds. */
  readonly timeoutMs: number;
  readonly now: () => number;
  readonly fetch: Fetch;
  /** Where a copy of the state may be put for a while; the system's temporary folder unless given. */
  readonly scratch?: string;
}

/** Folders below the log's own whose files are looked at: of the tiles, the first levels. */
const DEPTH = 4;
/** Bytes of state that are copied to be looked at. */
const MOST_STATE = 256 * 1024 * 1024;

/** What was found of the folder before anybody was asked. */
interface Found {
  readonly lives: KeyLives;
  readonly keys: LogKeys | undefined;
  readonly origin: string;
  readonly policyFile: Uint8Array | undefined;
  readonly policy: Policy | undefined;
  /** undefined where there is none, or none that can be read. */
  readonly charter: Charter | undefined;
  /** Size of the last head signed; undefined where there is none that can be read. */
  readonly signed: number | undefined;
}

/** Looks at everything. What is wrong is in the answer; throws only what is a bug. */
export async function examineLog(options: LogDoctorOptions): Promise<Examination> {
  const { folder } = options;
  const exam = new Examination();
  checkNode(exam);
  await checkTimeSync(exam);
  if (!(await exam.attempt('folder', () => checkFolder(exam, folder, DEPTH)))) return exam;
  await exam.attempt('space', () =>
    checkSpace(exam, folder, options.reserveBytes ?? RESERVE_BYTES, 'nothing is admitted'),
  );
  const lives = await exam.attempt('format', async () => {
    const listed = await readKeyLives(folder);
    const { origin } = storageOf(folder, listed);
    await checkFormat(new FolderDisk(join(folder, FILES.data)), origin);
    exam.pass('format', `the folder of ${origin}, of this version's format`);
    return listed;
  });
  if (lives === undefined) return exam;
  const found = await examineFiles(exam, folder, lives);
  const runs = await checkServer(exam, options, found);
  if (!runs) await checkState(exam, options, found);
  return exam;
}

async function examineFiles(exam: Examination, folder: string, lives: KeyLives): Promise<Found> {
  const { origin } = storageOf(folder, lives);
  const keys = await exam.attempt('keys', () => {
    const held = keysOf(folder, lives);
    const names = activeLives(lives).map(({ vkey, file }) => `${file} (${formatKeyId(vkey.keyId)})`);
    exam.pass('keys', `${names.join(', ')}: as log-keys.json lists them, for their owner only`);
    return held;
  });
  for (const file of [FILES.anchorKey, FILES.operatorKey]) {
    const path = join(folder, file);
    if (!(await isThere(path))) continue;
    await exam.attempt('keys', () => {
      readKeyFile(path);
      exam.pass('keys', `${file}: for its owner only`);
    });
  }
  if (await isThere(join(folder, FILES.rotation)))
    exam.fail('keys', {
      expected: 'no change of the keys to be under way',
      found: `${FILES.rotation}: one that was cut off`,
      todo: 'start the log, or run the same stele-log add-key or retire-key again: it is ended first',
    });
  const policyFile = await exam.attempt('policy', () => readPolicyFile(folder));
  const policy = policyFile && (await exam.attempt('policy', () => checkPolicy(exam, folder, policyFile)));
  const signed = await exam.attempt('heads', () => signedSize(folder, lives));
  const charter = await exam.attempt('charter', async () => {
    // A log with --admission none has neither.
    const made = await isThere(join(folder, FILES.anchorKey));
    return made ? needCharterFile(folder) : readCharterFile(folder);
  });
  return { lives, keys, origin, policyFile, policy, charter: charter?.charter, signed };
}

async function signedSize(folder: string, lives: KeyLives): Promise<number | undefined> {
  const note = await readNote(new FolderDisk(join(folder, FILES.data)), 'signed', storageOf(folder, lives));
  return note?.checkpoint.size;
}

function checkPolicy(exam: Examination, folder: string, file: Uint8Array): Policy {
  const policy = parsePolicy(file);
  const strength = strengthOf(policy);
  const words = lyingInWords(policy, strength);
  if (strength.faults === 0) exam.remark('policy', words);
  else if (strength.faults > 0 && policy.quorum !== undefined) exam.pass('policy', words);
  else
    exam.fail('policy', {
      expected: `any two quorums of ${join(folder, FILES.policy)} to share a witness`,
      found: words,
      todo: 'a policy changes by charter-amendment: see "Changing the witnesses" in docs/operating.md',
    });
  return policy;
}

/** Who has the key, whether the log answers, what its newest head is, and what its witnesses say. Whether it runs. */
async function checkServer(exam: Examination, options: LogDoctorOptions, found: Found): Promise<boolean> {
  const { folder, url, fetch, timeoutMs, now } = options;
  const { origin, lives, policy } = found;
  const asking: Asking = { fetch, timeoutMs, now };
  const times: TimeShown[] = [];
  const holder = lockHolder(join(folder, `lock-${formatKeyId(lives[0].vkey.keyId)}`, 'LOCK'));
  const answering = await whoAnswers(url, asking);
  const shown = answering?.origin;
  const answers = shown === origin;
  const runs = answers || typeof holder === 'number';
  if (typeof holder === 'number') exam.pass('lock', `process ${holder} works in this folder`);
  else if (holder === null) exam.pass('lock', 'no process that can be seen from here works in this folder');
  else exam.unknown('lock', 'who holds it cannot be seen on this system');
  const readiness = answers ? answering?.readiness : undefined;
  const frozen = readiness?.state === 'frozen';
  // Asked before the server is judged, and said after it: what they say may be why it takes nothing.
  const ofWitnesses = new Examination();
  const witnesses =
    policy === undefined
      ? undefined
      : await checkWitnesses(
          ofWitnesses,
          policy,
          {
            origin,
            size: found.signed,
            // Where that cannot be read, it was said.
            ...(found.signed !== undefined && { signed: () => signedSize(folder, lives) }),
            runs,
            frozen,
            vkeys: activeLives(lives).map(({ vkey }) => formatVkey(vkey)),
          },
          asking,
          times,
        );
  if (answers) checkReadiness(exam, url, readiness, witnesses);
  else if (shown !== undefined)
    exam.fail('server', {
      expected: `${origin} at ${url}`,
      found: `the log ${shown}`,
      todo: 'name the right address with --url',
    });
  else if (runs)
    exam.fail('server', {
      expected: `the log to answer at ${url}`,
      found: answering === undefined ? 'nobody' : `status ${answering.status}`,
      todo: 'name its address with --url; a log that has just begun has no checkpoint until its witnesses cosign',
    });
  else exam.unknown('server', `nobody answers at ${url}: the log is stopped, or --url names its address`);
  await exam.attempt('heads', () => checkHead(exam, options, found, { answers, frozen }));
  exam.merge(ofWitnesses);
  checkClocks(exam, times);
  return runs;
}

/** The newest head: which policy it was published by, and how old its cosignatures are. */
async function checkHead(
  exam: Examination,
  { folder, now }: LogDoctorOptions,
  { lives, policy, policyFile, charter }: Found,
  { answers, frozen }: { readonly answers: boolean; readonly frozen: boolean },
): Promise<void> {
  const disk = new FolderDisk(join(folder, FILES.data));
  const note = await readNote(disk, 'published', storageOf(folder, lives));
  if (note === undefined) {
    exam.unknown('heads', 'none is published yet: that takes a quorum of witnesses');
    return;
  }
  const { size } = note.checkpoint;
  if (answers && policyFile !== undefined && !equalBytes(policyFile, note.file.policy))
    exam.fail('policy', {
      expected: 'the policy that the newest head was published by',
      found: `another in ${join(folder, FILES.policy)}`,
      todo: 'restore it from its backup; if an amendment has just been logged, start the log again to bring it into force',
    });
  const { cosignatures } =
    policy === undefined ? { cosignatures: [] } : evaluatePolicy(policy, note.file.note);
  const newest = Math.max(0, ...cosignatures.map(({ timestamp }) => timestamp));
  if (newest === 0) {
    exam.pass('heads', `size ${size} is published; no cosignature says when`);
    return;
  }
  const seconds = now() / 1000 - newest;
  // An idle log logs an anchor at each interval, and publishes that.
  const interval = charter?.predicate.terms.anchorInterval;
  if (answers && !frozen && interval !== undefined && seconds > Math.max(STALE, 5 * interval))
    exam.fail('heads', {
      expected: `a head of the last ${age(Math.max(STALE, 5 * interval))}`,
      found: `size ${size}, cosigned ${age(seconds)} ago`,
      todo: 'it has stopped publishing: see its lines (journalctl -u stele-log), and its witnesses below',
    });
  else exam.pass('heads', `size ${size} is published, cosigned ${age(seconds)} ago`);
}

/** What a start would check, on a copy of the state: only of a log that is stopped. */
async function checkState(exam: Examination, options: LogDoctorOptions, found: Found): Promise<void> {
  const { folder } = options;
  const data = join(folder, FILES.data);
  const bytes = await sizeOf(join(data, 'state'));
  if (bytes > MOST_STATE) {
    exam.unknown(
      'state',
      `${Math.floor(bytes / (1024 * 1024))} MiB: too large to look at here: stele-log fsck checks all`,
    );
    return;
  }
  await exam.attempt('state', () =>
    withStateCopy(join(data, 'state'), options.scratch ?? tmpdir(), async (copy) => {
      const state = await LevelTreeState.open(copy);
      try {
        const disk = new FolderDisk(data);
        const tiles = new FileTileStore(disk, PUBLIC, UNUSED);
        const tail = new Tail(disk, 'tail', UNUSED);
        const lock = { mark: undefined, writeMark: nothing, close: nothing };
        const options = storageOf(folder, found.lives);
        const { mended } = await checkStart({ options, disk, state, tiles, tail, lock });
        const words = mended.length === 0 ? '' : `; a start mends: ${mended.join('; ')}`;
        exam.pass('state', `${state.head.size} entries hash to the heads that were signed${words}`);
        const { policyFile, keys, charter } = found;
        const inForce = await termsInForce(state.ledger);
        const terms = inForce?.terms ?? charter?.predicate.terms;
        if (terms === undefined || keys === undefined || policyFile === undefined) return;
        await exam.attempt('charter', async () => {
          // What is wrong with the file itself has been said.
          if (charter === undefined) return;
          await checkLedger(state.ledger, state.head.size);
          checkTerms(folder, policyFile, keys, terms);
          exam.pass('charter', 'policy and keys are those of the charter in force');
        });
      } finally {
        await state.close();
      }
    }),
  );
}

const nothing = (): Promise<void> => Promise.resolve();
/** Nothing is written. */
const UNUSED = { written: nothing, renamed: nothing };

async function sizeOf(folder: string): Promise<number> {
  let sum = 0;
  for (const name of await readdir(folder).catch(() => [])) sum += (await stat(join(folder, name))).size;
  return sum;
}
