import { SteleError, encodeHex } from '../tlog/index.js';
import { Overlay } from './admission.js';
import type { Admission, Prepared, Source } from './admission.js';
import { SubmissionError } from './errors.js';
import { gathered } from './gathering.js';
import type { PublishedHead } from './head.js';
import type { Logger } from './logger.js';
import type { Publisher } from './publisher.js';
import { Bell } from './signal.js';
import type { LogStepHook } from './steps.js';
import { StorageError } from './storage/error.js';
import type { LogStorage } from './storage/types.js';

/** What a submitter is told: where the entry is, and a published tree that contains it. */
export interface Receipt {
  readonly index: number;
  /** The leaf as it is logged; of a payload sent again, the one logged the first time. */
  readonly entry: Uint8Array;
  readonly published: PublishedHead;
}

/** Bounds of the sequencer. */
export interface SequencerLimits {
  /** Submissions waiting for their batch. Above it: 503 queue_full. */
  readonly queueEntries: number;
  /** Their bytes together. */
  readonly queueBytes: number;
  readonly batchEntries: number;
  readonly batchBytes: number;
  /** Entries committed and not published. Above it: 503 backlog_full. */
  readonly backlog: number;
}

/** What a sequencer is made of. */
export interface SequencerOptions {
  readonly storage: LogStorage;
  readonly admission: Admission;
  readonly publisher: Publisher;
  /** Resolves with a published tree of at least this size. */
  readonly covered: (size: number) => Promise<PublishedHead>;
  /** Told of what was committed: entries from index `first` on, as they were prepared. */
  readonly committed: (first: number, entries: readonly Prepared[]) => void;
  readonly limits: SequencerLimits;
  readonly logger: Logger;
  readonly step: LogStepHook;
}

interface Pending {
  readonly prepared: Prepared;
  readonly source: Source;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (reason: Error) => void;
}

interface Assigned {
  readonly index: number;
  readonly pending: Pending;
}

/**
 * Admits and assigns indexes, one entry at a time, and commits them in batches: what comes while one
 * batch is being written is the next, with what the event loop brings at once behind it. An entry is
 * answered when a published checkpoint covers it.
 *
 * An error whose outcome is unknown stops it for good: only a start, which checks everything, finds
 * out what landed.
 */
export class Sequencer {
  readonly #o: SequencerOptions;
  readonly #bell = new Bell();
  #queue: Pending[] = [];
  #queuedBytes = 0;
  #open = false;
  #draining = false;
  #preparing = 0;
  #stopped: SubmissionError | undefined;

  constructor(options: SequencerOptions) {
    this.#o = options;
  }

  /** Why nothing is sequenced any more, if so. */
  get stopped(): SubmissionError | undefined {
    return this.#stopped ?? this.#o.publisher.stopped;
  }

  /** The gate is open: entries may be committed. */
  open(): void {
    this.#open = true;
    this.#bell.ring();
  }

  /** Takes nothing new, commits what is queued, then `run` returns. */
  drain(): void {
    this.#draining = true;
    this.#bell.ring();
  }

