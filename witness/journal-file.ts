// What a witness last cosigned for all its logs, in one file: state/journal
//
//   group 1 112 5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9
//   {"format":0,"origin":"example.com/log","number":3,"timestamp":1732217372,"note":"…"}
//   sha256 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
//
// Such groups, each padded with zeros to whole blocks, then zeros to the end of the file, whose length is
// fixed when it is made. A group has a number, how many bytes of states it holds (state-file.ts), the
// checksum of the group before it, the states, and a checksum of all that. Group 0 names the
// file's length in place of a group before it, and holds every log's state: it was synced before the
// file had its name. The others are written into the zeros, one after the other, and synced: no
// name and no length changes, which is what makes a sync cheap.
//
// A database that mends itself is the danger here: an older state looks as good as the last one. A crash
// can tear only the group that was being written, since nothing follows it until it was synced. So:
// bytes that are no group, with a group after them, are damage; without one they are a write that was cut
// short, for which nobody has an answer. A witness that rests or stops writes one more group, of no states,
// so that even its last state has a group after it. A cut file has another length than group 0 says.
import { concatBytes, decodeUtf8, encodeHex, encodeUtf8, sha256 } from '../tlog/index.js';
import { SteleError } from '../tlog/index.js';
import { formatStateLine, parseStateLine, stateDamaged, type LogState } from './state-file.js';

/** Where groups begin: no block that holds what was synced is ever written again. */
const BLOCK = 4096;
/** Longer than any first line of a group. */
const LONGEST_HEAD = 128;
/** Bytes of the last line. */
const TAIL = 'sha256 '.length + 64 + 1;

/** A group as it is written, and the checksum that the next one names. */
export interface Group {
  /** Whole blocks. */
  bytes: Uint8Array;
  /** Lowercase hex SHA-256. */
  checksum: string;
}

/** What group 0 names as the one before it, in a file of so many bytes. */
export function beginning(length: number): string {
  return encodeHex(sha256(encodeUtf8(`stele-witness journal of ${length} bytes\n`)));
}

/** Bytes rounded up to whole blocks. */
function wholeBlocks(length: number): number {
  return Math.ceil(length / BLOCK) * BLOCK;
}

export function formatGroup(number: number, before: string, states: Iterable<LogState>): Group {
  let lines = '';
  for (const state of states) lines += `${formatStateLine(state)}\n`;
  const payload = encodeUtf8(lines);
  const content = concatBytes(encodeUtf8(`group ${number} ${payload.length} ${before}\n`), payload);
  const checksum = encodeHex(sha256(content));
  const bytes = new Uint8Array(wholeBlocks(content.length + TAIL));
  bytes.set(content);
  bytes.set(encodeUtf8(`sha256 ${checksum}\n`), content.length);
  return { bytes, checksum };
}

/** A whole journal, of `room` bytes or a little more beyond its first group. */
export function formatJournal(
  states: Iterable<LogState>,
  room: number,
): { bytes: Uint8Array; checksum: string; end: number } {
  const every = [...states];
  // A checksum is as long as any other: this one is only measured.
  const { length: end } = formatGroup(0, beginning(0), every).bytes;
  const length = end + wholeBlocks(Math.max(room, BLOCK));
  const { bytes: first, checksum } = formatGroup(0, beginning(length), every);
  const bytes = new Uint8Array(length);
  bytes.set(first);
  return { bytes, checksum, end };
}

/**
 * The newest state of every log in it. Throws WitnessError "state_damaged" unless everything that was synced
 * is there as it was written; what a crash cut short is left out.
 */
export function parseJournal(bytes: Uint8Array, file: string): Map<string, LogState> {
  const states = new Map<string, LogState>();
  let before = beginning(bytes.length);
  let at = 0;
  let number = 0;
  for (; ; number++) {
    const group = parseGroup(bytes, at);
    if (group?.number !== number || group.before !== before) break;
    for (const line of group.lines) {
      const state = parseStateLine(line, file);
      const last = states.get(state.origin)?.number;
      if (number === 0 ? last !== undefined : state.number !== (last ?? state.number - 1) + 1) {
        throw stateDamaged(file, `state ${state.number} of ${JSON.stringify(state.origin)} out of its turn`);
      }
      states.set(state.origin, state);
    }
    before = group.checksum;
    at = group.end;
  }
  if (number === 0) throw stateDamaged(file, 'another beginning, or another length');
  for (let later = at; later < bytes.length; later += BLOCK) {
    const group = parseGroup(bytes, later);
    if (group) throw stateDamaged(file, `group ${group.number} after what is not group ${number}`);
  }
  return states;
}

interface ParsedGroup {
  number: number;
  before: string;
  lines: string[];
  checksum: string;
  /** Where the next one begins. */
  end: number;
}

/** The group that begins there, if one does that is whole. */
function parseGroup(bytes: Uint8Array, at: number): ParsedGroup | undefined {
  const head = asciiLine(bytes.subarray(at, at + LONGEST_HEAD));
  const match = /^group (0|[1-9][0-9]{0,14}) (0|[1-9][0-9]{0,14}) ([0-9a-f]{64})$/.exec(head);
  if (!match) return undefined;
  const [, number, length, before = ''] = match;
  const payload = at + head.length + 1;
  const tail = payload + Number(length);
  const end = at + wholeBlocks(tail + TAIL - at);
  if (end > bytes.length) return undefined;
  const checksum = encodeHex(sha256(bytes.subarray(at, tail)));
  if (asciiLine(bytes.subarray(tail, tail + TAIL)) !== `sha256 ${checksum}`) return undefined;
  if (bytes.subarray(tail + TAIL, end).some((byte) => byte !== 0)) return undefined;
  try {
    const lines = decodeUtf8(bytes.subarray(payload, tail), 'journal').split('\n').slice(0, -1);
    return { number: Number(number), before, lines, checksum, end };
  } catch (error) {
    if (error instanceof SteleError) return undefined;
    throw error;
  }
}

/** The characters before the first newline; empty if there is none. */
function asciiLine(bytes: Uint8Array): string {
  const end = bytes.indexOf(10);
  return end < 0 ? '' : String.fromCharCode(...bytes.subarray(0, end));
}
