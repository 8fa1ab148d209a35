// The threads of a full check. They begin before the program is loaded, which takes as long as half of all hashes.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { FullTiles, type Job, newBoard, settle, settled, take } from './full-tiles.js';

const WIDTH = 256;
/** More than this wait for memory, not for a core. */
const MOST = 3;
/** Bundles from which on a thread is worth its start: that costs as much as hashing fifty. */
const LEAST = 100;
/** Bundles beyond which nothing is begun on what an argument and an unchecked file say: 4 billion entries. */
const LARGEST = 2 ** 24;
/** Milliseconds that a bundle another thread has taken is waited for, before it is read once more. */
const PATIENCE_MS = 1000;
/** Milliseconds for a bundle's files above which they were not in the system's memory: the walk asks for several at once. */
const SLOW_MS = 5;
/** Bundles left to the walk after such a one. */
const LEFT = 64;

let begun: Job | undefined;

/**
 * Starts a thread for each further core, if one of a command's arguments is a folder with a checkpoint. That has not been
 * verified: what the threads find out counts for the size and the folder that are checked in the end, or for
 * nothing. They end with the process, and hold nothing up; without them the check does all by itself.
 */
export function beginCheck(args: readonly string[]): void {
  for (const folder of args) {
    const bundles = Math.floor(claimedSize(folder) / WIDTH);
    if (!(bundles >= LEAST && bundles <= LARGEST)) continue;
    begun = { folder, board: newBoard(bundles) };
    for (let i = 1; i < Math.min(availableParallelism(), 1 + MOST); i++) {
      const worker = new Worker(new URL('./check-thread.js', import.meta.url), { workerData: begun });
      worker.unref();
      worker.on('error', () => undefined);
    }
    return;
  }
}

/** The second line of a folder's checkpoint; NaN where there is none. */
function claimedSize(folder: string): number {
  try {
    return Number(readFileSync(`${folder}/checkpoint`, 'utf8').split('\n')[1]);
  } catch {
    return NaN;
  }
}

/** Roots of full tiles of level 0 whose bundles are as they say; undefined: look for yourself. */
export type FullRoots = (index: number) => Uint8Array | undefined;

/** Those of a folder's first `bundles` ones, made by this thread and those that were begun for them. */
export function fullRoots(folder: string, bundles: number): FullRoots {
  const isBegun = begun?.folder === folder && begun.board.states.length === bundles;
  const board = isBegun && begun ? begun.board : newBoard(bundles);
  begun = undefined;
  const reader = new FullTiles(folder);
  let left = 0;
  return (index) => {
    if (index >= bundles) return undefined;
    if (!take(board, index)) return settled(board, index, PATIENCE_MS);
    if (left > 0) {
      left--;
      return undefined;
    }
    const root = reader.root(index);
    if (reader.waitedMs > SLOW_MS) left = LEFT;
    settle(board, index, root);
    return root;
  };
}
