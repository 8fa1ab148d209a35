// stele doctor: what is wrong with a set-up, and what to do about it. It changes nothing: no file is made, and what a
// log shows is held against what was seen before, but not remembered.
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseEnvelope } from '../../attestation/index.js';
import {
  age,
  ask,
  checkClocks,
  checkNode,
  checkNotShared,
  checkWitnesses,
  Examination,
  readinessInWords,
  readyzIn,
  STALE,
  summary,
  type Asking,
  type ReadyzClaim,
  type TimeShown,
} from '../../system/doctor/index.js';
import { lyingInWords, strengthOf } from '../../system/policy-words.js';
import { formatVkey, type Policy, type SigningKey } from '../../tlog/index.js';
import { define, type Invocation, type Register } from '../command.js';
import type { ExitStatus } from '../errors.js';
import { codeOf } from '../files.js';
import { buildDirectory } from '../identity.js';
import { publicInfo, readKey } from '../keys.js';
import { loadPolicy, openLog, type OpenLog } from '../log.js';
import { bundlePath } from '../names.js';
import { loadSettings, stateFolder, type Settings } from '../settings.js';

/** Seconds by which this clock and the newest cosignature may differ before it is worth a word. */
const CLOCK_DOUBT = 300;

const AFTER_HELP = `
Exit status: 0 nothing wrong was found; 3 somebody does not answer, or 4 too few witnesses have cosigned, and
nothing else is wrong; 1 something is; 5 the log is proven to have lied, and the evidence is written down.`;

/** Registers the command. */
export const registerDoctor: Register = (program, context, outcome) => {
  define(
    program
      .command('doctor')
      .description(
        'say what is wrong with a set-up, its log or its witnesses, and what to do; changes nothing',
      )
      .addHelpText('after', AFTER_HELP),
    context,
    outcome,
    ['log', 'policy', 'key', 'participant', 'records', 'timeout'],
    async (invocation) => examine(invocation),
  );
};

/** What every check is given. */
interface Looking extends Invocation {
  readonly exam: Examination;
}

async function examine(invocation: Invocation): Promise<ExitStatus> {
  const { report, settings, context } = invocation;
  const exam = new Examination(({ name, status, detail }) => report.check(name, status, detail));
  const looking = { ...invocation, exam };
  report.say(
    'Looks at the settings, the policy, the key and the records, and asks the log and its witnesses. It sends no record and changes nothing.',
  );
  checkNode(exam);
  checkSettings(looking);
  checkState(looking);
  const policy = await exam.attempt('policy', () => checkPolicy(exam, settings));
  const key = await exam.attempt('key', () => checkKey(exam, settings));
  if (settings.log !== undefined && policy !== undefined) {
    const asking = { fetch: context.fetch, timeoutMs: 1000 * (settings.timeout ?? 60), now: context.now };
    const times: TimeShown[] = [];
    const readiness = await checkReady(exam, settings.log, { signs: key !== undefined }, asking, times);
    const frozen = readiness?.state === 'frozen';
    const log = await exam.attempt('log', () => checkLog(looking, frozen));
    if (log && key) await exam.attempt('identity', () => checkIdentity(looking, log, key));
    await askWitnesses(exam, policy, { log, frozen }, asking, times);
    checkClocks(exam, times);
  } else
    exam.unknown('log', 'without a log and a policy there is nothing to read, and nothing to judge it by');
  checkRecords(exam, settings);
  report.line(summary(exam));
  return exam.status;
}

function checkSettings({ context, exam, settings }: Looking): void {
  const { settings: unflagged, from } = loadSettings(context, {});
  const names = ['log', 'policy', 'key', 'participant', 'records'] as const;
  for (const name of names) {
    const value = settings[name];
    if (value === undefined) continue;
    const source = unflagged[name] === value ? from[name] : undefined;
    exam.pass('settings', `${name}: ${value} (${source ?? `--${name}`})`);
  }
  const missing = names.filter((name) => settings[name] === undefined);
  if (missing.length === 0) return;
  exam.unknown(
    'settings',
    `nothing says ${missing.join(', ')}: "stele init" writes them all into stele.toml; who only verifies needs log and policy`,
  );
}

