// Where a report stands in our history, as far as that can be shown, and what follows from it: the largest
// tree known to be on our history grows, or whoever signed both is convicted.
import { encodeBase64 } from '../../tlog/index.js';
import type { Logger } from '../log.js';
import type { Background } from './background.js';
import type { Court, Made } from './court.js';
import { keyOf, mergeLines, sameTree, signedBy, treeKey, type Head } from './head.js';
import type { Keeper } from './keeper.js';
import { Limiter } from './limiter.js';
import type { Reconciled } from './ports.js';
import type { Prover, Relation } from './prover.js';
import type { PeerState } from './reader.js';
import type { Report } from './reports.js';
import type { Shelf } from './shelf.js';
import type { Teller } from './tell.js';
import type { Watched } from './watched.js';

const NOT_SIGNED = 'only a witness has signed it, and nothing of this log is known';
/** Our history moved while a report was held against it: so often it is held against the new one at once. */
const ATTEMPTS = 3;

export interface RelaterOptions {
  readonly prover: Prover;
  readonly shelf: Shelf;
  readonly court: Court;
  readonly keeper: Keeper;
  readonly teller: Teller;
  readonly background: Background;
  readonly peers: () => readonly PeerState[];
  readonly clock: { now(): number };
  readonly log: Logger;
}

export class Relater {
  readonly #options: RelaterOptions;
  /** Reports looked into at once. */
  readonly #looking = new Limiter(64);

  constructor(options: RelaterOptions) {
    this.#options = options;
  }

  /** Two trees of one size need no proof. The tree of our history that this head contradicts so, if any. */
  async compareSameSize(w: Watched, head: Head): Promise<Head | undefined> {
    const contradicts = (other: Head): boolean => other.size === head.size && !sameTree(other, head);
    // Which of two open ones is ours is not known, if either is; whoever signed both lied all the same.
    for (const { head: other } of w.open.all()) {
      if (contradicts(other)) await this.#options.court.convict(w, other, head);
    }
    const ours = [...w.anchors(), ...[...w.seen.values()].flatMap(({ ours: known }) => known ?? [])];
    return ours.find(contradicts);
  }

  /** Looks into a report, unless somebody does. Its place in our history, as far as it can be shown now. */
  attempt(w: Watched, report: Report, round: number): Promise<Reconciled> {
    if (report.busy) return report.busy as Promise<Reconciled>;
    report.round = round;
    const busy = w.limiter
      .run(() => this.#looking.run(() => this.#relate(w, report)))
      .finally(() => {
        report.busy = undefined;
        this.#options.keeper.touch(w);
      });
    report.busy = busy;
    return busy;
  }

  async #relate(w: Watched, report: Report): Promise<Reconciled> {
    // While it waited for its turn: what strangers flood us with delays nobody's reports for longer than it is kept.
    if (report.dropped) return { kind: 'open', detail: 'no room for it any more: show it again' };
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { head } = report;
      const { own, base } = w;
      if (!base) {
        report.detail = NOT_SIGNED;
        return this.#adopt(w, head);
      }
      // A tree within what we cosigned is held against that first: its tiles are the ones we kept.
      const anchors = w.anchors();
      if (own && head.size > own.size) anchors.reverse();
      for (const anchor of anchors) {
        const relation = await this.#relation(w, anchor, report.head, report.peers);
        if (w.own !== own || w.base !== base) break;
        if (relation.kind === 'contradiction') {
          const made = await this.#options.court.convict(w, anchor, report.head, relation.shown);
          return this.contradict(w, report.head, anchor, made);
        }
        if (relation.kind === 'unknown') continue;
        if (head.size <= anchor.size) {
          this.confirm(w, report.head);
          return { kind: 'consistent' };
        }
        if (sameTree(anchor, base)) return this.#adopt(w, report.head);
      }
      if (w.own === own && w.base === base) break;
    }
    report.detail = this.#describe(w, report);
    return { kind: 'open', detail: report.detail };
  }

  /** The head is on our history, and larger than what was known to be. */
  #adopt(w: Watched, head: Head): Reconciled {
    // What only witnesses signed convicts nobody but them, so it is nothing to hold others against.
    if (!signedBy(head, w.log.keys)) {
      if (!w.base) return { kind: 'open', detail: NOT_SIGNED };
      this.confirm(w, head);
      return { kind: 'consistent' };
    }
    w.base = head;
    this.confirm(w, head);
    void this.#options.background.run(this.#options.keeper.keep(w));
    this.#options.teller.news(w);
    return { kind: 'consistent' };
  }

  /** The head is on our history. */
  confirm(w: Watched, head: Head): void {
    w.open.remove(head);
    if (w.base?.text === head.text) w.base = mergeLines(w.base, head);
    for (const { peer } of this.#options.peers()) {
      if (!signedBy(head, peer.vkeys)) continue;
      const view = w.seenOf(peer.name);
      if (!view.ours || view.ours.size < head.size) view.ours = head;
      else if (view.ours.text === head.text) view.ours = mergeLines(view.ours, head);
    }
    this.#options.keeper.touch(w);
  }

  /** The head is not on our history, which `anchor` is on; `made` is what the two gave. */
  async contradict(w: Watched, head: Head, anchor: Head, made: Made): Promise<Reconciled> {
    const evidence = [...made.stored];
    let guilty = made.count;
    // A witness that signed this one and, earlier or later, one of ours.
    for (const { peer } of this.#options.peers()) {
      const { ours } = w.seenOf(peer.name);
      const both = (tree: Head): boolean =>
        peer.vkeys.some((vkey) => signedBy(tree, [vkey]) && signedBy(head, [vkey]));
      if (!ours || !both(ours)) continue;
      // The anchor was held against it; but what we cosigned has our own lines, not all that were seen under that tree.
      if (sameTree(ours, anchor) && both(anchor)) continue;
      if (peer.vkeys.every((vkey) => this.#options.shelf.witnessConvicted(keyOf(vkey)))) continue;
      const relation = await this.#relation(w, ours, head, new Set([peer.name]));
      if (relation.kind !== 'contradiction') continue;
      const more = await this.#options.court.convict(w, ours, head, relation.shown);
      evidence.push(...more.stored);
      guilty += more.count;
    }
    w.open.remove(head, 'text');
    w.setAside(head);
    if (guilty === 0) {
      const signers = [...head.lines.values()].map(({ vkey }) => vkey.name).join(', ');
      w.alarm(treeKey(head), signers, {
        kind: 'contradiction',
        since: this.#options.clock.now(),
        detail: `size ${head.size}, signed by ${signers}, is not on our history; no known key signed both`,
      });
      this.#options.log('warn', 'gossip-contradiction', { origin: w.log.origin, size: head.size, signers });
    }
    this.#options.keeper.touch(w);
    return { kind: 'contradiction', evidence };
  }

  #relation(w: Watched, a: Head, b: Head, showed: ReadonlySet<string>): Promise<Relation> {
    const peers = this.#options.peers().map(({ peer }) => peer);
    return this.#options.prover.relation(w, a, b, showed, peers);
  }

  #describe(w: Watched, { head, peers }: Report): string {
    const signers = [...head.lines.values()].map(({ vkey }) => vkey.name).join(', ');
    const shown = peers.size === 0 ? '' : `, shown by ${[...peers].join(', ')}`;
    return `size ${head.size} root ${encodeBase64(head.rootHash)}, signed by ${signers}${shown}: no tiles and no peer show how it stands to our size ${w.base?.size ?? 0}`;
  }
}
