// Reading a state and checking the chain of its commits. Every value read is checked against its own
// checksum, and what LevelDB itself refuses to read is damage like any other.
import type { GetOptions, IteratorOptions } from 'level';
import { equalBytes } from '../../tlog/index.js';
import { type Database, readKey } from './database.js';
import { StorageError, damaged, reason } from './error.js';
import { type StoredHead, commitKey, keysOf, parseCommitRecord, showKey, unseal } from './records.js';

/**
 * How many commit records are kept. LevelDB drops damaged batches from the middle of its write-ahead
 * log without a word, so the records must reach back further than that log: two of them of 4 MiB hold
 * at most about 12,000 of the smallest commits.
 */
export const KEPT_COMMITS: number = 16_384;

/** A value without its checksum. Throws StorageError "state_damaged". */
export async function readValue(
  db: Database,
  key: Uint8Array,
  options: GetOptions<Uint8Array, Uint8Array> = {},
): Promise<Uint8Array | undefined> {
  let value: Uint8Array | undefined;
  try {
    value = await readKey(db, key, options);
  } catch (cause) {
    throw damaged(`state: ${showKey(key)} cannot be read: ${reason(cause)}`, cause);
  }
  return value && unseal(key, value).payload;
}

/** Reads in order; what LevelDB itself finds wrong is damage like any other. */
export async function* walk(
  db: Database,
  options: IteratorOptions<Uint8Array, Uint8Array>,
): AsyncGenerator<[Uint8Array, Uint8Array]> {
  const iterator = db.iterator(options);
  try {
    for (;;) {
      const item = await iterator.next();
      if (item === undefined) return;
      yield item;
    }
  } catch (cause) {
    throw cause instanceof StorageError
      ? cause
      : damaged(`state: it cannot be read: ${reason(cause)}`, cause);
  } finally {
    await iterator.close();
  }
}

/** The last commits are all there, in order, each following from the one before, up to the head's. */
export async function checkChain(db: Database, head: StoredHead): Promise<void> {
  let expected = Math.max(0, head.commitNumber - KEPT_COMMITS + 1);
  let previous: Uint8Array | undefined;
  for await (const [key, value] of walk(db, keysOf('c'))) {
    if (!equalBytes(key, commitKey(expected))) {
      throw damaged(
        `state: expected the record of commit ${expected}, found ${showKey(key)}: writes were lost from the middle`,
      );
    }
    const record = parseCommitRecord(unseal(key, value).payload);
    if (previous && !equalBytes(record.previous, previous)) {
      throw damaged(`state: commit ${expected} does not follow from the one before it`);
    }
    previous = record.own;
    expected++;
  }
  if (expected !== head.commitNumber + 1 || !previous || !equalBytes(previous, head.chain)) {
    throw damaged(
      `state: the head is of commit ${head.commitNumber}, the last record of commit ${expected - 1}`,
    );
  }
}
