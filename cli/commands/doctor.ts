// stele doctor: what is wrong with a set-up, and what to do about it. It changes nothing of the set-up.
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseEnvelope } from '../../attestation/index.js';
import { makeFolderSync } from '../../system/index.js';
import { SteleError, type Policy, type SigningKey } from '../../tlog/index.js';
import { define, type Invocation, type Register } from '../command.js';
import { CliError, statusOf, EXIT, type ExitStatus } from '../errors.js';
import { codeOf } from '../files.js';
import { buildDirectory } from '../identity.js';
import { publicInfo, readKey } from '../keys.js';
import { loadPolicy, openLog, type OpenLog } from '../log.js';
import { bundlePath } from '../names.js';
import { lyingInWords, strengthOf } from '../policy-words.js';
import type { Report } from '../report.js';
import { loadSettings, stateFolder, type Settings } from '../settings.js';

/** Seconds by which this clock and the newest cosignature may differ before it is worth a word. */
const CLOCK_DOUBT = 300;

/** Seconds after which the newest cosignature is old: a log that runs logs an anchor every ten minutes. */
const STALE = 3000;

/** Registers the command. */
export const registerDoctor: Register = (program, context, outcome) => {
  define(
    program
      .command('doctor')
      .description('say what is wrong with a set-up, and what to do; changes nothing of the set-up'),
    context,
    outcome,
    ['log', 'policy', 'key', 'participant', 'records', 'timeout'],
    async (invocation) => examine(invocation),
  );
};

async function examine(invocation: Invocation): Promise<ExitStatus | undefined> {
  const { report, settings } = invocation;
  report.say(
    'Looks at the settings, the policy, the key, the log and the records. It sends no record and signs nothing.',
  );
  checkNode(report);
  checkSettings(invocation);
  checkState(invocation);
  const policy = attempt(report, 'policy', () => checkPolicy(report, settings));
  const key = attempt(report, 'key', () => checkKey(report, settings));
  let worst: ExitStatus | undefined;
  let log: OpenLog | undefined;
  try {
    log = policy && settings.log !== undefined ? await checkLog(invocation) : undefined;
    if (log && key) await checkIdentity(invocation, log, key);
  } catch (error) {
    worst = blame(report, 'log', error);
  }
  if (settings.log === undefined || policy === undefined)
    report.check(
      'log',
      'not-checkable',
      'without a log and a policy there is nothing to read, and nothing to judge it by',
    );
  checkRecords(report, settings);
  return report.passed ? undefined : (worst ?? EXIT.failed);
}

/** Runs one check; what it throws is its finding. */
function attempt<T>(report: Report, name: string, check: () => T | undefined): T | undefined {
  try {
    return check();
  } catch (error) {
    blame(report, name, error);
    return undefined;
  }
}

function blame(report: Report, name: string, error: unknown): ExitStatus {
  // Proven misbehaviour is no fault of the set-up: the command ends as every other would.
  if (!(error instanceof SteleError) || (error instanceof CliError && error.status === EXIT.misbehaviour))
    throw error;
  report.check(name, 'fail', advice(error));
  return statusOf(error);
}

function advice({ message, hint }: SteleError): string {
  return hint === '' ? message : `${message}: ${hint}`;
}

function checkNode(report: Report): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fine = major > 20 || (major === 20 && minor >= 19);
  report.check(
    'node',
    fine ? 'pass' : 'fail',
    fine ? process.version : `expected Node 20.19 or newer, found ${process.version}: install one`,
  );
}

function checkSettings({ context, report, settings }: Invocation): void {
  // Flags are in `settings` already; where the others come from is worth saying.
  const { from } = loadSettings(context, {});
  const names = ['log', 'policy', 'key', 'participant', 'records'] as const;
  for (const name of names) {
    const value = settings[name];
    if (value !== undefined)
      report.check('settings', 'pass', `${name}: ${value} (${from[name] ?? `--${name}`})`);
  }
  const missing = names.filter((name) => settings[name] === undefined);
  if (missing.length === 0) return;
  report.check(
    'settings',
    'not-checkable',
    `nothing says ${missing.join(', ')}: "stele init" writes them all into stele.toml; who only verifies needs log and policy`,
  );
}

function checkState({ context, report }: Invocation): void {
  const folder = stateFolder(context);
  try {
    makeFolderSync(folder);
    accessSync(folder, constants.W_OK | constants.X_OK);
    report.check('state', 'pass', `${folder}: what logs have shown is remembered here`);
  } catch (error) {
    report.check(
      'state',
      'fail',
      `${folder}: expected a folder to write to, found ${codeOf(error) ?? 'an error'}: without it no log can be caught going back; set XDG_STATE_HOME or mend the permissions`,
    );
  }
}

