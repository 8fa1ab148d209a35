import {
  SteleError,
  formatCheckpoint,
  formatVkey,
  openCheckpoint,
  parseCheckpoint,
  parseNote,
  quorumMet,
} from '../tlog/index.js';
import type { Clock, Policy } from '../tlog/index.js';
import { SigningError } from '../system/index.js';
import { SubmissionError } from './errors.js';
import { Collection } from './head.js';
import type { CosignatureLine, PublishedHead } from './head.js';
import type { HeadSigner } from './head-signer.js';
import type { Logger } from './logger.js';
import { Bell, Turnstile, deferred } from './signal.js';
import type { Deferred } from './signal.js';
import type { LogStepHook } from './steps.js';
import type { LogStorage } from './storage/types.js';

/** What a publisher is made of. */
export interface PublisherOptions {
  readonly storage: LogStorage;
  readonly signer: HeadSigner;
  readonly policy: Policy;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly step: LogStepHook;
  /** Least time from the beginning of one head to that of the next, milliseconds. */
  readonly publishIntervalMs: number;
  /** How long one head is in collection before the next may be signed, milliseconds. */
  readonly collectionTimeoutMs: number;
  readonly signal: AbortSignal;
}

interface Waiter {
  readonly size: number;
  readonly deferred: Deferred<PublishedHead>;
}

/**
 * SIGN → COSIGN → PUBLISH. Signs the readable head, holds it in collection until the policy's quorum
 * has cosigned or the collection has timed out, publishes, and wakes those who wait for their entry.
 *
 * What it keeps: a note is durable in its own file before a witness sees it; one head is in
 * collection at a time; nothing is published without its quorum; the published size never falls,
 * whichever collection ends last. A cosignature that comes late is merged if its head is still the
 * published one.
 */
export class Publisher {
  readonly #o: PublisherOptions;
  readonly #bell = new Bell();
  readonly #publishing = new Turnstile();
  #current: Collection | undefined;
  #published: PublishedHead | undefined;
  #publishedCollection: Collection | undefined;
  #collecting: Collection | undefined;
  #quorum: Deferred<void> = deferred();
  #waiters: Waiter[] = [];
  #stopped: SubmissionError | undefined;
  /** What could not be made the last time that was tried, and why. */
  readonly #unmade = new Map<Part, PublishingFailure>();
  #open = false;
  #draining = false;
  readonly #drained: Deferred<void> = deferred();
  #onHead: () => void = () => undefined;
  #onPublished: () => void = () => undefined;
  #lastSignedAt = Number.NEGATIVE_INFINITY;

  constructor(options: PublisherOptions) {
    this.#o = options;
    const { storage } = options;
    if (storage.published !== undefined) this.#published = headOf(storage.published.note);
    if (storage.signed !== undefined) {
      const current = new Collection(
        headOf(storage.signed),
        this.#linesOf(storage.published?.note, storage.signed),
      );
      this.#current = current;
      if (this.#published?.size === current.head.size && this.#isMet(current))
        this.#publishedCollection = current;
    }
  }

  /** What `/checkpoint` serves; undefined before the first publication. */
  get published(): PublishedHead | undefined {
    return this.#published;
  }

  /** The head that witnesses are asked to cosign: the one signed last. */
  get current(): Collection | undefined {
    return this.#current;
  }

  /** Why nothing is signed any more, if so. */
  get stopped(): SubmissionError | undefined {
    return this.#stopped;
  }

  /** Why notes cannot be signed or written at present, if so: it failed the last time, and nothing came of it since. */
  get failing(): PublishingFailure | undefined {
    const [first] = this.#unmade.values();
    return first;
  }

  /** Says whom to tell when there is a new head to cosign, and when one was published. */
  listen(onHead: () => void, onPublished: () => void): void {
    this.#onHead = onHead;
    this.#onPublished = onPublished;
  }

  /** The gate is open: signing may begin. */
  open(): void {
    this.#open = true;
    this.#bell.ring();
  }

  /** There may be more to sign: called after each READABLE. */
  readable(): void {
    this.#bell.ring();
  }

  /** Signs nothing more, until a human has decided. Idempotent. */
  stop(code: 'stopped', message: string, hint?: string): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = new SubmissionError(code, message, hint);
    this.#fail(Number.POSITIVE_INFINITY, this.#stopped);
    this.#bell.ring();
    this.#quorum.resolve();
  }

