// Every signed tree head of a log that was met, from wherever, held against the largest one whose tiles
// have been verified. What cannot be held against it yet stays open, and is tried again once that tree
// has grown. In whatever order the heads of a fork arrive, the same keys are found guilty.
import type { VerifiedTiles } from '../../client/index.js';
import { compareCheckpoints, type Comparison, type MadeEvidence } from '../../evidence/index.js';
import { encodeBase64, equalBytes, formatVkey, SteleError, treeRoot, type Policy } from '../../tlog/index.js';
import { mergeNotes, signersOf } from './notes.js';

/** A tree head that the log signed; the signature was verified. */
export interface Head {
  readonly size: number;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
  /** The signed note. */
  readonly note: Uint8Array;
}

/** A head that could not be held against the largest tree yet. */
export interface OpenHead extends Head {
  /** Where it was met. */
  readonly from: string;
  /** When, in milliseconds since 1970. */
  readonly since: number;
  /** What was missing the last time. */
  readonly why: string;
}

/** How a head stands to the largest verified tree. */
export type Standing =
  | { readonly kind: 'consistent' }
  /** `evidence` is empty where no key signed both: that convicts nobody. */
  | { readonly kind: 'contradiction'; readonly evidence: readonly MadeEvidence[]; readonly detail: string }
  | { readonly kind: 'open'; readonly why: string };

/** What shows how a tree stands to a smaller one without its tiles. */
export interface Owed {
  /** 32 bytes. */
  readonly oldRoot: Uint8Array;
  /** RFC 6962 §2.1.2. */
  readonly proof: readonly Uint8Array[];
}

/** Where the tiles of a tree are read from. */
export interface Trees {
  /**
   * Runs `use` on the tiles of this tree, from one source after another until it succeeds. Throws
   * ClientError where none has them.
   */
  read<T>(head: Head, use: (tiles: VerifiedTiles) => Promise<T>): Promise<T>;
  /**
   * The root that this tree had at a smaller size and the consistency proof that leads from it, verified,
   * from whoever vouches for the tree; undefined where nobody shows it.
   */
  owed(size: number, head: Head): Promise<Owed | undefined>;
  /** Keeps the right edge of this tree, durably: after a fork no address may serve it any more. */
  keep(head: Head): Promise<void>;
}

/** What outlives a restart. */
export interface Reconciled {
  largest?: Head;
  open: OpenHead[];
  /** By witness: the newest head with its cosignature that agreed. */
  witnessed: Map<string, Head>;
}

/** Open heads that are remembered; those beyond it are counted and kept as files only. */
export const MAX_OPEN = 64;
/** Open heads tried again in one round. */
const RETRIES = 16;

export class Reconciler {
  readonly #policy: Policy;
  readonly #trees: Trees;
  readonly state: Reconciled;
  /** Open heads that were dropped since the start because there were too many. */
  dropped = 0;

  constructor(policy: Policy, trees: Trees, state: Reconciled = { open: [], witnessed: new Map() }) {
    this.#policy = policy;
    this.#trees = trees;
    this.state = state;
  }

  /** Takes in a head that was met. An open one is remembered. `witnesses`: whose cosignatures it carries. */
  async meet(head: Head, from: string, now: number, witnesses: Iterable<string> = []): Promise<Standing> {
    const standing = await this.#settle(head);
    if (standing.kind === 'open') this.#remember({ ...head, from, since: now, why: standing.why });
    if (standing.kind === 'consistent')
      for (const witness of witnesses)
        if (head.size >= (this.state.witnessed.get(witness)?.size ?? 0))
          this.state.witnessed.set(witness, head);
    return standing;
  }

  /** Tries open heads again that the largest tree may now judge. Gives those that are not open any more. */
  async retry(): Promise<{ head: OpenHead; standing: Standing }[]> {
    const settled: { head: OpenHead; standing: Standing }[] = [];
    const { largest, open } = this.state;
    const ready = open.filter(({ size }) => largest === undefined || size <= largest.size).slice(0, RETRIES);
    for (const head of ready) {
      const standing = await this.#settle(head);
      this.state.open = this.state.open.filter((other) => other !== head);
      // At the end of the queue, so that one that stays open does not keep others from being tried.
      if (standing.kind === 'open') this.state.open.push({ ...head, why: standing.why });
      else settled.push({ head, standing });
    }
    return settled;
  }

