// How a command answers: checks, one line each, and a result. With --json the same as one object.
import { SteleError } from '../tlog/index.js';
import type { Context } from './context.js';
import { EXIT, statusOf, type ExitStatus } from './errors.js';
import { escapeForTerminal, printableJson, wrapText } from './terminal.js';

/** What became of one check. `not-checkable` is neither good nor bad: the detail says what is missing. */
export type CheckStatus = 'pass' | 'fail' | 'not-checkable';

export interface Check {
  name: string;
  status: CheckStatus;
  detail: string;
}

/** Names the shape of the --json object. */
export const JSON_SCHEMA = 'https://stele-log/cli/v1';

/** Collects what a command found out and prints it, once, at its end. */
export class Report {
  readonly checks: Check[] = [];
  readonly #context: Context;
  readonly #json: boolean;
  /** Called before a line of prose: for who draws on the terminal meanwhile. */
  beforeSaying: () => void = () => undefined;
  #lines: string[] = [];
  readonly #after: (() => void)[] = [];
  #result: Record<string, unknown> = {};

  constructor(context: Context, json: boolean) {
    this.#context = context;
    this.#json = json;
  }

  /** Adds a check's line. */
  check(name: string, status: CheckStatus, detail: string): void {
    this.checks.push({ name, status, detail });
    const start = `  ${status.padEnd(13)}  ${name.padEnd(13)}  `;
    const text = escapeForTerminal(detail.replaceAll('\n', ' '));
    const { columns } = this.#context;
    // Piped, a check stays on its line.
    const shown = columns === undefined ? text : wrapText(text, columns - start.length, start.length);
    this.#lines.push(`${start}${shown}\n`);
  }

  /** A line of the result, on stdout unless --json. May hold text from elsewhere: it is escaped. */
  line(text: string): void {
    this.#lines.push(`${text}\n`);
  }

  /** Fields of the --json object's `result`. */
  result(fields: Record<string, unknown>): void {
    Object.assign(this.#result, fields);
  }

  /** Prose for the person at the terminal, on stderr, at once. */
  say(text: string): void {
    if (this.#json) return;
    this.beforeSaying();
    this.#context.stderr(`${escapeForTerminal(text)}\n`);
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
    if (this.#json) {
      this.#context.stdout(
        `${printableJson(
          {
            schema: JSON_SCHEMA,
            ok: final === EXIT.ok,
            checks: this.checks,
            result: this.#result,
            error: error === undefined ? null : describe(error),
          },
          0,
        )}\n`,
      );
    } else {
      for (const line of this.#lines) this.#context.stdout(escapeForTerminal(line));
      if (error !== undefined) {
        const { code, message, hint } = describe(error);
        this.#context.stderr(escapeForTerminal(`stele: ${message} (${code})\n${hint ? `  ${hint}\n` : ''}`));
      }
    }
    this.#lines = [];
    this.#result = {};
    return final;
  }
}

/** Code, message and hint of anything thrown. An error that is not ours is a bug and says so. */
export function describe(error: unknown): { code: string; message: string; hint: string } {
  if (error instanceof SteleError) return { code: error.code, message: error.message, hint: error.hint };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'internal', message, hint: 'this is a bug in stele: please report it with the line above' };
}
