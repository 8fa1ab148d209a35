// The witness without its doors: what happens to a request body, and what it comes to.
import { SigningError } from '../system/index.js';
import {
  COSIGNATURE_MLDSA44,
  decodeUtf8,
  formatNote,
  formatVkey,
  SteleError,
  type Subtree,
  type Vkey,
} from '../tlog/index.js';
import { decide, parseAddCheckpoint, trustedLines, type AddCheckpoint } from './add-checkpoint.js';
import type { ClockGuard } from './clock-guard.js';
import type { WitnessedLog } from './folder.js';
import { parseSignSubtree, subtreeFault, type SignSubtree } from './sign-subtree.js';
import { nextState, type LogState } from './state-file.js';
import { originHash, type Step } from './state-store.js';
import type { States } from './states.js';

/** What a request comes to. http.ts has one status for each kind. */
export type Outcome =
  /** `lines` are the cosignature lines of the answer. */
  | { kind: 'cosigned'; origin: string; size: number; lines: string }
  /** The same of sign-subtree. */
  | { kind: 'subtree-signed'; origin: string; start: number; end: number; lines: string }
  /** sign-subtree takes an ML-DSA-44 key, and this witness has none. */
  | { kind: 'not-offered' }
  | { kind: 'malformed'; detail: string }
  | { kind: 'unknown-origin'; origin: string }
  /** No trusted signature, or a bad one under a trusted key; of sign-subtree: none of our own. */
  | { kind: 'untrusted'; origin: string }
  | { kind: 'conflict'; origin: string; size: number }
  /** `note` is what the log's key signed all the same: it may be proof that the log lied. */
  | { kind: 'inconsistent'; origin: string; detail: string; note: string }
  /** The subtree is not shown to be part of the checkpoint's tree. */
  | { kind: 'bad-subtree'; origin: string; detail: string }
  /** The clock is behind the last time signed for this log, by so many seconds. */
  | { kind: 'clock-behind'; origin: string; seconds: number }
  /** The clock leapt ahead and the operator has not confirmed it. */
  | { kind: 'clock-leapt'; origin: string }
  /** This folder is an older copy of what the witness has signed. */
  | { kind: 'spent'; origin: string }
  /** Others kept advancing this log; ask again. */
  | { kind: 'contended'; origin: string }
  /** Too many wait for a signature, or the thread that was to make it failed: ask again. */
  | { kind: 'unsigned'; origin: string; code: string; detail: string };

/** Signs with the witness's keys: `SigningPool` of system/. Rejects with SigningError when it cannot just now. */
export interface Signer {
  readonly vkeys: readonly Vkey[];
  /** One line per key, in their order; `timestamp` is POSIX seconds. */
  signNoteLines(text: string, timestamp: number): Promise<string[]>;
  /**
   * One line per ML-DSA-44 key, with the timestamp zero, once a signature of ours on the note `reference`
   * was verified; SigningError "bad_reference" if there is none that is good, or one that is bad.
   */
  signSubtreeLines(subtree: Subtree, reference: Uint8Array): Promise<string[]>;
}

/** Attempts at the compare-and-swap. One is lost only to another request for the same log at the same size. */
const ATTEMPTS = 8;

/** Who else hears of what is asked and decided. */
export interface Witnessing {
  /** Keys of this log, as text, that evidence convicts: untrusted keys. */
  convictedKeys(origin: string): ReadonlySet<string>;
  /** A checkpoint that a trusted key of its log signed, and that was not cosigned. Must return at once. */
  notCosigned(note: Uint8Array): void;
  /** The state is durable, the answer not yet sent. Must return at once. */
  cosigned(origin: string): void;
}

/** Whether this witness may sign at all: RestoredGuard. */
export interface Licence {
  /** Resolves once those who may know of later cosignatures of ours were asked about this log. */
  looked(origin: string): Promise<void>;
  /** Why nothing is signed any more, if so. */
  readonly spent: string | undefined;
}

/** The clock that a witness signs by. ClockGuard, but for a simulation. */
export type SigningClock = Pick<ClockGuard, 'check' | 'refresh' | 'seconds'>;

