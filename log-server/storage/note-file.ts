// A note file: one signed note, whole or not at all.
//
//   stele-note 0
//   sha256 <hex of all that follows this line>
//   note <bytes>
//   policy <bytes>
//   <empty line>
//   <the note> <the policy it was published under>
import { concatBytes, encodeHex, encodeUtf8, parseDecimal, sha256 } from '../../tlog/index.js';
import { StorageError, damaged } from './error.js';

/** A note as it lies on disk. `policy` is empty for the signed one. */
export interface NoteFile {
  readonly note: Uint8Array;
  readonly policy: Uint8Array;
}

export function formatNoteFile({ note, policy }: NoteFile): Uint8Array {
  const body = concatBytes(encodeUtf8(`note ${note.length}\npolicy ${policy.length}\n\n`), note, policy);
  return concatBytes(encodeUtf8(`stele-note 0\nsha256 ${encodeHex(sha256(body))}\n`), body);
}

const HEAD = /^stele-note 0\nsha256 ([0-9a-f]{64})\nnote ([0-9]+)\npolicy ([0-9]+)\n\n/;

/** Throws StorageError "state_damaged". `name` is for the message. */
export function parseNoteFile(file: Uint8Array, name: string): NoteFile {
  try {
    const head = HEAD.exec(new TextDecoder('latin1').decode(file.subarray(0, 256)));
    const [whole, digest, noteLength, policyLength] = head ?? [];
    if (whole === undefined || digest === undefined) throw damaged(`${name}: not the head of a note file`);
    const body = file.subarray('stele-note 0\nsha256 \n'.length + 64);
    if (encodeHex(sha256(body)) !== digest) {
      throw damaged(`${name}: expected SHA-256 ${digest}, found ${encodeHex(sha256(body))}`);
    }
    const start = whole.length;
    const middle = start + parseDecimal(noteLength ?? '', name);
    const end = middle + parseDecimal(policyLength ?? '', name);
    if (end !== file.length) throw damaged(`${name}: expected ${end} bytes, found ${file.length}`);
    return { note: file.slice(start, middle), policy: file.slice(middle) };
  } catch (error) {
    if (error instanceof StorageError) throw error;
    throw damaged(`${name}: cannot be parsed`, error);
  }
}
