// How the keyed state is encoded, whatever store lies beneath. Every value ends in a checksum that
// also covers its key, since a damaged table may answer with another key's value:
//
//   value on disk = payload || first 16 bytes of SHA-256(length of key as 4 bytes || key || payload)
//
//   H                 head, JSON
//   c <number>        one record per commit, chained
//   e <index>         an entry that is not sealed yet
//   i <id>            index of the entry with this identity
//   l <key>           ledger
//   w <name>          size a witness last cosigned
//
// Numbers in keys are 8 bytes, big-endian, so that their order is the order of keys.
import {
  bytesUint,
  concatBytes,
  decodeHex,
  encodeHex,
  encodeUtf8,
  equalBytes,
  sha256,
} from '../../tlog/index.js';
import { damaged } from './error.js';
import type { Head } from './types.js';

const CHECKSUM_SIZE = 16;

function tagged(tag: string, rest: Uint8Array): Uint8Array {
  return concatBytes(encodeUtf8(tag), rest);
}

/**
 * Two for each entry: the tag in ASCII, the number as 8 bytes. A small array of its own would be given memory
 * outside the heap when LevelDB takes it; a Buffer's lies in a pool.
 */
function numbered(tag: number, number: number): Uint8Array {
  const key = Buffer.allocUnsafe(9);
  key[0] = tag;
  key.writeUInt32BE(Math.floor(number / 2 ** 32), 1);
  key.writeUInt32BE(number % 2 ** 32, 5);
  return key;
}

export const HEAD_KEY: Uint8Array = encodeUtf8('H');
export const commitKey = (number: number): Uint8Array => numbered(0x63, number);
export const entryKey = (index: number): Uint8Array => numbered(0x65, index);
export const idKey = (id: Uint8Array): Uint8Array => tagged('i', id);
export const ledgerKey = (key: string): Uint8Array => tagged('l', encodeUtf8(key, 'ledger key'));
export const witnessKey = (name: string): Uint8Array => tagged('w', encodeUtf8(name, 'witness name'));

/** A range that holds all keys of a tag. */
export function keysOf(tag: 'c' | 'e' | 'i' | 'l' | 'w'): { gte: Uint8Array; lt: Uint8Array } {
  const first = encodeUtf8(tag);
  return { gte: first, lt: Uint8Array.of((first[0] ?? 0) + 1) };
}

/** A key for messages: its tag, then a number or the rest as it is. */
export function showKey(key: Uint8Array): string {
  const tag = String.fromCharCode(key[0] ?? 0x3f);
  const rest = key.subarray(1);
  if (tag === 'c' || tag === 'e') return `${tag} ${rest.length === 8 ? bytesUint(rest) : encodeHex(rest)}`;
  return tag === 'i' ? `i ${encodeHex(rest)}` : JSON.stringify(new TextDecoder().decode(key));
}

/** A value with its checksum, and the whole digest for the sums kept beside the head. */
export interface Sealed {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly digest: Uint8Array;
}

/** What a checksum covers, with `room` bytes behind it. In one piece: a hash object for each value is what costs. */
function covered(key: Uint8Array, payload: Uint8Array, room = 0): Uint8Array {
  const bytes = Buffer.allocUnsafe(4 + key.length + payload.length + room);
  bytes.writeUInt32BE(key.length);
  bytes.set(key, 4);
  bytes.set(payload, 4 + key.length);
  return bytes;
}

export function seal(key: Uint8Array, payload: Uint8Array): Sealed {
  const bytes = covered(key, payload, CHECKSUM_SIZE);
  const end = bytes.length - CHECKSUM_SIZE;
  const digest = sha256(bytes.subarray(0, end));
  bytes.set(digest.subarray(0, CHECKSUM_SIZE), end);
  return { key, value: bytes.subarray(4 + key.length), digest };
}

