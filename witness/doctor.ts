// stele-witness doctor: what is wrong with a witness's folder, its server, its logs and its peers, and what to do about
// it. Everything is only read: no lock is taken, and no state is written.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readClaim, type Fetch, type WitnessClaim } from '../client/index.js';
import {
  ask,
  checkClocks,
  checkFolder,
  checkNode,
  checkSpace,
  checkTimeSync,
  Examination,
  lockHolder,
  type Asking,
  type TimeShown,
} from '../system/doctor/index.js';
import { formatKeyId, openCheckpoint, type SigningKey } from '../tlog/index.js';
import { leapFile } from './clock-guard.js';
import { checkFormat, layout, readKeys, readLogs, type WitnessedLog } from './folder.js';
import type { Peer } from './gossip/ports.js';
import { parseJournal } from './journal-file.js';
import { readPeers } from './peers.js';
import { restoredFile } from './restored.js';
import type { LogState } from './state-file.js';
import { originHash } from './state-store.js';

/** What `stele-witness doctor` is told. */
export interface WitnessDoctorOptions {
  readonly folder: string;
  /** Where its server answers, if it runs. */
  readonly url: string;
  /** For one exchange, milliseconds. */
  readonly timeoutMs: number;
  readonly now: () => number;
  readonly fetch: Fetch;
}

/** Everything that a witness keeps lies in its folder, or in one of a log's. */
const DEPTH = 3;
/** Bytes: its journal is at most twice as large. */
const RESERVE_BYTES = 64 * 1024 * 1024;

/** Looks at everything. What is wrong is in the answer; throws only what is a bug. */
export async function examineWitness(options: WitnessDoctorOptions): Promise<Examination> {
  const { folder, fetch, timeoutMs, now } = options;
  const exam = new Examination();
  checkNode(exam);
  await checkTimeSync(exam);
  if (!(await exam.attempt('folder', () => checkFolder(exam, folder, DEPTH)))) return exam;
  await exam.attempt('space', () =>
    checkSpace(exam, folder, RESERVE_BYTES, 'nothing can be written down, and so nothing is signed'),
  );
  const format = await exam.attempt('format', () => checkFormat(folder));
  if (format === undefined) return exam;
  exam.pass(
    'format',
    format === '0\n' ? '0: the next start brings it to 1' : `${format.trim()}, as this version writes it`,
  );
  const keys = await exam.attempt('keys', () => readKeys(folder));
  if (keys !== undefined)
    exam.pass(
      'keys',
      `${keys.map(({ name, keyId }) => `${name} (${formatKeyId(keyId)})`).join(', ')}: for their owner only`,
    );
  await checkMarks(exam, folder);
  const logs = (await exam.attempt('logs', () => readLogs(folder))) ?? [];
  const peers = (await exam.attempt('peers', () => readPeers(folder))) ?? [];
  const states =
    format === '0\n' ? undefined : await exam.attempt('state', () => checkState(exam, folder, logs));

  const asking = { fetch, timeoutMs, now };
  const times: TimeShown[] = [];
  await checkServer(exam, options, keys ?? [], logs);
  if (logs.length === 0)
    exam.fail('logs', {
      expected: 'a log to cosign',
      found: 'none',
      todo: "stele-witness add-log VKEY --url URL, with what the log's operator gives out",
    });
  // One after the other in the report, all at once on the wire.
  for (const findings of await Promise.all([
    ...logs.map((log) => checkLog(log, states?.get(log.origin), asking, times)),
    ...peers.map((peer) => checkPeer(peer, asking, times)),
  ]))
    exam.merge(findings);
  checkClocks(exam, times);
  return exam;
}

/** What keeps a witness from signing, and outlives a restart. */
async function checkMarks(exam: Examination, folder: string): Promise<void> {
  const leap = await exam.attempt('clock', () => leapFile(layout.leap(folder)).read());
  if (leap !== undefined)
    exam.fail('clock', {
      expected: 'no leap of the clock that waits to be confirmed',
      found: `one to ${new Date(leap.found).toISOString()}`,
      todo: 'nothing is signed until you say that the clock is right: stele-witness confirm-clock',
    });
  const restored = await exam.attempt('restored', () => restoredFile(layout.restored(folder)).read());
  if (restored !== undefined)
    exam.fail('restored', {
      expected: 'a folder that was never replaced by an older copy',
      found: `that ${restored.where || 'somebody'} has shown later cosignatures by this key`,
      todo: 'the key is spent for good: make a new witness with stele-witness init, and tell the logs',
    });
}

