// What must hold before a log may start, in the order in which it is checked. The work is
// proportional to the unsealed part and to the logarithm of the tree.
//
//   1. every value of the state fits its checksum, the last commits form a chain      (level-state.ts)
//   2. the note files fit their checksums, every key of the log whose turn it was signed them and none that had
//      retired, and they are not behind the state's memory of them nor behind the mark beside the key
//   3. the state has every entry from the sealed mark to its size; the tail agrees wherever both speak
//   4. the tail reaches the last signed size; only what nobody signed may be torn off its end
//   5. the rightmost full tiles of each level and those entries hash to the state's right edge
//   6. the tree contains the last signed and the last published head, and the mark
import {
  type OpenedCheckpoint,
  TILE_WIDTH,
  encodeBase64,
  encodeHex,
  entriesPath,
  equalBytes,
  formatBundle,
  openCheckpoint,
  proveConsistency,
  tileHashReader,
  tilePath,
  verifyConsistency,
} from '../../tlog/index.js';
import type { KeyLock } from '../lock.js';
import { EdgeRows } from './edge-rows.js';
import { RECOVER_HINT, StorageError, damaged, reason } from './error.js';
import { keysDue, keysMissing, keysTooLate, keysUnlisted } from './note-check.js';
import { type NoteFile, parseNoteFile } from './note-file.js';
import type { Tail } from './tail.js';
import type { Disk, Head, LogStorageOptions, TileStore, TreeState } from './types.js';

/** What a start found, ready for SeamStorage. */
export interface Found {
  readonly rows: EdgeRows;
  /** Entries [state.head.sealedTo, state.head.size). */
  readonly pending: Uint8Array[];
  /** Entries below this were readable when the log stopped. */
  readonly readableSize: number;
  readonly signed: Uint8Array | undefined;
  readonly published: NoteFile | undefined;
  readonly mended: readonly string[];
}

/** What lies beneath a log's storage. */
export interface Beneath {
  readonly options: LogStorageOptions;
  readonly disk: Disk;
  readonly state: TreeState;
  readonly tiles: TileStore;
  readonly tail: Tail;
  readonly lock: KeyLock;
}

function rolledBack(message: string): StorageError {
  return new StorageError('state_rolled_back', message, RECOVER_HINT);
}

/** Throws StorageError "state_damaged" or "state_rolled_back". */
export async function checkStart(beneath: Beneath): Promise<Found> {
  const { options, disk, state, tiles, tail, lock } = beneath;
  const { head } = state;

  const signed = await readNote(disk, 'signed', options);
  const published = await readNote(disk, 'published', options);
  checkNotes(head, signed, published, lock);

  const pending = await state.entries(head.sealedTo, head.size);
  const { readableSize, mended } = await checkTail(head, pending, signedSizeOf(head, signed), tail, tiles);

  const read = (tile: { level: number; index: number; width: number }): Promise<Uint8Array | undefined> =>
    tiles.get(tilePath(tile));
  const rows = await EdgeRows.load(head.sealedTo, read);
  const { range, grown } = rows.grow(pending);
  rows.adopt(range, grown);
  const edge = range.hashes;
  if (edge.length !== head.edge.length || !edge.every((hash, i) => equalBytes(hash, head.edge[i] ?? hash))) {
    throw damaged(
      `tree: the state's edge at ${head.size} is ${head.edge.map(encodeHex).join(' ') || 'empty'}, its entries and the tiles give ${edge.map(encodeHex).join(' ') || 'none'}`,
    );
  }

  const reader = tileHashReader(head.size, async (tile) => {
    const held = rows.tile(tile) ?? (await read({ ...tile, width: TILE_WIDTH }));
    if (!held) throw damaged(`tiles: ${tilePath({ ...tile, width: TILE_WIDTH })} is gone`);
    return held.subarray(0, tile.width * 32);
  });
  const contains = async (what: string, size: number, rootHash: Uint8Array): Promise<void> => {
    if (size === 0) return;
    try {
      const proof = await proveConsistency(size, head.size, reader);
      verifyConsistency({
        oldSize: size,
        oldRoot: rootHash,
        newSize: head.size,
        newRoot: range.root(),
        proof,
      });
    } catch (cause) {
      if (cause instanceof StorageError) throw cause;
      throw damaged(
        `tree: of size ${head.size}, does not contain the ${what} of size ${size} with root ${encodeBase64(rootHash)}: ${reason(cause)}`,
        cause,
      );
    }
  };
  for (const note of [signed, published]) {
    if (note) await contains(`last ${note.name} checkpoint`, note.checkpoint.size, note.checkpoint.rootHash);
  }
  const { mark } = lock;
  if (mark) await contains('head last signed with this key', mark.size, mark.rootHash);

  return {
    rows,
    pending,
    readableSize,
    signed: signed?.file.note,
    published: published?.file,
    mended,
  };
}

/** A note file that fits its checksum, signed by the log's keys whose turn it was. */
export interface FoundNote {
  readonly name: 'signed' | 'published';
  readonly file: NoteFile;
  readonly checkpoint: OpenedCheckpoint['checkpoint'];
}

