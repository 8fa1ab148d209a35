// What the requests of C2SP tlog-witness have in common: a line or two, proof lines, an empty line, a
// signed checkpoint.
import {
  decodeBase64,
  decodeUtf8,
  parseCheckpoint,
  parseNote,
  type Checkpoint,
  type Note,
} from '../tlog/index.js';
import { WitnessError } from './errors.js';

/** SPEC: "The client MUST NOT send more than 63 consistency proof lines." */
export const MAX_PROOF_LINES = 63;

/** A request body, taken apart. Nothing in it has been verified. */
export interface RequestBody {
  /** The first lines, as many as were asked for. */
  head: string[];
  /** 32-byte hashes. */
  proof: Uint8Array[];
  note: Note;
  /** The bytes of the note. */
  noteBytes: Uint8Array;
  checkpoint: Checkpoint;
}

type Request = 'add-checkpoint' | 'sign-subtree';

/**
 * Parses a request body whose first `heads` lines are its own. Throws WitnessError "bad_request" or
 * TlogError, whichever found the fault; all of them are 400.
 */
export function parseRequest(body: Uint8Array, request: Request, heads: number): RequestBody {
  const end = indexOfBlankLine(body);
  if (end < 0) {
    throw badRequest(request, 'expected an empty line between proof and checkpoint, found none');
  }
  const lines = decodeUtf8(body.subarray(0, end), 'what precedes the checkpoint').split('\n');
  const proofLines = lines.slice(heads);
  if (proofLines.length > MAX_PROOF_LINES) {
    throw badRequest(request, `expected at most ${MAX_PROOF_LINES} proof lines, found ${proofLines.length}`);
  }
  const noteBytes = body.subarray(end + 2);
  const note = parseNote(noteBytes);
  return {
    head: lines.slice(0, heads),
    proof: proofLines.map((line) => decodeHash(line, request, 'proof line')),
    note,
    noteBytes,
    checkpoint: parseCheckpoint(note.text),
  };
}

/** A hash in base64, on a line of its own. */
export function decodeHash(line: string, request: Request, what: string): Uint8Array {
  const hash = decodeBase64(line, what);
  if (hash.length !== 32) {
    throw badRequest(request, `expected a ${what} of 32 bytes, found ${hash.length}`);
  }
  return hash;
}

export function badRequest(request: Request, message: string): WitnessError {
  return new WitnessError('bad_request', `${request}: ${message}`, `see C2SP tlog-witness, ${request}`);
}

/** Where the first empty line's preceding newline stands, or -1. */
function indexOfBlankLine(body: Uint8Array): number {
  for (let i = body.indexOf(10); i >= 0; i = body.indexOf(10, i + 1)) {
    if (body[i + 1] === 10) return i;
  }
  return -1;
}
