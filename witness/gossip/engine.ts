// Gossip: every checkpoint that anybody shows is held against the largest tree known to be on our own
// history, and what contradicts it becomes evidence as soon as it can be proven. It never moves what the
// witness has cosigned. No clock that ticks, no network, no disk, but through ports. Source: spec/gossip.md.
import { emptyRoot, encodeUtf8, equalBytes, SteleError, type Vkey } from '../../tlog/index.js';
import type { Logger } from '../log.js';
import type { OwnCosignature } from '../restored.js';
import { Background } from './background.js';
import { Court } from './court.js';
import { Efforts } from './effort.js';
import {
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
import { Keeper } from './keeper.js';
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
import { Prover } from './prover.js';
import { Reader, type PeerState, type Taken } from './reader.js';
import { Relater } from './relate.js';
import { Shelf, type Shelved } from './shelf.js';
import { logStatus } from './status.js';
import { Teller } from './tell.js';
import { Watched } from './watched.js';

const TOO_FULL = 'too many lines under known keys for this round: show it again in the next';

/** Bytes of a note that is looked at. */
export const MAX_REPORT: number = 128 * 1024;

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

export class Gossip {
  readonly #options: GossipOptions;
  readonly #log: Logger;
  readonly #watched = new Map<string, Watched>();
  readonly #background: Background;
  readonly #prover: Prover;
  readonly #shelf: Shelf;
  readonly #keeper: Keeper;
  readonly #reader: Reader;
  readonly #teller: Teller;
  readonly #court: Court;
  readonly #relater: Relater;
  readonly #efforts = new Efforts();
  #loaded: Promise<void> | undefined;
  #rounds = 0;

  constructor(options: GossipOptions) {
    const { network, store, clock, random, ownKeys, log = (): void => undefined } = options;
    const peers = (): readonly PeerState[] => this.#reader.peers;
    this.#options = options;
    this.#log = log;
    const background = (this.#background = new Background(log));
    const prover = (this.#prover = new Prover(network));
    const shelf = (this.#shelf = new Shelf(store));
    const keeper = (this.#keeper = new Keeper({ network, store, clock }, background));
    const teller = (this.#teller = new Teller(peers, background));
    const court = (this.#court = new Court({ shelf, keeper, teller, log }, this.#watched, ownKeys));
    this.#relater = new Relater({ prover, shelf, court, keeper, teller, background, peers, clock, log });
    this.#reader = new Reader({ network, clock, random, log }, this, this.#watched);
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
    this.#court.witnesses = [...this.#options.ownKeys, ...peers.flatMap(({ vkeys }) => vkeys)];
    for (const w of this.#watched.values()) {
      for (const name of w.seen.keys()) if (!peers.some((peer) => peer.name === name)) w.seen.delete(name);
      w.showAgain();
    }
    this.#judge();
  }

  /** What evidence convicts depends on whose keys are known. */
  #judge(): void {
    this.#court.judge();
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
    const effort = this.#efforts.of(from, w.log.origin);
    const head = openHead(note, w.keys(this.#court.witnesses), held, effort);
    if (effort.short) this.#log('debug', 'gossip-note-too-full', { origin: w.log.origin, from: from.kind });
    if (!head)
      return effort.short
        ? { ...done({ kind: 'open', detail: TOO_FULL }), partly: true }
        : done({ kind: 'untrusted' });
    const taken = await this.#take(w, head, from);
    return effort.short ? { ...taken, partly: true } : taken;
  }

  async #take(w: Watched, head: Head, from: Source): Promise<Taken> {
    this.#see(w, head, from);
    if (head.size === 0) return done(await this.#takeEmpty(w, head));
    if (w.isAside(head)) return done({ kind: 'contradiction', evidence: [] });
    const rival = await this.#relater.compareSameSize(w, head);
    if (rival) {
      const made = await this.#court.convict(w, rival, head);
      const settled = this.#background.run(this.#relater.contradict(w, head, rival, made));
      return { now: { kind: 'contradiction', evidence: made.stored }, settled };
    }
    const own = w.anchors().find((anchor) => sameTree(anchor, head));
    if (own) {
      this.#relater.confirm(w, head);
      return done({ kind: 'consistent' });
    }
    const added = w.open.add(head, from, this.#options.clock.now(), this.#options.random);
    if (!added) return done({ kind: 'open', detail: 'no room for another report of this log' });
    this.#keeper.touch(w);
    const { report, news } = added;
    // Who repeats himself costs nothing: the next round tries again.
    if (!news && !report.busy) return done({ kind: 'open', detail: report.detail });
    return { now: undefined, settled: this.#background.run(this.#relater.attempt(w, report, this.#rounds)) };
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
        return [
          this.#keeper.keep(w),
          ...open.map((report) => this.#background.run(this.#relater.attempt(w, report, this.#rounds))),
        ];
      }),
    );
    this.#rounds++;
    this.#efforts.refill();
  }

  /** The witness has cosigned, durably: its tiles are kept while they can be had, and its peers told. */
  cosigned(origin: string): void {
    const w = this.#watched.get(origin);
    if (!w) return;
    const tiles = this.#options.network.tiles(w.log);
    // With nobody to tell and nothing to keep, what was cosigned is read when it is needed.
    if (!tiles && !this.#reader.peers.some(({ peer }) => peer.gossip)) return;
    this.#refreshOwn(w);
    void this.#background.run(this.#keeper.keep(w));
    this.#teller.news(w);
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
  takeEvidence(bytes: Uint8Array): Promise<Shelved> {
    return this.#court.take(bytes);
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
  idle(): Promise<void> {
    return this.#background.idle();
  }

  async #load(log: GossipLog): Promise<Watched> {
    const w = new Watched(log, this.#options.store);
    const bytes = await this.#options.store.load(log.origin);
    const saved = bytes && w.restore(bytes, w.keys(this.#court.witnesses));
    if (bytes && !saved) this.#log('warn', 'gossip-state-unreadable', { origin: log.origin });
    const note = this.#options.own(log.origin);
    if (note !== undefined && saved && w.base) {
      const own = ownHead(encodeUtf8(note), w.keys(this.#court.witnesses));
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
    const own = ownHead(encodeUtf8(note), w.keys(this.#court.witnesses));
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
      if (added) void this.#background.run(this.#relater.attempt(w, added.report, this.#rounds));
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
    const made = await this.#court.alone(w, head);
    // The field's witnesses do not look at the root of an empty tree: only a log is convicted by one.
    return made.count === 0 ? { kind: 'untrusted' } : { kind: 'contradiction', evidence: made.stored };
  }
}

function done(outcome: Reconciled): Taken {
  return { now: outcome, settled: Promise.resolve(outcome) };
}
