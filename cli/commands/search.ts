// stele search: entries by what they say. The log's index says where to look; what it names is fetched and
// verified like everything else. With --all nothing is left to the index.
import { factsFit, factsOf, type EntryFacts, type FactsWanted } from '../../attestation/index.js';
import { define, type Invocation, type Register } from '../command.js';
import { CliError, EXIT } from '../errors.js';
import { checkCount, checkTime } from '../identifiers.js';
import { openLog, type OpenLog } from '../log.js';
import { required } from '../settings.js';
import { exchange, systemTimer } from '../../client/index.js';
import { decodeUtf8 } from '../../tlog/index.js';

interface SearchOptions {
  readonly by?: string;
  readonly run?: string;
  readonly type?: string;
  readonly digest?: string;
  readonly since?: string;
  readonly until?: string;
  readonly oldest?: boolean;
  readonly limit: string;
  readonly all?: boolean;
}

/** Longest page read, in bytes. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** What an index says of an entry, before anything of it is believed. */
interface Hint {
  readonly index: number;
  readonly loggedBy: number | null;
}

/** Registers the command. */
export const registerSearch: Register = (program, context, outcome) => {
  define<SearchOptions>(
    program
      .command('search')
      .description(
        'find entries by participant, run, type, digest or time; each is verified before it is shown',
      )
      .option('--by <participant>', 'whose statement it is, or whom it is about')
      .option('--run <id>', 'the run that it is about')
      .option('--type <type>', 'such as run-intent, run-final, participant')
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

async function search(invocation: Invocation, options: SearchOptions): Promise<undefined> {
  const { context, report, settings } = invocation;
  const limit = checkCount(options.limit, '--limit');
  if (limit === 0) throw usage('--limit: expected at least 1, found 0');
  if (options.digest !== undefined && !/^[0-9a-f]{64}$/.test(options.digest))
    throw usage(`--digest: expected 64 hex digits in lower case, found ${JSON.stringify(options.digest)}`);
  if (options.all && (options.since ?? options.until) !== undefined)
    throw usage('--all reads entries, and times come from anchors: leave out --since and --until');
  const log = await openLog(context, settings);
  const found: { index: number; facts: EntryFacts; loggedBy: number | null }[] = [];
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
  for (const { index, facts, loggedBy } of found) {
    const { statement, type, participants, run } = facts;
    const about = participants[1];
    const when = loggedBy === null ? 'not anchored yet' : `by ${new Date(loggedBy * 1000).toISOString()}`;
    const what = [type, run, about && `about ${about}`].filter((part) => part !== undefined).join('  ');
    const by = statement.predicate.participant;
    report.line(`${String(index).padStart(8)}  ${by}  ${what}${options.all ? '' : `  ${when}`}`);
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
  report.say(`${found.length} found${more ? ', and more behind them' : ''}. ${covered}`);
  return undefined;
}

/** Pages without an entry that an index may answer with: so many, and one for each so many entries of the log. */
const EMPTY_PAGES = 16;
const ENTRIES_OF_AN_EMPTY_PAGE = 1_000;

/** Pages through the log's index; each entry it names is fetched with its proof and must fit. */
async function askIndex(
  { context, settings }: Invocation,
  options: SearchOptions,
  limit: number,
  log: OpenLog,
  found: { index: number; facts: EntryFacts; loggedBy: number | null }[],
): Promise<{ indexed: number; more: boolean }> {
  const url = required(settings, 'log');
  // An index may look at many entries and show none; one that does nothing else would be asked for ever.
  let empty = EMPTY_PAGES + Math.ceil(log.checkpoint.size / ENTRIES_OF_AN_EMPTY_PAGE);
  let after: number | undefined;
  for (;;) {
    const address = new URL('api/v1/search', url.endsWith('/') ? url : `${url}/`);
    const ask = (name: string, value: string | number | undefined): void => {
      if (value !== undefined) address.searchParams.set(name, String(value));
    };
    ask('participant', options.by);
    ask('run', options.run);
    ask('type', options.type);
    ask('digest', options.digest);
    ask('from', options.since && checkTime(options.since, '--since'));
    ask('until', options.until && checkTime(options.until, '--until'));
    ask('order', options.oldest ? 'oldest' : 'newest');
    const wanted = Math.min(limit - found.length, 100);
    ask('limit', wanted);
    ask('after', after);
    const answer = await exchange(address.href, {
      fetch: context.fetch,
      timer: systemTimer,
      timeoutMs: 1000 * (settings.timeout ?? 60),
      maxBody: MAX_PAGE_BYTES,
      headers: { accept: 'application/json' },
    });
    const text = decodeUtf8(answer.body);
    if (answer.status === 404 || answer.status === 400)
      throw new CliError(
        EXIT.failed,
        'not_found',
        `${url}: expected an index to search, found none that takes this question`,
        '--all reads every entry instead',
      );
    if (answer.status !== 200)
      throw new CliError(
        EXIT.network,
        'bad_status',
        `${address.href}: expected status 200, found ${answer.status}`,
        'try again later, or with --all',
      );
    const page = parsePage(text, address.href);
    const { indexed } = page;
    // A page may be short, never long; and pages go one way, or a lying index could lead in a circle.
    const { next } = page;
    const onward = next === null || after === undefined || (options.oldest ? next > after : next < after);
    if (page.hints.length === 0 && next !== null) empty -= 1;
    if (page.hints.length > wanted || !onward || empty < 0)
      throw new CliError(
        EXIT.network,
        'bad_reply',
        `${url}: expected a page of at most ${wanted} entries and the next behind it, found others, or nothing for very long`,
        '--all does without the index',
      );
    for (const { index, loggedBy } of page.hints) {
      // An index may run ahead of the checkpoint that was read just before.
      if (index >= log.checkpoint.size) continue;
      const facts = factsOf(await log.reader.entry(index));
      if (facts === undefined || !factsFit(wantedBy(options), facts))
        throw new CliError(
          EXIT.network,
          'bad_reply',
          `${url}: expected entries that fit, found entry ${index}, which does not`,
          'the index of this log is wrong: --all does without it, and its operator should hear of it',
        );
      found.push({ index, facts, loggedBy });
    }
    if (next === null) return { indexed, more: false };
    if (found.length >= limit) return { indexed, more: true };
    after = next;
  }
}

/** Believes nothing of it. Throws CliError "bad_reply". */
export function parsePage(
  text: string,
  from: string,
): { indexed: number; hints: Hint[]; next: number | null } {
  const count = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  const wrong = (): CliError =>
    new CliError(
      EXIT.network,
      'bad_reply',
      `${from}: expected a page of entries, found something else`,
      '--all does without the index',
    );
  let page: { indexed?: unknown; entries?: unknown; next?: unknown } | null;
  try {
    page = JSON.parse(text) as typeof page;
  } catch {
    throw wrong();
  }
  const { indexed, entries, next } = page ?? {};
  if (!count(indexed) || !Array.isArray(entries) || !(next === null || count(next))) throw wrong();
  const hints = (entries as ({ index?: unknown; loggedBy?: unknown } | null)[]).map((entry) => {
    const { index, loggedBy } = entry ?? {};
    if (!count(index) || !(loggedBy === null || (count(loggedBy) && loggedBy < 8_640_000_000_000)))
      throw wrong();
    return { index, loggedBy };
  });
  return { indexed, hints, next };
}

function wantedBy({ by, run, type, digest }: SearchOptions): FactsWanted {
  return { participant: by, run, type, digest };
}

function usage(message: string): CliError {
  return new CliError(EXIT.usage, 'usage', message, 'see stele search --help');
}
