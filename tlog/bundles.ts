// C2SP tlog-tiles, "Log entries": a bundle is 1 to 256 entries, each behind its length as a
// big-endian uint16.
import { sha256Into } from '#platform';
import { TlogError } from './errors.js';
import { HASH_SIZE } from './merkle.js';
import { MAX_ENTRY_SIZE, TILE_WIDTH } from './tiles.js';

function checkCount(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > TILE_WIDTH) {
    throw new TlogError(
      'bad_bundle',
      `entry bundle: expected 1 to ${TILE_WIDTH} entries, found ${count}`,
      'this is a bundle of another size: is the log damaged, or the size wrong?',
    );
  }
}

/** Throws TlogError "bad_bundle" unless there are 1 to 256 entries, "entry_too_large" above 65,535 bytes. */
export function formatBundle(entries: readonly Uint8Array[]): Uint8Array {
  checkCount(entries.length);
  const out = new Uint8Array(entries.reduce((sum, entry) => sum + 2 + entry.length, 0));
  let offset = 0;
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_SIZE) {
      throw new TlogError(
        'entry_too_large',
        `log entry: expected at most ${MAX_ENTRY_SIZE} bytes, found ${entry.length}`,
        'long lists travel as Merkle roots; a log that holds such an entry is damaged',
      );
    }
    out[offset] = Math.floor(entry.length / 256);
    out[offset + 1] = entry.length % 256;
    out.set(entry, offset + 2);
    offset += 2 + entry.length;
  }
  return out;
}

/** Where the entry that begins at `offset` ends, its length prefix included. */
function entryEnd(bytes: Uint8Array, offset: number): number {
  const high = bytes[offset];
  const low = bytes[offset + 1];
  const end = offset + 2 + (high ?? 0) * 256 + (low ?? 0);
  if (high === undefined || low === undefined || end > bytes.length) {
    throw new TlogError(
      'bad_bundle',
      `entry bundle: expected the entry at byte ${offset} to end within ${bytes.length} bytes, found it cut off`,
      'the file may be truncated, or not an entry bundle',
    );
  }
  return end;
}

/**
 * Splits a bundle into its entries: all of them, without a byte left over, and `expectedCount` of
 * them if given. Throws TlogError "bad_bundle".
 */
export function parseBundle(bytes: Uint8Array, expectedCount?: number): Uint8Array[] {
  return entryEnds(bytes, expectedCount).map((end, i, ends) => bytes.slice((ends[i - 1] ?? 0) + 2, end));
}

/** Where each entry ends, which is where the next one's length prefix begins. Throws as parseBundle does. */
function entryEnds(bytes: Uint8Array, expectedCount: number | undefined): number[] {
  const ends: number[] = [];
  for (let offset = 0; offset < bytes.length;) {
    offset = entryEnd(bytes, offset);
    ends.push(offset);
    if (ends.length > TILE_WIDTH) break;
  }
  checkCount(ends.length);
  if (expectedCount !== undefined && ends.length !== expectedCount) {
    throw new TlogError(
      'bad_bundle',
      `entry bundle: expected ${expectedCount} entries, found ${ends.length}`,
      'the file may be of another width',
    );
  }
  return ends;
}

/**
 * The leaf hashes of a bundle's entries, as the tile of level 0 over it has them: what formatTile of each
 * entry's leafHash would give, without a copy or an object for each. Throws as parseBundle does.
 */
export function bundleLeafHashes(bytes: Uint8Array, expectedCount?: number): Uint8Array {
  const ends = entryEnds(bytes, expectedCount);
  const hashes = new Uint8Array(ends.length * HASH_SIZE);
  // A leaf is 0x00 and the entry (RFC 6962 §2.1): in a copy the second byte of its length prefix becomes that.
  const copy = bytes.slice();
  let start = 0;
  for (let i = 0; i < ends.length; i++) {
    const end = ends[i] ?? start;
    copy[start + 1] = 0;
    sha256Into(copy.subarray(start + 1, end), hashes, i * HASH_SIZE);
    start = end;
  }
  return hashes;
}

/** The bundle of the first `width` entries of a wider one. Throws TlogError "bad_bundle". */
export function sliceBundle(bytes: Uint8Array, width: number): Uint8Array {
  checkCount(width);
  let offset = 0;
  for (let i = 0; i < width; i++) offset = entryEnd(bytes, offset);
  return bytes.slice(0, offset);
}
