// Signed envelopes on their way to the log: one after another in the order of signing, again and again
// until the log has them. What waits lies on disk; a recorder that is killed finds it there again.
import { existsSync } from 'node:fs';
import type { Policy } from '../../tlog/index.js';
import { parseEnvelope } from '../../attestation/index.js';
import type { Invocation } from '../command.js';
import { EXIT, statusOf } from '../errors.js';
import { readInput } from '../files.js';
import { logRecord, type Logged } from '../log-record.js';
import { bundlePath } from '../names.js';
import { BusyError } from '../submission.js';
import { isBehind } from './behind.js';

/** Longest pause between two attempts, in milliseconds; and where the log itself asks for one. */
const [MAX_PAUSE, MAX_ASKED] = [60_000, 3_600_000];
/** Statements that are named when the log turns out to be away; how many there are is said in any case. */
const NAMED = 3;

/** An envelope that waits, and how people know it. */
export interface Waiting {
  readonly path: string;
  readonly label: string;
}

/** What became of one. */
export interface Sent extends Waiting {
  readonly logged: Logged;
}

/** Sends in the background. One per run. */
export class Outbox {
  readonly sent: Sent[] = [];
  readonly #invocation: Invocation;
  readonly #policy: Policy;
  readonly #patient: boolean;
  readonly #beforeSending: () => Promise<void>;
  readonly #waiting: Waiting[] = [];
  readonly #closing = new AbortController();
  #pump: Promise<void> | undefined;
  #onStopped: ((error: Error) => void) | undefined;
  #stoppedBy: Error | undefined;
  #trouble: string | undefined;
  /** What was said of the log since it is away: a fault that comes and goes is not said with every attempt. */
  readonly #said = new Set<string>();

  /**
   * With `patient` a log that is away, or refuses, is asked again for ever. Nothing is sent until `beforeSending` has
   * resolved; what it rejects with counts as the log's answer, but for "records_behind", which ends the sending.
   */
  constructor(
    invocation: Invocation,
    policy: Policy,
    patient: boolean,
    beforeSending: () => Promise<void> = () => Promise.resolve(),
  ) {
    this.#invocation = invocation;
    this.#policy = policy;
    this.#patient = patient;
    this.#beforeSending = beforeSending;
  }

  /** Whether the log could not be reached the last time. */
  get away(): boolean {
    return this.#trouble !== undefined;
  }

  /** Envelopes that are signed and not proven to be logged. */
  get waiting(): readonly Waiting[] {
    return this.#waiting;
  }

  /** Takes what is on disk and has no bundle beside it; passes over what has. */
  add(waiting: Waiting): void {
    if (existsSync(bundlePath(waiting.path)) || this.#waiting.some(({ path }) => path === waiting.path))
      return;
    this.#waiting.push(waiting);
    const { report } = this.#invocation;
    const [file, waits] = [waiting.path, this.#waiting.length];
    if (this.away && this.#patient)
      report.say(`${waiting.label}: signed and on disk; ${waits} wait for the log.`, 'signed', {
        file,
        waits,
      });
    else report.event('signed', { file, waits });
    if (this.#pump !== undefined) return;
    this.#pump = this.#send();
    // Whoever waits for it hears of it: here it must not end the process.
    this.#pump.catch((error: unknown) => {
      this.#stoppedBy = error instanceof Error ? error : new Error(String(error));
      this.#onStopped?.(this.#stoppedBy);
    });
  }

  /** Resolves when nothing waits any more. Rejects with what stopped the sending. */
  async drain(): Promise<void> {
    await this.#pump;
  }

  /** Ends the waiting for the log, and resolves when what was under way is over. What waits stays on disk. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#pump?.catch(() => undefined);
  }

  /**
   * Rejects if the sending has stopped, and never resolves otherwise. Only the one asked for last does: a log may be
   * away for months, and what waits for it is asked for with every look.
   */
  stopped(): Promise<never> {
    return new Promise((_, reject) => {
      if (this.#stoppedBy !== undefined) reject(this.#stoppedBy);
      else this.#onStopped = reject;
    });
  }

  /** What waits, by name, the first of it. */
  #named(): string {
    const labels = this.#waiting.slice(0, NAMED).map(({ label }) => label);
    return labels.join('; ') + (this.#waiting.length > NAMED ? '; …' : '');
  }

  async #send(): Promise<void> {
    const { report, settings } = this.#invocation;
    const { signal } = this.#closing;
    const closing = (): boolean => signal.aborted;
    const context = {
      ...this.#invocation.context,
      sleep: (ms: number) => this.#invocation.context.sleep(ms, signal),
    };
    for (let pause = 1000; this.#waiting.length > 0 && !closing();) {
      const [next] = this.#waiting;
      if (next === undefined) break;
      try {
        const envelope = parseEnvelope(readInput(next.path));
        await this.#beforeSending();
        const logged = await logRecord({ context, settings }, this.#policy, next.path, envelope);
        this.#waiting.shift();
        this.sent.push({ ...next, logged });
        if (this.#trouble !== undefined) report.say('The log is back.', 'back');
        this.#trouble = undefined;
        this.#said.clear();
        pause = 1000;
        const { index } = logged;
        report.say(`${next.label}: entry ${index}`, 'logged', { file: next.path, index });
      } catch (error) {
        if (closing()) break;
        // Nothing is sent to a log that has been caught lying, nor from records that lack what it holds.
        const reason = error instanceof Error ? error.message : String(error);
        if (!this.#patient || statusOf(error) === EXIT.misbehaviour || isBehind(error)) {
          this.#trouble = reason;
          throw error;
        }
        const asked = error instanceof BusyError ? Math.min(1000 * error.retryAfter, MAX_ASKED) : 0;
        if (!this.#said.has(reason)) {
          this.#said.add(reason);
          const again = asked > MAX_PAUSE ? `in ${asked / 1000} s, since it asks for that` : 'and again';
          report.say(
            `${reason}. ${this.#waiting.length} signed and on disk: ${this.#named()}; the log is asked again ${again}.`,
            'away',
            { waits: this.#waiting.length },
          );
        }
        this.#trouble = reason;
        await context.sleep(Math.max(pause, asked)).catch((cut: unknown) => {
          if (!closing()) throw cut;
        });
        pause = Math.min(2 * pause, MAX_PAUSE);
      }
    }
    this.#pump = undefined;
  }
}
