// The recorder: looks at a trainer's folder, digests what is at rest there, signs what it found, hands it
// to the outbox. Each step is in the journal before the next begins, so that it may be killed anywhere.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AnchorRef } from '../../attestation/index.js';
import type { SigningKey } from '../../tlog/index.js';
import type { Invocation } from '../command.js';
import { CliError, EXIT, statusOf } from '../errors.js';
import type { Digester } from '../model-digest.js';
import { AnchorPending } from './anchors.js';
import { Counting, told } from './counting.js';
import { Digesting } from './digesting.js';
import type { RunFacts } from './drafts.js';
import type { Ended, Journal, Told } from './journal.js';
import type { Look, Watcher } from './look.js';
import type { Outbox } from './outbox.js';
import { Signing } from './signing.js';
import { systemError, Troubles } from './troubles.js';

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
  /** Resolves when the log has answered what `anchor` waits for; undefined where it waits for nothing. */
  readonly asking?: () => Promise<void> | undefined;
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
/** What troubles are about, beside checkpoints by their paths. */
const [ROUND, TOP, AWAY, END] = ['round', 'top', 'away', 'end'];

/** One run's recorder. */
export class Recorder {
  readonly #parts: RecorderParts;
  readonly #pace: Pace;
  readonly #counting: Counting;
  readonly #digesting: Digesting;
  readonly #signing: Signing;
  readonly #troubles: Troubles;
  #restless = 0;

