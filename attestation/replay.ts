// Replay: the ledger from the entries alone. Whoever replays a log checks the log's own admissions, and
// two who replayed it compare one line.
import { CompactRange, encodeHex, leafHash, quote } from '../tlog/index.js';
import { admit, prepareEntry } from './admit.js';
import type { AdmissionContext } from './candidate.js';
import { AttestationError } from './errors.js';
import { KEYS, LedgerView, MemoryStore, digestValue, ledgerDigest, nextDigest } from './ledger.js';
import type { Finding } from './ledger.js';
import { equalBytes } from '../tlog/index.js';

/** An entry that the log holds and its own rules forbid. */
export interface Refused {
  readonly index: number;
  readonly code: string;
  readonly message: string;
}

/** What a replay yields. */
export interface Ledger {
  /** Entries replayed. */
  readonly size: number;
  /** 32 bytes; equal for all who replayed the same entries by the same rules. */
  readonly digest: Uint8Array;
  /** RFC 6962 root of the entries, 32 bytes: compare it with a checkpoint. */
  readonly root: Uint8Array;
  readonly store: MemoryStore;
  /** Entries that should not have been admitted: the log broke its own rules. */
  readonly refused: readonly Refused[];
  /** Everything that does not fit, in log order. */
  readonly findings: readonly Finding[];
}

/** Replays entry by entry, for a reader that follows a log. */
export class Replay {
  readonly store: MemoryStore = new MemoryStore();
  readonly #range = new CompactRange();
  // An anchor's size lies between the last anchor's and its own index: roots in between must be had.
  #anchored = new CompactRange();
  #since: Uint8Array[] = [];
  readonly #ids = new Map<string, number>();
  readonly #refused: Refused[] = [];
  #origin: string | undefined;

  /** `origin` refuses a log of another; without it the charter's own is taken. */
  constructor(origin?: string) {
    this.#origin = origin;
  }

  /** Replays one leaf. Errors about the entry are recorded, never thrown. */
  async push(leaf: Uint8Array): Promise<void> {
    const index = this.#range.size;
    const hash = leafHash(leaf);
    const refused = await this.#admit(index, leaf);
    if (refused !== undefined) {
      this.#refused.push(refused);
      const view = new LedgerView(this.store, index);
      view.find('not-admissible');
      const digest = nextDigest(await ledgerDigest(this.store), hash, view.changes);
      view.changes.set(KEYS.digest, digestValue(digest));
      this.store.apply(view.changes);
    }
    this.#range.append(hash);
    this.#since.push(hash);
  }

  async #admit(index: number, leaf: Uint8Array): Promise<Refused | undefined> {
    let prepared;
    try {
      prepared = prepareEntry(leaf);
    } catch (error) {
      if (!(error instanceof AttestationError)) throw error;
      return { index, code: error.code, message: error.message };
    }
    // The log holds the canonical form: another spelling of the same envelope is another leaf.
    if (prepared.leaf !== leaf && !equalBytes(prepared.leaf, leaf))
      return {
        index,
        code: 'not_canonical',
        message: `entry ${index}: expected the envelope's canonical form`,
      };
    const { predicate } = prepared.statement as { predicate: { terms?: { origin?: unknown } } };
    if (index === 0 && typeof predicate.terms?.origin === 'string') this.#origin ??= predicate.terms.origin;
    const context: AdmissionContext = {
      origin: this.#origin ?? '',
      treeRoot: (size) => Promise.resolve(this.#rootAt(size)),
      lookup: (id) => Promise.resolve(this.#ids.get(encodeHex(id))),
    };
    const answer = await admit(this.store, index, prepared, context);
    if (!answer.ok) return { index, code: answer.code, message: answer.message };
    this.#ids.set(encodeHex(prepared.id), index);
    this.store.apply(answer.changes);
    await this.#forget();
    return undefined;
  }

  #rootAt(size: number): Uint8Array {
    const range = this.#anchored.clone();
    for (const hash of this.#since.slice(0, size - this.#anchored.size)) range.append(hash);
    if (range.size !== size) throw new RangeError(`no root at ${quote(String(size))}`);
    return range.root();
  }

  /** After an anchor no later one can be of its size or a smaller one. */
  async #forget(): Promise<void> {
    const head = await new LedgerView(this.store, 0).head();
    const covered = (head?.anchorSize ?? 0) - this.#anchored.size;
    for (const hash of this.#since.splice(0, covered)) this.#anchored.append(hash);
  }

  /** The ledger so far. */
  async ledger(): Promise<Ledger> {
    const { size, digest } = await ledgerDigest(this.store);
    const findings: Finding[] = [];
    const view = new LedgerView(this.store, size);
    for (const key of [...this.store.values.keys()].filter((each) => each.startsWith('finding/')).sort()) {
      const finding = await view.get<Finding>(key);
      if (finding !== undefined) findings.push(finding);
    }
    return {
      size,
      digest,
      root: this.#range.root(),
      store: this.store,
      refused: [...this.#refused],
      findings,
    };
  }
}

/** Replays leaves from entry 0. Never throws for what an entry says. */
export async function replay(
  entries: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  origin?: string,
): Promise<Ledger> {
  const state = new Replay(origin);
  for await (const entry of entries) await state.push(entry);
  return state.ledger();
}
