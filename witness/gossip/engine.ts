// Gossip: every checkpoint that anybody shows is held against the largest tree known to be on our own
// history, and what contradicts it becomes evidence as soon as it can be proven. It never moves what the
// witness has cosigned. No clock that ticks, no network, no disk, but through ports. Source: spec/gossip.md.
import {
  checkAlone,
  compareCheckpoints,
  type EvidenceKeys,
  type MadeEvidence,
} from '../../evidence/index.js';
import { emptyRoot, encodeHex, encodeUtf8, equalBytes, SteleError, type Vkey } from '../../tlog/index.js';
import type { Logger } from '../log.js';
import type { OwnCosignature } from '../restored.js';
import {
  keyOf,
  mergeLines,
  noteOf,
  openHead,
  ownHead,
  readNote,
  sameTree,
  signedBy,
  timeBy,
  treeKey,
  type Head,
  type ReadNote,
} from './head.js';
import { Limiter } from './limiter.js';
import type {
  GossipLog,
  GossipNetwork,
  GossipStatus,
  GossipStore,
  KeptEvidence,
  OwnNote,
  Owed,
  Peer,
  Reconciled,
  Source,
} from './ports.js';
import { Prover, type Relation } from './prover.js';
import { Reader, type Taken } from './reader.js';
import type { Report } from './reports.js';
import { Shelf, type Shelved } from './shelf.js';
import { logStatus } from './status.js';
import { Watched } from './watched.js';

/** Bytes of a note that is looked at. */
export const MAX_REPORT: number = 128 * 1024;
const NOT_SIGNED = 'only a witness has signed it, and nothing of this log is known';
/** Our history moved while a report was held against it: so often it is held against the new one at once. */
const ATTEMPTS = 3;

export interface GossipOptions {
  network: GossipNetwork;
  store: GossipStore;
  /** Milliseconds since the epoch. */
  clock: { now(): number };
  /** From 0 up to but not including 1. */
  random: () => number;
  own: OwnNote;
  /** This witness's own keys: a note under one of them is a known witness's too. */
  ownKeys: readonly Vkey[];
  log?: Logger;
  /** Told of every note that a key of ours has signed, by whomever it is shown. Must return at once. */
  met?: (seen: OwnCosignature, where: string) => void;
}

/** What two heads gave. */
interface Made {
  /** Hex SHA-256 of the files that were news. */
  readonly stored: readonly string[];
  /** How many cases they prove, known ones too. */
  readonly count: number;
}

export class Gossip {
  readonly #options: GossipOptions;
  readonly #log: Logger;
  readonly #prover: Prover;
  readonly #shelf: Shelf;
  readonly #watched = new Map<string, Watched>();
  readonly #reader: Reader;
  #witnesses: readonly Vkey[];
  #loaded: Promise<void> | undefined;
  #rounds = 0;
  readonly #running = new Set<Promise<unknown>>();
  /** Reports looked into at once, trees whose tiles are fetched, states written. */
  readonly #looking = new Limiter(64);
  readonly #keeping = new Limiter(4);
  readonly #saving = new Limiter(4);

  constructor(options: GossipOptions) {
    this.#options = options;
    this.#log = options.log ?? ((): void => undefined);
    this.#prover = new Prover(options.network);
    this.#shelf = new Shelf(options.store);
    this.#witnesses = options.ownKeys;
    const { network, clock, random } = options;
    this.#reader = new Reader({ network, clock, random, log: this.#log }, this, this.#watched);
  }

