// What a witness must never forget about one log. In the journal it is one line (journal-file.ts):
//
//   {"format":0,"origin":"example.com/log","number":3,"timestamp":1732217372,"note":"…"}
//
// and in a file of its own, state/<origin hash>, which add-log makes, that line and its checksum:
//
//   sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//
// Such a file is whole, or its checksum says that it is not; and one that is missing is missed.
import {
  decodeUtf8,
  encodeHex,
  encodeUtf8,
  parseCheckpoint,
  parseNote,
  sha256,
  SteleError,
} from '../tlog/index.js';
import type { LatestCheckpoint } from './add-checkpoint.js';
import { WitnessError } from './errors.js';

/** The last checkpoint cosigned for a log, or that there is none yet. */
export interface LogState {
  origin: string;
  /** How many times the state was replaced: what compare-and-swap compares. */
  number: number;
  /** Seconds since the epoch of the last cosignature; 0 if there is none. */
  timestamp: number;
  /** The checkpoint with the log's verified signatures and our cosignatures; undefined if never cosigned. */
  note: string | undefined;
  /** Size and root in that note; undefined if never cosigned. */
  latest: LatestCheckpoint | undefined;
}

/** The state of a log that was never cosigned. */
export function initialState(origin: string): LogState {
  return { origin, number: 0, timestamp: 0, note: undefined, latest: undefined };
}

/**
 * The state after cosigning `note`. Size and root are read from it, unless it was made of a checkpoint that
 * has been parsed already.
 */
export function nextState(
  before: LogState,
  timestamp: number,
  note: string,
  { size, rootHash }: LatestCheckpoint = headOf(note),
): LogState {
  return { origin: before.origin, number: before.number + 1, timestamp, note, latest: { size, rootHash } };
}

/** The line, without its newline. */
export function formatStateLine({ origin, number, timestamp, note }: LogState): string {
  return JSON.stringify({ format: 0, origin, number, timestamp, note: note ?? null });
}

/** A log's own file. */
export function formatState(state: LogState): Uint8Array {
  const line = `${formatStateLine(state)}\n`;
  return encodeUtf8(`${line}sha256 ${encodeHex(sha256(encodeUtf8(line)))}\n`);
}

/** Throws WitnessError "state_damaged" for anything that formatState did not write for this origin. */
export function parseState(bytes: Uint8Array, origin: string, file: string): LogState {
  let text: string;
  try {
    text = decodeUtf8(bytes, 'state');
  } catch (error) {
    throw stateDamaged(file, 'bytes that are no text', error);
  }
  const state = parseStateLine(text.split('\n', 1)[0] ?? '', file);
  if (state.origin !== origin) throw stateDamaged(file, 'another log');
  // Formatting again covers the checksum and what may follow it.
  const again = formatState(state);
  if (again.length !== bytes.length || again.some((byte, i) => byte !== bytes[i])) {
    throw stateDamaged(file, 'a wrong checksum');
  }
  return state;
}

/** Throws WitnessError "state_damaged" for anything that formatStateLine did not write. */
export function parseStateLine(line: string, file: string): LogState {
  let state: LogState;
  try {
    const { format, origin, number, timestamp, note } = JSON.parse(line) as Record<string, unknown>;
    if (format !== 0) throw stateDamaged(file, 'another format');
    if (typeof origin !== 'string') throw stateDamaged(file, 'no log');
    if (typeof number !== 'number' || typeof timestamp !== 'number') throw stateDamaged(file, 'no numbers');
    if (note !== null && typeof note !== 'string') throw stateDamaged(file, 'no note');
    const latest = note === null ? undefined : headOf(note);
    state = { origin, number, timestamp, note: note ?? undefined, latest };
  } catch (error) {
    if (error instanceof WitnessError) throw error;
    throw stateDamaged(file, error instanceof SteleError ? error.message : 'something else', error);
  }
  // Every spelling that JSON would let pass.
  if (formatStateLine(state) !== line) throw stateDamaged(file, 'another spelling of it');
  return state;
}

/** What is said of a state that cannot be believed. */
export function stateDamaged(file: string, found: string, cause?: unknown): WitnessError {
  return new WitnessError(
    'state_damaged',
    `${file}: expected what this witness signed last as it was written, found ${found}`,
    'do not remove the file: the witness would forget what it signed. Restore it only if it is the newest; otherwise this witness needs a new key',
    { cause },
  );
}

function headOf(note: string): LatestCheckpoint {
  const { size, rootHash } = parseCheckpoint(parseNote(encodeUtf8(note)).text);
  return { size, rootHash };
}
