import { open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createFile, syncFolder, systemClock } from '../system/index.js';
import { encodeHex, encodeUtf8, sha256, type Clock } from '../tlog/index.js';
import { WitnessError } from './errors.js';
import { formatState, initialState, parseState, stateDamaged, type LogState } from './state-file.js';
import { NotWritten, StateJournal } from './state-journal.js';
import type { Advance, Make, States } from './states.js';

/** Called at named moments, so that a test can stall there or kill the process. */
export type Step = (name: string) => void | Promise<void>;

/** States written before the one sync of the journal. */
const GROUP = 256;
/** Milliseconds without a change after which the last one is settled (journal-file.ts). */
const REST = 1000;

interface Slot {
  state: LogState;
  /** Ends when the last change asked for has: changes of one log go one by one. */
  queue: Promise<unknown>;
  /** Set when a write did not end well: what is on the disk is then unknown. */
  failed: WitnessError | undefined;
}

interface Write {
  state: LogState;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Name of a log's files, and of its monitoring path: lowercase hex SHA-256 of the origin. */
export function originHash(origin: string): string {
  return encodeHex(sha256(encodeUtf8(origin)));
}

/**
 * The states of all logs: in memory for reading, in the journal before any change is seen. Changes of
 * different logs that come together share a sync.
 */
export class StateStore implements States {
  readonly #folder: string;
  readonly #journal: StateJournal;
  readonly #step: Step;
  readonly #clock: Clock;
  readonly #slots = new Map<string, Slot>();
  readonly #writes: Write[] = [];
  /** Resolves when nothing waits to be written. */
  #draining: Promise<void> | undefined;
  /** Aborted when it closes. */
  readonly #closing = new AbortController();
  #resting: Promise<void> | undefined;
  /** How many groups were written, and whether one of no states is to follow the last. */
  #groups = 0;
  #settling = false;

  private constructor(folder: string, journal: StateJournal, step: Step, clock: Clock) {
    this.#folder = folder;
    this.#journal = journal;
    this.#step = step;
    this.#clock = clock;
  }

  /**
   * Removes what a crash left half written, and reads the journal. Only with the folder's lock held. Throws
   * WitnessError "state_damaged", "state_failed".
   */
  static async open(
    folder: string,
    step: Step = () => undefined,
    clock: Clock = systemClock,
  ): Promise<StateStore> {
    for (const name of await readdir(folder)) {
      if (name.endsWith('.tmp')) await unlink(join(folder, name));
    }
    // A name that a crash kept from being synced may be seen now and gone after the next power cut.
    await syncFolder(folder);
    return new StateStore(folder, await StateJournal.open(folder), step, clock);
  }

