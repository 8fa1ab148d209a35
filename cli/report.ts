// How a command answers: checks, one line each, and a result. With --json the same as one object.
import {
  describeError,
  escapeForTerminal,
  escapeLine,
  formatAnswer,
  formatCheck,
  formatFailure,
  jsonLines,
  type Check,
  type CheckStatus,
} from '../system/index.js';
import type { Context } from './context.js';
import { EXIT, statusOf, type ExitStatus } from './errors.js';

/** Collects what a command found out and prints it, once, at its end. */
export class Report {
  readonly checks: Check[] = [];
  readonly #context: Context;
  /** Whether the answer is one object on stdout. */
  readonly json: boolean;
  /** Whether stdout is JSON lines of its own: then only an error is answered, as the last of them. */
  streams = false;
  /** Takes events of a command that lasts, where a program reads: see `follow`. */
  #event: ((event: string, fields: object) => void) | undefined;
  /** Called before a line of prose: for who draws on the terminal meanwhile. */
  beforeSaying: () => void = () => undefined;
  #lines: string[] = [];
  readonly #after: (() => void)[] = [];
  readonly #said = new Set<string>();
  #result: Record<string, unknown> = {};

  constructor(context: Context, json: boolean) {
    this.#context = context;
    this.json = json;
  }

  /** Adds a check's line. */
  check(name: string, status: CheckStatus, detail: string): void {
    this.checks.push({ name, status, detail });
    this.#lines.push(`${formatCheck({ name, status, detail }, this.#context.columns)}\n`);
  }

  /** A line of the result, on stdout unless --json. May hold text from elsewhere: it is escaped and stays one line. */
  line(text: string): void {
    this.text(text.replaceAll('\n', ' '));
  }

  /** The same of several lines, for text that is shown for its own sake. */
  text(text: string): void {
    this.#lines.push(`${text}\n`);
  }

  /** Fields of the --json object's `result`. */
  result(fields: Record<string, unknown>): void {
    Object.assign(this.#result, fields);
  }

  /** With --json: from now on stderr has a JSON line per event, and what is said is one. */
  follow(): void {
    if (!this.json) return;
    const { now, stderr } = this.#context;
    const line = jsonLines({ write: stderr, now, about: 'event' });
    this.#event = (event, fields) => line('info', event, { ...fields });
  }

  /** For a program that follows; people are not told. */
  event(event: string, fields: object): void {
    this.#event?.(event, fields);
  }

  /** Prose for the person at the terminal, on stderr, at once: one line. A program that follows has it as this event. */
  say(text: string, event = 'said', fields: object = {}): void {
    this.event(event, { ...fields, text });
    if (this.json) return;
    this.beforeSaying();
    this.#context.stderr(`${escapeLine(text)}\n`);
  }

  /** The same, but not again what was said before: of what is found with every look. */
  sayOnce(text: string): void {
    if (this.#said.has(text)) return;
    this.#said.add(text);
    this.say(text);
  }

  /** Done once everything was printed and taken: not if whoever reads it went away before. */
  afterwards(work: () => void): void {
    this.#after.push(work);
  }

  /** Whether nothing that was checked failed. */
  get passed(): boolean {
    return this.checks.every(({ status }) => status !== 'fail');
  }

  /** Does what is to follow the printing. */
  async settle(): Promise<void> {
    const after = this.#after.splice(0);
    if (after.length > 0 && (await this.#context.taken())) for (const work of after) work();
  }

  /** Prints everything and gives the exit status. */
  end(error?: unknown, status: ExitStatus = this.passed ? EXIT.ok : EXIT.failed): ExitStatus {
    const final = error === undefined ? status : statusOf(error);
    const failure = error === undefined ? null : describeError(error);
    if (this.json) {
      if (!this.streams || failure !== null)
        this.#context.stdout(
          formatAnswer({ ok: final === EXIT.ok, checks: this.checks, result: this.#result, error: failure }),
        );
    } else {
      for (const line of this.#lines) this.#context.stdout(escapeForTerminal(line));
      if (failure !== null) this.#context.stderr(formatFailure('stele', failure));
    }
    this.#lines = [];
    this.#result = {};
    return final;
  }
}
