// What a witness must never forget, one file per log: state/<origin hash>
//
//   {"format":0,"origin":"example.com/log","number":3,"timestamp":1732217372,"note":"…"}
//   sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//
// Plain files and not a database, because a database that mends itself is the danger here: LevelDB
// drops a damaged batch of its log in silence, and an older state looks as good as the last one. A file
// is replaced by rename, so there is never half of one; each is whole, or its checksum says that it is
// not; and one that is missing is missed, since add-log made it.
import {
  decodeUtf8,
  encodeHex,
  encodeUtf8,
  parseCheckpoint,
  parseNote,
  sha256,
  SteleError,
} from '../tlog/index.js';
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
  latest: { size: number; rootHash: Uint8Array } | undefined;
}

/** The state of a log that was never cosigned. */
export function initialState(origin: string): LogState {
  return { origin, number: 0, timestamp: 0, note: undefined, latest: undefined };
}

/** The state after cosigning `note`. Its size and root are read from it, so that the two cannot differ. */
export function nextState(before: LogState, timestamp: number, note: string): LogState {
  return { origin: before.origin, number: before.number + 1, timestamp, note, latest: headOf(note) };
}

export function formatState({ origin, number, timestamp, note }: LogState): Uint8Array {
  const line = `${JSON.stringify({ format: 0, origin, number, timestamp, note: note ?? null })}\n`;
  return encodeUtf8(`${line}sha256 ${encodeHex(sha256(encodeUtf8(line)))}\n`);
}

/** Throws WitnessError "state_damaged" for anything that formatState did not write for this origin. */
export function parseState(bytes: Uint8Array, origin: string, file: string): LogState {
  const damaged = (found: string, cause?: unknown): WitnessError =>
    new WitnessError(
      'state_damaged',
      `${file}: expected the state of ${JSON.stringify(origin)} as it was written, found ${found}`,
      'do not remove the file: the witness would forget what it signed. Restore it only if it is the newest; otherwise this witness needs a new key',
      { cause },
    );
  let state: LogState;
  try {
    const [line = ''] = decodeUtf8(bytes, 'state').split('\n', 1);
    const value = JSON.parse(line) as Record<string, unknown>;
    const { number, timestamp, note } = value;
    if (typeof number !== 'number' || typeof timestamp !== 'number') throw damaged('no numbers');
    if (note !== null && typeof note !== 'string') throw damaged('no note');
    if (value['format'] !== 0) throw damaged('another format');
    if (value['origin'] !== origin) throw damaged('another log');
    state = {
      origin,
      number,
      timestamp,
      note: note ?? undefined,
      latest: note === null ? undefined : headOf(note),
    };
  } catch (error) {
    if (error instanceof WitnessError) throw error;
    throw damaged(error instanceof SteleError ? error.message : 'something else', error);
  }
  // Formatting again covers the checksum and every spelling that JSON would let pass.
  const again = formatState(state);
  if (again.length !== bytes.length || again.some((byte, i) => byte !== bytes[i])) {
    throw damaged('a wrong checksum');
  }
  return state;
}

function headOf(note: string): { size: number; rootHash: Uint8Array } {
  const { size, rootHash } = parseCheckpoint(parseNote(encodeUtf8(note)).text);
  return { size, rootHash };
}