  /** A head that brings no key to its tree is no other one: it only renews lines. */
  #remember(head: OpenHead): void {
    const { open } = this.state;
    const same = open.filter((other) => sameTree(other, head));
    for (const other of same) {
      const note = mergeNotes(other.note, head.note);
      if (note === undefined) continue;
      open[open.indexOf(other)] = { ...other, note };
      return;
    }
    // Another text about the same tree: the log added lines to it.
    const known = new Set(same.flatMap(({ note }) => [...signersOf(note)]));
    if (same.length > 0 && [...signersOf(head.note)].every((key) => known.has(key))) return;
    if (open.length < MAX_OPEN) open.push(head);
    else this.dropped += 1;
  }

  async #settle(head: Head): Promise<Standing> {
    if (head.size === 0) return CONSISTENT; // its root was looked at when it came
    const { largest } = this.state;
    if (largest === undefined) return (await this.#adopt(head)) ?? this.#amongOpen(head);
    if (head.size > largest.size) {
      const found = await this.#rootAt(head, largest.size);
      if (typeof found === 'string') return this.#amongOpen(head, found);
      if (!equalBytes(found, largest.rootHash)) return this.#contradiction(head, largest, found);
      await this.#adopt(head);
      return CONSISTENT;
    }
    if (head.size === largest.size) {
      if (!equalBytes(head.rootHash, largest.rootHash))
        return this.#contradiction(head, largest, largest.rootHash);
      return CONSISTENT;
    }
    const found = await this.#rootAt(largest, head.size);
    if (typeof found === 'string') return { kind: 'open', why: found };
    return equalBytes(found, head.rootHash) ? CONSISTENT : this.#contradiction(head, largest, found);
  }

  /** The root of a tree at a smaller size of it, or why that cannot be had. */
  async #rootAt(head: Head, size: number): Promise<Uint8Array | string> {
    try {
      return await this.#trees.read(head, (tiles) => treeRoot(size, tiles.hashes));
    } catch (error) {
      const why = unreadable(error);
      return (await this.#trees.owed(size, head))?.oldRoot ?? why;
    }
  }

  /** Makes a head the largest if its tiles are there; undefined if not. */
  async #adopt(head: Head): Promise<Standing | undefined> {
    try {
      await this.#trees.read(head, (tiles) => tiles.edge());
      await this.#trees.keep(head);
    } catch (error) {
      unreadable(error);
      return undefined;
    }
    this.state.largest = head;
    return CONSISTENT;
  }

  /** Two heads of one size need no tiles to contradict each other. */
  async #amongOpen(head: Head, why = 'the tiles of its tree cannot be read'): Promise<Standing> {
    const other = this.state.open.find(
      ({ size, rootHash }) => size === head.size && !equalBytes(rootHash, head.rootHash),
    );
    if (other === undefined) return { kind: 'open', why };
    const { evidence } = await compareCheckpoints([other.note, head.note], this.#policy);
    return { kind: 'contradiction', evidence, detail: inWords(head, other, other.rootHash) };
  }

  async #contradiction(head: Head, largest: Head, found: Uint8Array): Promise<Standing> {
    const evidence = new Map<string, MadeEvidence>();
    for (const other of [largest, ...this.state.witnessed.values()]) {
      for (const made of (await this.#compare(head, other, largest))?.evidence ?? []) {
        const key = convictedKeys(made);
        if (!evidence.has(key)) evidence.set(key, made);
      }
    }
    return {
      kind: 'contradiction',
      evidence: [...evidence.values()],
      detail: inWords(head, largest, found),
    };
  }

  /** `other` is the largest tree or part of it. Undefined where the tiles that this takes cannot be read. */
  async #compare(head: Head, other: Head, largest: Head): Promise<Comparison | undefined> {
    const notes = [other.note, head.note] as const;
    if (other.size === 0 || other.size === head.size) return compareCheckpoints(notes, this.#policy);
    try {
      return await this.#trees.read(other.size > head.size ? largest : head, (tiles) =>
        compareCheckpoints(notes, this.#policy, { read: tiles.hashes }),
      );
    } catch (error) {
      unreadable(error);
      const [older, newer] = other.size < head.size ? [other, head] : [head, other];
      const owed = await this.#trees.owed(older.size, newer);
      return owed && compareCheckpoints(notes, this.#policy, owed);
    }
  }
}

const CONSISTENT: Standing = { kind: 'consistent' };

/** Whom a file convicts, as one word: at most one file is kept for each. */
export function convictedKeys({ verdict: { origin, convicted } }: MadeEvidence): string {
  return [origin, ...convicted.map((vkey) => formatVkey(vkey)).sort()].join(' ');
}

function sameTree(a: Head, b: Head): boolean {
  return a.size === b.size && equalBytes(a.rootHash, b.rootHash);
}

function inWords(a: Head, b: Head, found: Uint8Array): string {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a];
  return `a signed tree of size ${small.size} has the root ${encodeBase64(small.rootHash)}, another of size ${large.size} contains ${encodeBase64(small.size === large.size ? large.rootHash : found)}`;
}

/** What could not be read, in words. Anything that is not the log's or the network's doing is thrown on. */
function unreadable(error: unknown): string {
  if (error instanceof SteleError) return error.message;
  throw error;
}
