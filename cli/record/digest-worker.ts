// A thread that digests one file at a time. Its memory is one buffer, whatever the file's size.
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { sameState, type FileState } from '../file-state.js';

/** What the thread says: bytes read since the last time, and in the end a digest or what was wrong. */
export type DigestAnswer =
  | { readonly read: number }
  | { readonly digest: Uint8Array }
  | { readonly changed: true }
  | { readonly error: string };

const BUFFER_BYTES = 4 * 1024 * 1024;
/** Bytes between two reports. */
const REPORT_BYTES = 64 * 1024 * 1024;

const port = parentPort;
const say = (answer: DigestAnswer): void => port?.postMessage(answer);
const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

/** What the thread is told: a file, and how it was when it was listed. */
export interface DigestTask {
  readonly path: string;
  readonly listed: FileState | undefined;
}

port?.on('message', ({ path, listed }: DigestTask) => {
  try {
    say(digest(path, listed));
  } catch (error) {
    say({ error: (error as NodeJS.ErrnoException).code ?? String(error) });
  }
});

function digest(path: string, listed: FileState | undefined): DigestAnswer {
  const hash = createHash('sha256');
  // A pipe that was put in the file's place would keep the thread in `open` for ever.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK || 0));
  try {
    const before = fstatSync(file, { bigint: true });
    // Another has its name for a while: before and after may show nothing of that.
    if (listed !== undefined && !sameState(before, listed)) return { changed: true };
    let unsaid = 0;
    for (;;) {
      const read = readSync(file, buffer, 0, BUFFER_BYTES, null);
      if (read === 0) break;
      hash.update(buffer.subarray(0, read));
      unsaid += read;
      if (unsaid >= REPORT_BYTES) {
        say({ read: unsaid });
        unsaid = 0;
        // Rotated away: the rest would be read for nothing.
        if (fstatSync(file).nlink === 0) return { changed: true };
      }
    }
    say({ read: unsaid });
    // The file that was read, and the one that now has its name.
    const after = fstatSync(file, { bigint: true });
    const named = statSync(path, { bigint: true });
    return sameState(before, after) && sameState(before, named)
      ? { digest: hash.digest() }
      : { changed: true };
  } finally {
    closeSync(file);
  }
}
