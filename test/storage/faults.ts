/** Drivers that fail, around either seam of storage: the second of the three proofs of durability. */
import { StorageError } from '../../log-server/storage/error.js';
import type {
  Disk,
  KeyedReader,
  StateChange,
  StateCounts,
  TreeState,
} from '../../log-server/storage/index.js';

/**
 * What goes wrong at one operation.
 * - `before`: it fails and nothing of it happened
 * - `after`: it happened, and fails all the same
 * - `torn`: half of its bytes were written, then it fails (other operations: as `before`)
 */
export type FaultKind = 'before' | 'after' | 'torn';

/** Counts the operations of all drivers it is given to, and lets one of them fail. */
export class FaultPlan {
  operations = 0;
  injected = 0;
  readonly #at: number;
  readonly #kind: FaultKind;
  readonly #crash: boolean;
  #dead = false;

  /**
   * Fails at operation `at`, counted from 1 (0: never). With `crash` nothing works afterwards, as when
   * the machine lost power; without, only that one operation fails.
   */
  constructor(at: number, kind: FaultKind, crash: boolean) {
    this.#at = at;
    this.#kind = kind;
    this.#crash = crash;
  }

  async run<T>(work: () => Promise<T>, torn: () => Promise<unknown> = () => Promise.resolve()): Promise<T> {
    if (this.#dead) throw new Error('fault: the machine is off');
    this.operations += 1;
    if (this.operations !== this.#at) return work();
    this.injected += 1;
    this.#dead = this.#crash;
    if (this.#kind === 'after') await work();
    if (this.#kind === 'torn') await torn();
    throw Object.assign(new Error(`fault injected ${this.#kind} operation ${this.#at}`), { code: 'EIO' });
  }
}

/** Counts and fails what writes; reading works. */
export class FaultyDisk implements Disk {
  readonly #inner: Disk;
  readonly #plan: FaultPlan;

  constructor(inner: Disk, plan: FaultPlan) {
    this.#inner = inner;
    this.#plan = plan;
  }

  read(path: string): Promise<Uint8Array | undefined> {
    return this.#inner.read(path);
  }
  list(folder: string): Promise<string[]> {
    return this.#inner.list(folder);
  }
  write(path: string, bytes: Uint8Array): Promise<void> {
    const half = bytes.subarray(0, Math.floor(bytes.length / 2));
    return this.#plan.run(
      () => this.#inner.write(path, bytes),
      () => this.#inner.write(path, half),
    );
  }
  append(path: string, offset: number, bytes: Uint8Array): Promise<void> {
    // Pages reach a disk in any order: here the first half is still zeros and the second has landed.
    const torn = bytes.slice();
    torn.fill(0, 0, Math.floor(bytes.length / 2));
    return this.#plan.run(
      () => this.#inner.append(path, offset, bytes),
      () => this.#inner.append(path, offset, torn),
    );
  }
  sync(path: string): Promise<void> {
    return this.#plan.run(() => this.#inner.sync(path));
  }
  rename(from: string, to: string): Promise<void> {
    return this.#plan.run(() => this.#inner.rename(from, to));
  }
  makeFolder(path: string): Promise<void> {
    return this.#plan.run(() => this.#inner.makeFolder(path));
  }
  syncFolder(path: string): Promise<void> {
    return this.#plan.run(() => this.#inner.syncFolder(path));
  }
  remove(path: string): Promise<void> {
    return this.#plan.run(() => this.#inner.remove(path));
  }
  freeBytes(): Promise<number> {
    return this.#inner.freeBytes();
  }
}

/** Fails commits the way a driver must report it: after a failed write nobody knows. */
export class FaultyState implements TreeState {
  readonly #inner: TreeState;
  readonly #plan: FaultPlan;
  readonly ledger: KeyedReader;
  #failed: StorageError | undefined;

  constructor(inner: TreeState, plan: FaultPlan) {
    this.#inner = inner;
    this.#plan = plan;
    this.ledger = inner.ledger;
  }

  get head(): TreeState['head'] {
    return this.#inner.head;
  }

  async #write(work: () => Promise<void>): Promise<void> {
    if (this.#failed) throw this.#failed;
    try {
      await this.#plan.run(work);
    } catch (cause) {
      if (cause instanceof StorageError) throw cause;
      this.#failed = new StorageError('outcome_unknown', 'fault in the state', 'start again', { cause });
      throw this.#failed;
    }
  }

  commit(change: StateChange): Promise<void> {
    return this.#write(() => this.#inner.commit(change));
  }
  putWitnessSizes(sizes: ReadonlyMap<string, number>): Promise<void> {
    return this.#write(() => this.#inner.putWitnessSizes(sizes));
  }
  entries(from: number, to: number): Promise<Uint8Array[]> {
    return this.#inner.entries(from, to);
  }
  lookup(id: Uint8Array): Promise<number | undefined> {
    return this.#inner.lookup(id);
  }
  witnessSize(name: string): Promise<number | undefined> {
    return this.#inner.witnessSize(name);
  }
  scrub(signal?: AbortSignal): Promise<StateCounts> {
    return this.#inner.scrub(signal);
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
}