  /**
   * The logs watched from now on. Their saved states, and all evidence, are read when this resolves; notes
   * in them are verified by the keys of the peers known then, so `setPeers` comes first.
   */
  async setLogs(logs: readonly GossipLog[]): Promise<void> {
    await (this.#loaded ??= this.#shelf.load());
    for (const log of logs) {
      const known = this.#watched.get(log.origin);
      if (known) {
        known.log = log;
        known.showAgain();
      } else this.#watched.set(log.origin, await this.#load(log));
    }
    const origins = new Set(logs.map(({ origin }) => origin));
    for (const origin of this.#watched.keys()) if (!origins.has(origin)) this.#watched.delete(origin);
    this.#judge();
  }

  /** The peers from now on. */
  setPeers(peers: readonly Peer[]): void {
    this.#reader.setPeers(peers);
    this.#witnesses = [...this.#options.ownKeys, ...peers.flatMap(({ vkeys }) => vkeys)];
    for (const w of this.#watched.values()) {
      for (const name of w.seen.keys()) if (!peers.some((peer) => peer.name === name)) w.seen.delete(name);
      w.showAgain();
    }
    this.#judge();
  }

  /** What evidence convicts depends on whose keys are known. */
  #judge(): void {
    this.#shelf.judge(this.#allKeys());
    this.#reader.forgetUnwanted();
  }

  /** Holds a signed checkpoint against our history. Resolves when nothing more can be tried just now. */
  async observe(note: Uint8Array, from: Source): Promise<Reconciled> {
    return (await this.take(note, from)).settled;
  }

  /** As `observe`, and says at once what needs no proof. Never throws for what is in the note. */
  async take(bytes: Uint8Array, from: Source): Promise<Taken> {
    let note: ReadNote;
    try {
      if (bytes.length > MAX_REPORT)
        return done({ kind: 'malformed', detail: `expected at most ${MAX_REPORT} bytes` });
      note = readNote(bytes);
    } catch (error) {
      if (error instanceof SteleError) return done({ kind: 'malformed', detail: error.message });
      throw error;
    }
    const w = this.#watched.get(note.checkpoint.origin);
    if (!w) return done({ kind: 'unknown-origin' });
    this.#refreshOwn(w);
    const held = [...w.anchors(), ...w.open.all().map(({ head }) => head)].find(
      ({ text }) => text === note.text,
    );
    const head = openHead(note, w.keys(this.#witnesses), held);
    if (!head) return done({ kind: 'untrusted' });
    this.#see(w, head, from);
    if (head.size === 0) return done(await this.#takeEmpty(w, head));
    if (w.isAside(head)) return done({ kind: 'contradiction', evidence: [] });
    const rival = await this.#compareSameSize(w, head);
    if (rival) {
      const made = await this.#convict(w, rival, head);
      const settled = this.#background(this.#contradict(w, head, rival, made));
      return { now: { kind: 'contradiction', evidence: made.stored }, settled };
    }
    const own = w.anchors().find((anchor) => sameTree(anchor, head));
    if (own) {
      this.#confirm(w, head);
      return done({ kind: 'consistent' });
    }
    const added = w.open.add(head, from, this.#options.clock.now(), this.#options.random);
    if (!added) return done({ kind: 'open', detail: 'no room for another report of this log' });
    this.#touch(w);
    const { report, news } = added;
    // Who repeats himself costs nothing: the next round tries again.
    if (!news && !report.busy) return done({ kind: 'open', detail: report.detail });
    return { now: undefined, settled: this.#background(this.#attempt(w, report)) };
  }

  /**
   * One round: what all peers and logs show, and another look at what is open. Overlapping calls are
   * harmless. Resolves when all of it has been settled as far as it can be.
   */
  async round(): Promise<void> {
    const { peers } = this.#reader;
    await Promise.all([...peers.map(({ peer }) => this.pull(peer.name)), this.readLogs()]);
    await this.retry();
  }

  /** Reads what one peer shows of all logs, and its evidence. Whether it answered, and made sense. */
  pull(name: string): Promise<boolean> {
    return this.#reader.pull(name);
  }

  /** Reads the logs' own checkpoints, with whatever witnesses have cosigned there. */
  readLogs(): Promise<void> {
    return this.#reader.readLogs();
  }

  /** Ends a round: another look at what is open and was not looked into in it, and at missing tiles. */
  async retry(): Promise<void> {
    const round = this.#rounds;
    await Promise.all(
      [...this.#watched.values()].flatMap((w) => {
        this.#refreshOwn(w);
        const open = w.open.all().filter((report) => report.round < round);
        return [this.#keep(w), ...open.map((report) => this.#background(this.#attempt(w, report)))];
      }),
    );
    this.#rounds++;
  }

  /** The witness has cosigned, durably: its tiles are kept while they can be had, and its peers told. */
  cosigned(origin: string): void {
    const w = this.#watched.get(origin);
    if (!w) return;
    const tiles = this.#options.network.tiles(w.log);
    // With nobody to tell and nothing to keep, what was cosigned is read when it is needed.
    if (!tiles && !this.#reader.peers.some(({ peer }) => peer.gossip)) return;
    this.#refreshOwn(w);
    void this.#background(this.#keep(w));
    this.#tell(w);
  }

  /** Log keys, as text, that are convicted for this origin: untrusted keys from then on. */
  convictedKeys(origin: string): ReadonlySet<string> {
    return this.#shelf.convictedKeys(origin);
  }

  /**
   * What we owe to whoever asks: root and proof between two sizes of our own history. Undefined if they
   * are not, if there is no such log, or if the tiles cannot be had.
   */
  async consistency(origin: string, oldSize: number, newSize: number): Promise<Owed | undefined> {
    const w = this.#watched.get(origin);
    if (!w || oldSize <= 0 || oldSize > newSize) return undefined;
    this.#refreshOwn(w);
    return this.#prover.owed(w, oldSize, newSize);
  }

  get peerNames(): string[] {
    return this.#reader.peers.map(({ peer }) => peer.name);
  }

  /**
   * The largest tree that the peer of this name was seen to cosign, as a note with its line: on our history
   * if it is known to be, and otherwise what was shown. Undefined if nothing was, or there is no such peer.
   */
  seen(origin: string, name: string): Uint8Array | undefined {
    const w = this.#watched.get(origin);
    const peer = this.#reader.peers.find((state) => state.peer.name === name)?.peer;
    if (!w || !peer) return undefined;
    const [first] = [w.seen.get(name)?.ours, ...w.anchors(), ...w.open.all().map(({ head }) => head)]
      .filter((head): head is Head => head !== undefined && signedBy(head, peer.vkeys))
      .sort((a, b) => b.size - a.size || timeBy(b, peer.vkeys) - timeBy(a, peer.vkeys));
    return first && noteOf(first);
  }

  /** Takes a file of evidence from whoever offers it: verified by our own keys, kept if it is news. */
  async takeEvidence(bytes: Uint8Array): Promise<Shelved> {
    const outcome = await this.#shelf.add(bytes, this.#allKeys());
    if (outcome.kind === 'stored') this.#proven(outcome.kept);
    return outcome;
  }

  evidenceList(): readonly KeptEvidence[] {
    return this.#shelf.list();
  }

  /** One file, by the hex SHA-256 of its bytes. */
  evidenceFile(sha256: string): Uint8Array | undefined {
    return this.#shelf.file(sha256);
  }

  status(): GossipStatus {
    return {
      rounds: this.#rounds,
      logs: [...this.#watched.values()].map((w) => {
        this.#refreshOwn(w);
        return logStatus(w, this.#options.ownKeys, this.#shelf.list());
      }),
      peers: this.#reader.status(),
    };
  }

  /** Resolves when nothing is under way any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #load(log: GossipLog): Promise<Watched> {
    const w = new Watched(log, this.#options.store);
    const bytes = await this.#options.store.load(log.origin);
    const saved = bytes && w.restore(bytes, w.keys(this.#witnesses));
    if (bytes && !saved) this.#log('warn', 'gossip-state-unreadable', { origin: log.origin });
    const note = this.#options.own(log.origin);
    if (note !== undefined && saved && w.base) {
      const own = ownHead(encodeUtf8(note), w.keys(this.#witnesses));
      // What was shown to lie on our history then does now, if we have not cosigned since.
      if (saved.own === treeKey(own)) Object.assign(w, { own, ownNote: note });
    }
    return w;
  }

  /** Takes up what the witness has cosigned meanwhile. */
  #refreshOwn(w: Watched): void {
    const note = this.#options.own(w.log.origin);
    if (note === undefined || note === w.ownNote) return;
    const before = w.own;
    const own = ownHead(encodeUtf8(note), w.keys(this.#witnesses));
    Object.assign(w, { ownNote: note, own: own.size > 0 ? own : undefined });
    if (own.size === 0) return;
    const { base } = w;
    // add-checkpoint has shown that what we cosigned before is a prefix of this.
    if (!base || (before && sameTree(before, base))) w.base = own;
    else if (base.text === own.text) w.base = mergeLines(base, own);
    else if (!sameTree(base, own)) {
      // Ours is what we cosigned. How the larger tree that was known stands to it must be shown anew.
      w.base = own;
      const added = w.open.add(base, { kind: 'log' }, this.#options.clock.now(), this.#options.random);
      if (added) void this.#background(this.#attempt(w, added.report));
    }
    w.open.remove(own);
    w.dirty = true;
  }

  /** Notes what each peer with a line under this head was seen to sign. */
  #see(w: Watched, head: Head, from: Source): void {
    const { met, ownKeys } = this.#options;
    if (met && signedBy(head, ownKeys)) {
      const { origin, size, rootHash } = head;
      const where = from.kind === 'peer' ? from.name : from.kind === 'log' ? 'the log' : 'somebody';
      met({ origin, size, rootHash, timestamp: timeBy(head, ownKeys), note: noteOf(head) }, where);
    }
    for (const { peer } of this.#reader.peers) {
      if (!signedBy(head, peer.vkeys)) continue;
      const view = w.seenOf(peer.name);
      if (from.kind === 'peer' && from.name === peer.name) {
        if (head.size >= view.size) view.wentBack = undefined;
        else view.wentBack ??= this.#options.clock.now();
      }
      view.size = Math.max(view.size, head.size);
      view.timestamp = Math.max(view.timestamp, timeBy(head, peer.vkeys));
    }
  }

  async #takeEmpty(w: Watched, head: Head): Promise<Reconciled> {
    if (equalBytes(head.rootHash, emptyRoot())) return { kind: 'consistent' };
    const made = checkAlone(noteOf(head), this.#keys(w));
    // The field's witnesses do not look at the root of an empty tree: only a log is convicted by one.
    return made.length === 0
      ? { kind: 'untrusted' }
      : { kind: 'contradiction', evidence: await this.#shelve(w, made) };
  }

  /** Two trees of one size need no proof. The tree of our history that this head contradicts so, if any. */
  async #compareSameSize(w: Watched, head: Head): Promise<Head | undefined> {
    const contradicts = (other: Head): boolean => other.size === head.size && !sameTree(other, head);
    // Which of two open ones is ours is not known, if either is; whoever signed both lied all the same.
    for (const { head: other } of w.open.all()) {
      if (contradicts(other)) await this.#convict(w, other, head);
    }
    const ours = [...w.anchors(), ...[...w.seen.values()].flatMap(({ ours: known }) => known ?? [])];
    return ours.find(contradicts);
  }

  /** Looks into a report, unless somebody does. Its place in our history, as far as it can be shown now. */
  #attempt(w: Watched, report: Report): Promise<Reconciled> {
    if (report.busy) return report.busy as Promise<Reconciled>;
    report.round = this.#rounds;
    const busy = w.limiter
      .run(() => this.#looking.run(() => this.#relate(w, report)))
      .finally(() => {
        report.busy = undefined;
        this.#touch(w);
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
          const made = await this.#convict(w, anchor, report.head, relation.shown);
          return this.#contradict(w, report.head, anchor, made);
        }
        if (relation.kind === 'unknown') continue;
        if (head.size <= anchor.size) {
          this.#confirm(w, report.head);
          return { kind: 'consistent' };
        }
        if (sameTree(anchor, base)) return this.#adopt(w, report.head);
      }
      if (w.own === own && w.base === base) break;
    }
    report.detail = this.#describe(w, report);
    return { kind: 'open', detail: report.detail };
  }

  #relation(w: Watched, a: Head, b: Head, showed: ReadonlySet<string>): Promise<Relation> {
    const peers = this.#reader.peers.map(({ peer }) => peer);
    return this.#prover.relation(w, a, b, showed, peers);
  }

  /** The head is on our history, and larger than what was known to be. */
  #adopt(w: Watched, head: Head): Reconciled {
    // What only witnesses signed convicts nobody but them, so it is nothing to hold others against.
    if (!signedBy(head, w.log.keys)) {
      if (!w.base) return { kind: 'open', detail: NOT_SIGNED };
      this.#confirm(w, head);
      return { kind: 'consistent' };
    }
    w.base = head;
    this.#confirm(w, head);
    void this.#background(this.#keep(w));
    this.#tell(w);
    return { kind: 'consistent' };
  }

  /** The head is on our history. */
  #confirm(w: Watched, head: Head): void {
    w.open.remove(head);
    if (w.base?.text === head.text) w.base = mergeLines(w.base, head);
    for (const { peer } of this.#reader.peers) {
      if (!signedBy(head, peer.vkeys)) continue;
      const view = w.seenOf(peer.name);
      if (!view.ours || view.ours.size < head.size) view.ours = head;
      else if (view.ours.text === head.text) view.ours = mergeLines(view.ours, head);
    }
    this.#touch(w);
  }

  /** The head is not on our history, which `anchor` is on; `made` is what the two gave. */
  async #contradict(w: Watched, head: Head, anchor: Head, made: Made): Promise<Reconciled> {
    const evidence = [...made.stored];
    let guilty = made.count;
    // A witness that signed this one and, earlier or later, one of ours.
    for (const { peer } of this.#reader.peers) {
      const { ours } = w.seenOf(peer.name);
      if (!ours || !signedBy(head, peer.vkeys) || sameTree(ours, anchor)) continue;
      if (peer.vkeys.every((vkey) => this.#shelf.witnessConvicted(keyOf(vkey)))) continue;
      const relation = await this.#relation(w, ours, head, new Set([peer.name]));
      if (relation.kind !== 'contradiction') continue;
      const more = await this.#convict(w, ours, head, relation.shown);
      evidence.push(...more.stored);
      guilty += more.count;
    }
    w.open.remove(head, 'text');
    w.setAside(head);
    if (guilty === 0) {
      const signers = [...head.lines.values()].map(({ vkey }) => vkey.name).join(', ');
      w.alarm(treeKey(head), {
        kind: 'contradiction',
        since: this.#options.clock.now(),
        detail: `size ${head.size}, signed by ${signers}, is not on our history; no known key signed both`,
      });
      this.#log('warn', 'gossip-contradiction', { origin: w.log.origin, size: head.size, signers });
    }
    this.#touch(w);
    return { kind: 'contradiction', evidence };
  }

  /** Makes and keeps what evidence two heads give: a file for each key that signed both. */
  async #convict(w: Watched, a: Head, b: Head, shown?: Owed): Promise<Made> {
    try {
      const { evidence } = await compareCheckpoints([noteOf(a), noteOf(b)], this.#keys(w), shown);
      return { stored: await this.#shelve(w, evidence), count: evidence.length };
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      this.#log('error', 'evidence-not-made', { origin: w.log.origin, message: error.message });
      return { stored: [], count: 0 };
    }
  }

  async #shelve(w: Watched, made: readonly MadeEvidence[]): Promise<readonly string[]> {
    const stored: string[] = [];
    for (const { bytes } of made) {
      const outcome = await this.#shelf.add(bytes, this.#allKeys());
      if (outcome.kind !== 'stored') continue;
      stored.push(outcome.kept.sha256);
      this.#proven(outcome.kept);
    }
    if (stored.length > 0) this.#touch(w);
    return stored;
  }

  #proven(kept: KeptEvidence): void {
    this.#log('error', 'evidence', { ...kept });
    const bytes = this.#shelf.file(kept.sha256);
    for (const { peer, outbox } of this.#reader.peers) {
      if (bytes && peer.gossip) void this.#background(outbox.proof(kept.sha256, bytes));
    }
  }

  /** Fetches and keeps the tiles of what is on our history, unless that is done or under way. */
  async #keep(w: Watched): Promise<void> {
    const remote = this.#options.network.tiles(w.log);
    if (!remote || w.keeping) return;
    w.keeping = true;
    await this.#keeping.run(async () => {
      try {
        for (;;) {
          const head = w.anchors().find((anchor) => !w.kept.has(treeKey(anchor)));
          if (!head || !(await this.#keepTree(w, head, remote))) return;
        }
      } finally {
        w.keeping = false;
      }
    });
  }

  async #keepTree(
    w: Watched,
    head: Head,
    remote: NonNullable<ReturnType<GossipNetwork['tiles']>>,
  ): Promise<boolean> {
    const trees = w.anchors();
    try {
      await w.tiles.keep(remote, head, trees);
      const now = new Set(trees.map(treeKey));
      w.kept = new Set([...w.kept, treeKey(head)].filter((key) => now.has(key)));
      if (w.noTiles && w.own && sameTree(head, w.own)) {
        w.noTiles = undefined;
        this.#touch(w);
      }
      return true;
    } catch (error) {
      if (w.own && sameTree(head, w.own) && !w.noTiles) {
        const detail = error instanceof Error ? error.message : 'failed';
        w.noTiles = { kind: 'no-tiles', since: this.#options.clock.now(), detail };
        this.#touch(w);
      }
      return false;
    }
  }

  #tell(w: Watched): void {
    for (const { peer, outbox, failures } of this.#reader.peers) {
      // One that does not answer reads it from us when it is back.
      if (peer.gossip && failures < 3) void this.#background(outbox.news(w));
    }
  }

  #describe(w: Watched, { head, peers }: Report): string {
    const signers = [...head.lines.values()].map(({ vkey }) => vkey.name).join(', ');
    const shown = peers.size === 0 ? '' : `, shown by ${[...peers].join(', ')}`;
    return `size ${head.size} root ${encodeHex(head.rootHash)}, signed by ${signers}${shown}: no tiles and no peer show how it stands to our size ${w.base?.size ?? 0}`;
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
    return this.#witnesses.map((vkey) => ({ vkey }));
  }

  /** Something is to be saved: soon, and once for all that changes meanwhile. */
  #touch(w: Watched): void {
    w.dirty = true;
    if (w.saving) return;
    w.saving = true;
    void this.#background(
      this.#saving.run(async () => {
        try {
          while (w.dirty) {
            w.dirty = false;
            await this.#options.store.save(w.log.origin, w.format());
          }
        } finally {
          w.saving = false;
        }
      }),
    );
  }

  /** Runs on while others go on; what goes wrong in it is logged, and `promise` still tells its owner. */
  #background<T>(promise: Promise<T>): Promise<T> {
    const watched = promise.catch((error: unknown) => {
      this.#log('error', 'gossip-failed', { message: error instanceof Error ? error.message : '' });
    });
    this.#running.add(watched);
    void watched.finally(() => this.#running.delete(watched));
    return promise;
  }
}

function done(outcome: Reconciled): Taken {
  return { now: outcome, settled: Promise.resolve(outcome) };
}