  /**
   * Reads a log's state into memory: what add-log left, or what the journal has since. Throws WitnessError
   * "state_damaged" if add-log's file is not there, is cut or altered; "state_failed" if it cannot be read or
   * synced.
   */
  async load(origin: string): Promise<LogState> {
    const file = join(this.#folder, originHash(origin));
    let bytes: Uint8Array;
    try {
      const handle = await open(file, 'r+');
      try {
        await handle.sync();
        bytes = await handle.readFile();
      } finally {
        await handle.close();
      }
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'an error';
      if (code !== 'ENOENT') {
        throw new WitnessError(
          'state_failed',
          `${file}: expected to read and sync it, found ${code}`,
          'the state may be whole: mend the disk, and start again',
          { cause: error },
        );
      }
      throw new WitnessError(
        'state_damaged',
        `${file}: expected the state of ${JSON.stringify(origin)}, found ${code}`,
        'this witness may have cosigned the log: if its newest state is lost, it needs a new key',
        { cause: error },
      );
    }
    const added = parseState(bytes, origin, file);
    const state = this.#journal.get(origin) ?? added;
    if (state !== added && state.number <= added.number) {
      throw stateDamaged(file, `state ${added.number}, and an older one in the journal`);
    }
    this.#slots.set(origin, { state, queue: Promise.resolve(), failed: undefined });
    return state;
  }

  /** Whether the log was loaded. */
  has(origin: string): boolean {
    return this.#slots.has(origin);
  }

  /** The state in force, which is durable; undefined if the log was not loaded. */
  get(origin: string): LogState | undefined {
    return this.#slots.get(origin)?.state;
  }

  /**
   * Compare-and-swap: if `number` is still that of the state in force, makes the next one and resolves
   * when it is durable. `make` has the log to itself until it resolves: nobody else advances it meanwhile,
   * so a time taken in there is outrun by none. What it throws leaves everything as it was.
   * Throws WitnessError "state_failed" if the write fails. If it fails once the state may have been
   * touched, whether it landed is unknown: only a restart can tell, and until then it throws always.
   */
  advance(origin: string, number: number, make: Make): Promise<Advance> {
    const slot = this.#slots.get(origin);
    if (!slot)
      return Promise.reject(
        new WitnessError(
          'bad_log',
          `${origin}: expected a log that was loaded`,
          'add it with stele-witness add-log, and reload',
        ),
      );
    const run = slot.queue.then(async (): Promise<Advance> => {
      if (slot.failed) throw slot.failed;
      if (slot.state.number !== number) return { swapped: false, state: slot.state };
      const next = await make(slot.state);
      try {
        await this.#write(next);
        await this.#step('state-durable');
      } catch (error) {
        if (error instanceof NotWritten) throw notWritten(origin, error.cause);
        slot.failed = outcomeUnknown(origin, error);
        throw slot.failed;
      }
      slot.state = next;
      return { swapped: true, state: next };
    });
    slot.queue = run.catch(() => undefined);
    return run;
  }

  /** The first write that did not end well, if one did not. */
  get failure(): WitnessError | undefined {
    for (const { failed } of this.#slots.values()) if (failed) return failed;
    return undefined;
  }

  /** Ends when nothing is being written any more, and the last change is settled. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#resting;
    await Promise.all([...this.#slots.values()].map(({ queue }) => queue));
    await this.#draining;
    // One that fails is not missed: the states are durable without it.
    await this.#journal.settle().catch(() => undefined);
    await this.#journal.close();
  }

  #write(state: LogState): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#writes.push({ state, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Writes what waits, a group at a time: what comes meanwhile is the next group. */
  async #drain(): Promise<void> {
    // What else is asked for in this turn is of the first group.
    await Promise.resolve();
    while (this.#writes.length > 0) await this.#addGroup(this.#writes.splice(0, GROUP));
    if (this.#settling) await this.#journal.settle().catch(() => undefined);
    this.#settling = false;
    // In the same turn as the last look at the list: what comes later starts a new round.
    this.#draining = this.#writes.length > 0 ? this.#drain() : undefined;
    if (!this.#closing.signal.aborted) this.#resting ??= this.#rest();
  }

  async #addGroup(writes: readonly Write[]): Promise<void> {
    this.#groups++;
    const group: Write[] = [];
    for (const write of writes) {
      try {
        await this.#step('state-writing');
        group.push(write);
      } catch (error) {
        write.reject(new NotWritten('', { cause: error }));
      }
    }
    if (group.length === 0) return;
    try {
      await this.#journal.add(
        group.map(({ state }) => state),
        () => this.#step('state-written'),
      );
      for (const { resolve } of group) resolve();
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  /** Settles the last change when no other has come for a while. */
  async #rest(): Promise<void> {
    while (!this.#journal.settled && !this.#closing.signal.aborted) {
      const seen = this.#groups;
      // Closing calls it off, and settles.
      await this.#clock.sleep(REST, this.#closing.signal).catch(() => undefined);
      this.#settling = seen === this.#groups && !this.#closing.signal.aborted;
      if (this.#settling) await (this.#draining ??= this.#drain());
    }
    this.#resting = undefined;
  }
}

/**
 * Makes the state "never cosigned" of a new log. One that exists stays as it is: the log was added
 * before. Returns whether it was made.
 */
export async function createState(folder: string, origin: string): Promise<boolean> {
  try {
    await createFile(join(folder, originHash(origin)), formatState(initialState(origin)));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function notWritten(origin: string, cause: unknown): WitnessError {
  return new WitnessError(
    'state_failed',
    `${origin}: expected to write its state, found ${reason(cause)}`,
    'nothing was changed: make room on the disk, and the next request is answered again',
    { cause },
  );
}

function outcomeUnknown(origin: string, cause: unknown): WitnessError {
  return new WitnessError(
    'state_failed',
    `${origin}: expected the write of its state to end well, found ${reason(cause)}`,
    'this log is not cosigned until the witness was restarted, which reads what the disk holds',
    { cause },
  );
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : 'an error';
}
