// What is wrong, since when, and whether it was said. An alarm is raised once, however often the same is
// found, and cleared once.

/** Kinds of alarms, as events and state name them. */
export type AlarmKind =
  /** A key is convicted: there is a file of evidence. Never cleared. */
  | 'proven'
  /** Signed trees contradict each other, and no key of the policy signed both. Never cleared. */
  | 'split-view'
  /** Signed, and not part of what the log shows. */
  | 'not-shown'
  /** The log shows a smaller tree than it did. */
  | 'rollback'
  | 'quorum'
  /** Tiles of the tree that the log shows are missing or altered. */
  | 'tiles'
  | 'quiet-log'
  | 'quiet-witness'
  | 'quiet-anchors';

/** An alarm as it is kept. */
export interface Alarm {
  readonly kind: AlarmKind;
  /** A witness, a key set, empty for the log itself. */
  readonly about: string;
  /** When what is wrong began, in milliseconds since 1970. */
  readonly since: number;
  readonly detail: string;
  /** False while it has not lasted long enough to be said. */
  readonly raised: boolean;
  /** Files of evidence. */
  readonly evidence?: readonly string[];
}

/** What one round found about one thing; `undefined` in place of it: nothing wrong. */
export interface Finding {
  readonly detail: string;
  /** When it began, where that is known better than by when it was first found. */
  readonly since?: number;
  /** Milliseconds it may last before it is said. */
  readonly after?: number;
  readonly evidence?: readonly string[];
}

/** A change that is to be said. */
export interface AlarmChange {
  readonly change: 'raised' | 'cleared';
  readonly alarm: Alarm;
}

const LASTING: readonly AlarmKind[] = ['proven', 'split-view'];

export class Alarms {
  readonly #alarms: Map<string, Alarm>;

  constructor(alarms: Iterable<Alarm> = []) {
    this.#alarms = new Map([...alarms].map((alarm) => [keyOf(alarm.kind, alarm.about), alarm]));
  }

  /** All of them, those not yet raised too. */
  get all(): Alarm[] {
    return [...this.#alarms.values()];
  }

  /** Those that were raised and not cleared. */
  get raised(): Alarm[] {
    return this.all.filter(({ raised }) => raised);
  }

  /**
   * Takes in what was found about one thing. What was not looked at is not mentioned to it, and stays as
   * it was. Gives the change to be said, if there is one.
   */
  update(kind: AlarmKind, about: string, finding: Finding | undefined, now: number): AlarmChange | undefined {
    const key = keyOf(kind, about);
    const before = this.#alarms.get(key);
    if (finding === undefined) {
      if (before === undefined || LASTING.includes(kind)) return undefined;
      this.#alarms.delete(key);
      return before.raised ? { change: 'cleared', alarm: before } : undefined;
    }
    const since = finding.since ?? before?.since ?? now;
    const { detail, after = 0, evidence } = finding;
    const raised = before?.raised === true || now - since >= after;
    const alarm: Alarm = { kind, about, since, detail, raised, ...(evidence && { evidence }) };
    this.#alarms.set(key, alarm);
    return raised && before?.raised !== true ? { change: 'raised', alarm } : undefined;
  }
}

function keyOf(kind: AlarmKind, about: string): string {
  return `${kind} ${about}`;
}
