// The anchor that statements name, asked of the log in the background: a log that is slow, or gone, must not hold up
// the looking, or checkpoints come and go unseen.
import type { AnchorRef } from '../../attestation/index.js';
import { SteleError } from '../../tlog/index.js';
import type { Context } from '../context.js';
import { EXIT, statusOf } from '../errors.js';
import type { Report } from '../report.js';

/** Milliseconds for which an answer is the newest anchor. */
const FRESH = 10_000;
/** Milliseconds that signing waits for an answer, however many requests it takes; then the last anchor seen will do. */
const PATIENCE = 30_000;
/** Milliseconds in which a log that did not answer is not asked again. */
const PAUSE = 60_000;

/** Thrown while the log is being asked: whoever wants an anchor comes back for it. */
export class AnchorPending extends Error {}

/** What it takes to know anchors. */
export interface AnchorsParts {
  readonly context: Pick<Context, 'monotonic'>;
  readonly report: Pick<Report, 'say'>;
  /** The log's newest anchor, asked of the log; called off by the signal. */
  readonly ask: (signal: AbortSignal) => Promise<AnchorRef>;
  /** The newest that this user has seen, without asking. */
  readonly lastSeen: () => AnchorRef | undefined;
  /** Whether the log is known to be away. */
  readonly away: () => boolean;
}

export class Anchors {
  readonly #parts: AnchorsParts;
  readonly #stop = new AbortController();
  #asking: { readonly since: number; readonly end: Promise<void> } | undefined;
  #found: { readonly anchor: AnchorRef; readonly at: number } | undefined;
  #failure: { readonly error: unknown } | undefined;
  #askAt = -Infinity;
  #told = false;

  constructor(parts: AnchorsParts) {
    this.#parts = parts;
  }

  /** Resolves when the asking that is under way ends; undefined where there is none. */
  get asking(): Promise<void> | undefined {
    return this.#asking?.end;
  }

  /**
   * An anchor to name now, if need be the last one seen; never waits. Rejects with AnchorPending while the log is
   * asked, and with what the log did wrong.
   */
  take(): Promise<AnchorRef> {
    return new Promise((resolve) => resolve(this.#take()));
  }

  /** Calls off what is under way. */
  close(): void {
    this.#stop.abort();
  }

  #take(): AnchorRef {
    const { away, context, lastSeen, report } = this.#parts;
    const now = context.monotonic();
    const failure = this.#failure;
    if (failure !== undefined) {
      this.#failure = undefined;
      throw failure.error;
    }
    if (this.#found !== undefined && now - this.#found.at < FRESH) return this.#found.anchor;
    const known = lastSeen();
    const late = this.#asking !== undefined && now - this.#asking.since >= PATIENCE;
    if (known !== undefined && (late || away() || now < this.#askAt)) return known;
    this.#asking ??= { since: now, end: this.#ask() };
    if (late && !this.#told) {
      this.#told = true;
      report.say('The log is slow to show its newest anchor: what is to be signed waits for it.');
    }
    throw new AnchorPending('the log is being asked');
  }

  async #ask(): Promise<void> {
    const { ask, context, lastSeen } = this.#parts;
    try {
      const anchor = await ask(this.#stop.signal);
      this.#found = { anchor, at: context.monotonic() };
    } catch (error) {
      if (!isNoAnswerOfUse(error) || lastSeen() === undefined) this.#failure = { error };
      this.#askAt = context.monotonic() + PAUSE;
    }
    this.#asking = undefined;
  }
}

/**
 * Whether a log that was itself before is away, or somebody answers in its place: a page that says "maintenance", with
 * status 200 or 404. Who sends it what is signed says so; that ends no recorder that has followed a run for weeks.
 */
function isNoAnswerOfUse(error: unknown): boolean {
  const status = statusOf(error);
  return status === EXIT.network || (status === EXIT.failed && error instanceof SteleError);
}
