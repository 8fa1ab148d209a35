// stele record: runs beside a trainer, or after it, and puts on record what it leaves in its folder.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { Option } from 'commander';
import type { Json } from '../../attestation/index.js';
import type { Fetch } from '../../client/index.js';
import { lockFolder, suggest, type LockTrouble } from '../../system/index.js';
import type { Policy } from '../../tlog/index.js';
import { lastAnchorSeen, newestAnchor } from '../anchor.js';
import {
  addFieldFlags,
  digestOfInput,
  OUTCOMES,
  readFieldFlags,
  readFieldsFile,
  readOutcome,
  RUN_FINAL,
  RUN_INTENT,
  RUN_PROGRESS,
} from '../attest/fields.js';
import { flopFigures, specificationOf } from '../attest/run.js';
import { define, type Invocation, type Register } from '../command.js';
import { CliError, EXIT, statusOf } from '../errors.js';
import { checkCount, checkIdentifier } from '../identifiers.js';
import { readKey } from '../keys.js';
import { loadPolicy } from '../log.js';
import { Anchors } from '../record/anchors.js';
import { Behind } from '../record/behind.js';
import { DigestBar } from '../record/bar.js';
import { DigestPool } from '../record/digest-pool.js';
import { checkCommit, checkFurther, COUNTING_RULES, type RunFacts } from '../record/drafts.js';
import { refuseInside } from '../record/inside.js';
import { Journal } from '../record/journal.js';
import { Watcher } from '../record/look.js';
import { Outbox } from '../record/outbox.js';
import { Recorder, type Pace } from '../record/recorder.js';
import { readRun } from '../records.js';
import type { Report } from '../report.js';
import { required } from '../settings.js';

interface RecordOptions {
  run: string;
  spec?: string;
  once?: boolean;
  every: string;
  outcome?: string;
  jobs?: string;
  chips?: string;
  flopRule: string;
  flop6nd?: string;
  fields?: string;
  commit?: string[];
  otherwise: string;
}

/** Milliseconds between two looks when nothing is followed: long enough to see a file being written. */
const ONCE_EVERY = 1000;
/** Most seconds for one of the log's answers when it is asked for its newest anchor. */
const ANCHOR_TIMEOUT = 10;

/** Registers the command. */
export const registerRecord: Register = (program, context, outcome) => {
  const command = program
    .command('record')
    .description("record a run from its trainer's output folder: beside it, until it ends, or afterwards")
    .argument('<folder>', 'where the trainer writes checkpoint-N folders')
    .requiredOption('--run <id>', 'the run, named by you')
    .option('--spec <file>', 'document that describes the run; its digest names it')
    .option('--once', 'record what is there and end, instead of following the run to its end')
    .option('--every <seconds>', 'time between two looks at the folder', '10')
    .addOption(
      suggest(
        new Option('--outcome <word>', 'with --once: the run is over, though its folder does not say so'),
        OUTCOMES,
      ),
    )
    .option('--jobs <number>', 'files digested at a time (one per processor, at most 4)')
    .option('--chips <number>', 'accelerators held all through the run')
    .addOption(
      suggest(
        new Option('--flop-rule <rule>', `how the trainer counts total_flos: ${COUNTING_RULES.join(', ')}`),
        COUNTING_RULES,
      ).default('6nd-active'),
    )
    .option('--flop-6nd <n,d>', 'a second figure: 6 x active parameters x tokens')
    .option('--fields <file>', 'JSON object of further fields, by type; read when a statement is made');
  addFieldFlags(command, RUN_INTENT);
  command
    .option('--commit <field...>', 'state these as commitments; the openings stay with you')
    .option('--otherwise <reason>', 'why fields of the intent that are not given are unknown', 'withheld');
  const settings = ['log', 'policy', 'key', 'participant', 'records', 'timeout'] as const;
  define<RecordOptions>(command, context, outcome, settings, async (invocation, options, [folder = '']) => {
    await record(invocation, options, resolve(context.cwd, folder));
    return undefined;
  });
};

