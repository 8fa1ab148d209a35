import { SigningPool } from '../system/index.js';
import type { SigningPoolOptions } from '../system/index.js';
import { formatNote } from '../tlog/index.js';
import type { Vkey } from '../tlog/index.js';
import { NO_TIME, signHead, vkeysOf } from './log-keys.js';
import type { LogKeys } from './log-keys.js';

/** Signs tree heads with all keys of a log. An ML-DSA-44 line takes milliseconds, so it is asked for and awaited. */
export interface HeadSigner {
  /** In the order of the lines. */
  readonly vkeys: readonly [Vkey, ...Vkey[]];
  /** The note of this checkpoint's text with a line by each key. Rejects with SigningError where it is to be tried again. */
  sign(text: string): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Signs in this thread: right for Ed25519 alone, which takes a tenth of a millisecond. */
export function localSigner(keys: LogKeys): HeadSigner {
  return {
    vkeys: vkeysOf(keys),
    sign: (text) => Promise.resolve().then(() => signHead(text, keys)),
    close: () => Promise.resolve(),
  };
}

/** Signs with ML-DSA-44 in a worker thread: readers and submitters are answered meanwhile. */
export function poolSigner(keys: LogKeys, options: SigningPoolOptions = {}): HeadSigner {
  // One head is signed at a time.
  const pool = new SigningPool(keys, { threads: 1, ...options });
  return {
    vkeys: vkeysOf(keys),
    sign: async (text) => {
      const lines = await pool.signNoteLines(text, NO_TIME);
      return formatNote({ text, signatures: lines.map((line) => ({ line })) });
    },
    close: () => pool.close(),
  };
}
