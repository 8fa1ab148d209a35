import type { Mode } from './plan.js';
import type { Result } from './world.js';

/** What many simulations came to together. */
export class Tally {
  readonly #runs = new Map<Mode, number>();
  #failed = 0;
  #crashed = 0;
  #messages = 0;
  #accepted = 0;
  #cosignatures = 0;
  #deceived = 0;
  #convicted = 0;
  #rubbish = 0;
  readonly #found = { provable: 0, 'by-clients': 0, alarming: 0, nothing: 0 };

  add(result: Result): void {
    this.#runs.set(result.plan.mode, (this.#runs.get(result.plan.mode) ?? 0) + 1);
    if (result.violations.length > 0) this.#failed++;
    this.#messages += result.messages;
    this.#accepted += result.accepted;
    this.#cosignatures += result.cosignatures;
    if (result.deceived) this.#deceived++;
    this.#convicted += result.convicted;
    this.#rubbish += result.rubbish;
    this.#found[result.findable]++;
  }

  /** The code under test threw what nobody expects of it. */
  crashed(): void {
    this.#crashed++;
  }

  get failed(): number {
    return this.#failed + this.#crashed;
  }

  lines(): string[] {
    const of = (mode: Mode): number => this.#runs.get(mode) ?? 0;
    const all = of('honest') + of('within') + of('beyond');
    return [
      `${all} simulations: ${of('honest')} of an honest log, ${of('within')} with at most f liars, ${of('beyond')} with f + 1`,
      `${this.#messages} messages, ${this.#cosignatures} cosignatures by honest witnesses, ${this.#accepted} checkpoints accepted by clients`,
      `${this.#deceived} with two clients on two histories; the log convicted in each of ${this.#found.provable + this.#found['by-clients']} where proof could be had (in ${this.#found['by-clients']} of them from what clients hold only), convicted or an alarm raised in each of ${this.#found.alarming} where it could not`,
      `${this.#convicted} keys convicted, none of an honest party; ${this.#rubbish} files of false or unwanted evidence refused`,
      `${all - this.#failed} passed, ${this.failed} failed`,
    ];
  }
}
