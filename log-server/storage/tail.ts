// The tail file: the second copy of entries that are in no fsynced bundle yet.
//
//   "stele-tail 0\n" || first index (8 bytes) || SHA-256 of all that        once
//   first index (8) || count (4) || length of body (4) || body || SHA-256   per append
//   body = count times: length (4) || entry
//
// Each record's checksum also covers the checksum before it, so records stand in their order or not
// at all. Integers are big-endian.
import { createHash } from 'node:crypto';
import { bytesUint, concatBytes, encodeUtf8, equalBytes, uintBytes } from '../../tlog/index.js';
import { type StorageError, damaged } from './error.js';
import { replaceFile } from './atomic-file.js';
import { failedBefore } from './file-tiles.js';
import type { Disk } from './types.js';

const MAGIC = encodeUtf8('stele-tail 0\n');
const HEADER_SIZE = MAGIC.length + 8 + 32;
const RECORD_HEAD = 16;

function sha256(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function formatHeader(start: number): Uint8Array {
  const head = concatBytes(MAGIC, uintBytes(start, 8));
  return concatBytes(head, sha256(head));
}

function formatRecord(start: number, entries: readonly Uint8Array[], previous: Uint8Array): Uint8Array {
  const body = entries.reduce((sum, entry) => sum + 4 + entry.length, 0);
  const record = new Uint8Array(RECORD_HEAD + body + 32);
  let at = 0;
  const put = (bytes: Uint8Array): void => {
    record.set(bytes, at);
    at += bytes.length;
  };
  put(uintBytes(start, 8));
  put(uintBytes(entries.length, 4));
  put(uintBytes(body, 4));
  for (const entry of entries) {
    put(uintBytes(entry.length, 4));
    put(entry);
  }
  put(sha256(previous, record.subarray(0, at)));
  return record;
}

/** What a tail file holds, as far as it can be believed. */
export interface TailContent {
  /** Index of the first entry, a multiple of 256. */
  readonly start: number;
  readonly entries: Uint8Array[];
  /** What is wrong with the rest of the file, if it does not end with a whole record. */
  readonly torn: string | undefined;
  /** Bytes up to the end of the last whole record. */
  readonly bytes: number;
  /** Checksum of the last whole record. */
  readonly checksum: Uint8Array;
}

/** Reads as much as fits its checksums. Throws StorageError "state_damaged" if that is not even the header. */
export function parseTail(file: Uint8Array): TailContent {
  const header = file.subarray(0, HEADER_SIZE);
  if (
    header.length < HEADER_SIZE ||
    !equalBytes(header.subarray(0, MAGIC.length), MAGIC) ||
    !equalBytes(header.subarray(MAGIC.length + 8), sha256(header.subarray(0, MAGIC.length + 8)))
  ) {
    throw damaged(`tail: the first ${HEADER_SIZE} bytes of ${file.length} are not the header of a tail file`);
  }
  const start = bytesUint(header.subarray(MAGIC.length, MAGIC.length + 8), 'tail');
  const entries: Uint8Array[] = [];
  let checksum = header.subarray(MAGIC.length + 8);
  let offset = HEADER_SIZE;
  let torn: string | undefined;
  while (offset < file.length) {
    const record = readRecord(file.subarray(offset), start + entries.length, checksum);
    if (typeof record === 'string') {
      torn = `${record} at byte ${offset} of ${file.length}, where entry ${start + entries.length} should follow`;
      break;
    }
    for (const entry of record.entries) entries.push(entry);
    checksum = record.checksum;
    offset += record.size;
  }
  return { start, entries, torn, bytes: offset, checksum };
}

function readRecord(
  rest: Uint8Array,
  index: number,
  previous: Uint8Array,
): string | { entries: Uint8Array[]; checksum: Uint8Array; size: number } {
  if (rest.length < RECORD_HEAD) return 'a record cut off';
  const count = bytesUint(rest.subarray(8, 12));
  const end = RECORD_HEAD + bytesUint(rest.subarray(12, 16));
  if (end + 32 > rest.length) return 'a record cut off';
  const checksum = rest.subarray(end, end + 32);
  if (!equalBytes(checksum, sha256(previous, rest.subarray(0, end)))) return 'a wrong checksum';
  if (!equalBytes(rest.subarray(0, 8), uintBytes(index, 8))) return 'a record of other entries';
  const entries: Uint8Array[] = [];
  for (let at = RECORD_HEAD; entries.length < count;) {
    const length = bytesUint(rest.subarray(at, at + 4));
    entries.push(rest.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return { entries, checksum, size: end + 32 };
}

/** Writes the tail file. After an error the next write replaces the file instead of adding to it. */
export class Tail {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #hooks: { written: () => Promise<void>; renamed: () => Promise<void> };
  /** undefined: what the file holds is not known. */
  #written: { end: number; bytes: number; checksum: Uint8Array } | undefined;

  constructor(
    disk: Disk,
    path: string,
    hooks: { written: () => Promise<void>; renamed: () => Promise<void> },
  ) {
    this.#disk = disk;
    this.#path = path;
    this.#hooks = hooks;
  }

  /** undefined if there is no file. Throws StorageError "state_damaged". */
  async load(): Promise<TailContent | undefined> {
    const file = await this.#disk.read(this.#path);
    if (file === undefined) return undefined;
    const content = parseTail(file);
    if (content.torn === undefined) {
      const { start, entries, bytes, checksum } = content;
      this.#written = { end: start + entries.length, bytes, checksum };
    }
    return content;
  }

  /** Where the next append begins; undefined if the file has to be replaced. */
  get end(): number | undefined {
    return this.#written?.end;
  }

  /** Adds entries behind {@link end}. Throws StorageError "storage_failed". */
  async append(entries: readonly Uint8Array[]): Promise<void> {
    const written = this.#written;
    if (written === undefined) throw new RangeError('tail: replace it first');
    if (entries.length === 0) return;
    const record = formatRecord(written.end, entries, written.checksum);
    this.#written = undefined;
    try {
      await this.#disk.append(this.#path, written.bytes, record);
      await this.#hooks.written();
    } catch (cause) {
      throw this.#failed(cause);
    }
    this.#written = {
      end: written.end + entries.length,
      bytes: written.bytes + record.length,
      checksum: record.subarray(record.length - 32),
    };
  }

  /** The file now holds these entries alone. Throws StorageError "storage_failed" or "outcome_unknown". */
  async replace(start: number, entries: readonly Uint8Array[]): Promise<void> {
    this.#written = undefined;
    const header = formatHeader(start);
    const parts = [header];
    if (entries.length > 0) parts.push(formatRecord(start, entries, header.subarray(header.length - 32)));
    const file = concatBytes(...parts);
    await replaceFile(this.#disk, this.#path, file, this.#hooks);
    this.#written = {
      end: start + entries.length,
      bytes: file.length,
      checksum: file.subarray(file.length - 32),
    };
  }

  #failed(cause: unknown): StorageError {
    // Nothing was acknowledged on the strength of it, and the next write makes a new file.
    return failedBefore('tail', cause);
  }
}
