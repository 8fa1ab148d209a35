// A disk that forgets: what is being written when its machine crashes may have landed or not. What was
// synced, as everything here is before `write` resolves, stays.
import { formatState, initialState, parseState, type LogState } from '../../witness/state-file.js';
import type { Advance, Make, States } from '../../witness/states.js';
import type { Random } from '../random.js';
import type { Loop } from './loop.js';

export class Disk {
  readonly #loop: Loop;
  readonly #random: Random;
  readonly #durable = new Map<string, Uint8Array>();
  #pending: { name: string; bytes: Uint8Array | undefined }[] = [];
  /** Nothing overtakes on the way to the disk. */
  #busyUntil = 0;
  #boots = 0;

  constructor(loop: Loop, random: Random) {
    this.#loop = loop;
    this.#random = random;
  }

  read(name: string): Uint8Array | undefined {
    return this.#durable.get(name);
  }

  names(): string[] {
    return [...this.#durable.keys()].sort();
  }

  /** Resolves when the file is durable; never, if the machine crashes before. Undefined removes it. */
  write(name: string, bytes: Uint8Array | undefined): Promise<void> {
    const boot = this.#boots;
    const file = { name, bytes };
    this.#pending.push(file);
    this.#busyUntil = Math.max(this.#busyUntil, this.#loop.now + 1 + this.#random.below(20));
    return new Promise((resolve) => {
      this.#loop.after(this.#busyUntil - this.#loop.now, () => {
        if (boot !== this.#boots) return false;
        this.#pending.splice(this.#pending.indexOf(file), 1);
        this.#land(file);
        resolve();
        return true;
      });
    });
  }

  crash(): void {
    this.#boots++;
    this.#busyUntil = this.#loop.now;
    for (const file of this.#pending) if (this.#random.chance(0.5)) this.#land(file);
    this.#pending = [];
  }

  #land({ name, bytes }: { name: string; bytes: Uint8Array | undefined }): void {
    if (bytes === undefined) this.#durable.delete(name);
    else this.#durable.set(name, bytes);
  }
}

/** The states of a witness on such a disk, in the files' own format. One object per start of the witness. */
export class DiskStates implements States {
  readonly #disk: Disk;
  readonly #slots = new Map<string, { state: LogState; queue: Promise<unknown> }>();

  constructor(disk: Disk, origins: readonly string[]) {
    this.#disk = disk;
    for (const origin of origins) {
      const bytes = disk.read(`state ${origin}`);
      const state = bytes === undefined ? initialState(origin) : parseState(bytes, origin, origin);
      this.#slots.set(origin, { state, queue: Promise.resolve() });
    }
  }

  has(origin: string): boolean {
    return this.#slots.has(origin);
  }

  get(origin: string): LogState | undefined {
    return this.#slots.get(origin)?.state;
  }

  advance(origin: string, number: number, make: Make): Promise<Advance> {
    const slot = this.#slots.get(origin);
    if (slot === undefined) return Promise.reject(new Error(`${origin}: expected a log that was loaded`));
    const run = slot.queue.then(async (): Promise<Advance> => {
      if (slot.state.number !== number) return { swapped: false, state: slot.state };
      const next = await make(slot.state);
      await this.#disk.write(`state ${origin}`, formatState(next));
      slot.state = next;
      return { swapped: true, state: next };
    });
    slot.queue = run.catch(() => undefined);
    return run;
  }
}
