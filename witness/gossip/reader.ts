// What gossip reads each round: what each peer has last cosigned, the evidence it has, and the logs' own
// checkpoints, where the lines of peers stand that serve none themselves.
import { equalBytes } from '../../tlog/index.js';
import type { Logger } from '../log.js';
import { forEachOf } from './limiter.js';
import { Outbox } from './outbox.js';
import type { GossipNetwork, Peer, PeerStatus, Reconciled, Source } from './ports.js';
import type { Shelved } from './shelf.js';
import type { Watched } from './watched.js';

/** Logs that are asked about at once, of one peer and of all logs. */
const PARALLEL = 8;
/** Logs of which a peer does not answer before it is left alone until the next round. */
const MAX_FAILED = 3;
/** Files of evidence fetched from one peer in one round, and entries of its list that are looked at. */
const MAX_FETCHED = 8;
const MAX_LISTED = 1024;
/** Files that others offer and we do not want, remembered so that they are not fetched each round. */
const MAX_UNWANTED = 4096;

/** What is known of a note at once, and what it comes to. */
export interface Taken {
  /** Undefined while proofs are asked for. */
  readonly now: Reconciled | undefined;
  readonly settled: Promise<Reconciled>;
  /** Not all of its lines were tried: shown again in another round, it may say more. */
  readonly partly?: boolean;
}

/** Who judges what is read. */
export interface Judge {
  take(note: Uint8Array, from: Source): Promise<Taken>;
  takeEvidence(bytes: Uint8Array): Promise<Shelved>;
  evidenceFile(sha256: string): Uint8Array | undefined;
}

export interface ReaderOptions {
  readonly network: GossipNetwork;
  readonly clock: { now(): number };
  readonly random: () => number;
  readonly log: Logger;
}

/** A peer, and how it answered so far. */
export interface PeerState {
  peer: Peer;
  outbox: Outbox;
  lastSeen: number | undefined;
  failures: number;
  failing: string | undefined;
  pulling: boolean;
}

export class Reader {
  readonly #options: ReaderOptions;
  readonly #judge: Judge;
  readonly #watched: ReadonlyMap<string, Watched>;
  #peers = new Map<string, PeerState>();
  readonly #unwanted = new Set<string>();

  constructor(options: ReaderOptions, judge: Judge, watched: ReadonlyMap<string, Watched>) {
    this.#options = options;
    this.#judge = judge;
    this.#watched = watched;
  }

  /** The peers from now on; of those that stay, what is known of them stays. */
  setPeers(peers: readonly Peer[]): void {
    const before = this.#peers;
    this.#peers = new Map(
      peers.map((peer) => {
        const fresh = { lastSeen: undefined, failures: 0, failing: undefined };
        const known = before.get(peer.name) ?? fresh;
        const outbox = new Outbox(peer, this.#options.network);
        return [peer.name, { ...known, peer, outbox, pulling: false }];
      }),
    );
  }

  get peers(): readonly PeerState[] {
    return [...this.#peers.values()];
  }

  /** Keys have changed: what nobody wanted may convict somebody now. */
  forgetUnwanted(): void {
    this.#unwanted.clear();
  }

  /** Reads what one peer shows of all logs, and its evidence. Whether it answered, and made sense. */
  async pull(name: string): Promise<boolean> {
    const state = this.#peers.get(name);
    if (!state || state.pulling || state.peer.url === undefined) return true;
    const { peer } = state;
    const { clock, log, random } = this.#options;
    state.pulling = true;
    const settled: Promise<unknown>[] = [];
    const logs = [...this.#watched.values()];
    // Not always the same first: a few failures end it, since whoever hangs once would hang for each log.
    const turn = Math.floor(random() * logs.length);
    let failed = 0;
    try {
      await forEachOf([...logs.slice(turn), ...logs.slice(0, turn)], PARALLEL, async (w) => {
        try {
          const taken = await this.#pullLog(peer, w);
          state.lastSeen = clock.now();
          if (taken) settled.push(taken.settled);
        } catch (error) {
          if (++failed >= Math.min(MAX_FAILED, logs.length)) throw error;
        }
      });
      if (peer.gossip) await this.#pullEvidence(peer);
      Object.assign(state, { failures: 0, failing: undefined, lastSeen: clock.now() });
      return true;
    } catch (error) {
      state.failures++;
      state.failing = error instanceof Error ? error.message : 'failed';
      log('debug', 'peer-failed', { peer: name, failures: state.failures, message: state.failing });
      return false;
    } finally {
      state.pulling = false;
      await Promise.all(settled);
    }
  }

  async #pullLog(peer: Peer, w: Watched): Promise<Taken | undefined> {
    const { origin } = w.log;
    const note = await this.#options.network.latest(peer, origin);
    const view = w.seenOf(peer.name);
    if (!note || (view.last && equalBytes(view.last, note))) return undefined;
    const taken = await this.#judge.take(note, { kind: 'peer', name: peer.name });
    const { kind } = taken.now ?? {};
    if (kind === 'malformed' || kind === 'untrusted' || kind === 'unknown-origin') {
      throw new Error(`${peer.name}: expected a signed checkpoint of ${origin}, found one that is ${kind}`);
    }
    if (taken.partly !== true) view.last = note;
    return taken;
  }

  async #pullEvidence(peer: Peer): Promise<void> {
    const { network } = this.#options;
    const listed = (await network.evidenceList(peer)).slice(0, MAX_LISTED);
    const news = listed.filter((name) => !this.#judge.evidenceFile(name) && !this.#unwanted.has(name));
    for (const name of news.slice(0, MAX_FETCHED)) {
      const bytes = await network.evidence(peer, name);
      const outcome = bytes && (await this.#judge.takeEvidence(bytes));
      if (outcome?.kind === 'stored' && outcome.kept.sha256 === name) continue;
      // Another file of a case that is known, one that convicts nobody we know, or not what it was called.
      this.#unwanted.add(name);
      const [first] = this.#unwanted;
      if (this.#unwanted.size > MAX_UNWANTED && first !== undefined) this.#unwanted.delete(first);
    }
  }

  /** Reads the logs' own checkpoints, with whatever witnesses have cosigned there. */
  async readLogs(): Promise<void> {
    const logs = [...this.#watched.values()].filter(({ log }) => log.url !== undefined);
    const settled: Promise<unknown>[] = [];
    await forEachOf(logs, PARALLEL, async (w) => {
      try {
        const note = await this.#options.network.published(w.log);
        if (note) settled.push((await this.#judge.take(note, { kind: 'log' })).settled);
      } catch (error) {
        const message = error instanceof Error ? error.message : 'failed';
        this.#options.log('debug', 'log-failed', { origin: w.log.origin, message });
      }
    });
    await Promise.all(settled);
  }

  status(): PeerStatus[] {
    return this.peers.map(({ peer, lastSeen, failures, failing }) => ({
      name: peer.name,
      lastSeen,
      failures,
      failing,
    }));
  }
}
