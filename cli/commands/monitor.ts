// stele monitor: follows logs and their witnesses, and tells what is wrong and what fits a filter.
import { join } from 'node:path';
import { lockFolder, type LockTrouble } from '../../system/index.js';
import { define, type Invocation, type Register } from '../command.js';
import { CliError, EXIT, type ExitStatus } from '../errors.js';
import { readConfig, type MonitorConfig, type MonitorFlags } from '../monitor/config.js';
import type { Coverage } from '../monitor/coverage.js';
import { eventInWords, showAge, showInstant, type MonitorEvent } from '../monitor/events.js';
import { LogFollower, type FollowerOptions } from '../monitor/follower.js';
import { followAll, lookOnce, statusOfLook } from '../monitor/run.js';
import { StdoutLines } from '../monitor/stdout.js';
import { Webhook } from '../monitor/webhook.js';
import { reportNotes } from '../report-notes.js';

interface Options extends MonitorFlags {
  readonly config?: string;
  readonly once?: true;
  readonly json?: true;
  readonly log?: string;
  readonly policy?: string;
}

/** Events that one `--once` tells; the rest is for the next. */
const MOST_AT_ONCE = 10_000;
/** Milliseconds that whoever reads stdout has for the last events. */
const LAST_WAIT = 2000;

const AFTER_HELP = `
Without --once it goes on until it is stopped: events on stdout, one JSON object per line, prose on
stderr (none with --json). With --once: what was looked at, alarms, matches; exit status 5 where
misbehaviour is proven, 1 for any other alarm, 4 where only the quorum is missing, 3 where a log could
not be asked.`;

/** Registers the command. */
export const registerMonitor: Register = (program, context, outcome) => {
  define<Options>(
    program
      .command('monitor')
      .description('follow logs and their witnesses; tell what is wrong, and entries that match')
      .option('--config <file>', 'TOML file that lists logs, filters and limits')
      .option('--once', 'look once, answer, and end')
      .option('--match <what=value...>', 'tell entries by participant=, run=, digest= or type=')
      .option('--webhook <url>', 'POST each event there as JSON, too')
      .option('--interval <seconds>', 'between looks (60)')
      .option('--timeout <seconds>', 'to wait for one answer (30)')
      .option('--quiet-log <seconds>', 'alarm when its newest checkpoint is older; 0: never (3600)')
      .option('--quiet-witness <seconds>', 'alarm when its newest cosignature is older; 0: never (7200)')
      .option('--quiet-anchors <seconds>', 'alarm when the newest anchor is older; 0: never (3600)')
      .option('--lag <seconds>', 'how long a signed tree may be missing from what the log shows (300)')
      .option('--folder <folder>', 'where it remembers ($XDG_STATE_HOME/stele/monitor)')
      .addHelpText('after', AFTER_HELP),
    context,
    outcome,
    // Not the shared --timeout: a monitor waits less long where nothing is said.
    ['log', 'policy', 'report'],
    async (invocation, options) => {
      const config = configure(invocation, options);
      const folder = join(config.folder, 'lock');
      const release = await lockFolder(folder, (trouble, cause) => lockError(folder, trouble, cause));
      try {
        return options.once === true ? await once(invocation, config) : await follow(invocation, config);
      } finally {
        await release();
      }
    },
    { policyArgument: (options) => (options as Options).config !== undefined },
  );
};

/** Two monitors on one folder would tell everything twice. */
function lockError(folder: string, { kind, text }: LockTrouble, cause: unknown): CliError {
  if (kind === 'held')
    return new CliError(
      EXIT.network,
      'locked',
      `${folder}: expected to be the only one here, found that another monitor runs on this folder`,
      'stop the other one, or give --folder',
      { cause },
    );
  return new CliError(
    EXIT.network,
    'lock_failed',
    `${folder}: expected to take the lock, found ${text}`,
    kind === 'failed'
      ? 'free space, mend the disk or its rights, and start again'
      : 'the folder holds no data: if no monitor runs on it, remove it and start again',
    { cause },
  );
}

function configure({ context, settings }: Invocation, options: Options): MonitorConfig {
  const { config, log, policy } = options;
  if (config !== undefined && (log !== undefined || policy !== undefined))
    throw usage(
      'expected --log and --policy, or --config, found both',
      'put the log into the file: [[log]] with policy and url',
    );
  return readConfig(context, config, options, config === undefined ? settings : pick(settings));
}

function pick({
  report,
  timeout,
}: Invocation['settings']): Pick<Invocation['settings'], 'report' | 'timeout'> {
  return { ...(report && { report }), ...(timeout !== undefined && { timeout }) };
}

function usage(message: string, hint: string): CliError {
  return new CliError(EXIT.usage, 'usage', message, hint);
}