/** That everything ever cosigned is still known. */
async function checkState(
  exam: Examination,
  folder: string,
  logs: readonly WitnessedLog[],
): Promise<Map<string, LogState>> {
  const file = join(layout.state(folder), 'journal');
  const states = parseJournal(await readFile(file), file);
  for (const { origin } of logs) await readFile(join(layout.state(folder), originHash(origin)));
  exam.pass('state', `${states.size} of ${logs.length} logs cosigned so far, as the journal has it`);
  return states;
}

async function checkServer(
  exam: Examination,
  { folder, url, fetch, timeoutMs }: WitnessDoctorOptions,
  keys: readonly SigningKey[],
  logs: readonly WitnessedLog[],
): Promise<void> {
  const holder = lockHolder(join(layout.lock(folder), 'LOCK'));
  if (typeof holder === 'number') exam.pass('lock', `process ${holder} serves this folder`);
  else if (holder === null) exam.pass('lock', 'no process that can be seen from here serves this folder');
  else exam.unknown('lock', 'who holds it cannot be seen on this system');
  const claim = await readClaim(url, { fetch, timeoutMs }).catch(() => undefined);
  if (claim === undefined) {
    if (typeof holder === 'number')
      exam.fail('server', {
        expected: `the witness to answer at ${url}`,
        found: 'nobody, or another server',
        todo: 'name its address with --url, or see its lines (journalctl -u stele-witness)',
      });
    else
      exam.unknown('server', `nobody answers at ${url}: the witness is stopped, or --url names its address`);
    return;
  }
  const name = keys[0]?.name;
  if (name !== undefined && claim.name !== name)
    exam.fail('server', {
      expected: `${name} at ${url}`,
      found: `the witness ${claim.name}`,
      todo: 'name the right address with --url',
    });
  else checkClaim(exam, url, claim, logs, holder ?? undefined);
}

function checkClaim(
  exam: Examination,
  url: string,
  claim: WitnessClaim,
  logs: readonly WitnessedLog[],
  holder: number | undefined,
): void {
  if (claim.ok) exam.pass('server', `${url}: says that it signs`);
  else
    exam.fail('server', {
      expected: `${url} to sign`,
      found: `that it signs nothing: ${claim.reason ?? 'it does not say why'}`,
      todo: 'do what it says; see its lines (journalctl -u stele-witness)',
    });
  const unknown = logs.filter(({ origin }) => !claim.logs.some((log) => log.origin === origin));
  if (unknown.length > 0)
    exam.fail('server', {
      expected: 'the server to know every log of the folder',
      found: `that it has not read ${unknown.map(({ origin }) => origin).join(', ')}`,
      todo: holder === undefined ? 'send it SIGHUP' : `kill -HUP ${holder}`,
    });
  for (const { origin, alarms, evidence } of claim.logs) {
    if (alarms.length + evidence.length === 0) continue;
    exam.fail('alarm', {
      expected: `nothing to say about ${origin}`,
      found: [
        ...new Set(alarms),
        ...(evidence.length > 0 ? [`${evidence.length} files of evidence`] : []),
      ].join(', '),
      todo: `stele witness status ${url}`,
    });
  }
}

/** Whether a log is where it is said to be, and signs by the keys that are configured. */
async function checkLog(
  { origin, url, keys }: WitnessedLog,
  state: LogState | undefined,
  asking: Asking,
  times: TimeShown[],
): Promise<Examination> {
  const exam = new Examination();
  const cosigned = state?.latest === undefined ? 'cosigned never' : `cosigned at ${state.latest.size}`;
  if (url === undefined) {
    exam.unknown(
      'log',
      `${origin}: ${cosigned}; without its URL less can be proven: stele-witness add-log VKEY --url URL`,
    );
    return exam;
  }
  await exam.attempt('log', async () => {
    const { status, body } = await ask(url, 'checkpoint', asking, times);
    if (status !== 200) {
      exam.fail('log', {
        expected: `a checkpoint of ${origin} at ${url}`,
        found: `status ${status}`,
        todo: 'see that the URL is right; a new log has none until its witnesses cosign',
      });
      return;
    }
    const { checkpoint } = openCheckpoint(body, keys, [], origin);
    exam.pass('log', `${origin}: shows size ${checkpoint.size}, ${cosigned}`);
  });
  return exam;
}

async function checkPeer({ name, url }: Peer, asking: Asking, times: TimeShown[]): Promise<Examination> {
  const exam = new Examination();
  if (url === undefined) exam.unknown('peer', `${name}: it is read from the logs' checkpoints alone`);
  else
    await exam.attempt('peer', async () => {
      await ask(url, 'status.json', asking, times);
      exam.pass('peer', `${name}: ${url} answers`);
    });
  return exam;
}