async function record(invocation: Invocation, options: RecordOptions, folder: string): Promise<void> {
  const { context, report, settings } = invocation;
  if (options.once !== true) report.follow();
  const policy = loadPolicy(settings);
  const records = settings.records ?? join(context.cwd, 'records');
  const facts = await readFacts(invocation, options, records);
  const key = readKey(required(settings, 'key'));
  if (key.name !== facts.participant) {
    throw new CliError(
      EXIT.usage,
      'wrong_key',
      `expected a key of ${facts.participant}, found one of ${key.name}`,
      'check --key and --participant',
    );
  }
  required(settings, 'log');
  const pace = readPace(options);
  const jobs = readJobs(options);
  if (!pace.follow && !existsSync(folder)) throw noFolder(folder);
  if (existsSync(folder) && !statSync(folder).isDirectory()) throw noFolder(folder);
  refuseInside(records, folder);
  if (pace.follow && !existsSync(folder))
    report.say(`${folder} is not there yet: it waits for the trainer to make it.`);

  const lock = join(records, `.${facts.run}.lock`);
  const unlock = await lockFolder(lock, (trouble, cause) => lockError(lock, facts.run, trouble, cause));
  const bar = new DigestBar(report.json ? undefined : context.progress, () => context.monotonic());
  report.beforeSaying = () => bar.makeRoom();
  const pool = new DigestPool(jobs);
  pool.onRead = (bytes) => bar.advance(bytes);
  const { participant, run } = facts;
  const ids = (): Set<string> => new Set(readRun(records, participant, run, report).map(({ id }) => id));
  const behind = new Behind({ invocation, participant, run, records, ids });
  const outbox = new Outbox(invocation, policy, pace.follow, () => behind.check(context));
  const anchors = anchorsOf(invocation, policy, outbox, behind);
  try {
    sweep(records, facts.run);
    const journal = new Journal(records, facts.participant, facts.run);
    const recorder = new Recorder(
      {
        invocation,
        facts,
        key,
        records,
        journal,
        watcher: new Watcher(folder),
        digester: pool,
        outbox,
        anchor: () => anchors.take(),
        asking: () => anchors.asking,
        onDigest: (label, bytes) => {
          bar.begin(label, bytes);
          return () => bar.end();
        },
      },
      pace,
    );
    let ran = false;
    try {
      await recorder.run();
      ran = true;
      if (outbox.away && pace.follow)
        report.say(
          `Nothing is left to sign: it ends when the log has what waits (${outbox.waiting.length}).`,
        );
      await outbox.drain();
    } catch (error) {
      // What is signed has its one attempt with --once; what becomes of it is told beside what went wrong.
      if (ran || pace.follow) throw error;
      await outbox.drain().catch((unsent: unknown) => {
        if (statusOf(unsent) === EXIT.misbehaviour) throw unsent;
      });
      throw error;
    } finally {
      report.result({
        over: recorder.over,
        notSeen: recorder.notSeen,
        logged: outbox.sent.map(({ path, logged }) => ({ file: path, index: logged.index })),
        waiting: outbox.waiting.map(({ path }) => path),
      });
      if (ran) tellEnd(report, recorder, outbox, journal.withoutDigests);
    }
  } finally {
    bar.end();
    anchors.close();
    await outbox.close();
    await pool.close();
    await unlock();
  }
}

/** Tells what is on record now, and what only waits for it. */
export function tellEnd(
  report: Pick<Report, 'check'>,
  { notSeen, over, windows }: Pick<Recorder, 'notSeen' | 'over' | 'windows'>,
  { sent, waiting }: Pick<Outbox, 'sent' | 'waiting'>,
  withoutDigests = 0,
): void {
  const unseen = notSeen.length > 0 ? `, ${notSeen.length} of them not seen` : '';
  const bare = withoutDigests > 0 ? `, ${withoutDigests} of them without digests` : '';
  const checkpoints = `${windows} ${windows === 1 ? 'checkpoint' : 'checkpoints'}${unseen}${bare}`;
  const statements =
    sent.length + waiting.length === 0
      ? 'nothing new to log'
      : `${sent.length} ${sent.length === 1 ? 'statement' : 'statements'} logged${waiting.length > 0 ? `, ${waiting.length} waiting` : ''}`;
  report.check(
    'recorded',
    waiting.length > 0 ? 'fail' : 'pass',
    `${checkpoints}; ${statements}; ${over ? 'the run is over' : 'nothing says that the run is over'}`,
  );
}

async function readFacts(invocation: Invocation, options: RecordOptions, records: string): Promise<RunFacts> {
  const { context, report, settings } = invocation;
  const participant = checkIdentifier(required(settings, 'participant'), 'participant');
  const run = checkIdentifier(options.run, '--run');
  const countingRule = COUNTING_RULES.find((rule) => rule === options.flopRule);
  if (countingRule === undefined) {
    throw new CliError(
      EXIT.usage,
      'bad_rule',
      `--flop-rule: expected one of ${COUNTING_RULES.join(', ')}, found ${JSON.stringify(options.flopRule)}`,
      "Hugging Face's Trainer counts 6nd-active",
    );
  }
  const specification =
    options.spec === undefined
      ? specificationOf(readRun(records, participant, run, report))
      : await digestOfInput(options.spec, '--spec', context);
  if (specification === undefined) {
    throw new CliError(
      EXIT.usage,
      'missing_specification',
      'expected the document that describes the run, found none',
      'give --spec FILE: it is not published, its digest names the run; later it is taken from the records',
    );
  }
  checkCommit(options.commit ?? []);
  const further = (type: string): Record<string, Json> => {
    const fields = readFieldsFile(options.fields, context)[type] ?? {};
    if (typeof fields === 'object' && !Array.isArray(fields)) {
      const stated = { ...(fields as Record<string, Json>) };
      checkFurther(options.fields ?? '', type, stated, options.commit);
      return stated;
    }
    throw new CliError(
      EXIT.usage,
      'bad_fields',
      `${options.fields ?? ''}: expected an object of fields for ${type}, found something else`,
      'for example {"run-final": {"parameters": "124000000"}}',
    );
  };
  // Whether it can be read is said now, not after a week.
  const types: readonly string[] = [RUN_INTENT, RUN_PROGRESS, RUN_FINAL].map(({ type }) => type);
  const other = Object.keys(readFieldsFile(options.fields, context)).find((name) => !types.includes(name));
  if (other !== undefined) {
    throw new CliError(
      EXIT.usage,
      'bad_fields',
      `${options.fields ?? ''}: expected fields by type (${types.join(', ')}), found ${JSON.stringify(other)}`,
      'for example {"run-final": {"parameters": "124000000"}}',
    );
  }
  for (const { type } of [RUN_INTENT, RUN_PROGRESS, RUN_FINAL]) further(type);
  return {
    participant,
    run,
    specification,
    intent: await readFieldFlags(RUN_INTENT, options as unknown as Record<string, unknown>, context),
    otherwise: options.otherwise,
    further,
    commit: options.commit ?? [],
    chips: options.chips === undefined ? undefined : checkCount(options.chips, '--chips'),
    countingRule,
    figures: flopFigures(options.flop6nd === undefined ? {} : { flop6nd: options.flop6nd }),
  };
}

