// One look at a trainer's output folder: which checkpoints there are, and a print of each that changes
// when any of its files does. Polled, not watched: network file systems, where checkpoints lie, do not tell
// what other machines write.
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, statSync, type Dirent } from 'node:fs';
import { join } from 'node:path';
import { CliError, EXIT } from '../errors.js';
import { stateOf, type FileState } from '../file-state.js';
import { codeOf } from '../files.js';
import { isCheckpoint, isWeightFile } from '../weight-files.js';
import { StateLimitError } from './state-scanner.js';
import { readTrainerState, type TrainerState } from './trainer-state.js';
import { systemError } from './troubles.js';

/** A folder of files as it lies there now. */
export interface FolderLook {
  readonly path: string;
  /** Hex digest over names, sizes and times of all files below. */
  readonly print: string;
  /** Of its files together. */
  readonly bytes: number;
  /** Whether its state file is there and whole. */
  readonly state: TrainerState | undefined;
  /** The system's error that kept it from being read, or part of it. */
  readonly trouble?: string;
}

/** A `checkpoint-N` folder, or a link to a folder. */
export interface CheckpointLook extends FolderLook {
  readonly step: number;
}

/** What one look found. */
export interface Look {
  /** Ascending by step. */
  readonly checkpoints: readonly CheckpointLook[];
  /** The output folder itself, without its checkpoints. */
  readonly top: FolderLook;
  /** Whether there is anything in the output folder. */
  readonly present: boolean;
  /** Whether anything there says that a run has begun, though it may be no checkpoint that counts. */
  readonly begun: boolean;
}

/** Looks again and again at one folder; reads a state file only when it has changed. */
export class Watcher {
  readonly folder: string;
  readonly #states = new Map<string, Pick<FolderLook, 'print' | 'state' | 'trouble'>>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * A folder that is not there yet is one without checkpoints. Throws CliError "unreadable" where it cannot be
   * listed; of a checkpoint that cannot be, the look says so.
   */
  look(): Look {
    let entries: Dirent[];
    try {
      entries = list(this.folder);
    } catch (cause) {
      const found = systemError(cause);
      if (found === undefined) throw cause;
      throw new CliError(
        EXIT.usage,
        'unreadable',
        `${this.folder}: expected a folder that can be read, found ${found}`,
        'look at its rights, and at the file system that it lies on',
        { cause },
      );
    }
    const checkpoints = entries
      .filter((entry) => mayBeFolder(entry))
      .map(({ name }) => ({ name, step: Number(/^checkpoint-(0|[1-9][0-9]{0,15})$/.exec(name)?.[1]) }))
      .filter(({ step }) => Number.isSafeInteger(step))
      .sort((a, b) => a.step - b.step)
      .flatMap(({ name, step }) => {
        const found = this.#lookAt(join(this.folder, name), false);
        return found === undefined ? [] : [{ step, ...found }];
      });
    const top = this.#lookAt(this.folder, true) ?? emptyLook(this.folder);
    const there = new Set([top.path, ...checkpoints.map(({ path }) => path)]);
    for (const path of this.#states.keys()) if (!there.has(path)) this.#states.delete(path);
    const begun = entries.some(
      (entry) => /^(tmp-)?checkpoint-/.test(entry.name) || (!entry.isDirectory() && isWeightFile(entry.name)),
    );
    return { checkpoints, top, present: entries.length > 0, begun: begun || top.state !== undefined };
  }

  /** Undefined for a link to what is no folder. */
  #lookAt(path: string, top: boolean): FolderLook | undefined {
    try {
      // A link to a checkpoint on another disk: that it leads nowhere does not mean that the checkpoint is gone.
      if (!top && !statSync(path).isDirectory()) return undefined;
      const known = this.#states.get(path);
      const { print, bytes } = printOf(path, top);
      if (known?.print === print) return { path, bytes, ...known };
      const found = { print, ...readOrTrouble(path) };
      this.#states.set(path, found);
      return { path, bytes, ...found };
    } catch (error) {
      const trouble = systemError(error);
      if (trouble === undefined) throw error;
      // Rotated away since it was listed.
      if (isGone(error) && lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
      return { ...emptyLook(path), trouble };
    }
  }
}

/** A state that is more than is read is one that nobody should wait for in silence. */
function readOrTrouble(path: string): Pick<FolderLook, 'state' | 'trouble'> {
  try {
    return { state: readTrainerState(path) };
  } catch (error) {
    if (!(error instanceof StateLimitError)) throw error;
    return { state: undefined, trouble: `its trainer_state.json has ${error.message}` };
  }
}

function emptyLook(path: string): FolderLook {
  return { path, print: '', bytes: 0, state: undefined };
}

/**
 * The print of a folder's files. With `top`, without its checkpoints. Inodes are no part of it: file systems over
 * object stores make them up anew, and a file put in place of another has another time of change. What the print is of is
 * added to `states`, by path below the folder.
 */
export function printOf(
  folder: string,
  top: boolean,
  states?: Map<string, FileState>,
): { print: string; bytes: number } {
  const hash = createHash('sha256');
  let bytes = 0;
  const walk = (prefix: string): void => {
    for (const entry of list(join(folder, prefix))) {
      if (top && prefix === '' && isCheckpoint(entry.name, kindOf(entry))) continue;
      const path = prefix + entry.name;
      if (entry.isDirectory()) walk(`${path}/`);
      else {
        const stat = lstatSync(join(folder, path), { bigint: true, throwIfNoEntry: false });
        hash.update(`${path}\0${stat ? `${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}` : ''}\0`);
        bytes += Number(stat?.size ?? 0);
        if (stat) states?.set(path, stateOf(stat));
      }
    }
  };
  walk('');
  return { print: hash.digest('hex'), bytes };
}

function kindOf(entry: Dirent): 'folder' | 'file' | 'other' {
  return entry.isDirectory() ? 'folder' : entry.isFile() ? 'file' : 'other';
}

function mayBeFolder(entry: Dirent): boolean {
  return entry.isDirectory() || entry.isSymbolicLink();
}

function list(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    // Rotated away between two calls, or not made yet.
    if (isGone(error)) return [];
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
}