/** Throws StorageError "state_damaged" if the checksum does not fit. */
export function unseal(key: Uint8Array, value: Uint8Array): { payload: Uint8Array; digest: Uint8Array } {
  // A plain array: LevelDB gives Buffers, whose slice() shares and whose toString() differs.
  const payload = new Uint8Array(value.buffer, value.byteOffset, Math.max(0, value.length - CHECKSUM_SIZE));
  const digest = sha256(covered(key, payload));
  if (!equalBytes(digest.subarray(0, CHECKSUM_SIZE), value.subarray(payload.length))) {
    throw damaged(`state: the value under ${showKey(key)} does not fit its checksum`);
  }
  return { payload, digest };
}

/**
 * How many keys there are and the sum of their digests, modulo 2^256: kept with every commit, so that
 * reading everything once finds a key that went missing. It finds damage; it is no commitment
 * against somebody who chooses the values.
 */
export class Tally {
  count: number;
  #sum: bigint;

  constructor(count = 0, sum = '0') {
    this.count = count;
    this.#sum = BigInt(`0x${sum}`);
  }

  add(digest: Uint8Array): void {
    this.count++;
    this.#sum = BigInt.asUintN(256, this.#sum + numberOf(digest));
  }

  remove(digest: Uint8Array): void {
    this.count--;
    this.#sum = BigInt.asUintN(256, this.#sum - numberOf(digest));
  }

  equals(other: Tally): boolean {
    return this.count === other.count && this.#sum === other.#sum;
  }

  clone(): Tally {
    return new Tally(this.count, this.sum);
  }

  get sum(): string {
    return this.#sum.toString(16);
  }
}

function numberOf(digest: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(digest).toString('hex')}`);
}

/** The head as it is stored: what the seam shows, the sums, and the end of the chain of commits. */
export interface StoredHead extends Head {
  readonly ids: Tally;
  readonly ledger: Tally;
  /** Digest of the last commit, 32 bytes. */
  readonly chain: Uint8Array;
}

export function formatHead(head: StoredHead): Uint8Array {
  return encodeUtf8(
    JSON.stringify({
      size: head.size,
      sealedTo: head.sealedTo,
      signedSize: head.signedSize,
      publishedSize: head.publishedSize,
      commitNumber: head.commitNumber,
      chain: encodeHex(head.chain),
      edge: head.edge.map(encodeHex),
      ids: [head.ids.count, head.ids.sum],
      ledger: [head.ledger.count, head.ledger.sum],
    }),
  );
}

/** Requires what formatHead wrote: the checksum has been checked, so its shape is believed. */
export function parseHead(payload: Uint8Array): StoredHead {
  const stored = JSON.parse(new TextDecoder().decode(payload)) as Omit<
    StoredHead,
    'chain' | 'edge' | 'ids' | 'ledger'
  > & {
    chain: string;
    edge: string[];
    ids: [number, string];
    ledger: [number, string];
  };
  return {
    ...stored,
    chain: decodeHex(stored.chain),
    edge: stored.edge.map((hash) => decodeHex(hash)),
    ids: new Tally(...stored.ids),
    ledger: new Tally(...stored.ledger),
  };
}

/** A commit's record: the digest of the commit before it, and its own. */
export function formatCommitRecord(previous: Uint8Array, own: Uint8Array): Uint8Array {
  return concatBytes(previous, own);
}

export function parseCommitRecord(payload: Uint8Array): { previous: Uint8Array; own: Uint8Array } {
  return { previous: payload.subarray(0, 32), own: payload.subarray(32) };
}

/** Digest of a commit: of the one before, and of everything it writes and deletes, in order. */
export function chainDigest(
  previous: Uint8Array,
  puts: readonly Sealed[],
  deleted: readonly Uint8Array[],
): Uint8Array {
  const size = deleted.reduce((sum, key) => sum + 4 + key.length, previous.length + 32 * puts.length);
  const bytes = Buffer.allocUnsafe(size);
  bytes.set(previous);
  let at = previous.length;
  for (const { digest } of puts) {
    bytes.set(digest, at);
    at += digest.length;
  }
  for (const key of deleted) {
    at = bytes.writeUInt32BE(key.length, at);
    bytes.set(key, at);
    at += key.length;
  }
  return sha256(bytes);
}