  constructor(parts: RecorderParts, pace: Pace) {
    this.#parts = parts;
    this.#pace = pace;
    const { context, report } = parts.invocation;
    this.#troubles = new Troubles(report);
    this.#counting = new Counting({ ...parts, ...pace, report });
    this.#digesting = new Digesting({
      ...pace,
      context,
      report,
      counting: this.#counting,
      digester: parts.digester,
      onDisturbed: () => this.#disturbed(),
      onDigest: parts.onDigest,
    });
    this.#signing = new Signing({ ...parts, counting: this.#counting });
  }

  /** Records until there is nothing to do, or until the run is over. Throws CliError. */
  async run(): Promise<void> {
    this.#signing.sendWhatIsSigned();
    while (!(await this.#round())) await this.#wait();
  }

  /** Whether the run's end is on record. */
  get over(): boolean {
    return this.#parts.journal.file?.final?.signed === true;
  }

  /** Checkpoints that are on record. */
  get windows(): number {
    return this.#parts.journal.file?.checkpoints.length ?? 0;
  }

  /** Steps whose checkpoints were gone before they were digested. */
  get notSeen(): readonly number[] {
    return (this.#parts.journal.file?.checkpoints ?? [])
      .filter(({ digests }) => digests === 'gone')
      .map(({ step }) => step);
  }

  /**
   * One look and what follows from it; true when there is nothing left to do. Following, a file system or a log that
   * fails is waited for: nothing was acted upon that is not on disk.
   */
  async #round(): Promise<boolean> {
    try {
      const done = await this.#step();
      this.#troubles.end(ROUND, 'That is over: it goes on.');
      return done;
    } catch (error) {
      // The looking goes on meanwhile.
      if (error instanceof AnchorPending) return false;
      const status = statusOf(error);
      const passing = status === EXIT.network || status === EXIT.quorum || systemError(error) !== undefined;
      if (!this.#pace.follow || !passing || status === EXIT.misbehaviour) throw error;
      this.#troubles.begin(ROUND, `${(error as Error).message}. It is tried again and again.`);
      return false;
    }
  }

  async #step(): Promise<boolean> {
    const look = this.#parts.watcher.look();
    this.#digesting.watch(look);
    this.#tell(look);
    this.#counting.take(look);
    this.#digesting.take();
    this.#counting.count(look, (folder) => this.#digesting.isAtRest(folder));
    this.#digesting.start(look);
    await this.#signing.signOwed();
    if (this.#digesting.running !== undefined || this.#digesting.done) return false;
    const owed = this.#counting.file.checkpoints.filter((each) => each.signed !== true);
    if (owed.length > 0) {
      const reasons = owed.map(({ step }) => {
        const folder = look.checkpoints.find((each) => each.step === step);
        return folder && this.#digesting.givenUp(folder);
      });
      // The rest is on record; what is left will not mend itself.
      if (reasons[0] !== undefined && !reasons.includes(undefined)) throw reasons[0];
      this.#disturbed(look);
      return false;
    }
    // Following, they are digested before the end is, or there is another look.
    const again = this.#pace.follow ? [] : this.#digesting.writtenAgain(look);
    if (again.length > 0) {
      const reason = again.map((folder) => this.#digesting.givenUp(folder)).find(Boolean);
      if (reason !== undefined) throw reason;
      this.#disturbed(look);
      return false;
    }
    return this.#unread(look) ? false : this.#finish(look);
  }

  /** Says what of a look is passed over, and why. */
  #tell({ checkpoints, top, present }: Look): void {
    const { journal, watcher } = this.#parts;
    const known = new Set(journal.file?.checkpoints.map(({ step }) => step));
    for (const folder of checkpoints) {
      const { path, state, step, trouble } = folder;
      const name = `checkpoint-${step}`;
      if (trouble !== undefined) this.#troubles.begin(path, `${name} cannot be read: ${trouble}.`);
      else if (state !== undefined && state.step !== step)
        this.#troubles.begin(
          path,
          `${name} is passed over: its trainer_state.json is of step ${state.step}.`,
        );
      else if (state === undefined) {
        // One that is being written has none yet, and one on record may be on its way out.
        const late = !this.#pace.follow || this.#digesting.isAtRest(folder, WAIT_FOR_WEIGHTS);
        if (late && !known.has(step))
          this.#troubles.begin(path, `${name} is passed over: ${whyNoState(path)}.`);
      } else this.#troubles.end(path, `${name} is as it should be now.`);
    }
    if (top.trouble === undefined) this.#troubles.end(TOP, 'All of the folder can be read again.');
    else this.#troubles.begin(TOP, `${top.path}: something in it cannot be read: ${top.trouble}.`);
    const seen = journal.file?.checkpoints.length ?? 0;
    if (present || seen === 0) this.#troubles.end(AWAY, `${watcher.folder} is there again.`);
    else
      this.#troubles.begin(
        AWAY,
        `${watcher.folder} is empty or not there: what was seen in it is waited for.`,
      );
  }

  /** Whether there is a checkpoint that cannot be read and is not on record: the end waits for it, unless it is by word. */
  #unread({ checkpoints }: Look): boolean {
    if (this.#pace.outcome !== undefined) return false;
    const known = new Set(this.#counting.file.checkpoints.map(({ step }) => step));
    const unread = checkpoints.find(({ step, trouble }) => trouble !== undefined && !known.has(step));
    if (unread === undefined || this.#pace.follow) return unread !== undefined;
    throw new CliError(
      EXIT.usage,
      'unreadable',
      `${unread.path}: expected a checkpoint that can be read, found ${unread.trouble ?? ''}`,
      'what could be read is recorded; run it again when the rest can be, or with --outcome to end the run without it',
    );
  }

  /** Waits for the next look, for a digest that ends, or, following, for an outbox that gave up. */
  async #wait(): Promise<void> {
    const { invocation, outbox } = this.#parts;
    if (this.#digesting.done && !this.#troubles.has(ROUND)) return;
    const events: Promise<unknown>[] = [invocation.context.sleep(this.#pace.every)];
    const { running } = this.#digesting;
    if (running !== undefined) events.push(running);
    const asking = this.#parts.asking?.();
    if (asking !== undefined) events.push(asking);
    if (this.#pace.follow) events.push(outbox.stopped());
    await Promise.race(events);
  }

  /** A checkpoint that is not at rest: following, there will be another look. */
  #disturbed(look?: Look): void {
    if (this.#pace.follow || this.#restless++ < PATIENCE) return;
    const { folder } = this.#parts.watcher;
    if (look?.present === false) {
      throw new CliError(
        EXIT.network,
        'folder_away',
        `${folder}: expected the checkpoints that were seen there, found nothing at all`,
        'mount it, and run it again; if it was emptied, with --outcome: what was not digested is then on record as not seen',
      );
    }
    const steps = this.#counting.file.checkpoints
      .filter(({ digests }) => digests === undefined)
      .map(({ step }) => step);
    throw new CliError(
      EXIT.network,
      'still_changing',
      `${folder}: expected a folder at rest, found that it still changes${steps.length > 0 ? `: checkpoint-${steps.join(', checkpoint-')}` : ''}`,
      'what was at rest is recorded; run it again when the trainer has written the rest, or follow it without --once',
    );
  }

  /** True when the run has its final statement, or when there is none to make yet. */
  async #finish(look: Look): Promise<boolean> {
    const { top } = look;
    const { final, checkpoints, found } = this.#counting.file;
    if (final?.signed === true) return true;
    const ended = this.#counting.endOf(look);
    if (ended === undefined && top.state?.ended === true)
      this.#troubles.begin(
        END,
        'trainer_state.json at the top is of an end before: older than the intent, or of fewer steps than a checkpoint.',
      );
    if (ended === undefined && this.#pace.outcome === undefined && final === undefined)
      return !this.#pace.follow;
    if (final?.digests === undefined) {
      const givenUp = this.#digesting.givenUp(top);
      if (givenUp !== undefined) throw givenUp;
      const rest = this.#digesting.rest(top);
      if (rest === undefined) return false;
      const last = checkpoints.at(-1);
      const base: Told = ended
        ? told(ended, top.print, found === 'over')
        : {
            print: top.print,
            retrospective: found === 'over',
            ...(last?.flop !== undefined && { flop: last.flop }),
            ...(last?.tokens !== undefined && { tokens: last.tokens }),
          };
      const outcome = this.#pace.outcome ?? 'completed';
      this.#digesting.digest(top, true, (digests) => {
        if (digests.weights === null && this.#pace.follow && rest < WAIT_FOR_WEIGHTS * this.#pace.every)
          return;
        this.#counting.change((file) => {
          file.final = { ...base, outcome, digests };
        });
      });
      return false;
    }
    await this.#signing.final(final);
    return true;
  }
}

function whyNoState(folder: string): string {
  const there = existsSync(join(folder, 'trainer_state.json'));
  return there ? 'its trainer_state.json is not whole' : 'it has no trainer_state.json';
}
