// Keeps state/journal on the disk: journal-file.ts has its form and what it can tell after a crash.
import { writeSync } from 'node:fs';
import { open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile, syncFolder, writeTemporary } from '../system/index.js';
import { WitnessError } from './errors.js';
import { formatGroup, formatJournal, parseJournal } from './journal-file.js';
import { stateDamaged, type LogState } from './state-file.js';

/** Bytes for groups in the first journal; one that is full is followed by one with twice as many. */
const LEAST_ROOM = 64 * 1024;
const MOST_ROOM = 16 * 1024 * 1024;

/** A write that failed before anything was touched: a full disk, most often. */
export class NotWritten extends Error {}

/** Makes the journal of a witness that has cosigned nothing since its logs' own files were made. */
export async function createJournal(folder: string): Promise<void> {
  await replaceFile(join(folder, 'journal'), formatJournal([], LEAST_ROOM).bytes);
}

/**
 * Throws WitnessError "state_damaged" where there is a journal with states, or one that cannot be read. An empty
 * one is what an interrupted upgrade leaves.
 */
export async function refuseJournal(folder: string): Promise<void> {
  const file = join(folder, 'journal');
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw failed(file, 'to read it', error);
  }
  if (parseJournal(bytes, file).size > 0)
    throw stateDamaged(file, 'a journal in a folder whose format says that it has none');
}

export class StateJournal {
  readonly #folder: string;
  readonly #file: string;
  /** All that is durable, by origin. */
  readonly #states: Map<string, LogState>;
  #handle: FileHandle | undefined;
  /** Of the group to come. */
  #number = 0;
  #before = '';
  #at = 0;
  #length = 0;
  #room = LEAST_ROOM;
  /** Whether the last group has one after it, and so could not be taken for one that was cut short. */
  #settled = true;
  /** Set while the file may not be added to: nothing has been opened, or a write did not end well. */
  #broken = true;

  private constructor(folder: string, file: string, states: Map<string, LogState>) {
    this.#folder = folder;
    this.#file = file;
    this.#states = states;
  }

  /**
   * Reads the journal and begins a new one, since what was read may have been cut short, or never synced.
   * Throws WitnessError "state_damaged"; "state_failed" if it cannot be read or written.
   */
  static async open(folder: string): Promise<StateJournal> {
    const file = join(folder, 'journal');
    let bytes: Uint8Array;
    try {
      bytes = await readFile(file);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'an error';
      if (code === 'ENOENT') throw stateDamaged(file, 'no file', error);
      throw failed(file, 'to read it', error);
    }
    const journal = new StateJournal(folder, file, parseJournal(bytes, file));
    try {
      await journal.#renew();
    } catch (error) {
      throw failed(file, 'to write it anew', error instanceof NotWritten ? error.cause : error);
    }
    return journal;
  }

  /** The newest state of a log, which is durable; undefined if none was written since add-log. */
  get(origin: string): LogState | undefined {
    return this.#states.get(origin);
  }

  /** Whether its last state has a group after it, or never will have one in this file. */
  get settled(): boolean {
    return this.#settled || this.#broken;
  }

  /**
   * Adds the next states of logs, and resolves when they are durable. Not to be called again before. Throws
   * NotWritten if nothing was touched; whatever else it throws leaves it open whether they are there.
   * `written` is called between writing and syncing.
   */
  async add(states: readonly LogState[], written?: () => void | Promise<void>): Promise<void> {
    let group = formatGroup(this.#number, this.#before, states);
    if (this.#broken || this.#at + group.bytes.length > this.#length) {
      if (!this.#broken) this.#room = Math.min(MOST_ROOM, this.#room * 2);
      await this.#renew(group.bytes.length);
      group = formatGroup(this.#number, this.#before, states);
    }
    const handle = this.#handle;
    if (!handle) throw new Error('the journal is not open');
    try {
      // Into the system's memory, for which it is not worth waking a thread.
      const { length } = group.bytes;
      const wrote = writeSync(handle.fd, group.bytes, 0, length, this.#at);
      if (wrote !== length) throw new Error(`expected to write ${length} bytes, wrote ${wrote}`);
      await written?.();
      await handle.datasync();
    } catch (error) {
      // What is there now nobody can tell, and nothing may come after it: the next group begins a new file.
      this.#broken = true;
      throw error;
    }
    this.#number++;
    this.#before = group.checksum;
    this.#at += group.bytes.length;
    this.#settled = states.length === 0;
    for (const state of states) this.#states.set(state.origin, state);
  }

  /** Puts a group of no states after the last one. */
  async settle(): Promise<void> {
    if (!this.settled) await this.add([]);
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  /** Begins a new file with all that is durable, in place of the old one. */
  async #renew(needed = 0): Promise<void> {
    this.#broken = true;
    const room = Math.max(this.#room, needed);
    const { bytes, checksum, end } = formatJournal(this.#states.values(), room);
    try {
      await rename(await writeTemporary(this.#file, bytes), this.#file);
      // Before anything is added: after a crash the old file could have its name again.
      await syncFolder(this.#folder);
      await this.close();
      this.#handle = await open(this.#file, 'r+');
    } catch (error) {
      throw new NotWritten('', { cause: error });
    }
    this.#number = 1;
    this.#before = checksum;
    this.#at = end;
    this.#length = bytes.length;
    // It was whole before it had its name.
    this.#settled = true;
    this.#broken = false;
  }
}

function failed(file: string, what: string, cause: unknown): WitnessError {
  const found = (cause as NodeJS.ErrnoException).code ?? 'an error';
  return new WitnessError(
    'state_failed',
    `${file}: expected ${what}, found ${found}`,
    'the state may be whole: mend the disk, and start again',
    { cause },
  );
}
