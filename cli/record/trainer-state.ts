// trainer_state.json, as Hugging Face's Trainer writes it: last of all that a checkpoint's folder holds.
import { closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../files.js';
import { StateLimitError, StateScanner } from './state-scanner.js';

/** What a trainer says about its run at one step. Numbers that may be large are exact decimals. */
export interface TrainerState {
  /** Optimiser steps completed. */
  readonly step: number;
  /** `total_flos`; undefined where the trainer did not count. */
  readonly flop: string | undefined;
  /** `num_input_tokens_seen`; undefined where the trainer did not count. */
  readonly tokens: string | undefined;
  /** Whether the history has the totals that are written when training has ended. */
  readonly ended: boolean;
  /** Of the file's last change, seconds since 1970 by the clock of its file system. */
  readonly writtenAt: number;
}

/** Longest state read, in bytes: millions of lines of history. */
const MAX_STATE_BYTES = 256 * 1024 * 1024;

/** Longest amount stated: `amount` of spec/schema/common.json. */
const MAX_DIGITS = 60;

const WANTED = {
  numbers: ['global_step', 'total_flos', 'num_input_tokens_seen'],
  list: 'log_history',
  inList: 'train_runtime',
};

/**
 * The state in a folder; undefined where there is none, or none that is whole yet. Throws the system's error where
 * there is one that cannot be read, StateLimitError where it is more than is read.
 */
export function readTrainerState(folder: string): TrainerState | undefined {
  const path = join(folder, 'trainer_state.json');
  try {
    const stat = statSync(path);
    const { size, mtimeMs } = stat;
    // Of a pipe or a device there is no end to be read.
    if (!stat.isFile()) return undefined;
    if (size > MAX_STATE_BYTES) throw tooLarge();
    return parseTrainerState(read(path), Math.floor(mtimeMs / 1000));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Reads a state, piece by piece. Throws SyntaxError for what is no JSON object with a `global_step`. */
export function parseTrainerState(pieces: Iterable<Uint8Array>, writtenAt: number): TrainerState {
  const scanner = new StateScanner(WANTED);
  for (const piece of pieces) scanner.push(piece);
  const { numbers, inList } = scanner.end();
  // Compute is beyond 2^53, which JSON.parse would round: numbers are kept as they are written.
  const written = numbers.get('global_step') ?? '-';
  const step = Number(written);
  if (written.startsWith('-') || !Number.isSafeInteger(step)) throw new SyntaxError('expected global_step');
  return {
    step,
    flop: exactDecimal(numbers.get('total_flos')),
    tokens: exactDecimal(numbers.get('num_input_tokens_seen')),
    ended: inList,
    writtenAt,
  };
}

/** A file's bytes, a buffer at a time, which is used again. Throws StateLimitError for a file that goes on and on. */
function* read(path: string): Generator<Uint8Array> {
  // It was a file a moment ago; of a pipe that nobody writes to the end comes at once.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK || 0));
  try {
    const buffer = Buffer.allocUnsafe(1 << 20);
    for (let total = 0; ;) {
      const count = readSync(file, buffer, 0, buffer.length, null);
      if (count === 0) return;
      total += count;
      if (total > MAX_STATE_BYTES) throw tooLarge();
      yield buffer.subarray(0, count);
    }
  } finally {
    closeSync(file);
  }
}

function tooLarge(): StateLimitError {
  return new StateLimitError(`more than ${MAX_STATE_BYTES >> 20} MiB`);
}

/**
 * A JSON number as the decimal digits of its exact value; undefined for 0, by which a Trainer says that it
 * did not count, and for what is no whole number above it.
 */
export function exactDecimal(number: unknown): string | undefined {
  const parts = /^(\d+)(?:\.(\d+))?(?:[eE]\+?(-?\d{1,3}))?$/.exec(typeof number === 'string' ? number : '');
  if (parts === null) return undefined;
  const [, whole = '', fraction = '', exponent = '0'] = parts;
  const shift = Number(exponent) - fraction.length;
  const digits = (whole + fraction).replace(/^0+/, '');
  if (digits === '') return undefined;
  // More digits than a statement can hold.
  if (digits.length + shift > MAX_DIGITS) return undefined;
  if (shift >= 0) return digits + '0'.repeat(shift);
  const kept = digits.slice(0, shift);
  return kept !== '' && /^0+$/.test(digits.slice(shift)) ? kept : undefined;
}
