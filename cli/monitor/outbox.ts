// What is to be told: alarms that began or ended, entries that fit. It is on disk before it is said, and is said
// again until it is known to have reached whom it is for.
import type { Alarms, AlarmKind, Finding } from './alarms.js';
import { EVENT_SCHEMA, showInstant, type MonitorEvent } from './events.js';
import type { LogState } from './state.js';

/**
 * Hands events to every sink, each once in a process's life. They stay remembered until `delivered` is called:
 * when they cannot be lost any more.
 */
export type Deliver = (events: readonly MonitorEvent[], delivered: () => void) => void;

/** What an outbox takes. */
export interface OutboxParts {
  readonly origin: string;
  /** Of the IDs of its alarms. */
  readonly prefix: string;
  readonly state: LogState;
  readonly alarms: Alarms;
  readonly deliver: Deliver;
  readonly step: (name: string) => void;
}

export class Outbox {
  readonly #parts: OutboxParts;
  readonly #pending: MonitorEvent[] = [];
  /** IDs of what was handed over and is not known to have been delivered. */
  readonly #handed = new Set<string>();

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** Events that were found since the last commit. */
  get pending(): number {
    return this.#pending.length;
  }

  /** Takes in entries that fit. */
  add(events: readonly MonitorEvent[]): void {
    this.#pending.push(...events);
  }

  /** Takes in what was found about one thing, as Alarms.update does. */
  update(kind: AlarmKind, about: string, finding: Finding | undefined, now: number): void {
    const { alarms, origin, prefix, state } = this.#parts;
    const changed = alarms.update(kind, about, finding, now);
    if (changed === undefined) return;
    const { change: event, alarm } = changed;
    const { since, detail, evidence } = alarm;
    this.#pending.push({
      schema: EVENT_SCHEMA,
      id: `${prefix}-${state.memory.next++}`,
      time: showInstant(now),
      log: origin,
      event,
      kind,
      about,
      since: showInstant(since),
      age: Math.max(0, Math.floor((now - since) / 1000)),
      detail,
      ...(evidence && { evidence }),
    });
  }

  /** Saves all that is remembered, and hands over what was not yet. */
  commit(): void {
    const { alarms, deliver, state, step } = this.#parts;
    const { memory } = state;
    memory.alarms = alarms.all;
    memory.outbox.push(...this.#pending.splice(0));
    state.save();
    const fresh = memory.outbox.filter(({ id }) => !this.#handed.has(id));
    if (fresh.length === 0) return;
    step('saved');
    for (const { id } of fresh) this.#handed.add(id);
    deliver(fresh, () => this.#delivered(fresh));
  }

  /** They have reached whom they are for. */
  #delivered(events: readonly MonitorEvent[]): void {
    const { state, step } = this.#parts;
    step('delivered');
    const ids = new Set(events.map(({ id }) => id));
    state.memory.outbox = state.memory.outbox.filter(({ id }) => !ids.has(id));
    for (const id of ids) this.#handed.delete(id);
    state.save();
  }
}
