// Whether the records hold what the log holds of the run. An older copy of them, put back or used by another machine, does
// not: a recorder would say again, in other words, what was said, and the log would show two statements of one window.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { factsFit, factsOf, type EntryFacts } from '../../attestation/index.js';
import type { Invocation } from '../command.js';
import type { Context } from '../context.js';
import { CliError, EXIT, statusOf } from '../errors.js';
import { openLog, withEvidence, type OpenLog } from '../log.js';
import { askIndex, type Found } from '../log-search.js';
import { bundlePath, envelopePath } from '../names.js';
import { fileOf } from './drafts.js';

/** Milliseconds after which a log that keeps one busy, or is slow, is asked no further. */
const PATIENCE = 60_000;
/** Most seconds for one of its answers. */
const ANSWER = 10;
/** Newest entries read where the index has not come to them yet. */
const UNINDEXED = 5000;
/** Entries that are not among the records: so many are looked for, and so many named. */
const [ENOUGH, NAMED] = [100, 3];
/** The types of RunRecord. */
const TYPES = ['run-intent', 'run-progress', 'run-final'];

/** What the records are held against the log with. */
export interface BehindParts {
  readonly invocation: Invocation;
  readonly participant: string;
  readonly run: string;
  /** The records folder. */
  readonly records: string;
  /** IDs of the run's statements in it, as it is now. */
  readonly ids: () => ReadonlySet<string>;
}

/** Asks the log once, when it can first be reached. */
export class Behind {
  readonly #parts: BehindParts;
  #asking: Promise<void> | undefined;

  constructor(parts: BehindParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when the log has been asked, at once where it was before. A log without an index, or with one that gives no
   * answer of use, was asked: that is said. Throws CliError "records_behind", status 2, and as `openLog` does; after the
   * latter it is asked again. `context` is what the log is reached with.
   */
  async check(context: Context): Promise<void> {
    const asking = (this.#asking ??= this.#ask(context));
    try {
      await asking;
    } catch (error) {
      if (!isBehind(error) && this.#asking === asking) this.#asking = undefined;
      throw error;
    }
  }

  async #ask(context: Context): Promise<void> {
    const { ids, invocation, participant, run } = this.#parts;
    const { report, settings } = invocation;
    const patient = withPatience(context);
    const ways = {
      context: patient,
      settings: { ...settings, timeout: Math.min(settings.timeout ?? 60, ANSWER) },
    };
    const log = await openLog(patient, ways.settings);
    const found: Found[] = [];
    try {
      const question = { participant, run };
      const { indexed } = await withEvidence(context, log, () =>
        askIndex(ways, question, ENOUGH, log, found, ids()),
      );
      await withEvidence(context, log, () => this.#readOn(log, indexed, found));
    } catch (error) {
      if (statusOf(error) === EXIT.misbehaviour) throw error;
      report.say(
        `What the log holds of ${run} could not be told (${(error as Error).message}): the records are taken as they are.`,
      );
    }
    const known = ids();
    const missing = found.filter(
      ({ facts }) =>
        facts.statement.predicate.participant === participant &&
        TYPES.includes(facts.type) &&
        !known.has(facts.id),
    );
    if (missing.length > 0) throw this.#error(missing);
  }

  /** An index may lag a little behind: the entries that it has not come to are read. */
  async #readOn(log: OpenLog, indexed: number, found: Found[]): Promise<void> {
    const { participant, run } = this.#parts;
    const { size } = log.checkpoint;
    const from = Math.max(indexed, size - UNINDEXED);
    if (from >= size) return;
    for await (const { index, entry } of log.reader.entries(from, size)) {
      const facts = factsOf(entry);
      if (facts !== undefined && factsFit({ participant, run }, facts))
        found.push({ index, facts, loggedBy: null });
    }
  }

  #error(found: readonly Found[]): CliError {
    const { records, run } = this.#parts;
    const missing = found.toSorted((a, b) => a.index - b.index);
    const named = missing.slice(0, NAMED);
    const more = missing.length > NAMED ? ` and ${missing.length - NAMED} more` : '';
    const entries = named.map(({ index, facts }) => `entry ${index} (${labelOf(facts)})`).join(', ');
    const commands = named.map(({ index, facts }) => {
      const path = pathOf(records, run, facts);
      // One that is logged itself is not to be written over.
      const free = !existsSync(bundlePath(path));
      return `stele get ${index} --output ${free ? path : join(records, envelopePath(`${run}.entry-${index}`))}`;
    });
    return new CliError(
      EXIT.usage,
      'records_behind',
      `${records}: expected all that the log holds of ${run}, found nothing of ${entries}${more}`,
      `it was signed elsewhere, or these records are an older copy: bring them up to date (${commands.join('; ')}${more && '; and so on'}), or give the run another name`,
    );
  }
}

/** Whether it is CliError "records_behind", which no waiting mends. */
export function isBehind(error: unknown): boolean {
  return error instanceof CliError && error.code === 'records_behind';
}

function pathOf(records: string, run: string, { type, statement: { predicate } }: EntryFacts): string {
  if (type === 'run-intent') return fileOf.intent(records, run);
  return 'window' in predicate && typeof predicate.window === 'number'
    ? fileOf.progress(records, run, predicate.window)
    : fileOf.final(records, run);
}

function labelOf({ type, statement: { predicate } }: EntryFacts): string {
  return 'window' in predicate ? `${type} ${String(predicate.window)}` : type;
}

/** An index could lead from page to page for ever. */
function withPatience(context: Context): Context {
  const deadline = context.monotonic() + PATIENCE;
  return {
    ...context,
    fetch: (url, init) =>
      context.monotonic() < deadline
        ? context.fetch(url, init)
        : Promise.reject(new Error(`no end of answers within ${PATIENCE / 1000} s`)),
  };
}
