// Events on their way to whoever reads stdout. A pipe takes what it has room for; the rest lies in this process
// and dies with it, so an event counts as told when the system has it.
import { printableJson } from '../../system/index.js';
import { SteleError } from '../../tlog/index.js';
import type { Context } from '../context.js';
import { CliError, EXIT } from '../errors.js';

import type { MonitorEvent } from './events.js';

/** Events that wait for a reader at most before no more matches are read: some MB. */
const MOST_WAITING = 10_000;

/** What it takes of the world. */
export interface StdoutOptions {
  readonly context: Pick<Context, 'stdout' | 'taken'>;
  /** Told what the disk refused. */
  readonly say: (text: string) => void;
  /** Called when whoever read has gone. */
  readonly onGone: () => void;
}

export class StdoutLines {
  readonly #options: StdoutOptions;
  #waiting = 0;
  #gone = false;
  #last: Promise<void> = Promise.resolve();

  constructor(options: StdoutOptions) {
    this.#options = options;
  }

  /** False while so many wait that entries should not be read on. Alarms are few, and always taken. */
  get room(): boolean {
    return this.#waiting < MOST_WAITING;
  }

  /** Writes them, a line each. Nothing waits for the reader; `delivered` is called when the system has them. */
  take(events: readonly MonitorEvent[], delivered: () => void): void {
    const { context } = this.#options;
    this.#waiting += events.length;
    for (const event of events) context.stdout(`${printableJson(event, 0)}\n`);
    this.#last = context.taken().then((taken) => {
      this.#waiting -= events.length;
      if (taken) this.#tell(delivered);
      else this.#lose();
    });
  }

  /** Resolves when nothing waits. Throws CliError "stdout_closed" where something was never taken. */
  async end(): Promise<void> {
    await this.#last;
    if (this.#gone)
      throw new CliError(
        EXIT.network,
        'stdout_closed',
        'stdout: expected somebody who reads events, found that he has gone',
        'start it again with a reader: what was not taken is told then; to read none, use > /dev/null',
      );
  }

  #tell(delivered: () => void): void {
    try {
      delivered();
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      // It is saved with the next round, or told again.
      this.#options.say(`${error.message} (${error.code}); trying again`);
    }
  }

  #lose(): void {
    this.#gone = true;
    this.#options.onGone();
  }
}
