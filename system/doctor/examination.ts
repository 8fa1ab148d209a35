// What the doctors of the three programs have in common: each thing that is looked at is one check, and what is
// wrong says what was expected, what was found, and what to do.
import type { Check, Reply } from '../answer.js';
import { CliError, describeError, EXIT, statusOf, type ExitStatus } from '../exit.js';
import { formatCheck } from '../terminal.js';

/** What is wrong. */
export interface Fault {
  readonly expected: string;
  readonly found: string;
  readonly todo: string;
}

/** Statuses that a finding keeps: the same set-up may be fine in a minute. All else is 1. */
const PASSING: readonly ExitStatus[] = [EXIT.network, EXIT.quorum];

/** Collects what a doctor finds. */
export class Examination {
  readonly checks: Check[] = [];
  readonly #statuses = new Set<ExitStatus>();
  readonly #told: (check: Check) => void;

  /** `told` hears of each check at once. */
  constructor(told: (check: Check) => void = () => undefined) {
    this.#told = told;
  }

  pass(name: string, detail: string): void {
    this.#add({ name, status: 'pass', detail });
  }

  /** What is no fault, and no merit either. */
  remark(name: string, detail: string): void {
    this.#add({ name, status: 'remark', detail });
  }

  /** What could not be looked at, and why. */
  unknown(name: string, detail: string): void {
    this.#add({ name, status: 'not-checkable', detail });
  }

  fail(name: string, { expected, found, todo }: Fault, status: ExitStatus = EXIT.failed): void {
    this.#fail(name, `expected ${expected}, found ${found}: ${todo}`, status);
  }

  /** What an error says, which has its own words for all three. A bug of ours is thrown again, and so is proven misbehaviour. */
  blame(name: string, error: unknown): void {
    const { code, message, hint } = describeError(error);
    if (code === 'internal') throw error;
    // No fault of the set-up: the command ends as every other would.
    if (error instanceof CliError && error.status === EXIT.misbehaviour) throw error;
    this.#fail(name, hint === '' ? message : `${message}: ${hint}`, statusOf(error));
  }

  /** Runs one check; what it throws is its finding. Undefined then. */
  async attempt<T>(name: string, work: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.blame(name, error);
      return undefined;
    }
  }

  /** Takes over what another one found. */
  merge(other: Examination): void {
    for (const status of other.#statuses) this.#statuses.add(status);
    for (const check of other.checks) this.#add(check);
  }

  /** 0 if nothing is wrong; 3 or 4, the larger, where nothing else is; otherwise 1. */
  get status(): ExitStatus {
    if (this.#statuses.has(EXIT.failed)) return EXIT.failed;
    if (this.#statuses.has(EXIT.quorum)) return EXIT.quorum;
    return this.#statuses.has(EXIT.network) ? EXIT.network : EXIT.ok;
  }

  #fail(name: string, detail: string, status: ExitStatus): void {
    this.#statuses.add(PASSING.includes(status) ? status : EXIT.failed);
    this.#add({ name, status: 'fail', detail });
  }

  #add(check: Check): void {
    this.checks.push(check);
    this.#told(check);
  }
}

/** The last line for people: no list of findings is a clean bill. */
export function summary({ checks }: Pick<Examination, 'checks'>): string {
  const wrong = checks.filter(({ status }) => status === 'fail').length;
  const open = checks.filter(({ status }) => status === 'not-checkable').length;
  const rest = open === 0 ? '' : `; ${open} could not be checked`;
  if (wrong === 0) return `nothing wrong was found in what was checked${rest}`;
  return `${wrong} ${wrong === 1 ? 'thing is' : 'things are'} wrong${rest}`;
}

/** What a doctor answers. */
export function replyOfDoctor(exam: Examination): Reply {
  const columns = process.stdout.isTTY ? process.stdout.columns : undefined;
  return {
    lines: [...exam.checks.map((check) => formatCheck(check, columns)), summary(exam)],
    checks: exam.checks,
    result: {},
    status: exam.status,
  };
}

/** `3 minutes`, of seconds. */
export function age(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} seconds`;
  if (whole < 7200) return `${Math.round(whole / 60)} minutes`;
  return whole < 172_800 ? `${Math.round(whole / 3600)} hours` : `${Math.round(whole / 86_400)} days`;
}
