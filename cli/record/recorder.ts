// The recorder: looks at a trainer's folder, digests what is at rest there, signs what it found, hands it
// to the outbox. Each step is in the journal before the next begins, so that it may be killed anywhere.
import type { AnchorRef } from '../../attestation/index.js';
import type { SigningKey } from '../../tlog/index.js';
import type { Invocation } from '../command.js';
import { CliError, EXIT, statusOf } from '../errors.js';
import type { Digester } from '../model-digest.js';
import { Counting, told } from './counting.js';
import { Digesting } from './digesting.js';
import type { RunFacts } from './drafts.js';
import type { Ended, Journal, Told } from './journal.js';
import type { Look, Watcher } from './look.js';
import type { Outbox } from './outbox.js';
import { Signing } from './signing.js';

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
/** One run's recorder. */
export class Recorder {
  readonly #parts: RecorderParts;
  readonly #pace: Pace;
  readonly #counting: Counting;
  readonly #digesting: Digesting;
  readonly #signing: Signing;
  #restless = 0;

  constructor(parts: RecorderParts, pace: Pace) {
    this.#parts = parts;
    this.#pace = pace;
    const { context, report } = parts.invocation;
    this.#counting = new Counting({ ...parts, report });
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
    return this.#counting.file.final?.signed === true;
  }

  /** Checkpoints that are on record. */
  get windows(): number {
    return this.#counting.file.checkpoints.length;
  }

  /** Steps whose checkpoints were gone before they were digested. */
  get notSeen(): readonly number[] {
    return this.#counting.file.checkpoints
      .filter(({ digests }) => digests === 'gone')
      .map(({ step }) => step);
  }

  /** One look and what follows from it. True when there is nothing left to do. */
  async #round(): Promise<boolean> {
    const look = this.#parts.watcher.look();
    this.#digesting.watch(look);
    this.#counting.take(look, this.#pace.outcome !== undefined || look.top.state?.ended === true);
    this.#digesting.take();
    this.#counting.count(look);
    this.#digesting.start(look);
    const signed = await this.#tried(() => this.#signing.signOwed());
    if (!signed || this.#digesting.running !== undefined || this.#digesting.done) return false;
    if (this.#counting.file.checkpoints.some((each) => each.signed !== true)) {
      this.#disturbed();
      return false;
    }
    return this.#finish(look);
  }

  /** Waits for the next look, for a digest that ends, or, following, for an outbox that gave up. */
  async #wait(): Promise<void> {
    const { invocation, outbox } = this.#parts;
    if (this.#digesting.done) return;
    const events: Promise<unknown>[] = [invocation.context.sleep(this.#pace.every)];
    const { running } = this.#digesting;
    if (running !== undefined) events.push(running);
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

  /** A checkpoint that is not at rest: following, there will be another look. */
  #disturbed(): void {
    if (this.#pace.follow || this.#restless++ < PATIENCE) return;
    const steps = this.#counting.file.checkpoints
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
    const { top } = look;
    const { final, checkpoints, found } = this.#counting.file;
    if (final?.signed === true) return true;
    const furthest = Math.max(0, ...checkpoints.map(({ step }) => step));
    const ended = top.state?.ended === true && top.state.step >= furthest;
    if (!ended && this.#pace.outcome === undefined && final === undefined) return !this.#pace.follow;
    if (final?.digests === undefined) {
      const rest = this.#digesting.rest(top);
      if (rest === undefined) return false;
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
      this.#digesting.digest(top, true, (digests) => {
        if (digests.weights === null && this.#pace.follow && rest < WAIT_FOR_WEIGHTS * this.#pace.every)
          return;
        this.#counting.change((file) => {
          file.final = { ...base, outcome, digests };
        });
      });
      return false;
    }
    return this.#tried(() => this.#signing.final(final));
  }
}