function checkPolicy(report: Report, settings: Settings): Policy | undefined {
  if (settings.policy === undefined) return undefined;
  const policy = loadPolicy(settings);
  if (policy.logs.length === 0) {
    report.check(
      'policy',
      'fail',
      `${settings.policy}: it names no log: add the line "log VKEY" that the log's operator gives out`,
    );
    return undefined;
  }
  const strength = strengthOf(policy);
  const words = lyingInWords(policy, strength);
  report.check('policy', strength.faults >= 0 && policy.quorum !== undefined ? 'pass' : 'fail', words);
  return policy;
}

function checkKey(report: Report, settings: Settings): SigningKey | undefined {
  if (settings.key === undefined) return undefined;
  const key = readKey(settings.key);
  report.check('key', 'pass', `${settings.key}: an Ed25519 key that only its owner may read`);
  return key;
}

async function checkLog({ context, report, settings }: Invocation): Promise<OpenLog> {
  const log = await openLog(context, settings);
  const { origin, size, evaluation } = log.checkpoint;
  const names = evaluation.cosignatures.map(({ witness }) => witness.name);
  report.check(
    'log',
    'pass',
    `${origin}: ${size} entries, cosigned by ${names.join(', ') || 'nobody'}; it continues what was seen before`,
  );
  const times = evaluation.cosignatures.map(({ timestamp }) => timestamp);
  if (times.length === 0) {
    report.check('clock', 'not-checkable', 'no cosignature says what time it is');
    return log;
  }
  const newest = Math.max(...times);
  const seconds = Math.round(context.now() / 1000) - newest;
  if (seconds < -CLOCK_DOUBT)
    report.check(
      'clock',
      'fail',
      `a witness signed ${-seconds} seconds from now: this machine's clock is behind, or the witness's ahead`,
    );
  else if (seconds > STALE)
    report.check(
      'clock',
      'fail',
      `the newest cosignature is ${age(seconds)} old: this machine's clock is ahead, or the log or its witnesses have stopped; compare the clock, then ask "stele witness status"`,
    );
  else report.check('clock', 'pass', `the newest cosignature is ${age(seconds)} old`);
  return log;
}

async function checkIdentity({ report, settings }: Invocation, log: OpenLog, key: SigningKey): Promise<void> {
  const id = publicInfo(key).keyId;
  await log.index.update(log.reader, log.checkpoint.size);
  const { participant } = settings;
  const indexes = new Set([
    ...log.index.charter,
    ...(participant === undefined ? [] : log.index.about(participant)),
  ]);
  const entries = [];
  for (const index of [...indexes].sort((a, b) => a - b))
    entries.push({ index, envelope: parseEnvelope(await log.reader.entry(index)) });
  if (entries.length === 0) {
    report.check(
      'identity',
      'not-checkable',
      'the log has no charter: it takes any bytes, and says of nobody who he is',
    );
    return;
  }
  const known = buildDirectory(log.checkpoint.origin, entries).keys.get(id);
  if (known === undefined) {
    const who = participant ?? 'anybody';
    report.check(
      'identity',
      'fail',
      `the log has no key ${id} for ${who}: give participant-request.json to a registrar of the log, who introduces you; until then it refuses what you sign`,
    );
  } else if (participant !== undefined && known.participant !== participant)
    report.check(
      'identity',
      'fail',
      `the key is ${known.participant}'s in this log, and participant is set to ${participant}: mend one of the two`,
    );
  else if (known.until !== undefined)
    report.check('identity', 'fail', `the key was taken out by entry ${known.until}: use its successor`);
  else
    report.check(
      'identity',
      'pass',
      `the log knows the key as ${known.name}'s (${known.uses.join(', ')}), by ${known.by}`,
    );
}

function checkRecords(report: Report, settings: Settings): void {
  if (settings.records === undefined) return;
  if (!existsSync(settings.records)) {
    const parent = dirname(settings.records);
    report.check('records', existsSync(parent) ? 'pass' : 'fail', `${settings.records}: none yet`);
    return;
  }
  try {
    accessSync(settings.records, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    report.check(
      'records',
      'fail',
      `${settings.records}: expected a folder to write to, found ${codeOf(error) ?? 'an error'}: what is signed could not be kept; mend its owner or mode, or set records`,
    );
    return;
  }
  const names = readdirSync(settings.records);
  const signed = names.filter((name) => name.endsWith('.dsse.json'));
  const waiting = signed.filter((name) => !names.includes(bundlePath(name)));
  if (waiting.length === 0)
    report.check('records', 'pass', `${signed.length} signed, each with the proof that it is logged`);
  else
    report.check(
      'records',
      'fail',
      `${waiting.length} of ${signed.length} signed and not logged: stele submit ${waiting
        .slice(0, 3)
        .map((name) => join(settings.records ?? '', name))
        .join(' ')}${waiting.length > 3 ? ' …' : ''}`,
    );
}

function age(seconds: number): string {
  if (seconds < 120) return `${Math.max(0, seconds)} seconds`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} minutes`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} hours` : `${Math.round(seconds / 86_400)} days`;
}