/** Reads one of the log's two notes; undefined where there is none. Throws StorageError "state_damaged". */
export async function readNote(
  disk: Disk,
  name: 'signed' | 'published',
  options: LogStorageOptions,
): Promise<FoundNote | undefined> {
  const bytes = await disk.read(name);
  if (!bytes) return undefined;
  const file = parseNoteFile(bytes, name);
  let opened: OpenedCheckpoint;
  try {
    opened = openCheckpoint(file.note, options.logKeys, [], options.origin);
  } catch (cause) {
    throw listOrNote(`${name}: ${reason(cause)}`, cause);
  }
  const { checkpoint } = opened;
  const missing = keysMissing(opened, keysDue(options, checkpoint.size));
  if (missing.length > 0)
    throw listOrNote(`${name}: expected a line by each key of the log, found none by ${missing.join(', ')}`);
  const late = keysTooLate(opened, options);
  if (late.length > 0)
    throw listOrNote(`${name}: expected no line by a key that has retired, found one by ${late.join(', ')}`);
  const unlisted = name === 'signed' ? keysUnlisted(file.note, options) : [];
  if (unlisted.length > 0)
    throw new StorageError(
      'state_damaged',
      `signed: expected lines by listed keys of the log, found one by ${unlisted.join(', ')}`,
      'log-keys.json is an older copy: restore it and the policy as they were when this was signed',
    );
  return { name, file, checkpoint };
}

/** Of lines that do not fit the list of keys: which of the two is damaged is for a hand to say, and the list comes first. */
function listOrNote(found: string, cause?: unknown): StorageError {
  return new StorageError(
    'state_damaged',
    found,
    'log-keys.json may be of another time: look first, and restore it and the policy as they were when this was signed. Where they are right, keep the folder as it is and run: stele-log recover',
    { cause },
  );
}

function signedSizeOf(head: Head, signed: FoundNote | undefined): number {
  return Math.max(head.signedSize, signed?.checkpoint.size ?? 0);
}

function checkNotes(
  head: Head,
  signed: FoundNote | undefined,
  published: FoundNote | undefined,
  lock: KeyLock,
): void {
  // `init` signs size 0 before anything can be committed.
  if (!signed && (head.size > 0 || (lock.mark?.size ?? 0) > 0)) {
    throw damaged(`signed: expected the note signed last, found no file; the tree has ${head.size} entries`);
  }
  if (!published && head.publishedSize > 0) {
    throw damaged(
      `published: expected the note published last, of at least ${head.publishedSize}, found no file`,
    );
  }
  const least: [string, FoundNote | undefined, number, string][] = [
    ['signed', signed, head.signedSize, 'the state'],
    ['signed', signed, lock.mark?.size ?? 0, 'the mark beside the key'],
    ['published', published, head.publishedSize, 'the state'],
  ];
  for (const [name, note, size, witness] of least) {
    if (note && note.checkpoint.size < size) {
      throw rolledBack(
        `${name}: expected a note of at least size ${size}, which ${witness} remembers, found ${note.checkpoint.size}`,
      );
    }
  }
  if (published && published.checkpoint.size > (signed?.checkpoint.size ?? 0)) {
    throw rolledBack(
      `signed: of size ${signed?.checkpoint.size ?? 0}, below the published ${published.checkpoint.size}: it is an older copy`,
    );
  }
  if (signed && signed.checkpoint.size > head.size) {
    throw rolledBack(
      `state: the tree has ${head.size} entries, a note was signed for ${signed.checkpoint.size}: the state is an older copy, or lost writes`,
    );
  }
}

async function checkTail(
  head: Head,
  pending: readonly Uint8Array[],
  signedSize: number,
  tail: Tail,
  tiles: TileStore,
): Promise<{ readableSize: number; mended: string[] }> {
  const content = await tail.load();
  if (!content) throw damaged('tail: the file is gone');
  const { start, entries, torn } = content;
  const end = start + entries.length;
  if (end > head.size) {
    throw rolledBack(`state: the tree has ${head.size} entries, the tail file goes on to ${end}`);
  }
  if (end < signedSize) {
    throw damaged(
      `tail: expected entries up to the signed size ${signedSize}, found them up to ${end}${torn === undefined ? ': the file is an older copy, or was cut' : `: ${torn}`}`,
    );
  }
  if (start % TILE_WIDTH !== 0 || start < head.sealedTo) {
    throw damaged(`tail: expected it to begin at ${head.sealedTo} or later, found ${start}`);
  }
  entries.forEach((entry, i) => {
    const index = start + i;
    if (!equalBytes(entry, pending[index - head.sealedTo] ?? entry)) {
      throw damaged(`tail: entry ${index} is not the one the state has`);
    }
  });
  // Cut already, because these bundles were fsynced; the state was to hear of it with the next commit.
  for (let first = head.sealedTo; first < start; first += TILE_WIDTH) {
    const path = entriesPath(first / TILE_WIDTH, TILE_WIDTH);
    const at = first - head.sealedTo;
    const bundle = await tiles.get(path);
    if (!bundle || !equalBytes(bundle, formatBundle(pending.slice(at, at + TILE_WIDTH)))) {
      throw damaged(
        `${path}: expected the bundle of the entries the state has, found ${bundle ? 'another' : 'no file'}`,
      );
    }
  }
  const mended: string[] = [];
  if (torn !== undefined) mended.push(`the tail file was torn by a crash and is written anew: ${torn}`);
  if (end < head.size) mended.push(`entries ${end} to ${head.size - 1} were committed and are made readable`);
  return { readableSize: torn === undefined ? end : Math.min(end, signedSize), mended };
}
