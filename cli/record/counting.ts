// What counts of a run: the journal, held against each look at the folder and against what is signed already.
import { existsSync } from 'node:fs';
import { CliError, EXIT } from '../errors.js';
import { readRun, type RunRecord } from '../records.js';
import type { Report } from '../report.js';
import { fileOf, type RunFacts } from './drafts.js';
import { JOURNAL_SCHEMA, type Counted, type Journal, type JournalFile, type Told } from './journal.js';
import type { CheckpointLook, FolderLook, Look } from './look.js';
import type { TrainerState } from './trainer-state.js';

/** What counting takes. */
export interface CountingParts {
  readonly report: Pick<Report, 'say' | 'sayOnce'>;
  readonly facts: Pick<RunFacts, 'participant' | 'run'>;
  /** The records folder. */
  readonly records: string;
  readonly journal: Journal;
  /** Whether the run is followed to its end. */
  readonly follow: boolean;
  /** That the run is over by its user's word: what is not there will not come back. */
  readonly outcome: string | undefined;
}

/** One run's journal, kept up. */
export class Counting {
  readonly #parts: CountingParts;
  #reconciled = false;
  /** When the run was declared, seconds; undefined where it was not, or only now. */
  #declaredAt: number | undefined;
  /** Whether anything of the run is signed. */
  #hasRecords = false;

  constructor(parts: CountingParts) {
    this.#parts = parts;
  }

  /** The journal as it stands, once there was a look. */
  get file(): JournalFile {
    const { file } = this.#parts.journal;
    if (file === undefined) throw new Error('the first look makes the journal');
    return file;
  }

  /** Changes the journal, durably. */
  change(change: (file: JournalFile) => void): void {
    const file = structuredClone(this.file);
    change(file);
    this.#parts.journal.save(file);
  }

  /** Takes a look in. Throws CliError "no_checkpoints", "run_over" where the first cannot be this run's. */
  take(look: Look): void {
    if (this.#parts.journal.file === undefined) this.#firstLook(look);
    if (!this.#reconciled) this.#reconcile();
    if (this.file.found === 'nothing' && !this.#hasRecords) this.#stillToDeclare(look);
  }

  /**
   * What the top of the folder says of the run's end. Undefined where it says none: no totals, or fewer steps than a
   * checkpoint has, or the file is older than the run's intent and so another run's.
   */
  endOf(look: Look): TrainerState | undefined {
    const { state } = look.top;
    return state?.ended === true && !this.#isStale(look) ? state : undefined;
  }

  #isStale({ checkpoints, top: { state } }: Look): boolean {
    if (state === undefined) return false;
    if (this.#declaredAt !== undefined && state.writtenAt < this.#declaredAt) return true;
    const seen = this.#parts.journal.file?.checkpoints ?? [];
    const there = checkpoints.filter((each) => each.state?.step === each.step);
    return state.step < Math.max(0, ...[...seen, ...there].map(({ step }) => step));
  }

  /** There are envelopes that were not there: they are read again with the next look. */
  doubt(): void {
    this.#reconciled = false;
  }

  /** Takes up what counts for the first time, and what changed before it was digested. */
  count(look: Look, isAtRest: (folder: FolderLook) => boolean): void {
    const { checkpoints } = this.file;
    // Of a disk that is not mounted for a while nothing is gone: its place is empty, or not there.
    const away = !look.present && this.#parts.outcome === undefined;
    const there = new Map(look.checkpoints.map((each) => [each.step, each]));
    const changed = checkpoints.flatMap((before) => {
      const now = there.get(before.step);
      if (before.signed === true) return [];
      // Back before anything was signed of its going.
      if (before.digests === 'gone' && now !== undefined && !this.#hasEnvelope(before))
        return counted(now, before.retrospective);
      if (before.digests !== undefined) return [];
      if (now === undefined) return away ? [] : [{ ...before, digests: 'gone' as const }];
      if (now.state?.step === before.step)
        return now.print === before.print ? [] : counted(now, before.retrospective);
      // Its folder may stay for good: of a deletion that was cut off, or, over NFS, of files that somebody still reads.
      const lost = this.#parts.outcome !== undefined || (now.trouble === undefined && isAtRest(now));
      return lost ? [{ ...before, digests: 'gone' as const }] : [];
    });
    const known = new Set(checkpoints.map(({ step }) => step));
    const fresh = look.checkpoints
      .filter(({ step }) => !known.has(step))
      .flatMap((each) => counted(each, false));
    if (changed.length === 0 && fresh.length === 0) return;
    this.change((file) => {
      for (const each of changed) {
        const at = file.checkpoints.findIndex(
          ({ step, signed, digests }) =>
            step === each.step && signed !== true && (digests === undefined || digests === 'gone'),
        );
        file.checkpoints[at] = each;
      }
      file.checkpoints.push(...fresh);
    });
    for (const { step, digests } of changed) {
      if (digests !== 'gone') continue;
      const what = there.has(step) ? 'lost its trainer_state.json' : 'was gone';
      this.#parts.report.say(`checkpoint-${step} ${what} before it was digested: recorded as not seen.`);
    }
  }

  #hasEnvelope({ window }: Counted): boolean {
    const { facts, records } = this.#parts;
    return window !== undefined && existsSync(fileOf.progress(records, facts.run, window));
  }

  #firstLook(look: Look): void {
    const { facts, follow, journal, records, report } = this.#parts;
    const earlier = readRun(records, facts.participant, facts.run, report);
    const declared = earlier.some(
      ({ statement }) => statement.predicateType === 'https://stele-log/run-intent/v1',
    );
    const ended = look.top.state?.ended === true;
    const over = this.#isOver(look);
    this.#declaredAt = declarationOf(earlier);
    // Of a run that was declared or recorded before, the end is its own unless it is older.
    if (follow && ended && earlier.length === 0 && !this.#isStale(look)) throw isOver(look.top.path);
    if (!follow && !over && earlier.length === 0) this.#mustCount(look);
    const begun = look.begun || earlier.length > 0;
    // The end of a run declares none, whether or not there is anything left of it.
    const retrospective = (begun || over) && !declared;
    if (retrospective) {
      report.say(
        over
          ? 'The run was over at the first look: it is recorded in retrospect, without an intent.'
          : 'The run had begun at the first look: what there is of it is recorded in retrospect, without an intent.',
      );
    }
    const found = !retrospective ? 'nothing' : over ? 'over' : 'begun';
    journal.save({
      schema: JOURNAL_SCHEMA,
      participant: facts.participant,
      run: facts.run,
      found,
      checkpoints: look.checkpoints.flatMap((each) => counted(each, retrospective)),
    });
  }

  #isOver({ top: { state } }: Look): boolean {
    return this.#parts.outcome !== undefined || state?.ended === true;
  }

  /** The log could not be reached since the first look, or that recorder died: once the run has begun it is too late. */
  #stillToDeclare(look: Look): void {
    const { follow, report } = this.#parts;
    const over = this.#isOver(look);
    if (!look.begun && !over) {
      if (follow) return;
      if (this.file.checkpoints.length === 0) this.#mustCount(look);
    }
    this.change((file) => {
      file.found = over ? 'over' : 'begun';
    });
    report.say('The run had begun before it could be declared: it is recorded without an intent.');
  }

  /** Of what is no checkpoint that counts nobody knows whether it came before a run or of it. One that cannot be read may. */
  #mustCount({ checkpoints, present, top }: Look): void {
    if (checkpoints.some(({ state, step, trouble }) => trouble !== undefined || state?.step === step)) return;
    const found = !present ? 'nothing' : checkpoints.length === 0 ? 'files and none' : 'none that counts';
    throw new CliError(
      EXIT.usage,
      'no_checkpoints',
      `${top.path}: expected checkpoint-N folders with a trainer_state.json of that step, found ${found}: nothing is recorded`,
      'name the folder that the trainer writes them to; a run that has ended without any: --outcome completed; one that is to begin: without --once',
    );
  }

