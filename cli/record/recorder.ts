// The recorder: looks at a trainer's folder, digests what is at rest there, signs what it found, hands it
// to the outbox. Each step is in the journal before the next begins, so that it may be killed anywhere.
import { existsSync } from 'node:fs';
import type { AnchorRef } from '../../attestation/index.js';
import type { SigningKey } from '../../tlog/index.js';
import { signOnce, type Draft } from '../attest/sign-once.js';
import type { Invocation } from '../command.js';
import { CliError, EXIT, statusOf } from '../errors.js';
import { identifyFolder, type Digester, type ModelIdentity } from '../model-digest.js';
import { lastOf, readRun } from '../records.js';
import { inUnits } from './bar.js';
import { draftFinal, draftIntent, draftProgress, fileOf, type RunFacts } from './drafts.js';
import {
  JOURNAL_SCHEMA,
  type Counted,
  type Digests,
  type Ended,
  type Journal,
  type JournalFile,
  type Told,
} from './journal.js';
import { printOf, type CheckpointLook, type FolderLook, type Look, type Watcher } from './look.js';
import type { Outbox } from './outbox.js';

/** What a recorder works with. */
export interface RecorderParts {
  readonly invocation: Invocation;
  readonly facts: RunFacts;
  readonly key: SigningKey;
  readonly records: string;
  readonly journal: Journal;
  readonly watcher: Watcher;
  readonly digester: Digester;
  readonly outbox: Outbox;
  readonly anchor: () => Promise<AnchorRef>;
  /** Told what is about to be digested, and that it has been. */
  readonly onDigest?: (label: string, bytes: number) => () => void;
}

/** How a recorder goes about it. */
export interface Pace {
  /** Whether to go on until the folder says that the run has ended. */
  readonly follow: boolean;
  /** Milliseconds between two looks; as long must a folder have been at rest. */
  readonly every: number;
  /** That the run is over, and how, where the folder does not say so. */
  readonly outcome: Ended['outcome'] | undefined;
}

/** Looks, with `follow` false, at a folder that goes on changing. */
const PATIENCE = 5;
/** Looks at rest before a run's end is recorded without weights: some trainers save them last. */
const WAIT_FOR_WEIGHTS = 6;
/** Bytes from which a digest takes long enough to be told of where no bar shows it. */
const LARGE = 1_000_000_000;
/** Milliseconds before a folder that cannot be read is tried again. */
const TRY_AGAIN = 60_000;

/** One run's recorder. */
export class Recorder {
  readonly #parts: RecorderParts;
  readonly #pace: Pace;
  /** Prints by path, and since when they have been so. */
  readonly #rest = new Map<string, { print: string; since: number }>();
  /** Paths that could not be read, and until when they are let alone. */
  readonly #later = new Map<string, number>();
  #restless = 0;
  #reconciled = false;
  #declared = false;
  #digesting: Promise<void> | undefined;
  /** What digests in the background came to; the loop takes it up. */
  readonly #done: (() => void)[] = [];

  constructor(parts: RecorderParts, pace: Pace) {
    this.#parts = parts;
    this.#pace = pace;
  }