  /** Ends the loop once what is readable is published or a collection has failed. */
  drain(): void {
    this.#draining = true;
    this.#drained.resolve();
    this.#bell.ring();
  }

  /**
   * Resolves with the first published head of at least `size`. Throws SubmissionError
   * `quorum_unreachable` when a collection of a head that covers it times out, `gate_closed` before
   * the gate is open, `stopped` when signing has stopped.
   */
  waitFor(size: number): Promise<PublishedHead> {
    if (this.#published !== undefined && this.#published.size >= size)
      return Promise.resolve(this.#published);
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    if (!this.#open)
      return Promise.reject(new SubmissionError('gate_closed', 'the log is not open for signing'));
    const waiter = { size, deferred: deferred<PublishedHead>() };
    this.#waiters.push(waiter);
    return waiter.deferred.promise;
  }

  /** Takes verified cosignatures of a head, on time or late. */
  cosigned(collection: Collection, lines: readonly CosignatureLine[]): void {
    collection.add(lines);
    if (!this.#open || !this.#isMet(collection)) return;
    if (collection === this.#collecting) this.#quorum.resolve();
    else this.#publish(collection).catch((error: unknown) => this.#failed(error));
  }

  /** The loop. Returns when the signal aborts, or when it has drained. */
  async run(): Promise<void> {
    const { signal } = this.#o;
    signal.addEventListener('abort', () => {
      this.#bell.ring();
      this.#quorum.resolve();
    });
    for (;;) {
      if (signal.aborted || this.#stopped !== undefined) return;
      if (!this.#open || !this.#hasWork()) {
        if (this.#draining) return;
        await this.#bell.wait();
        continue;
      }
      try {
        if (this.#mustSign()) await this.#sign();
        const done = await this.#collect();
        if (!done && this.#draining) return;
      } catch (error) {
        await this.#failed(error);
      }
    }
  }

  #mustSign(): boolean {
    return this.#current === undefined || this.#o.storage.readableSize > this.#current.head.size;
  }

  #hasWork(): boolean {
    const merged = !this.#unmade.has('published note');
    return this.#mustSign() || this.#current !== this.#publishedCollection || !merged;
  }

  #isOver(): boolean {
    return this.#o.signal.aborted || this.#stopped !== undefined;
  }

  #isMet(collection: Collection): boolean {
    return quorumMet(this.#o.policy, collection.witnesses);
  }

  async #sign(): Promise<void> {
    const { storage, clock, signer, step, publishIntervalMs, signal } = this.#o;
    const wait = this.#lastSignedAt + publishIntervalMs - clock.monotonic();
    if (wait > 0) await Promise.race([clock.sleep(wait, signal), this.#drained.promise]);
    if (this.#isOver()) return;
    const begun = clock.monotonic();
    const size = storage.readableSize;
    const rootHash = await storage.rootAt(size);
    const text = formatCheckpoint({ origin: storage.origin, size, rootHash, extensions: [] });
    const note = await this.#attempt('signature', () => signer.sign(text));
    // Signing takes a while; whoever has stopped it meanwhile sees nothing new signed.
    if (this.#isOver()) return;
    await step('sign:before');
    await this.#attempt('signed note', () => storage.writeSigned(note));
    await step('sign:after');
    // From the beginning of one to that of the next: what signing and writing take is not waited for on top.
    this.#lastSignedAt = begun;
    this.#current = new Collection({ size, rootHash, note });
  }

  /** Holds the current head in collection, then publishes it. False if it ended without a quorum. */
  async #collect(): Promise<boolean> {
    const collection = this.#current;
    if (collection === undefined) return true;
    this.#quorum = deferred();
    this.#collecting = collection;
    await this.#o.step('cosign');
    this.#onHead();
    // A cosignature may have come before this collection began: at the gate, or late.
    if (!this.#isMet(collection)) await this.#quorumOrTimeout();
    this.#collecting = undefined;
    if (this.#o.signal.aborted || this.#stopped !== undefined) return false;
    const { size } = collection.head;
    if (!this.#isMet(collection)) {
      this.#o.logger.log('warn', 'quorum not reached', { size, cosigned: [...collection.witnesses] });
      const message = `the quorum did not cosign the tree of ${String(size)} entries in time`;
      this.#fail(size, new SubmissionError('quorum_unreachable', message));
      return false;
    }
    await this.#publish(collection);
    return true;
  }

  /** Shutting down and stopping end it too: both resolve the quorum's promise. */
  async #quorumOrTimeout(): Promise<void> {
    const over = new AbortController();
    const timeout = this.#o.clock.sleep(this.#o.collectionTimeoutMs, over.signal).catch(() => undefined);
    await Promise.race([this.#quorum.promise, timeout]);
    over.abort(new Error('the collection is over'));
  }

  /** PUBLISH, unless something larger is published already. */
  #publish(collection: Collection): Promise<void> {
    return this.#publishing.run(async () => {
      const { storage, policy, step } = this.#o;
      if (this.#stopped !== undefined) return;
      if (this.#published !== undefined && collection.head.size < this.#published.size) return;
      const note = collection.merged();
      if (this.#publishedCollection === collection && this.#published?.note.length === note.length) return;
      await step('publish:before');
      await this.#attempt('published note', () => storage.writePublished(note, policy.text));
      await step('publish:after');
      const { size, rootHash } = collection.head;
      this.#published = { size, rootHash, note };
      this.#publishedCollection = collection;
      this.#wake();
      this.#onPublished();
    });
  }

  /** Remembers whether the last attempt at this part failed in a way that is to be tried again. */
  async #attempt<T>(part: Part, work: () => Promise<T>): Promise<T> {
    try {
      const done = await work();
      this.#unmade.delete(part);
      return done;
    } catch (error) {
      const code = passing(error);
      if (code !== undefined) this.#unmade.set(part, { code, message: `${part}: ${String(error)}` });
      throw error;
    }
  }

  #wake(): void {
    const head = this.#published;
    if (head === undefined) return;
    const due = this.#waiters.filter((waiter) => waiter.size <= head.size);
    this.#waiters = this.#waiters.filter((waiter) => waiter.size > head.size);
    for (const waiter of due) waiter.deferred.resolve(head);
  }

  #fail(size: number, error: Error): void {
    const due = this.#waiters.filter((waiter) => waiter.size <= size);
    this.#waiters = this.#waiters.filter((waiter) => waiter.size > size);
    for (const waiter of due) waiter.deferred.reject(error);
  }

  /** Signing or writing a note failed. Nothing landed: try again later. Not known: stop. */
  async #failed(error: unknown): Promise<void> {
    const { logger, clock, signal } = this.#o;
    if (signal.aborted) return;
    const code = codeOf(error);
    logger.log('alarm', 'publishing failed', { code, error: String(error) });
    const again = passing(error);
    if (again !== undefined) {
      const what = again === 'storage_failed' ? 'written' : 'signed';
      this.#fail(Number.POSITIVE_INFINITY, new SubmissionError(again, `the checkpoint could not be ${what}`));
      await clock.sleep(1000, signal).catch(() => undefined);
      // The loop may be waiting: a late cosignature's merge failed, and is tried again.
      this.#bell.ring();
      return;
    }
    this.stop('stopped', `publishing stopped: ${code}`);
  }

  /** Cosignature lines of the policy's witnesses in a published note, if it is of the same head. */
  #linesOf(published: Uint8Array | undefined, signed: Uint8Array): CosignatureLine[] {
    if (published === undefined) return [];
    const { policy, signer } = this.#o;
    const opened = openCheckpoint(
      published,
      signer.vkeys,
      policy.witnesses.map((witness) => witness.vkey),
    );
    if (opened.text !== parseNote(signed).text) return [];
    return opened.cosignatures.flatMap((cosignature) => {
      const vkey = formatVkey(cosignature.vkey);
      const witness = policy.witnesses.find((w) => formatVkey(w.vkey) === vkey);
      return witness === undefined ? [] : [{ vkey, witness: witness.name, line: cosignature.line }];
    });
  }
}

function headOf(note: Uint8Array): PublishedHead {
  const { size, rootHash } = parseCheckpoint(parseNote(note).text);
  return { size, rootHash, note };
}

type Part = 'signature' | 'signed note' | 'published note';

/** What keeps notes from being signed or written, for `/readyz`. */
export interface PublishingFailure {
  readonly code: 'storage_failed' | 'signing_failed';
  readonly message: string;
}

/** The code of a failure after which nothing landed; undefined for any other. */
function passing(error: unknown): PublishingFailure['code'] | undefined {
  if (error instanceof SigningError) return 'signing_failed';
  return codeOf(error) === 'storage_failed' ? 'storage_failed' : undefined;
}

function codeOf(error: unknown): string {
  return error instanceof SteleError ? error.code : 'internal';
}