function readPace(options: RecordOptions): Pace {
  const follow = options.once !== true;
  const seconds = checkCount(options.every, '--every');
  if (seconds < 1) {
    throw new CliError(EXIT.usage, 'bad_number', '--every: expected at least 1, found 0', 'for example 10');
  }
  if (options.outcome !== undefined && follow) {
    throw new CliError(
      EXIT.usage,
      'bad_outcome',
      '--outcome: expected --once with it, found neither end nor --once',
      'a run that is followed ends when its folder says so; to end it by word: --once --outcome aborted',
    );
  }
  return {
    follow,
    every: follow ? 1000 * seconds : ONCE_EVERY,
    outcome: options.outcome === undefined ? undefined : readOutcome(options.outcome),
  };
}

function readJobs({ jobs }: RecordOptions): number {
  const given = jobs === undefined ? Math.min(4, availableParallelism()) : checkCount(jobs, '--jobs');
  if (given >= 1 && given <= 64) return given;
  throw new CliError(EXIT.usage, 'bad_number', `--jobs: expected 1 to 64, found ${given}`, 'for example 4');
}

/** The anchors that statements name. */
function anchorsOf(
  { context, report, settings }: Invocation,
  policy: Policy,
  outbox: Outbox,
  behind: Behind,
): Anchors {
  const timeout = Math.min(settings.timeout ?? 60, ANCHOR_TIMEOUT);
  return new Anchors({
    context,
    report,
    ask: async (signal) => {
      const fetch: Fetch = (url, init) =>
        context.fetch(url, {
          ...init,
          signal: init.signal ? AbortSignal.any([init.signal, signal]) : signal,
        });
      // Nothing is signed before it is known that the log does not hold it already.
      await behind.check({ ...context, fetch });
      return newestAnchor({ context: { ...context, fetch }, settings: { ...settings, timeout } });
    },
    lastSeen: () => lastAnchorSeen({ context }, policy),
    away: () => outbox.away,
  });
}

/** What a recorder that was killed had begun to write. Nobody else writes these while the lock is held. */
function sweep(records: string, run: string): void {
  for (const name of readdirSync(records)) {
    if (isTemporaryOf(run, name)) rmSync(join(records, name), { force: true });
  }
}

/** Whether a file is one that this run's recorder writes before it is whole; `a` has none of those of `a.b`. */
function isTemporaryOf(run: string, name: string): boolean {
  if (!name.startsWith(`.${run}.`)) return false;
  const rest = name.slice(run.length + 2);
  return /^(recorder\.json|(intent|progress-[0-9]{4,}|final)\.(dsse\.json|tlog-proof|stele\.json|disclosures\.json))\.[0-9]+\.tmp$/.test(
    rest,
  );
}

function noFolder(folder: string): CliError {
  return new CliError(
    EXIT.usage,
    'no_folder',
    `${folder}: expected a trainer's output folder, found none`,
    'check the path; without --once it may be made later',
  );
}

/** One recorder at a time for a run. */
function lockError(folder: string, run: string, { kind, text }: LockTrouble, cause: unknown): CliError {
  if (kind === 'held')
    return new CliError(
      EXIT.network,
      'recorder_running',
      `${folder}: expected no other recorder of ${run}, found one at work`,
      'one process at a time records a run: end the other one first',
      { cause },
    );
  return new CliError(
    EXIT.usage,
    'cannot_write',
    `${folder}: expected to take the lock of ${run}, found ${text}`,
    kind === 'damaged'
      ? 'nothing is kept in that folder: delete it'
      : 'look at its rights and the free space',
    { cause },
  );
}