/** The folder is made by the first command that has something to remember: here it is only seen that it can be. */
function checkState({ context, exam }: Looking): void {
  const folder = stateFolder(context);
  let there = folder;
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there);
  try {
    if (!statSync(there).isDirectory()) throw Object.assign(new Error(there), { code: 'ENOTDIR' });
    accessSync(there, constants.W_OK | constants.X_OK);
    exam.pass(
      'state',
      there === folder
        ? `${folder}: what logs have shown is remembered here`
        : `${folder}: what logs will show is remembered here; nothing is yet`,
    );
  } catch (error) {
    exam.fail('state', {
      expected: `${folder} to be a folder to write to`,
      found: `${codeOf(error) ?? 'an error'} at ${there}`,
      todo: 'without it no log can be caught going back; set XDG_STATE_HOME or mend the permissions',
    });
  }
}

function checkPolicy(exam: Examination, settings: Settings): Policy | undefined {
  if (settings.policy === undefined) return undefined;
  const policy = loadPolicy(settings);
  if (policy.logs.length === 0) {
    exam.fail('policy', {
      expected: `${settings.policy} to name a log`,
      found: 'none',
      todo: 'add the line "log VKEY" that the log\'s operator gives out',
    });
    return undefined;
  }
  const strength = strengthOf(policy);
  const words = lyingInWords(policy, strength);
  if (strength.faults === 0) exam.remark('policy', words);
  else if (strength.faults > 0 && policy.quorum !== undefined) exam.pass('policy', words);
  else
    exam.fail('policy', {
      expected: 'any two quorums to share a witness',
      found: words,
      todo: 'ask the operator for a policy with more witnesses, or choose your own: stele policy lint',
    });
  return policy;
}

function checkKey(exam: Examination, settings: Settings): SigningKey | undefined {
  if (settings.key === undefined) return undefined;
  const key = readKey(settings.key);
  exam.pass('key', `${settings.key}: an Ed25519 key that only its owner may read`);
  const folder = dirname(settings.key);
  checkNotShared(exam, folder);
  const recovery = join(folder, 'recovery.key');
  if (existsSync(recovery)) {
    readKey(recovery);
    exam.remark(
      'recovery key',
      `${recovery}: lies beside the key that it is to replace: who takes the one takes both; keep it elsewhere`,
    );
  }
  return key;
}

const OPERATOR_ALONE = 'only its operator can mend that: what you submit waits on your disk';
/** What to do where a log takes nothing, by the state that it says: a stranger's word, which may be any. */
const WHAT_TO_DO: ReadonlyMap<string, string> = new Map([
  [
    'frozen',
    'submit to the successor log: set log and policy to that one; what this one holds can be read and verified as ever',
  ],
  ['behind_witness', OPERATOR_ALONE],
  ['forked', OPERATOR_ALONE],
  ['stopped', OPERATOR_ALONE],
]);

/** What the log says of itself. That it is not there is said by the next check. `signs`: somebody who submits. */
async function checkReady(
  exam: Examination,
  url: string,
  { signs }: { readonly signs: boolean },
  asking: Asking,
  times: TimeShown[],
): Promise<ReadyzClaim | undefined> {
  const answer = await ask(url, 'readyz', asking, times).catch(() => undefined);
  if (answer === undefined) return undefined;
  const readiness = readyzIn(answer.body);
  if (readiness === undefined) exam.unknown('ready', `${url}: it does not say whether it takes entries`);
  else if (readiness.ready) exam.pass('ready', `${url}: says that it takes entries`);
  else if (readiness.state === 'frozen' && !signs)
    exam.remark(
      'ready',
      `${url}: says that it is frozen, for good: what it holds can be read and verified as ever`,
    );
  else
    exam.fail('ready', {
      expected: `${url} to take entries`,
      found:
        readiness.state === 'frozen'
          ? 'that it says it is frozen, for good'
          : `that it says: ${readinessInWords(readiness)}`,
      todo:
        WHAT_TO_DO.get(readiness.state) ??
        'what you submit waits on your disk; if it stays so, ask its operator',
    });
  return readiness;
}

