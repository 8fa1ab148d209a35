import { open, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createFile, syncFolder, writeTemporary } from '../system/index.js';
import { encodeHex, encodeUtf8, sha256 } from '../tlog/index.js';
import { WitnessError } from './errors.js';
import { formatState, initialState, parseState, type LogState } from './state-file.js';
import type { Advance, Make, States } from './states.js';

/** Called at named moments, so that a test can stall there or kill the process. */
export type Step = (name: string) => void | Promise<void>;

/** Files written side by side before the one sync of their folder. */
const GROUP = 64;

interface Slot {
  file: string;
  state: LogState;
  /** Ends when the last change asked for has: changes of one log go one by one. */
  queue: Promise<unknown>;
  /** Set when a write did not end well: what is on the disk is then unknown. */
  failed: WitnessError | undefined;
}

interface Write {
  file: string;
  bytes: Uint8Array;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Name of a log's files, and of its monitoring path: lowercase hex SHA-256 of the origin. */
export function originHash(origin: string): string {
  return encodeHex(sha256(encodeUtf8(origin)));
}

/**
 * The states of all logs: in memory for reading, on disk before any change is seen. Changes of
 * different logs that come together share the sync of the folder.
 */
export class StateStore implements States {
  readonly #folder: string;
  readonly #step: Step;
  readonly #slots = new Map<string, Slot>();
  readonly #writes: Write[] = [];
  #draining = false;

  constructor(folder: string, step: Step = () => undefined) {
    this.#folder = folder;
    this.#step = step;
  }

  /** Removes what a crash left half written. Only with the folder's lock held. */
  async clean(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (name.endsWith('.tmp')) await unlink(join(this.#folder, name));
    }
    // A rename that a crash kept from being synced may be seen now and gone after the next power cut.
    await syncFolder(this.#folder);
  }

  /**
   * Reads a log's state into memory. Throws WitnessError "state_damaged" if the file is not there, is
   * cut or altered; "state_failed" if it cannot be read or synced.
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
    const state = parseState(bytes, origin, file);
    this.#slots.set(origin, { file, state, queue: Promise.resolve(), failed: undefined });
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
      return Promise.reject(new WitnessError('bad_log', `${origin}: expected a log that was loaded`));
    const run = slot.queue.then(async (): Promise<Advance> => {
      if (slot.failed) throw slot.failed;
      if (slot.state.number !== number) return { swapped: false, state: slot.state };
      const next = await make(slot.state);
      try {
        await this.#write(slot.file, formatState(next));
        await this.#step('state-durable');
      } catch (error) {
        if (error instanceof NotWritten) throw notWritten(slot.file, error.cause);
        slot.failed = outcomeUnknown(slot.file, error);
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

  /** Resolves when nothing is being written any more. */
  async idle(): Promise<void> {
    await Promise.all([...this.#slots.values()].map(({ queue }) => queue));
  }

  #write(file: string, bytes: Uint8Array): Promise<void> {
    const done = new Promise<void>((resolve, reject) => {
      this.#writes.push({ file, bytes, resolve, reject });
    });
    if (!this.#draining) void this.#drain();
    return done;
  }

  /** Writes what waits, a group at a time: what comes meanwhile is the next group. */
  async #drain(): Promise<void> {
    this.#draining = true;
    while (this.#writes.length > 0) {
      const group = this.#writes.splice(0, GROUP);
      const replaced = await Promise.allSettled(group.map((write) => this.#replace(write)));
      const synced = await syncFolder(this.#folder).then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      for (const [i, write] of group.entries()) {
        const outcome = replaced[i];
        if (outcome?.status === 'rejected') write.reject(outcome.reason);
        else if (synced) write.reject(synced.error);
        else write.resolve();
      }
    }
    // In the same turn as the last look at the list: what comes later starts a new round.
    this.#draining = false;
  }

  async #replace({ file, bytes }: Write): Promise<void> {
    let temporary: string;
    try {
      await this.#step('state-writing');
      temporary = await writeTemporary(file, bytes);
    } catch (error) {
      throw new NotWritten('', { cause: error });
    }
    await this.#step('state-written');
    await rename(temporary, file);
    await this.#step('state-renamed');
  }
}

/** A write that failed before the state itself was touched: a full disk, most often. */
class NotWritten extends Error {}

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

function notWritten(file: string, cause: unknown): WitnessError {
  return new WitnessError(
    'state_failed',
    `${file}: expected to write beside it, found ${reason(cause)}`,
    'nothing was changed: make room on the disk, and the next request is answered again',
    { cause },
  );
}

function outcomeUnknown(file: string, cause: unknown): WitnessError {
  return new WitnessError(
    'state_failed',
    `${file}: expected the write to end well, found ${reason(cause)}`,
    'this log is not cosigned until the witness was restarted, which reads what the disk holds',
    { cause },
  );
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : 'an error';
}
