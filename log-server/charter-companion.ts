import { KEYS, buildAnchor, formatEnvelope, lastAnchor, termsInForce } from '../attestation/index.js';
import type { AnchorRecord, Head, Terms } from '../attestation/index.js';
import { decodeUtf8, encodeUtf8, equalBytes } from '../tlog/index.js';
import type { Clock } from '../tlog/index.js';
import type { Companion, CompanionView } from './companion.js';
import type { Logger } from './logger.js';
import { Bell } from './signal.js';
import type { LogStorage } from './storage/types.js';

/** What the companion of a log with a charter is made of. */
export interface CharterCompanionOptions {
  readonly storage: LogStorage;
  /** Leaf bytes of the charter, entry 0. */
  readonly charter: Uint8Array;
  /** 32-byte seed of the charter's anchor key, and that key as the terms name it. */
  readonly anchorSeed: Uint8Array;
  readonly anchorKey: string;
  /** The policy the server runs under. */
  readonly policy: Uint8Array;
  readonly clock: Clock;
  readonly logger: Logger;
}

const RETRY_MS = 1000;

/**
 * Makes the server's own entries: the charter as entry 0; an anchor of size 1 as entry 1; then, at the
 * charter's interval, idle or not, an anchor of the published checkpoint, if that is newer than the
 * last anchored one; and after a freeze, one last. Publishing alone never triggers one.
 */
export class CharterCompanion implements Companion {
  readonly #o: CharterCompanionOptions;
  readonly #bell = new Bell();
  #state: Companion['state'] = 'starting';
  /** On the monotonic clock, milliseconds. */
  #due = Number.NEGATIVE_INFINITY;
  #anchorInterval: number | undefined;
  /** A size of the tree that has the amendment by which policy or anchor key is no longer the one we run under. */
  #newTermsAt: number | undefined;

  constructor(options: CharterCompanionOptions) {
    this.#o = options;
  }

  get state(): Companion['state'] {
    return this.#state;
  }

  get anchorInterval(): number | undefined {
    return this.#anchorInterval;
  }

  async run(log: CompanionView, signal: AbortSignal): Promise<void> {
    const { clock, logger, storage } = this.#o;
    // One listener for good: a promise that is raced again and again for months remembers every race.
    signal.addEventListener('abort', () => this.#bell.ring());
    log.onPublished(() => this.#bell.ring());
    await Promise.race([log.opened, aborted(signal)]);
    await this.#firstDue();
    while (!signal.aborted) {
      try {
        if (storage.size === 0) await log.submit(this.#o.charter);
        else if (!(await this.#turn(log))) return;
      } catch (error) {
        logger.log('warn', 'an entry of the log itself is not published yet', { error: String(error) });
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  /** One look at what is due. False when there will never be anything more to do. */
  async #turn(log: CompanionView): Promise<boolean> {
    const { storage, clock, policy } = this.#o;
    const head = await headOf(storage);
    const inForce = await termsInForce(storage.ledger);
    const last = await lastAnchor(storage.ledger);
    const published = log.published();
    if (head === undefined || inForce === undefined || published === undefined) {
      await this.#wait();
      return true;
    }
    this.#anchorInterval = inForce.terms.anchorInterval;
    if (last !== undefined && published.size > last.index && this.#state === 'starting')
      this.#state = 'ready';
    const { frozenAt } = head;
    if (frozenAt !== null && last !== undefined && last.index > frozenAt) {
      this.#state = 'frozen';
      if (published.size <= last.index) return this.#wait().then(() => true);
      const { size } = published;
      this.#o.logger.log('info', 'frozen: the last tree is published, the log only serves', {
        frozenAt,
        size,
      });
      return false;
    }
    const other = !equalBytes(encodeUtf8(inForce.terms.policy), policy)
      ? 'witness policy: put the one'
      : inForce.terms.anchorKey !== this.#o.anchorKey && 'anchor key: put the file of the one';
    if (other !== false) {
      this.#newTermsAt ??= storage.size;
      // Whoever sent the amendment is answered first.
      if (published.size < this.#newTermsAt) return this.#wait().then(() => true);
      log.stop(`an amendment has changed the ${other} in force into the folder and start again`);
      return false;
    }
    const final = frozenAt !== null && published.size > frozenAt;
    const isDue = last === undefined || final || clock.monotonic() >= this.#due;
    if (!isDue || published.size <= (last?.size ?? 0)) {
      await this.#wait();
      return true;
    }
    this.#due = clock.monotonic() + inForce.terms.anchorInterval * 1000;
    await log.submit(this.#anchorOf(published.note, inForce.terms));
    return true;
  }

  #anchorOf(note: Uint8Array, terms: Terms): Uint8Array {
    return formatEnvelope(buildAnchor({ note, terms, anchorSeed: this.#o.anchorSeed }));
  }

  /** Until something is published, or the next anchor is due, or it is all over. */
  async #wait(): Promise<void> {
    const { clock } = this.#o;
    const over = new AbortController();
    const ms = this.#due - clock.monotonic();
    // One that is overdue waits for something newer to anchor, which only a publication brings.
    if (ms > 0) {
      clock.sleep(ms, over.signal).then(
        () => this.#bell.ring(),
        () => undefined,
      );
    }
    await this.#bell.wait();
    over.abort(new Error('awake'));
  }

  /** A restart does not begin the interval anew: it goes on from the last anchor's own time, if it has one. */
  async #firstDue(): Promise<void> {
    const { storage, clock } = this.#o;
    const head = await headOf(storage);
    const inForce = await termsInForce(storage.ledger);
    this.#anchorInterval = inForce?.terms.anchorInterval;
    if (head === undefined || inForce === undefined || head.anchors === 0) return;
    const record = await storage.ledger.get(KEYS.anchor(head.anchors - 1));
    if (record === undefined) return;
    const { upper } = JSON.parse(decodeUtf8(record)) as AnchorRecord;
    if (upper === null) return;
    const age = Math.max(0, clock.now() - upper * 1000);
    this.#due = clock.monotonic() + inForce.terms.anchorInterval * 1000 - age;
  }
}

async function headOf(storage: LogStorage): Promise<Head | undefined> {
  const bytes = await storage.ledger.get(KEYS.head);
  return bytes === undefined ? undefined : (JSON.parse(decodeUtf8(bytes)) as Head);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