/** Thrown out of the compare-and-swap, where the time is taken. */
class ClockBehind extends Error {
  constructor(readonly seconds: number) {
    super('clock behind');
  }
}
class ClockLeapt extends Error {}
/** Thrown there, too: the key is spent. */
class Spent extends Error {}

export class Witness {
  readonly #signer: Signer;
  readonly #store: States;
  readonly #clock: SigningClock;
  readonly #step: Step;
  readonly #gossip: Witnessing | undefined;
  readonly #licence: Licence | undefined;
  #logs = new Map<string, WitnessedLog>();
  #byHash = new Map<string, string>();

  constructor(
    signer: Signer,
    store: States,
    clock: SigningClock,
    step: Step = () => undefined,
    gossip?: Witnessing,
    licence?: Licence,
  ) {
    this.#signer = signer;
    this.#store = store;
    this.#clock = clock;
    this.#step = step;
    this.#gossip = gossip;
    this.#licence = licence;
  }

  /** The logs cosigned from now on. Their states are loaded. */
  setLogs(logs: readonly WitnessedLog[]): void {
    this.#logs = new Map(logs.map((log) => [log.origin, log]));
    this.#byHash = new Map(logs.map(({ origin }) => [originHash(origin), origin]));
  }

  /** The log with this origin hash, if it is cosigned here. */
  originOf(hash: string): string | undefined {
    return this.#byHash.get(hash);
  }

  /** The note for `GET <prefix>/<origin hash>/checkpoint`; undefined for a log unknown or never cosigned. */
  latest(hash: string): string | undefined {
    const origin = this.#byHash.get(hash);
    return origin === undefined ? undefined : this.#store.get(origin)?.note;
  }

