// What a log's own index says of its entries: where to look, and no more. What it names is fetched and verified; what it
// leaves out cannot be seen. spec/log.md "Searching".
import { factsFit, factsOf, type EntryFacts, type FactsWanted } from '../attestation/index.js';
import { exchange, systemTimer } from '../client/index.js';
import { decodeUtf8 } from '../tlog/index.js';
import type { Invocation } from './command.js';
import { CliError, EXIT } from './errors.js';
import { checkTime } from './identifiers.js';
import type { OpenLog } from './log.js';
import { required } from './settings.js';

/** What is asked; what is not given fits all. */
export interface Question {
  readonly participant?: string;
  readonly run?: string;
  readonly type?: string;
  readonly digest?: string;
  readonly since?: string;
  readonly until?: string;
  readonly oldest?: boolean;
}

/** An entry that was named, and read. */
export interface Found {
  readonly index: number;
  readonly facts: EntryFacts;
  readonly loggedBy: number | null;
}

/** Longest page read, in bytes. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** What an index says of an entry, before anything of it is believed. */
interface Hint {
  readonly id: string | undefined;
  readonly index: number;
  readonly loggedBy: number | null;
}

/** Pages without an entry that an index may answer with: so many, and one for each so many entries of the log. */
const EMPTY_PAGES = 16;
const ENTRIES_OF_AN_EMPTY_PAGE = 1_000;

/**
 * Pages through the log's index; each entry it names is fetched with its proof, must fit, and is added to `found`. One that
 * the index says to be among `known`, IDs in hex, is passed over. Throws CliError "not_found" where there is no index,
 * "bad_question" where it refuses this one, "bad_status", "bad_reply", and as readers of logs do.
 */
export async function askIndex(
  { context, settings }: Pick<Invocation, 'context' | 'settings'>,
  options: Question,
  limit: number,
  log: OpenLog,
  found: Found[],
  known: ReadonlySet<string> = new Set(),
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
    ask('participant', options.participant);
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
    if (answer.status === 404)
      throw new CliError(
        EXIT.failed,
        'not_found',
        `${url}: expected an index to search, found none`,
        '--all reads every entry instead',
      );
    if (answer.status === 400)
      throw new CliError(
        EXIT.usage,
        'bad_question',
        `${url}: expected a question that its index takes, found that it says: ${saidIn(text)}`,
        'correct it; --all reads every entry instead',
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
    for (const { id, index, loggedBy } of page.hints) {
      // An index may run ahead of the checkpoint that was read just before.
      if (index >= log.checkpoint.size || (id !== undefined && known.has(id))) continue;
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

/** A log's words about what it refuses, as one line. */
function saidIn(text: string): string {
  let message: unknown;
  try {
    ({ message } = (JSON.parse(text) as { error: { message?: unknown } }).error);
  } catch {
    // Not an answer of a Stele log.
  }
  return typeof message === 'string' ? message.slice(0, 500).replace(/\s+/g, ' ') : 'nothing of why';
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
  const hints = (entries as ({ id?: unknown; index?: unknown; loggedBy?: unknown } | null)[]).map((entry) => {
    const { id, index, loggedBy } = entry ?? {};
    if (!count(index) || !(loggedBy === null || (count(loggedBy) && loggedBy < 8_640_000_000_000)))
      throw wrong();
    return { id: typeof id === 'string' ? id : undefined, index, loggedBy };
  });
  return { indexed, hints, next };
}

/** The question that can be put to an entry itself. */
export function wantedBy({ participant, run, type, digest }: Question): FactsWanted {
  return { participant, run, type, digest };
}