async function checkLog({ context, exam, settings }: Looking, frozen: boolean): Promise<OpenLog> {
  const log = await openLog(context, settings, { remember: false });
  const { origin, size, evaluation } = log.checkpoint;
  const names = evaluation.cosignatures.map(({ witness }) => witness.name);
  exam.pass(
    'log',
    `${origin}: ${size} entries, cosigned by ${names.join(', ') || 'nobody'}; it continues what was seen before`,
  );
  const times = evaluation.cosignatures.map(({ timestamp }) => timestamp).filter((time) => time > 0);
  if (times.length === 0) {
    exam.unknown('clock', 'no cosignature says what time it is');
    return log;
  }
  const seconds = Math.round(context.now() / 1000) - Math.max(...times);
  if (seconds < -CLOCK_DOUBT)
    exam.fail('clock', {
      expected: 'cosignatures of the past',
      found: `one made ${age(-seconds)} from now`,
      todo: "this machine's clock is behind, or the witness's ahead: compare it with one that you trust",
    });
  else if (seconds > STALE && frozen)
    exam.unknown(
      'clock',
      `the newest cosignature is ${age(seconds)} old, and the log says that it is frozen: it has nothing newer to go by`,
    );
  else if (seconds > STALE)
    exam.fail('clock', {
      expected: `a cosignature of the last ${age(STALE)}`,
      found: `that the newest is ${age(seconds)} old`,
      todo: "this machine's clock is ahead, or the log or its witnesses have stopped: see what they say below",
    });
  else exam.pass('clock', `the newest cosignature is ${age(seconds)} old`);
  return log;
}

async function askWitnesses(
  exam: Examination,
  policy: Policy,
  { log, frozen }: { readonly log: OpenLog | undefined; readonly frozen: boolean },
  asking: Asking,
  times: TimeShown[],
): Promise<void> {
  const origin = log?.checkpoint.origin ?? policy.logs[0]?.vkey.name ?? '';
  const vkeys = policy.logs.filter(({ vkey }) => vkey.name === origin).map(({ vkey }) => formatVkey(vkey));
  await checkWitnesses(
    exam,
    policy,
    { origin, size: log?.checkpoint.size, runs: true, frozen, vkeys },
    asking,
    times,
  );
}

async function checkIdentity({ exam, settings }: Looking, log: OpenLog, key: SigningKey): Promise<void> {
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
    exam.unknown('identity', 'the log has no charter: it takes any bytes, and says of nobody who he is');
    return;
  }
  const known = buildDirectory(log.checkpoint.origin, entries).keys.get(id);
  if (known === undefined) {
    const who = participant ?? 'anybody';
    exam.fail('identity', {
      expected: `the log to know the key ${id}`,
      found: `that it has no such key for ${who}`,
      todo: 'give participant-request.json to a registrar of the log, who introduces you; until then it refuses what you sign',
    });
  } else if (participant !== undefined && known.participant !== participant)
    exam.fail('identity', {
      expected: `the key to be ${participant}'s, as participant is set`,
      found: `that it is ${known.participant}'s in this log`,
      todo: 'mend one of the two settings',
    });
  else if (known.until !== undefined)
    exam.fail('identity', {
      expected: 'a key that is in force',
      found: `that entry ${known.until} took it out`,
      todo: 'set key to its successor',
    });
  else
    exam.pass(
      'identity',
      `the log knows the key as ${known.name}'s (${known.uses.join(', ')}), by ${known.by}`,
    );
}

function checkRecords(exam: Examination, settings: Settings): void {
  const { records } = settings;
  if (records === undefined) return;
  if (!existsSync(records)) {
    if (existsSync(dirname(records))) exam.pass('records', `${records}: none yet`);
    else
      exam.fail('records', {
        expected: `a folder in which ${records} can be made`,
        found: 'none',
        todo: 'mend the setting records, or make the folder',
      });
    return;
  }
  try {
    if (!statSync(records).isDirectory()) throw Object.assign(new Error(records), { code: 'ENOTDIR' });
    accessSync(records, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    exam.fail('records', {
      expected: `${records} to be a folder to write to`,
      found: codeOf(error) ?? 'an error',
      todo: 'what is signed could not be kept: mend its owner or mode, or set records',
    });
    return;
  }
  const names = readdirSync(records);
  const signed = names.filter((name) => name.endsWith('.dsse.json'));
  const there = new Set(names);
  const waiting = signed.filter((name) => !there.has(bundlePath(name)));
  const paths = waiting.slice(0, 3).map((name) => join(records, name));
  if (waiting.length === 0)
    exam.pass(
      'records',
      signed.length === 0
        ? `${records}: none yet`
        : `${signed.length} signed, each with the proof that it is logged`,
    );
  else
    exam.fail('records', {
      expected: `a proof that it is logged beside each of the ${signed.length} signed records`,
      found: `none beside ${waiting.length}`,
      todo: `stele submit ${paths.join(' ')}${waiting.length > 3 ? ' …' : ''}`,
    });
}
