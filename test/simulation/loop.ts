// Virtual time. Everything that happens in a simulation is an event of this loop: a message arrives, a disk
// has written, a clock rings. Between two events the loop lets all promises settle that can: it waits for
// Node's check phase (setImmediate), which begins only when no microtask is left. The code under test has its
// clock, disk and network from here and touches no other, so whatever is pending then waits for a later
// event; and since ECMAScript fixes the order of microtasks, a whole run is a function of its seed.
import type { Clock } from '../../tlog/index.js';

interface Event {
  readonly at: number;
  /** Events of one moment happen in the order in which they were asked for. */
  readonly order: number;
  /** Answers false where nothing was woken, so that there is nothing to let settle. */
  readonly run: () => unknown;
}

/** A queue of events in virtual milliseconds. */
export class Loop {
  #now = 0;
  #order = 0;
  #failure: { error: unknown } | undefined;
  /** A binary heap, the next event first. */
  readonly #heap: Event[] = [];

  /** Milliseconds since the simulation began. */
  get now(): number {
    return this.#now;
  }

  /** Runs `run` so many milliseconds from now; one that answers false has woken nobody. */
  after(ms: number, run: () => unknown): void {
    this.#push({ at: this.#now + ms, order: this.#order++, run });
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Starts something that goes on by itself. What it throws ends the simulation. */
  spawn(work: () => Promise<unknown>): void {
    work().catch((error: unknown) => {
      this.#failure ??= { error };
    });
  }

  /** Runs events up to this moment, or until `stop` says so. Throws what something spawned threw. */
  async run(until: number, stop: () => boolean = () => false): Promise<void> {
    await settled();
    for (let next = this.#heap[0]; next !== undefined && next.at <= until; next = this.#heap[0]) {
      this.#pop();
      this.#now = next.at;
      if (next.run() !== false) await settled();
      if (this.#failure) throw this.#failure.error;
      if (stop()) return;
    }
    this.#now = until;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const up = (i - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || !before(event, parent)) break;
      heap[i] = parent;
      i = up;
    }
    heap[i] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      let least = heap[child];
      const right = heap[child + 1];
      if (least === undefined) break;
      if (right !== undefined && before(right, least)) [child, least] = [child + 1, right];
      if (!before(least, last)) break;
      heap[i] = least;
      i = child;
    }
    heap[i] = last;
  }
}

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Resolves when every promise that can settle has. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** 2023-11-14: where the clocks of a simulation stand when it begins. */
const EPOCH_MS = 1_700_000_000_000;

/** One machine's clocks: the wall clock can be set, the monotonic one cannot. */
export class VirtualClock implements Clock {
  readonly #loop: Loop;
  /** Milliseconds by which the wall clock is off. */
  offset = 0;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  now(): number {
    return EPOCH_MS + this.#loop.now + this.offset;
  }

  monotonic(): number {
    return this.#loop.now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      let over = false;
      const end = (settle: () => void): boolean => {
        if (over) return false;
        over = true;
        settle();
        return true;
      };
      const off = (): void => void end(() => reject(new Error('called off')));
      if (signal?.aborted) off();
      else {
        signal?.addEventListener('abort', off, { once: true });
        this.#loop.after(ms, () => end(resolve));
      }
    });
  }
}
