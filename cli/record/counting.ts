// What counts of a run: the journal, held against each look at the folder and against what is signed already.
import { readRun } from '../records.js';
import type { Report } from '../report.js';
import type { RunFacts } from './drafts.js';
import { JOURNAL_SCHEMA, type Counted, type Journal, type JournalFile, type Told } from './journal.js';
import type { CheckpointLook, Look } from './look.js';

/** What counting takes. */
export interface CountingParts {
  readonly report: Pick<Report, 'say'>;
  readonly facts: Pick<RunFacts, 'participant' | 'run'>;
  /** The records folder. */
  readonly records: string;
  readonly journal: Journal;
}

/** One run's journal, kept up. */
export class Counting {
  readonly #parts: CountingParts;
  #reconciled = false;

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

  /** Takes a look in. `over`: whether the run is known to have ended. */
  take(look: Look, over: boolean): void {
    if (this.#parts.journal.file === undefined) this.#firstLook(look, over);
    if (!this.#reconciled) this.#reconcile();
  }

  /** Somebody else has signed meanwhile: the envelopes are read again with the next look. */
  doubt(): void {
    this.#reconciled = false;
  }

  /** Takes up what counts for the first time, and what changed before it was digested. */
  count(look: Look): void {
    const { checkpoints } = this.file;
    const there = new Map(look.checkpoints.map((each) => [each.step, each]));
    const changed = checkpoints.flatMap((before) => {
      const now = there.get(before.step);
      if (before.digests !== undefined || before.signed === true) return [];
      if (now === undefined) return [{ ...before, digests: 'gone' as const }];
      if (now.print === before.print || now.state?.step !== before.step) return [];
      return counted(now, before.retrospective);
    });
    const known = new Set(checkpoints.map(({ step }) => step));
    const fresh = look.checkpoints
      .filter(({ step }) => !known.has(step))
      .flatMap((each) => counted(each, false));
    if (changed.length === 0 && fresh.length === 0) return;
    this.change((file) => {
      for (const each of changed) {
        const at = file.checkpoints.findIndex(
          ({ step, signed, digests }) => step === each.step && signed !== true && digests === undefined,
        );
        file.checkpoints[at] = each;
      }
      file.checkpoints.push(...fresh);
    });
    for (const { step, digests } of changed) {
      if (digests !== 'gone') continue;
      this.#parts.report.say(`checkpoint-${step} was gone before it was digested: recorded as not seen.`);
    }
  }

  #firstLook(look: Look, over: boolean): void {
    const { facts, journal, records, report } = this.#parts;
    const earlier = readRun(records, facts.participant, facts.run);
    const declared = earlier.some(
      ({ statement }) => statement.predicateType === 'https://stele-log/run-intent/v1',
    );
    const begun = look.checkpoints.length > 0 || look.top.state !== undefined || earlier.length > 0;
    const retrospective = begun && !declared;
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

  /** Takes over what stands in the envelopes and not in the journal: the envelopes are right. */
  #reconcile(): void {
    this.#reconciled = true;
    const { facts, records } = this.#parts;
    const known = new Set(this.file.checkpoints.map(({ window }) => window));
    const missing: Counted[] = readRun(records, facts.participant, facts.run).flatMap(({ statement }) => {
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