  /**
   * Logs one entry and resolves when it is published. Throws SubmissionError or NotAdmittedError,
   * with which nothing was logged; or, with the codes `quorum_unreachable` and `stopped`, perhaps
   * committed: sent again, it has the same index.
   */
  submit(body: Uint8Array, source: Source = 'submitter'): Promise<Receipt> {
    // One promise for each entry that waits: garbage collection copies all that does.
    return new Promise((resolve, reject) => {
      this.#enter(body, source, resolve, reject).then((receipt) => {
        if (receipt !== undefined) resolve(receipt);
      }, reject);
    });
  }

  /** A receipt that needs no commit, or none: then the entry is in the queue. */
  async #enter(
    body: Uint8Array,
    source: Source,
    resolve: Pending['resolve'],
    reject: Pending['reject'],
  ): Promise<Receipt | undefined> {
    if (this.#draining) throw new SubmissionError('draining', 'the server is shutting down');
    const prepared = await this.#prepare(body, source);
    // A replay costs others neither a place in the queue nor a wait for the batch before it.
    const known = this.#publishedReceipt(prepared.known);
    if (known !== undefined) return known;
    if (this.stopped !== undefined || !this.#open) return this.#answerWithoutCommit(prepared);
    const { queueEntries, queueBytes } = this.#o.limits;
    if (this.#queue.length >= queueEntries || this.#queuedBytes + prepared.entry.length > queueBytes) {
      throw new SubmissionError('queue_full', `${this.#queue.length} entries are waiting already`);
    }
    this.#queue.push({ prepared, source, resolve, reject });
    this.#queuedBytes += prepared.entry.length;
    this.#bell.ring();
    return undefined;
  }

  /** The loop. Returns when it has stopped or drained. */
  async run(): Promise<void> {
    for (;;) {
      await gathered(() => (this.#open ? this.#queue.length : 0), this.#o.limits.batchEntries);
      if (this.stopped !== undefined) break;
      const batch = this.#takeBatch();
      if (batch.length === 0) {
        if (this.#draining && this.#preparing === 0) return;
        await this.#bell.wait();
        continue;
      }
      try {
        await this.#process(batch);
      } catch (error) {
        this.#failed(error, batch);
      }
    }
    for (const pending of this.#queue.splice(0)) pending.reject(this.stopped);
  }

  /** Counted, so that a drain does not end the loop before what was let in has reached the queue. */
  async #prepare(body: Uint8Array, source: Source): Promise<Prepared> {
    this.#preparing++;
    try {
      return await this.#o.admission.prepare(body, source);
    } finally {
      this.#preparing--;
      this.#bell.ring();
    }
  }

  /** What is published is known without committing anything; whatever else has to wait. */
  async #answerWithoutCommit(prepared: Prepared): Promise<Receipt> {
    const index = prepared.id === undefined ? undefined : await this.#o.storage.lookup(prepared.id);
    const known = this.#publishedReceipt(index);
    if (known !== undefined) return known;
    throw this.stopped ?? new SubmissionError('gate_closed', 'the log is not open for new entries');
  }

  /**
   * Of an entry that is published: the leaf as it is logged, whatever was sent. Undefined at once where it
   * is not: nothing may come between the end of a check and the place in the queue, or a drain would miss it.
   */
  #publishedReceipt(index: number | undefined): Promise<Receipt> | undefined {
    const { storage, publisher, step } = this.#o;
    const { published } = publisher;
    if (index === undefined || published === undefined || index >= published.size) return undefined;
    const receipt = async (): Promise<Receipt> => {
      await step('answer');
      return { index, entry: await storage.readEntry(index), published };
    };
    return receipt();
  }

  #takeBatch(): Pending[] {
    if (!this.#open) return [];
    const { batchEntries, batchBytes } = this.#o.limits;
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && count < batchEntries) {
      bytes += this.#queue[count]?.prepared.entry.length ?? 0;
      if (count > 0 && bytes > batchBytes) break;
      count++;
    }
    const batch = this.#queue.splice(0, count);
    for (const pending of batch) this.#queuedBytes -= pending.prepared.entry.length;
    return batch;
  }

  async #process(batch: readonly Pending[]): Promise<void> {
    const { storage } = this.#o;
    const oldSize = storage.size;
    const overlay = new Overlay(storage.ledger);
    const assigned: Assigned[] = [];
    const repeated: Assigned[] = [];
    const ids = new Map<string, number>();
    for (const pending of batch) {
      const { id } = pending.prepared;
      const index = id === undefined ? undefined : await this.#indexOf(id, ids);
      if (index !== undefined) {
        repeated.push({ index, pending });
      } else if (await this.#admit(pending, oldSize + assigned.length, overlay)) {
        if (id !== undefined) ids.set(encodeHex(id), oldSize + assigned.length);
        assigned.push({ index: oldSize + assigned.length, pending });
      }
    }
    if (assigned.length > 0) {
      await storage.commit({
        oldSize,
        entries: assigned.map(({ pending }) => pending.prepared.entry),
        ids: assigned.flatMap(({ index, pending: { prepared } }) =>
          prepared.id === undefined ? [] : [[prepared.id, index] as const],
        ),
        ledger: overlay.changes,
      });
      this.#o.committed(
        oldSize,
        assigned.map(({ pending }) => pending.prepared),
      );
    }
    const all = [...assigned, ...repeated];
    if (!(await this.#makeReadable(all))) return;
    // Not awaited: the next batch is admitted and committed while the witnesses look at this one.
    this.#answer(assigned, storage.size, 'as sent');
    for (const each of repeated) this.#answer([each], each.index + 1, 'as logged');
  }

  /** Also makes up for an earlier batch that was committed and could not be made readable. */
  async #makeReadable(batch: readonly Assigned[]): Promise<boolean> {
    const { storage, publisher, logger } = this.#o;
    if (storage.readableSize === storage.size) return true;
    try {
      await storage.makeReadable();
      publisher.readable();
      return true;
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'storage_failed') throw error;
      logger.log('alarm', 'committed entries could not be made readable', { error: error.message });
      const refusal = new SubmissionError('not_readable', 'the entry is committed and cannot be served yet');
      for (const { pending } of batch) pending.reject(refusal);
      return false;
    }
  }

  async #indexOf(id: Uint8Array, batch: ReadonlyMap<string, number>): Promise<number | undefined> {
    return batch.get(encodeHex(id)) ?? (await this.#o.storage.lookup(id));
  }

  /** False if the submitter has been told no. */
  async #admit({ prepared, source, reject }: Pending, index: number, overlay: Overlay): Promise<boolean> {
    const { admission, publisher, limits } = this.#o;
    const unpublished = index - (publisher.published?.size ?? 0);
    if (unpublished >= limits.backlog) {
      reject(
        new SubmissionError('backlog_full', `${unpublished} entries are committed and not yet published`),
      );
      return false;
    }
    try {
      overlay.apply(await admission.admit(prepared, index, overlay, source));
      return true;
    } catch (error) {
      // A storage error says nothing about this entry: the whole batch goes down with it.
      if (error instanceof StorageError || !(error instanceof SteleError)) throw error;
      reject(error);
      return false;
    }
  }

  /** Answers when a tree of `size` is published: one wait for a whole batch. */
  #answer(entries: readonly Assigned[], size: number, form: 'as sent' | 'as logged'): void {
    if (entries.length === 0) return;
    const { covered, storage, step } = this.#o;
    const answer = async (): Promise<void> => {
      const published = await covered(size);
      await step('answer');
      for (const { index, pending } of entries) {
        const entry = form === 'as sent' ? pending.prepared.entry : await storage.readEntry(index);
        pending.resolve({ index, entry, published });
      }
    };
    answer().catch((error: unknown) => {
      for (const { pending } of entries) pending.reject(asError(error));
    });
  }

  #failed(error: unknown, batch: readonly Pending[]): void {
    const { logger, publisher } = this.#o;
    const code = error instanceof StorageError ? error.code : 'internal';
    logger.log('alarm', 'a batch failed', { code, error: String(error) });
    if (code === 'storage_failed') {
      const refusal = new SubmissionError('storage_failed', 'the entries could not be written');
      for (const pending of batch) pending.reject(refusal);
      return;
    }
    this.#stopped = new SubmissionError('stopped', `the sequencer stopped: ${code}`);
    publisher.stop('stopped', this.#stopped.message);
    for (const pending of batch) pending.reject(this.#stopped);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