async function once({ context, report }: Invocation, config: MonitorConfig): Promise<ExitStatus> {
  const told: MonitorEvent[] = [];
  const reports: Promise<void>[] = [];
  const say = (text: string): void => report.say(text);
  const webhook = webhookOf({ context, report }, config);
  const followers = followersOf({ context }, config, {
    deliver: (found, delivered) => {
      webhook?.take(found);
      told.push(...found);
      report.afterwards(delivered);
    },
    room: () => told.length < MOST_AT_ONCE && webhook?.room !== false,
    report: (notes) => void reports.push(reportNotes(context, config.report, notes, say)),
  });
  const coverage = await lookOnce(followers);
  await Promise.all(reports);
  if (webhook !== undefined && !(await webhook.flush(new AbortController().signal)))
    report.say(`webhook: ${webhook.waiting} events wait for it in ${config.folder}`);
  for (const [i, follower] of followers.entries())
    tell({ context, report }, config, follower, coverage[i] ?? [], told);
  report.result({
    logs: followers.map((follower, i) => ({
      log: follower.origin,
      coverage: coverage[i]?.map(({ name, status, detail }) => ({ name, status, detail })),
      alarms: follower.alarms.raised,
    })),
    events: told,
  });
  return statusOfLook(followers, coverage);
}

/** What was looked at comes first: an empty list of alarms says nothing by itself. */
function tell(
  { context, report }: Pick<Invocation, 'context' | 'report'>,
  config: MonitorConfig,
  follower: LogFollower,
  coverage: readonly Coverage[],
  events: readonly MonitorEvent[],
): void {
  const log = config.logs.find(({ origin }) => origin === follower.origin);
  report.line(`${follower.origin}, by ${log?.policyFile ?? ''}`);
  for (const { name, status, detail } of coverage) report.check(name, status, detail);
  const { raised } = follower.alarms;
  const unchecked = coverage.filter(({ status }) => status === 'not-checkable').length;
  report.line(
    raised.length > 0
      ? `  ${raised.length} alarm${raised.length === 1 ? '' : 's'}:`
      : `  no alarm stands${unchecked > 0 ? `, which says nothing of the ${unchecked} that could not be checked` : ''}`,
  );
  const now = context.now();
  for (const { kind, about, since, detail, evidence } of raised) {
    const isNew = events.some(
      (event) =>
        event.event === 'raised' &&
        event.kind === kind &&
        event.about === about &&
        event.log === follower.origin,
    );
    report.line(
      `  ${isNew ? 'new' : '   '}  ${kind}${about === '' || kind === 'proven' ? '' : ` ${about}`}, since ${showInstant(since)} (${showAge((now - since) / 1000)}): ${detail}`,
    );
    for (const path of evidence ?? []) report.line(`       evidence: ${path}`);
  }
  for (const event of events)
    if (event.log === follower.origin && event.event !== 'raised') report.line(`  ${eventInWords(event)}`);
}

async function follow({ context, report }: Invocation, config: MonitorConfig): Promise<ExitStatus> {
  report.streams = true;
  const stop = new AbortController();
  const forget = context.onStop(() => stop.abort());
  const say = (text: string): void => report.say(text);
  const webhook = webhookOf({ context, report }, config);
  const lines = new StdoutLines({ context, say, onGone: () => stop.abort() });
  const followers = followersOf({ context }, config, {
    deliver: (events, delivered) => {
      webhook?.take(events);
      lines.take(events, delivered);
      for (const event of events) report.say(eventInWords(event));
    },
    room: () => lines.room && webhook?.room !== false,
    report: (notes) => void reportNotes(context, config.report, notes, say),
  });
  try {
    await Promise.all([
      followAll(followers, {
        context,
        intervalMs: config.intervalMs,
        stop: stop.signal,
        onCoverage: ({ origin }, coverage) => {
          report.say(`${origin}: looked at`);
          for (const { name, status, detail } of coverage)
            report.say(`  ${status.padEnd(13)}  ${name.padEnd(13)}  ${detail}`);
        },
        onTrouble: ({ origin }, error) =>
          report.say(`${origin}: ${error.message} (${error.code}); trying again`),
      }),
      webhook?.run(stop.signal),
    ]);
    // A reader who has stopped reading must not keep it from ending: what he has not taken is told again.
    const enough = new AbortController();
    const late = context.sleep(LAST_WAIT, enough.signal).catch(() => undefined);
    await Promise.race([lines.end(), late]).finally(() => enough.abort());
  } finally {
    stop.abort();
    forget();
  }
  return EXIT.ok;
}

function webhookOf(
  { context, report }: Pick<Invocation, 'context' | 'report'>,
  { webhook: url, folder, timeoutMs }: MonitorConfig,
): Webhook | undefined {
  return url === undefined
    ? undefined
    : new Webhook({ url, folder, timeoutMs, context, say: (text) => report.say(text) });
}

function followersOf(
  { context }: Pick<Invocation, 'context'>,
  { logs, folder, filters, limits, timeoutMs }: MonitorConfig,
  sinks: {
    deliver: FollowerOptions['deliver'];
    room: () => boolean;
    report: (notes: readonly Uint8Array[]) => void;
  },
): LogFollower[] {
  return logs.map((log) => new LogFollower({ log, folder, filters, limits, timeoutMs, context, ...sinks }));
}
