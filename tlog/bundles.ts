// C2SP tlog-tiles, "Log entries": a bundle is 1 to 256 entries, each behind its length as a
// big-endian uint16.
import { TlogError } from './errors.js';
import { MAX_ENTRY_SIZE, TILE_WIDTH } from './tiles.js';

function checkCount(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > TILE_WIDTH) {
    throw new TlogError('bad_bundle', `entry bundle: expected 1 to ${TILE_WIDTH} entries, found ${count}`);
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
  const entries: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const end = entryEnd(bytes, offset);
    entries.push(bytes.slice(offset + 2, end));
    if (entries.length > TILE_WIDTH) break;
    offset = end;
  }
  checkCount(entries.length);
  if (expectedCount !== undefined && entries.length !== expectedCount) {
    throw new TlogError(
      'bad_bundle',
      `entry bundle: expected ${expectedCount} entries, found ${entries.length}`,
      'the file may be of another width',
    );
  }
  return entries;
}

/** The bundle of the first `width` entries of a wider one. Throws TlogError "bad_bundle". */
export function sliceBundle(bytes: Uint8Array, width: number): Uint8Array {
  checkCount(width);
  let offset = 0;
  for (let i = 0; i < width; i++) offset = entryEnd(bytes, offset);
  return bytes.slice(0, offset);
}
