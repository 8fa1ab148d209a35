import { formatVkey, proveConsistency } from '../../tlog/index.js';
import type { Clock, Vkey } from '../../tlog/index.js';
import type { WitnessClient } from '../../client/index.js';
import type { Collection } from '../head.js';
import type { Logger } from '../logger.js';
import { Bell } from '../signal.js';
import type { LogStorage } from '../storage/types.js';
import { judge } from './verdict.js';
import type { Verdict } from './verdict.js';
import type { WitnessSizes } from './witness-sizes.js';

/** What a link to one witness is made of. */
export interface WitnessLinkOptions {
  /** For logs and alarms: the policy's names of this witness. */
  readonly name: string;
  readonly client: WitnessClient;
  /** Ignore, once, what is remembered of it: the operator has added it anew. */
  readonly forget: boolean;
  readonly storage: LogStorage;
  readonly sizes: WitnessSizes;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The head signed last; undefined before the first. */
  readonly newest: () => Collection | undefined;
  /** Told of every verdict. */
  readonly onVerdict: (link: WitnessLink, verdict: Verdict, collection: Collection) => void;
  readonly signal: AbortSignal;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
/** A witness that moves while it is asked (another feeder) is followed this often, then left for later. */
const MAX_QUESTIONS = 4;

/**
 * Keeps one witness at the newest head: asks it to cosign, again with the right proof when it says
 * where it stands, again later when it is silent. One request at a time, so a witness that hangs
 * delays nobody but itself.
 *
 * The first exchange after a start is the gate's: it sends the last signed note with old size = its
 * size, which only a witness that holds this very tree answers with 200.
 */
export class WitnessLink {
  readonly #o: WitnessLinkOptions;
  readonly #bell = new Bell();
  #done: Collection | undefined;
  #met = false;
  /** What it cosigned last, of this process's questions. */
  #cosigned: number | undefined;
  #setAside: string | undefined;

  constructor(options: WitnessLinkOptions) {
    this.#o = options;
  }

  get name(): string {
    return this.#o.name;
  }

  get url(): string {
    return this.#o.client.url;
  }

  get vkeys(): readonly Vkey[] {
    return this.#o.client.vkeys;
  }

  /** Why this witness is asked no more, if so. */
  get setAside(): string | undefined {
    return this.#setAside;
  }

  /** There is a newer head. */
  ring(): void {
    this.#bell.ring();
  }

  /** The loop. Returns when the signal aborts, or when the witness has been set aside. */
  async run(): Promise<void> {
    const { signal, newest, onVerdict, clock, logger, name } = this.#o;
    signal.addEventListener('abort', () => this.#bell.ring());
    let pause = FIRST_PAUSE_MS;
    while (!signal.aborted && this.#setAside === undefined) {
      const collection = newest();
      if (collection === undefined || collection === this.#done) {
        await this.#bell.wait();
        continue;
      }
      const verdict = await this.#ask(collection).catch((error: unknown): Verdict => ({
        kind: 'silent',
        why: String(error),
      }));
      this.#remember(verdict, collection);
      onVerdict(this, verdict, collection);
      if (verdict.kind === 'in-step') {
        this.#done = collection;
        pause = FIRST_PAUSE_MS;
      } else if (verdict.kind === 'silent') {
        logger.log('warn', 'witness silent', { witness: name, why: verdict.why });
        await clock.sleep(pause, signal).catch(() => undefined);
        pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
      }
    }
  }

  /** Asks until there is a verdict that another question would not change. */
  async #ask(collection: Collection): Promise<Verdict> {
    const { client, storage, clock, newest, signal } = this.#o;
    const { size, note } = collection.head;
    const remembered =
      this.#cosigned ?? (this.#o.forget ? undefined : await storage.witnessSize(this.#key()));
    let oldSize = this.#met ? Math.min(remembered ?? 0, size) : size;
    for (let question = 0; question < MAX_QUESTIONS; question++) {
      const proof =
        oldSize === 0 || oldSize === size
          ? []
          : await proveConsistency(oldSize, size, storage.hashReader(size));
      const at = clock.now();
      const answer = await client.addCheckpoint({ oldSize, proof, note }, signal);
      const lastSigned = newest()?.head.size ?? size;
      const verdict = judge(answer, {
        headSize: size,
        oldSize,
        lastSigned,
        remembered,
        at,
        gate: !this.#met,
      });
      if (verdict.kind !== 'ask-from') {
        if (verdict.kind === 'superseded' && newest() === collection)
          return { kind: 'silent', why: 'it moves on' };
        return verdict;
      }
      oldSize = verdict.oldSize;
    }
    return { kind: 'silent', why: 'it names another size each time it is asked' };
  }

  #remember(verdict: Verdict, collection: Collection): void {
    switch (verdict.kind) {
      case 'in-step':
        this.#met = true;
        this.#cosigned = collection.head.size;
        this.#o.sizes.put(this.#key(), collection.head.size);
        return;
      case 'behind_witness':
        this.#setAside = `it has cosigned ${verdict.size} entries, more than this log has signed`;
        return;
      case 'forked':
        this.#setAside = `it holds another history: ${verdict.how}`;
        return;
      case 'went-back':
        this.#setAside = `it has gone back to ${verdict.size} entries`;
        return;
      case 'silent':
      case 'superseded':
      case 'ask-from':
        return;
    }
  }

  /** What the witness is remembered by: its first key, which no other witness has. */
  #key(): string {
    const [first] = this.vkeys;
    return first === undefined ? this.url : formatVkey(first);
  }
}
