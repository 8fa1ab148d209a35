import type { AnyStatement } from '../attestation/index.js';
import { MAX_ENTRY_SIZE } from '../tlog/index.js';
import { SubmissionError } from './errors.js';
import type { KeyedChanges, KeyedReader } from './storage/types.js';

/** A submission that is well-formed, and whatever could be verified of it in parallel. */
export interface Prepared {
  /** The leaf: what is logged if it is admitted. */
  readonly entry: Uint8Array;
  /** 32 bytes: what makes two submissions the same entry. undefined where nothing does. */
  readonly id: Uint8Array | undefined;
  /** Its index, if it was in the log already and what could be asked of the one sent now is right. */
  readonly known?: number | undefined;
  /** What it states, where that was read: for those who index it. */
  readonly statement?: AnyStatement;
}

/** What the server's own entries may do that a submitter's may not. */
export type Source = 'submitter' | 'server';

/**
 * The rules for what is logged. `prepare` runs for many submissions at once and looks at nothing but
 * the submission and the ledger as committed; `admit` runs for one at a time, in the order of the
 * log.
 */
export interface Admission<P extends Prepared = Prepared> {
  /** Throws SubmissionError or NotAdmittedError. */
  prepare(body: Uint8Array, source: Source): Promise<P>;
  /**
   * What the entry changes in the ledger if it becomes entry `index`. Reads the ledger as it is after
   * entry `index - 1`. Throws SubmissionError or NotAdmittedError.
   */
  admit(prepared: P, index: number, ledger: KeyedReader, source: Source): Promise<KeyedChanges>;
}

/** `--admission none`: any bytes are logged, equal ones again, and nothing is remembered of them. */
export const admitAnything: Admission = {
  prepare: (body) => {
    if (body.length <= MAX_ENTRY_SIZE) return Promise.resolve({ entry: body, id: undefined });
    const message = `expected at most ${MAX_ENTRY_SIZE} bytes, found ${body.length}`;
    return Promise.reject(new SubmissionError('entry_too_large', message));
  },
  admit: () => Promise.resolve(NO_CHANGES),
};

const NO_CHANGES: KeyedChanges = new Map();

/** The ledger as it will be after the entries of the batch so far: their changes over the committed store. */
export class Overlay implements KeyedReader {
  readonly #base: KeyedReader;
  readonly changes: Map<string, Uint8Array | null> = new Map();

  constructor(base: KeyedReader) {
    this.#base = base;
  }

  get(key: string): Promise<Uint8Array | undefined> {
    const changed = this.changes.get(key);
    if (changed === undefined) return this.#base.get(key);
    return Promise.resolve(changed ?? undefined);
  }

  apply(changes: KeyedChanges): void {
    for (const [key, value] of changes) this.changes.set(key, value);
  }
}