  /**
   * C2SP tlog-witness `add-checkpoint`. When this resolves with `cosigned`, the state is durable. Throws
   * WitnessError "state_failed" when it may not be.
   */
  async addCheckpoint(body: Uint8Array): Promise<Outcome> {
    let request: AddCheckpoint;
    try {
      request = parseAddCheckpoint(body);
    } catch (error) {
      if (error instanceof SteleError) return { kind: 'malformed', detail: error.message };
      throw error;
    }
    const { origin } = request.checkpoint;
    // SPEC: "If the checkpoint origin is unknown, the witness MUST respond with a 404".
    const log = this.#logs.get(origin);
    if (!log) return { kind: 'unknown-origin', origin };
    // A convicted key is an untrusted key.
    const convicted = this.#gossip?.convictedKeys(origin);
    const keys = log.keys.filter((vkey) => !convicted?.has(formatVkey(vkey)));
    const lines = trustedLines(request, keys);
    if (!lines) return { kind: 'untrusted', origin };
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const outcome = await this.#attempt(request, lines);
      if (outcome?.kind === 'conflict' || outcome?.kind === 'inconsistent') {
        // It may be half of the proof that the log shows two histories.
        this.#gossip?.notCosigned(formatNote({ text: request.note.text, signatures: wrap(lines) }));
      }
      if (outcome) return outcome;
    }
    return { kind: 'contended', origin };
  }

  /**
   * C2SP tlog-witness `sign-subtree`. Changes no state and asks no clock: what is signed says that the
   * subtree is part of a tree that this witness has cosigned, with the time zero.
   */
  async signSubtree(body: Uint8Array): Promise<Outcome> {
    if (!this.#signer.vkeys.some(({ type }) => type === COSIGNATURE_MLDSA44)) return { kind: 'not-offered' };
    let request: SignSubtree;
    try {
      request = parseSignSubtree(body);
    } catch (error) {
      if (error instanceof SteleError) return { kind: 'malformed', detail: error.message };
      throw error;
    }
    const { subtree, reference } = request;
    const { origin, start, end } = subtree;
    // SPEC: "If the checkpoint origin is unknown, the witness MUST respond with a 404".
    if (!this.#logs.has(origin)) return { kind: 'unknown-origin', origin };
    // Before any signature is verified: hashing costs next to nothing.
    const detail = subtreeFault(request);
    if (detail !== undefined) return { kind: 'bad-subtree', origin, detail };
    // What a log has shown two histories of is consistent with nothing.
    if ((this.#gossip?.convictedKeys(origin).size ?? 0) > 0) return { kind: 'untrusted', origin };
    await this.#licence?.looked(origin);
    if (this.#licence?.spent !== undefined) return { kind: 'spent', origin };
    try {
      // SPEC: "The witness MUST verify that the checkpoint includes a valid cosignature from one of its own
      // keys … the timestamp MUST be zero."
      const lines = await this.#signer.signSubtreeLines(subtree, reference);
      return { kind: 'subtree-signed', origin, start, end, lines: lines.join('') };
    } catch (error) {
      if (!(error instanceof SigningError)) throw error;
      if (error.code === 'bad_reference') return { kind: 'untrusted', origin };
      return { kind: 'unsigned', origin, code: error.code, detail: error.message };
    }
  }

  /** One round of deciding and swapping; undefined if the state changed in between. */
  async #attempt(request: AddCheckpoint, lines: readonly string[]): Promise<Outcome | undefined> {
    const { origin, size } = request.checkpoint;
    const before = this.#store.get(origin);
    if (!before) return { kind: 'unknown-origin', origin };
    const verdict = decide(request, before.latest);
    if (verdict.kind === 'malformed') return verdict;
    if (verdict.kind === 'conflict') return { ...verdict, origin };
    if (verdict.kind === 'inconsistent') {
      const note = decodeUtf8(formatNote({ text: request.note.text, signatures: wrap(lines) }), 'note');
      return { ...verdict, origin, note };
    }
    await this.#licence?.looked(origin);
    await this.#clock.refresh();
    await this.#step('decided');
    try {
      let cosignatures = '';
      // SPEC: "checking the old size against the latest checkpoint and persisting the new checkpoint
      // must be performed atomically".
      const { swapped } = await this.#store.advance(origin, before.number, async (state) => {
        const signed = await this.#cosign(request, lines, state);
        cosignatures = signed.cosignatures;
        return signed.state;
      });
      if (!swapped) return undefined;
      this.#gossip?.cosigned(origin);
      await this.#step('answering');
      return { kind: 'cosigned', origin, size, lines: cosignatures };
    } catch (error) {
      if (error instanceof ClockBehind) return { kind: 'clock-behind', origin, seconds: error.seconds };
      if (error instanceof ClockLeapt) return { kind: 'clock-leapt', origin };
      if (error instanceof Spent) return { kind: 'spent', origin };
      if (error instanceof SigningError) {
        return { kind: 'unsigned', origin, code: error.code, detail: error.message };
      }
      throw error;
    }
  }

  /** Runs inside the compare-and-swap: no time that another request could outrun. */
  async #cosign(
    { note: { text }, checkpoint }: AddCheckpoint,
    logLines: readonly string[],
    before: LogState,
  ): Promise<{ cosignatures: string; state: LogState }> {
    if (this.#licence?.spent !== undefined) throw new Spent();
    if (this.#clock.check()) throw new ClockLeapt();
    const timestamp = this.#clock.seconds();
    // Never a time that the clock does not show, nor an earlier one after a later.
    if (timestamp < before.timestamp) throw new ClockBehind(before.timestamp - timestamp);
    await this.#step('signing');
    const cosignatures = await this.#signer.signNoteLines(text, timestamp);
    // SPEC (monitoring): "it MUST include the cosignature(s) from the witness's key(s) that were
    // returned from add-checkpoint and the cosignature from the log key(s) that the witness verified".
    const note = formatNote({ text, signatures: wrap([...logLines, ...cosignatures]) });
    return {
      cosignatures: cosignatures.join(''),
      state: nextState(before, timestamp, decodeUtf8(note, 'note'), checkpoint),
    };
  }
}

function wrap(lines: readonly string[]): { line: string }[] {
  return lines.map((line) => ({ line }));
}
