// stele search: entries by what they say. The log's index says where to look; what it names is fetched and
// verified like everything else. With --all nothing is left to the index.
import { Option } from 'commander';
import { factsFit, factsOf, schemaNames } from '../../attestation/index.js';
import { quote } from '../../tlog/index.js';
import { suggest } from '../../system/index.js';
import { columns } from '../columns.js';
import { define, type Invocation, type Register } from '../command.js';
import { CliError, EXIT } from '../errors.js';
import { checkCount, checkDigest, checkIdentifier, checkTime } from '../identifiers.js';
import { askIndex, wantedBy, type Found, type Question } from '../log-search.js';
import { openLog } from '../log.js';
import { showTime } from '../verification.js';

/** Short names of the types that have a schema. */
const TYPES = schemaNames.filter((name) => name !== 'statement');

interface SearchOptions extends Question {
  readonly by?: string;
  readonly limit: string;
  readonly all?: boolean;
}

/** Registers the command. */
export const registerSearch: Register = (program, context, outcome) => {
  define<SearchOptions>(
    program
      .command('search')
      .description(
        'find entries by participant, run, type, digest or time; each is verified before it is shown',
      )
      .option('--participant <id>', 'whose statement it is, or whom it is about')
      .addOption(new Option('--by <id>', 'the same as --participant').conflicts('participant'))
      .option('--run <id>', 'the run that it is about')
      .addOption(suggest(new Option('--type <type>', 'such as run-intent, run-final, participant'), TYPES))
      .option('--digest <sha256>', 'of its payload, or anywhere in it')
      .option('--since <time>', 'logged by an anchor of this time or later, as 2026-11-21T09:00:00Z')
      .option('--until <time>', 'logged by an anchor of this time or earlier')
      .option('--oldest', 'the oldest first')
      .option('--limit <n>', 'how many', '20')
      .option('--all', "read every entry instead of asking the log's index"),
    context,
    outcome,
    ['log', 'policy', 'timeout', 'report'],
    search,
  );
};

async function search(invocation: Invocation, given: SearchOptions): Promise<undefined> {
  const { context, report, settings } = invocation;
  const { by, participant = by } = given;
  const options: SearchOptions = { ...given, ...(participant !== undefined && { participant }) };
  const limit = checkCount(options.limit, '--limit');
  if (limit === 0) throw usage('--limit: expected at least 1, found 0');
  if (options.digest !== undefined) checkDigest(options.digest, '--digest');
  if (participant !== undefined) checkIdentifier(participant, '--participant');
  // Statements of others' types may name runs as they like.
  if (options.run !== undefined && !/^[!-~]{1,200}$/.test(options.run))
    throw new CliError(
      EXIT.usage,
      'bad_identifier',
      `--run: expected at most 200 characters of ASCII without spaces, found ${quote(options.run)}`,
      'as the statements name it',
    );
  if (options.type !== undefined) checkType(options.type);
  if (options.all && (options.since ?? options.until) !== undefined)
    throw usage('--all reads entries, and times come from anchors: leave out --since and --until');
  checkTimes(options);
  const log = await openLog(context, settings);
  const found: Found[] = [];
  let indexed: number;
  let more: boolean;
  if (options.all) {
    indexed = log.checkpoint.size;
    for await (const { index, entry } of log.reader.entries(0, log.checkpoint.size)) {
      const facts = factsOf(entry);
      if (facts === undefined || !factsFit(wantedBy(options), facts)) continue;
      found.push({ index, facts, loggedBy: null });
      if (options.oldest && found.length > limit) break;
    }
    if (!options.oldest) found.reverse();
    more = found.length > limit;
    found.splice(limit);
  } else {
    ({ indexed, more } = await askIndex(invocation, options, limit, log, found));
  }
  report.result({
    size: log.checkpoint.size,
    coverage: options.all ? 'all' : 'index',
    indexed,
    entries: found.map(({ index, facts, loggedBy }) => ({
      index,
      id: facts.id,
      type: facts.type,
      participant: facts.statement.predicate.participant,
      ...(facts.run !== undefined && { run: facts.run }),
      loggedBy,
    })),
    more,
  });
  const covered = options.all
    ? `All ${log.checkpoint.size} entries were read.`
    : `By the log's own index of ${indexed} of ${log.checkpoint.size} entries: what is shown was verified, what it leaves out cannot be seen. --all reads everything.`;
  if ((options.since ?? options.until) !== undefined)
    report.say(
      'Entries that no anchor covers yet, commonly the newest ten minutes, have no time and were left out.',
    );
  report.say(`${found.length} found${more ? ', and more behind them (--limit)' : ''}. ${covered}`);
  const [head = '', ...rows] = table(found, options.all === true);
  // The head is for whoever looks: what is on stdout is rows alone.
  if (rows.length > 0) report.say(head);
  for (const row of rows) report.line(row);
  return undefined;
}

/** Throws CliError "bad_time" for what is no time, and for an end before the beginning. */
function checkTimes({ since, until }: Question): void {
  const from = since === undefined ? 0 : checkTime(since, '--since');
  if (until === undefined || checkTime(until, '--until') >= from) return;
  throw new CliError(
    EXIT.usage,
    'bad_time',
    `--until: expected a time that is not before --since, found ${quote(until)}`,
    'are the two exchanged?',
  );
}

/** One of ours by its short name, or any other by its URI. */
function checkType(text: string): void {
  const isUri = /^[a-z][a-z0-9+.-]*:[!-~]{1,200}$/.test(text);
  if (isUri || TYPES.includes(text)) return;
  throw new CliError(
    EXIT.usage,
    'bad_type',
    `--type: expected a type of statements, found ${quote(text)}`,
    `one of ${TYPES.join(', ')}, or the URI of another`,
  );
}

/** A head and a row per entry. */
function table(found: readonly Found[], all: boolean): string[] {
  const rows = found.map(({ index, facts, loggedBy }) => {
    const { statement, type, participants, run } = facts;
    const about = participants[1];
    const when = loggedBy === null ? 'not anchored yet' : `by ${showTime(loggedBy)}`;
    const what = [run, about && `about ${about}`].filter((part) => part !== undefined).join('  ');
    return [String(index), statement.predicate.participant, type, what, ...(all ? [] : [when])];
  });
  const head = ['entry', 'participant', 'type', 'run', ...(all ? [] : ['logged'])];
  return columns([head, ...rows], new Set([0]));
}

function usage(message: string): CliError {
  return new CliError(EXIT.usage, 'usage', message, 'see stele search --help');
}
