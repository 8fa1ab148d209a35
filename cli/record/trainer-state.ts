// trainer_state.json, as Hugging Face's Trainer writes it: last of all that a checkpoint's folder holds.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../files.js';

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

/** Longest state read, in bytes: a million lines of history. */
const MAX_STATE_BYTES = 256 * 1024 * 1024;

/**
 * The state in a folder; undefined where there is none, or none that is whole yet. Throws the system's error where
 * there is one that cannot be read.
 */
export function readTrainerState(folder: string): TrainerState | undefined {
  const path = join(folder, 'trainer_state.json');
  try {
    const stat = statSync(path);
    const { size, mtimeMs } = stat;
    // Of a pipe or a device there is no end to be read.
    if (!stat.isFile() || size > MAX_STATE_BYTES) return undefined;
    return parseTrainerState(readFileSync(path, 'utf8'), Math.floor(mtimeMs / 1000));
  } catch (error) {
    // RangeError: text that is more than the expression below, or a string, can hold.
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
    const code = codeOf(error);
    // Of Node's own, such as a text that is longer than a string can be, there is no mending.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code?.startsWith('ERR_') === true) return undefined;
    throw error;
  }
}

/** Reads a state's text. Throws SyntaxError for what is no JSON object with a `global_step`. */
export function parseTrainerState(text: string, writtenAt: number): TrainerState {
  // Python writes NaN and Infinity, which JSON has not, and compute beyond 2^53, which JSON.parse rounds: so
  // every number is read as the text that it is. Strings are walked through, not matched whole: millions of escapes
  // in one would exhaust the stack, and each quote of one that does not end would be looked at as another's.
  let quoted = false;
  const numbersAsText = text.replace(/\\.|"|-?(?:NaN|Infinity|\d[\d.eE+-]*)/g, (token) => {
    if (token === '"') quoted = !quoted;
    return quoted || token === '"' || token.startsWith('\\') ? token : `"${token}"`;
  });
  const state = JSON.parse(numbersAsText) as Record<string, unknown> | null;
  const written = state?.['global_step'];
  const step = typeof written === 'string' && /^\d[\d.eE+-]*$/.test(written) ? Number(written) : NaN;
  if (!state || !Number.isSafeInteger(step)) throw new SyntaxError('expected global_step');
  const history = Array.isArray(state['log_history']) ? (state['log_history'] as unknown[]) : [];
  return {
    step,
    flop: exactDecimal(state['total_flos']),
    tokens: exactDecimal(state['num_input_tokens_seen']),
    ended: history.some((line) => typeof line === 'object' && line !== null && 'train_runtime' in line),
    writtenAt,
  };
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
  if (shift >= 0) return digits.length + shift > 60 ? undefined : digits + '0'.repeat(shift);
  const kept = digits.slice(0, shift);
  return kept !== '' && /^0+$/.test(digits.slice(shift)) ? kept : undefined;
}
