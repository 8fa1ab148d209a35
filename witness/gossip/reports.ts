// Checkpoints whose place in our history is not known yet, for one log. Bounded by where they came from, so
// that no flood from one side displaces what the others showed.
import { mergeLines, noteOf, sameTree, treeKey, type Head } from './head.js';
import type { Source } from './ports.js';

/** Reports kept that each peer, and the log itself, brought. */
const PER_PEER = 4;
/** Reports kept that came by other ways, all together. */
const OTHERS = 32;
/** Bytes of one report: only who holds a log's key can make it long. */
const MAX_BYTES = 64 * 1024;

/** Owner of what the log itself shows; no key name is empty. */
const LOG = '';

/** One report. */
export interface Report {
  head: Head;
  /** Milliseconds since the epoch at which its tree was first met. */
  readonly since: number;
  /** Names of the peers that showed it. */
  readonly peers: Set<string>;
  /** Whose place it takes: a peer's name, LOG, or undefined for strangers'. */
  readonly owner: string | undefined;
  /** Why it is open still. */
  detail: string;
  /** The round in which it was last looked into; -1 if never. */
  round: number;
  /** It lost its place to another. */
  dropped: boolean;
  /** Under way. */
  busy: Promise<unknown> | undefined;
}

export class Reports {
  readonly #reports = new Map<string, Report>();
  /** Reports that found no room, or lost it. */
  dropped = 0;

  all(): Report[] {
    return [...this.#reports.values()];
  }

  /** Adds a head, or what is new in it to the report of the same tree. Undefined if there is no room. */
  add(
    head: Head,
    from: Source,
    now: number,
    random: () => number,
  ): { report: Report; news: boolean } | undefined {
    const held = this.#held(head);
    if (held) {
      const merged = held.head.text === head.text ? mergeLines(held.head, head) : held.head;
      const known = from.kind !== 'peer' || held.peers.has(from.name);
      const news = !known || merged.lines.size > held.head.lines.size;
      held.head = merged;
      if (from.kind === 'peer') held.peers.add(from.name);
      return { report: held, news };
    }
    if (noteOf(head).length > MAX_BYTES) {
      this.dropped++;
      return undefined;
    }
    const owner = from.kind === 'peer' ? from.name : from.kind === 'log' ? LOG : undefined;
    this.#makeRoom(owner, random);
    const peers = new Set(from.kind === 'peer' ? [from.name] : []);
    const fresh = { detail: '', round: -1, dropped: false, busy: undefined };
    const report: Report = { head, since: now, peers, owner, ...fresh };
    this.#reports.set(idOf(head), report);
    return { report, news: true };
  }

  /** Puts back what was saved. */
  restore(
    head: Head,
    since: number,
    peers: readonly string[],
    owner: string | undefined,
    detail: string,
  ): void {
    const fresh = { round: -1, dropped: false, busy: undefined };
    const report = { head, since, peers: new Set(peers), owner, detail, ...fresh };
    this.#reports.set(idOf(head), report);
  }

  /** Removes what is known of this tree; with `text`, only in the words of this head. */
  remove(head: Head, only?: 'text'): void {
    for (const [id, { head: other }] of this.#reports)
      if (sameTree(other, head) && (only === undefined || other.text === head.text)) this.#reports.delete(id);
  }

  /**
   * The report that this head belongs to. A tree in other words gets one of its own for the sake of a key that
   * stands under no words of it yet, so that nobody keeps a log's line out by being first; for no other, since
   * ML-DSA-44 does not cover extension lines, and anybody can add some.
   */
  #held(head: Head): Report | undefined {
    const same = this.#reports.get(idOf(head));
    if (same) return same;
    const tree = this.all().filter((report) => sameTree(report.head, head));
    const known = new Set(tree.flatMap((report) => [...report.head.lines.keys()]));
    return [...head.lines.keys()].every((key) => known.has(key)) ? tree[0] : undefined;
  }

  #makeRoom(owner: string | undefined, random: () => number): void {
    const mine = this.all().filter((report) => report.owner === owner);
    if (mine.length < (owner === undefined ? OTHERS : PER_PEER)) return;
    this.dropped++;
    // A peer's first report stays, for its age, and its last one comes in. Of strangers' any may go: were it
    // always the newest, whoever fills the room would shut everybody else out, and with the oldest push out.
    const out = owner === undefined ? mine[Math.floor(random() * mine.length)] : mine.at(-1);
    if (!out) return;
    out.dropped = true;
    this.#reports.delete(idOf(out.head));
  }
}

/** One tree in one text. */
function idOf(head: Head): string {
  return `${treeKey(head)} ${head.text}`;
}
