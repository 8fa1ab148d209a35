// What is wrong and heals by itself, or by somebody's hand: said when it begins and when it is over, and not
// with every look.
import { codeOf } from '../files.js';
import type { Report } from '../report.js';

/** The system's error that made something fail, such as `EIO`; undefined where it was none. */
export function systemError(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++) {
    const code = codeOf(at);
    if (code !== undefined && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return undefined;
}

/** Troubles by what they are about. */
export class Troubles {
  readonly #report: Pick<Report, 'say'>;
  readonly #known = new Map<string, string>();

  constructor(report: Pick<Report, 'say'>) {
    this.#report = report;
  }

  /** Whether there is one about this. */
  has(about: string): boolean {
    return this.#known.has(about);
  }

  /** Says what is wrong, once for as long as it is that. */
  begin(about: string, text: string): void {
    if (this.#known.get(about) === text) return;
    this.#known.set(about, text);
    this.#report.say(text);
  }

  /** That it is over, if there was any. */
  end(about: string, text: string): void {
    if (this.#known.delete(about)) this.#report.say(text);
  }
}
