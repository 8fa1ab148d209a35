// The text of a checkpoint: a log's tree head.
//
//   example.com/behind-the-sofa                       origin
//   20852163                                          tree size, decimal
//   CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=      root hash, base64
//   (any further lines are extensions, opaque)
//
// Source: C2SP tlog-checkpoint "Note text". How it is signed: note.ts, cosignature.ts.
import { decodeBase64, encodeBase64, parseDecimal } from './encoding.js';
import { TlogError, quote } from './errors.js';

/** A parsed tree head. Nothing in it is to be believed before its signatures are verified. */
export interface Checkpoint {
  /** The log's identity: the first line, non-empty. May contain spaces. */
  readonly origin: string;
  /** Number of leaves, a safe integer. */
  readonly size: number;
  /** 32 bytes: RFC 6962 root at that size. */
  readonly rootHash: Uint8Array;
  /** Opaque lines after the third; nobody vouches for them. */
  readonly extensions: readonly string[];
}

const HINT = 'a checkpoint is origin, decimal tree size and base64 root hash, each on a line of its own';

/**
 * Parses the text of a note as a checkpoint; only the spelling that formatCheckpoint writes is
 * accepted. Throws TlogError "bad_checkpoint". C2SP tlog-checkpoint "Note text".
 */
export function parseCheckpoint(text: string): Checkpoint {
  if (!text.endsWith('\n')) throw bad('expected a text that ends in a newline, found none at its end');
  const lines = text.slice(0, -1).split('\n');
  // SPEC: "a sequence of at least three non-empty lines".
  if (lines.length < 3) throw bad(`expected at least three lines, found ${lines.length}`);
  const [origin = '', size = '', root = '', ...extensions] = lines;
  let checkpoint: Checkpoint;
  try {
    checkpoint = {
      origin,
      size: parseDecimal(size, 'tree size'),
      rootHash: decodeBase64(root, 'root hash'),
      extensions,
    };
  } catch (cause) {
    if (!(cause instanceof TlogError)) throw cause;
    throw new TlogError('bad_checkpoint', `checkpoint: ${cause.message}`, HINT, { cause });
  }
  checkCheckpoint(checkpoint);
  return checkpoint;
}

/**
 * The text of a checkpoint, as it is signed. `rootHash` is 32 bytes, `size` a safe integer of 0 or more.
 * Throws TlogError "bad_checkpoint".
 */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  checkCheckpoint(checkpoint);
  const { origin, size, rootHash, extensions } = checkpoint;
  return [origin, size, encodeBase64(rootHash), ...extensions].map((line) => `${line}\n`).join('');
}

function checkCheckpoint({ origin, size, rootHash, extensions }: Checkpoint): void {
  // SPEC: "The origin MUST be non-empty"; "Extension lines, if any, MUST be non-empty."
  for (const line of [origin, ...extensions]) {
    if (line === '') throw bad('expected non-empty lines, found an empty one');
    // SPEC (signed-note): "MUST NOT contain any ASCII control characters other than newline".
    if (hasControlCharacter(line)) throw bad(`expected no control characters, found ${quote(line)}`);
    if (hasUnpairedSurrogate(line))
      throw bad('expected text that has a UTF-8 form, found an unpaired surrogate');
  }
  if (!Number.isSafeInteger(size) || size < 0)
    throw bad(`expected a tree size of 0 to 2^53 - 1, found ${size}`);
  if (rootHash.length !== 32) throw bad(`expected a root hash of 32 bytes, found ${rootHash.length}`);
}

function hasControlCharacter(line: string): boolean {
  for (let i = 0; i < line.length; i++) if (line.charCodeAt(i) < 0x20) return true;
  return false;
}

function hasUnpairedSurrogate(line: string): boolean {
  return /\p{Surrogate}/u.test(line);
}

function bad(message: string): TlogError {
  return new TlogError('bad_checkpoint', `checkpoint: ${message}`, HINT);
}
