// One look at a trainer's output folder: which checkpoints there are, and a print of each that changes
// when any of its files does. Polled, not watched: network file systems, where checkpoints lie, do not tell
// what other machines write.
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../files.js';
import { readTrainerState, type TrainerState } from './trainer-state.js';

/** A folder of files as it lies there now. */
export interface FolderLook {
  readonly path: string;
  /** Hex digest over names, sizes, times and inodes of all files below. */
  readonly print: string;
  /** Of its files together. */
  readonly bytes: number;
  /** Whether its state file is there and whole. */
  readonly state: TrainerState | undefined;
}

/** A `checkpoint-N` folder. */
export interface CheckpointLook extends FolderLook {
  readonly step: number;
}

/** What one look found. */
export interface Look {
  /** Ascending by step. */
  readonly checkpoints: readonly CheckpointLook[];
  /** The output folder itself, without its checkpoints. */
  readonly top: FolderLook;
}

/** Looks again and again at one folder; reads a state file only when it has changed. */
export class Watcher {
  readonly folder: string;
  readonly #states = new Map<string, { print: string; state: TrainerState | undefined }>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /** A folder that is not there yet is one without checkpoints. */
  look(): Look {
    const names = list(this.folder).flatMap(({ name, folder }) => {
      const step = folder ? /^checkpoint-(0|[1-9][0-9]{0,15})$/.exec(name)?.[1] : undefined;
      return step === undefined ? [] : [{ name, step: Number(step) }];
    });
    const checkpoints = names
      .filter(({ step }) => Number.isSafeInteger(step))
      .sort((a, b) => a.step - b.step)
      .map(({ name, step }) => ({ step, ...this.#lookAt(join(this.folder, name), false) }));
    const top = this.#lookAt(this.folder, true);
    const there = new Set([top.path, ...checkpoints.map(({ path }) => path)]);
    for (const path of this.#states.keys()) if (!there.has(path)) this.#states.delete(path);
    return { checkpoints, top };
  }

  #lookAt(path: string, top: boolean): FolderLook {
    const { print, bytes } = printOf(path, top);
    const known = this.#states.get(path);
    if (known?.print === print) return { path, print, bytes, state: known.state };
    const state = readTrainerState(path);
    this.#states.set(path, { print, state });
    return { path, print, bytes, state };
  }
}

/** The print of a folder's files. With `top`, without its checkpoints. */
export function printOf(folder: string, top: boolean): { print: string; bytes: number } {
  const hash = createHash('sha256');
  let bytes = 0;
  const walk = (prefix: string): void => {
    for (const { name, folder: isFolder } of list(join(folder, prefix))) {
      if (top && prefix === '' && isFolder && /^checkpoint-[0-9]+$/.test(name)) continue;
      const path = prefix + name;
      if (isFolder) walk(`${path}/`);
      else {
        const stat = lstatSync(join(folder, path), { bigint: true, throwIfNoEntry: false });
        hash.update(`${path}\0${stat ? `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}` : ''}\0`);
        bytes += Number(stat?.size ?? 0);
      }
    }
  };
  walk('');
  return { print: hash.digest('hex'), bytes };
}

function list(folder: string): { name: string; folder: boolean }[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .map((entry) => ({ name: entry.name, folder: entry.isDirectory() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    // Rotated away between two calls, or not made yet.
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}