  /** Takes over what stands in the envelopes and not in the journal: the envelopes are right. */
  #reconcile(): void {
    this.#reconciled = true;
    const { facts, records, report } = this.#parts;
    const known = new Set(this.file.checkpoints.map(({ window }) => window));
    const run = readRun(records, facts.participant, facts.run, report);
    this.#declaredAt = declarationOf(run);
    this.#hasRecords = run.length > 0;
    const missing: Counted[] = run.flatMap(({ statement }) => {
      if (statement.predicateType !== 'https://stele-log/run-progress/v1') return [];
      const { window, lastStep, retrospective } = statement.predicate;
      return known.has(window) ? [] : [{ step: lastStep, window, retrospective, print: '', signed: true }];
    });
    if (missing.length === 0) return;
    const steps = new Set(missing.map(({ step }) => step));
    this.change((file) => {
      file.checkpoints = [
        ...missing,
        // Counted before the envelope was found: it is that one.
        ...file.checkpoints.filter(({ step, window }) => window !== undefined || !steps.has(step)),
      ];
    });
  }
}

/** When a run was declared, seconds. */
function declarationOf(run: readonly RunRecord[]): number | undefined {
  return run.find(({ statement }) => statement.predicateType === 'https://stele-log/run-intent/v1')?.statement
    .predicate.issuedAt;
}

function isOver(folder: string): CliError {
  return new CliError(
    EXIT.usage,
    'run_over',
    `${folder}: expected a run that goes on, found a trainer_state.json that says it has ended`,
    'to record it afterwards: --once; if another run was here before, give each a folder of its own, or move the file away',
  );
}

/** A checkpoint counts when its state file is whole, and of the step that the folder's name says. */
function counted({ step, state, print }: CheckpointLook, retrospective: boolean): Counted[] {
  return state?.step === step ? [{ step, ...told(state, print, retrospective) }] : [];
}

/** What a whole state file told when its folder counted. */
export function told(
  state: { flop: string | undefined; tokens: string | undefined; writtenAt: number },
  print: string,
  retrospective: boolean,
): Told {
  const { flop, tokens, writtenAt } = state;
  return {
    print,
    written: writtenAt,
    retrospective,
    ...(flop !== undefined && { flop }),
    ...(tokens !== undefined && { tokens }),
    // Of what lay there before, the times of files may be those of a copy.
    ...(!retrospective && { end: writtenAt }),
  };
}
