// Who is convicted: what two heads prove becomes evidence, is kept, and is told to the peers.
import {
  checkAlone,
  compareCheckpoints,
  type EvidenceKeys,
  type MadeEvidence,
} from '../../evidence/index.js';
import { SteleError, type Vkey } from '../../tlog/index.js';
import type { Logger } from '../log.js';
import { noteOf, type Head } from './head.js';
import type { Keeper } from './keeper.js';
import type { KeptEvidence, Owed } from './ports.js';
import type { Shelf, Shelved } from './shelf.js';
import type { Teller } from './tell.js';
import type { Watched } from './watched.js';

/** What heads gave. */
export interface Made {
  /** Hex SHA-256 of the files that were news. */
  readonly stored: readonly string[];
  /** How many cases they prove, known ones too. */
  readonly count: number;
}

export interface CourtOptions {
  readonly shelf: Shelf;
  readonly keeper: Keeper;
  readonly teller: Teller;
  readonly log: Logger;
}

export class Court {
  readonly #shelf: Shelf;
  readonly #keeper: Keeper;
  readonly #teller: Teller;
  readonly #log: Logger;
  readonly #watched: ReadonlyMap<string, Watched>;
  /** The witness keys that can be convicted: our own, and the peers'. */
  witnesses: readonly Vkey[];

  constructor(
    { shelf, keeper, teller, log }: CourtOptions,
    watched: ReadonlyMap<string, Watched>,
    witnesses: readonly Vkey[],
  ) {
    this.#shelf = shelf;
    this.#keeper = keeper;
    this.#teller = teller;
    this.#log = log;
    this.#watched = watched;
    this.witnesses = witnesses;
  }

  /** What evidence convicts depends on whose keys are known: judges all of it again. */
  judge(): void {
    this.#shelf.judge(this.#allKeys());
  }

  /** Makes and keeps what evidence two heads give: a file for each key that signed both. */
  async convict(w: Watched, a: Head, b: Head, shown?: Owed): Promise<Made> {
    try {
      const { evidence } = await compareCheckpoints([noteOf(a), noteOf(b)], this.#keys(w), shown);
      return { stored: await this.#shelve(w, evidence), count: evidence.length };
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      this.#log('error', 'evidence-not-made', { origin: w.log.origin, message: error.message });
      return { stored: [], count: 0 };
    }
  }

  /** The same of a head that convicts who signed it by itself. */
  async alone(w: Watched, head: Head): Promise<Made> {
    const made = checkAlone(noteOf(head), this.#keys(w));
    return { stored: await this.#shelve(w, made), count: made.length };
  }

  /** Takes a file of evidence from whoever offers it: verified by our own keys, kept if it is news. */
  async take(bytes: Uint8Array): Promise<Shelved> {
    const outcome = await this.#shelf.add(bytes, this.#allKeys());
    if (outcome.kind === 'stored') this.#proven(outcome.kept);
    return outcome;
  }

  async #shelve(w: Watched, made: readonly MadeEvidence[]): Promise<readonly string[]> {
    const stored: string[] = [];
    for (const { bytes } of made) {
      const outcome = await this.#shelf.add(bytes, this.#allKeys());
      if (outcome.kind !== 'stored') continue;
      stored.push(outcome.kept.sha256);
      this.#proven(outcome.kept);
    }
    if (stored.length > 0) this.#keeper.touch(w);
    return stored;
  }

  #proven(kept: KeptEvidence): void {
    this.#log('error', 'evidence', { ...kept });
    const bytes = this.#shelf.file(kept.sha256);
    if (bytes) this.#teller.proof(kept.sha256, bytes);
  }

  #keys(w: Watched): EvidenceKeys {
    const { origin, keys } = w.log;
    return { logs: keys.map((vkey) => ({ vkey, origin })), witnesses: this.#accusable() };
  }

  #allKeys(): EvidenceKeys {
    const logs = [...this.#watched.values()].flatMap(({ log: { origin, keys } }) =>
      keys.map((vkey) => ({ vkey, origin })),
    );
    return { logs, witnesses: this.#accusable() };
  }

  #accusable(): { vkey: Vkey }[] {
    return this.witnesses.map((vkey) => ({ vkey }));
  }
}