  /** Records until there is nothing to do, or until the run is over. Throws CliError. */
  async run(): Promise<void> {
    this.#sendWhatIsSigned();
    while (!(await this.#round())) await this.#wait();
  }

  /** Whether the run's end is on record. */
  get over(): boolean {
    return this.#file.final?.signed === true;
  }

  /** Checkpoints that are on record. */
  get windows(): number {
    return this.#file.checkpoints.length;
  }

  /** Steps whose checkpoints were gone before they were digested. */
  get notSeen(): readonly number[] {
    return this.#file.checkpoints.filter(({ digests }) => digests === 'gone').map(({ step }) => step);
  }

  /** The journal as it stands. */
  get #file(): JournalFile {
    const { file } = this.#parts.journal;
    if (file === undefined) throw new Error('the first look makes the journal');
    return file;
  }

  /** Changes the journal, durably. */
  #change(change: (file: JournalFile) => void): void {
    const file = structuredClone(this.#file);
    change(file);
    this.#parts.journal.save(file);
  }

  /** What an earlier recorder, or somebody by hand, has signed goes first. */
  #sendWhatIsSigned(): void {
    const { facts, outbox, records } = this.#parts;
    const rank = ({ statement }: ReturnType<typeof readRun>[number]): number =>
      statement.predicateType === 'https://stele-log/run-intent/v1'
        ? -1
        : 'window' in statement.predicate
          ? statement.predicate.window
          : Infinity;
    const run = readRun(records, facts.participant, facts.run);
    for (const record of run.sort((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)))) {
      const type = record.statement.predicateType.split('/').at(-2) ?? '';
      outbox.add({
        path: record.path,
        label: 'window' in record.statement.predicate ? progressLabel(record.statement.predicate) : type,
      });
    }
  }

  /** One look and what follows from it. True when there is nothing left to do. */
  async #round(): Promise<boolean> {
    const { invocation, journal, watcher } = this.#parts;
    const look = watcher.look();
    const now = invocation.context.now();
    for (const { path, print } of [...look.checkpoints, look.top]) {
      if (this.#rest.get(path)?.print !== print) this.#rest.set(path, { print, since: now });
    }
    if (journal.file === undefined) this.#firstLook(look);
    if (!this.#reconciled) this.#reconcile();
    for (const take of this.#done.splice(0)) take();
    this.#count(look);
    if (this.#digesting === undefined) this.#startDigest(look);
    const signed = await this.#tried(async () => {
      await this.#signIntent();
      for (const counted of this.#file.checkpoints)
        if (counted.digests !== undefined && counted.signed !== true) await this.#signProgress(counted);
    });
    if (!signed || this.#digesting !== undefined || this.#done.length > 0) return false;
    if (this.#file.checkpoints.some((each) => each.signed !== true)) {
      this.#disturbed();
      return false;
    }
    return this.#finish(look);
  }

  /** Waits for the next look, for a digest that ends, or, following, for an outbox that gave up. */
  async #wait(): Promise<void> {
    const { invocation, outbox } = this.#parts;
    if (this.#done.length > 0) return;
    const events: Promise<unknown>[] = [invocation.context.sleep(this.#pace.every)];
    if (this.#digesting !== undefined) events.push(this.#digesting);
    if (this.#pace.follow) events.push(outbox.stopped());
    await Promise.race(events);
  }

  /**
   * Signing wants an anchor, for which the log may have to be asked: following, a log that is away and has
   * never shown one is waited for.
   */
  async #tried(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const status = statusOf(error);
      if (!this.#pace.follow || (status !== EXIT.network && status !== EXIT.quorum)) throw error;
      this.#parts.invocation.report.say(`${(error as Error).message}. It is tried again.`);
      return false;
    }
  }

  #firstLook(look: Look): void {
    const { facts, journal, records, invocation } = this.#parts;
    const earlier = readRun(records, facts.participant, facts.run);
    const declared = earlier.some(
      ({ statement }) => statement.predicateType === 'https://stele-log/run-intent/v1',
    );
    const begun = look.checkpoints.length > 0 || look.top.state !== undefined || earlier.length > 0;
    const retrospective = begun && !declared;
    const over = this.#pace.outcome !== undefined || look.top.state?.ended === true;
    if (retrospective) {
      invocation.report.say(
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
      checkpoints: look.checkpoints.flatMap((each) => this.#counted(each, retrospective)),
    });
  }

  /** Takes over what stands in the envelopes and not in the journal: the envelopes are right. */
  #reconcile(): void {
    this.#reconciled = true;
    const { facts, records } = this.#parts;
    const known = new Set(this.#file.checkpoints.map(({ window }) => window));
    const missing: Counted[] = readRun(records, facts.participant, facts.run).flatMap(({ statement }) => {
      if (statement.predicateType !== 'https://stele-log/run-progress/v1') return [];
      const { window, lastStep, retrospective } = statement.predicate;
      return known.has(window) ? [] : [{ step: lastStep, window, retrospective, print: '', signed: true }];
    });
    if (missing.length === 0) return;
    const steps = new Set(missing.map(({ step }) => step));
    this.#change((file) => {
      file.checkpoints = [
        ...missing,
        // Counted before the envelope was found: it is that one.
        ...file.checkpoints.filter(({ step, window }) => window !== undefined || !steps.has(step)),
      ];
    });
  }

  async #signIntent(): Promise<void> {
    const { facts, records } = this.#parts;
    if (this.#file.found !== 'nothing') return;
    if (this.#declared) return;
    // It may have been declared by hand.
    if (readRun(records, facts.participant, facts.run).length === 0)
      await this.#sign(draftIntent(facts), fileOf.intent(records, facts.run), 'run-intent');
    this.#declared = true;
  }

  /** Takes up what counts for the first time, and what changed before it was digested. */
  #count(look: Look): void {
    const { checkpoints } = this.#file;
    const there = new Map(look.checkpoints.map((each) => [each.step, each]));
    const changed = checkpoints.flatMap((counted) => {
      const now = there.get(counted.step);
      if (counted.digests !== undefined || counted.signed === true) return [];
      if (now === undefined) return [{ ...counted, digests: 'gone' as const }];
      if (now.print === counted.print || now.state?.step !== counted.step) return [];
      return this.#counted(now, counted.retrospective);
    });
    const known = new Set(checkpoints.map(({ step }) => step));
    const fresh = look.checkpoints
      .filter(({ step }) => !known.has(step))
      .flatMap((each) => this.#counted(each, false));
    if (changed.length === 0 && fresh.length === 0) return;
    this.#change((file) => {
      for (const counted of changed) {
        const at = file.checkpoints.findIndex(
          ({ step, signed, digests }) => step === counted.step && signed !== true && digests === undefined,
        );
        file.checkpoints[at] = counted;
      }
      file.checkpoints.push(...fresh);
    });
    for (const { step, digests } of changed) {
      if (digests !== 'gone') continue;
      this.#parts.invocation.report.say(
        `checkpoint-${step} was gone before it was digested: recorded as not seen.`,
      );
    }
  }

  /** A checkpoint counts when its state file is whole, and of the step that the folder's name says. */
  #counted({ step, state, print }: CheckpointLook, retrospective: boolean): Counted[] {
    return state?.step === step ? [{ step, ...told(state, print, retrospective) }] : [];
  }

  #startDigest(look: Look): void {
    const { checkpoints } = this.#file;
    const now = this.#parts.invocation.context.now();
    const atRest = ({ path }: FolderLook): boolean =>
      now - (this.#rest.get(path)?.since ?? now) >= this.#pace.every && (this.#later.get(path) ?? 0) <= now;
    for (const folder of look.checkpoints) {
      if (!atRest(folder) || folder.state?.step !== folder.step) continue;
      const { step, state, print } = folder;
      const last = checkpoints.findLast((each) => each.step === step);
      if (last === undefined) continue;
      if (last.signed !== true && last.digests === undefined) {
        this.#digest(folder, false, (digests) => {
          this.#change((file) => {
            const entry = file.checkpoints.findLast((each) => each.step === step);
            if (entry?.print === print && entry.digests === undefined) entry.digests = digests;
          });
        });
        return;
      }
      // A run that was set back writes its later checkpoints again, state file and all. What only lies
      // elsewhere now, or lost files to a rotation under way, is no new checkpoint.
      const before = last.digests;
      if (last.signed !== true || before === undefined) continue;
      if (last.print === print || last.written === state.writtenAt) continue;
      this.#digest(folder, false, (digests) => {
        const again =
          digests.weights !== null && (before === 'gone' || !sameModel(digests.weights, before.weights));
        this.#change((file) => {
          const entry = file.checkpoints.findLast((each) => each.step === step);
          if (again) file.checkpoints.push({ step, ...told(state, print, false), digests });
          else if (entry) Object.assign(entry, { print, written: state.writtenAt });
        });
      });
      return;
    }
  }

  /** Digests a folder in the background, if nothing changes meanwhile; `then` is called by the loop. */
  #digest({ path, print, bytes }: FolderLook, top: boolean, then: (digests: Digests) => void): void {
    const { digester, invocation, onDigest } = this.#parts;
    const label = path.split(/[\\/]/).at(-1) ?? path;
    if (bytes >= LARGE) invocation.report.say(`${label}: digesting ${inUnits(bytes)}`);
    const end = onDigest?.(label, bytes);
    const work = async (): Promise<void> => {
      try {
        if (printOf(path, top).print !== print) {
          this.#done.push(() => this.#disturbed());
          return;
        }
        const { weights, folder } = await identifyFolder(path, digester);
        // Nothing changed while it was digested: no file came, went or was written.
        if (printOf(path, top).print === print)
          this.#done.push(() => then({ weights: weights ?? null, folder: folder ?? null }));
        else this.#done.push(() => this.#disturbed());
      } catch (error) {
        const changed = printOf(path, top).print !== print;
        this.#done.push(() => {
          // The next look tells what became of it.
          if (changed) {
            this.#disturbed();
            return;
          }
          if (!this.#pace.follow) throw error;
          this.#later.set(path, invocation.context.now() + TRY_AGAIN);
          invocation.report.say(`${(error as Error).message}. It is tried again.`);
        });
      }
    };
    this.#digesting = work().finally(() => {
      end?.();
      this.#digesting = undefined;
    });
  }

  async #signProgress(counted: Counted): Promise<void> {
    const { facts, records } = this.#parts;
    const at = this.#file.checkpoints.findIndex(
      ({ step, signed, digests }) => step === counted.step && signed !== true && digests !== undefined,
    );
    const earlier = this.#file.checkpoints.filter((each) => each.signed === true);
    const window = counted.window ?? Math.max(-1, ...earlier.map((each) => each.window ?? -1)) + 1;
    if (counted.window === undefined) {
      this.#change((file) => {
        const entry = file.checkpoints[at];
        if (entry) entry.window = window;
      });
    }
    const path = fileOf.progress(records, facts.run, window);
    const run = readRun(records, facts.participant, facts.run);
    const there = run.find((record) => record.path === path)?.statement.predicate;
    if (there !== undefined && !('lastStep' in there && there.lastStep === counted.step)) {
      // Somebody signed a window by hand meanwhile. Its place is taken; this one gets the next.
      this.#change((file) => {
        const entry = file.checkpoints[at];
        if (entry) Reflect.deleteProperty(entry, 'window');
      });
      this.#reconciled = false;
      return;
    }
    const firstStep = Math.max(0, ...earlier.map(({ step }) => step).filter((step) => step < counted.step));
    const start = earlier.find((each) => each.window === window - 1)?.end;
    const previous = lastOf(run)?.id;
    const draft = draftProgress(facts, counted, { window, firstStep, start, previous });
    await this.#sign(draft, path, progressLabel({ window, lastStep: counted.step }));
    this.#change((file) => {
      const entry = file.checkpoints[at];
      if (entry) entry.signed = true;
    });
  }

  /** What is signed already is left as it is, whatever is said or told now. */
  async #sign(draft: Draft, path: string, label: string): Promise<void> {
    const { anchor, invocation, key, outbox } = this.#parts;
    if (!existsSync(path)) await signOnce(invocation, key, draft, path, anchor);
    outbox.add({ path, label });
  }

  /** A checkpoint that is not at rest: following, there will be another look. */
  #disturbed(): void {
    if (this.#pace.follow || this.#restless++ < PATIENCE) return;
    const steps = this.#file.checkpoints
      .filter(({ digests }) => digests === undefined)
      .map(({ step }) => step);
    throw new CliError(
      EXIT.network,
      'still_changing',
      `${this.#parts.watcher.folder}: expected a folder at rest, found that it still changes${steps.length > 0 ? `: checkpoint-${steps.join(', checkpoint-')}` : ''}`,
      'what was at rest is recorded; run it again when the trainer has written the rest, or follow it without --once',
    );
  }

  /** True when the run has its final statement, or when there is none to make yet. */
  async #finish(look: Look): Promise<boolean> {
    const { facts, invocation, records } = this.#parts;
    const { top } = look;
    const { final, checkpoints, found } = this.#file;
    if (final?.signed === true) return true;
    const furthest = Math.max(0, ...checkpoints.map(({ step }) => step));
    const ended = top.state?.ended === true && top.state.step >= furthest;
    if (!ended && this.#pace.outcome === undefined && final === undefined) return !this.#pace.follow;
    if (final?.digests === undefined) {
      const now = invocation.context.now();
      const rest = now - (this.#rest.get(top.path)?.since ?? now);
      if (rest < this.#pace.every || (this.#later.get(top.path) ?? 0) > now) return false;
      const last = checkpoints.at(-1);
      const base: Told = ended
        ? told(top.state, top.print, found === 'over')
        : {
            print: top.print,
            retrospective: found === 'over',
            ...(last?.flop !== undefined && { flop: last.flop }),
            ...(last?.tokens !== undefined && { tokens: last.tokens }),
          };
      const outcome = this.#pace.outcome ?? 'completed';
      this.#digest(top, true, (digests) => {
        if (digests.weights === null && this.#pace.follow && rest < WAIT_FOR_WEIGHTS * this.#pace.every)
          return;
        this.#change((file) => {
          file.final = { ...base, outcome, digests };
        });
      });
      return false;
    }
    const previous = lastOf(readRun(records, facts.participant, facts.run))?.id;
    if (
      !(await this.#tried(() =>
        this.#sign(draftFinal(facts, final, previous), fileOf.final(records, facts.run), 'run-final'),
      ))
    )
      return false;
    this.#change((file) => {
      if (file.final) file.final.signed = true;
    });
    return true;
  }
}

function told(
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

function sameModel(a: ModelIdentity, b: ModelIdentity | null): boolean {
  return b !== null && a.root === b.root && a.manifestDigest === b.manifestDigest;
}

function progressLabel({ window, lastStep }: { window: number; lastStep: number }): string {
  return `run-progress ${window}, to step ${lastStep}`;
}
