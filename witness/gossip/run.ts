// Gossip in a witness that serves: the engine over files and HTTP, driven by the clock.
import type { Clock, Vkey } from '../../tlog/index.js';
import type { Logger } from '../log.js';
import type { OwnCosignature } from '../restored.js';
import type { Witnessing } from '../witness.js';
import { Driver } from './driver.js';
import { Gossip } from './engine.js';
import { fileStore } from './file-store.js';
import { httpNetwork } from './http-network.js';
import type { GossipLog, GossipNetwork, OwnNote, Peer } from './ports.js';

/** What a test may replace. */
export interface GossipOptions {
  /** `manual`: no round but those that the caller asks for, by `gossip.round()`. */
  drive?: 'clock' | 'manual';
  network?: GossipNetwork;
  /** From 0 up to but not including 1. */
  random?: () => number;
}

/** Notes that were not cosigned and wait to be looked at; more at once are dropped. */
const MAX_WAITING = 64;

/** Gossip at work. */
export interface RunningGossip {
  readonly gossip: Gossip;
  readonly network: GossipNetwork;
  /** What add-checkpoint tells it and asks it. */
  readonly witnessing: Witnessing;
  /** Takes up the logs and peers that are configured now. */
  set(logs: readonly GossipLog[], peers: readonly Peer[]): Promise<void>;
  /** Asks nobody any more, and has saved what it knows. */
  close(): Promise<void>;
}

/** Gossip of the witness in `folder`, whose lock is held. */
export function runGossip(
  options: GossipOptions & {
    folder: string;
    clock: Clock;
    log: Logger;
    own: OwnNote;
    ownKeys: readonly Vkey[];
    met: (seen: OwnCosignature, where: string) => void;
  },
): RunningGossip {
  const { folder, clock, log, own, ownKeys, met } = options;
  const random = options.random ?? Math.random;
  const store = fileStore(folder, log);
  const stop = new AbortController();
  const network = options.network ?? httpNetwork({ signal: stop.signal });
  const gossip = new Gossip({ network, store, clock, random, own, ownKeys, log, met });
  const driver = options.drive === 'manual' ? undefined : new Driver(gossip, clock, random);

  const cosigned = new Set<string>();
  const waiting: Uint8Array[] = [];
  const observing = new Set<Promise<void>>();
  let scheduled = false;
  let closed = false;
  /** After the answers that are due now: none of them waits for gossip. */
  const later = (): void => {
    if (scheduled || closed) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      if (closed) return;
      for (const origin of cosigned) gossip.cosigned(origin);
      cosigned.clear();
      for (const note of waiting.splice(0)) {
        const looking = gossip.observe(note, { kind: 'stranger' }).then(
          () => undefined,
          () => undefined,
        );
        observing.add(looking);
        void looking.finally(() => observing.delete(looking));
      }
    });
  };

  return {
    gossip,
    network,
    witnessing: {
      convictedKeys: (origin) => gossip.convictedKeys(origin),
      cosigned(origin) {
        cosigned.add(origin);
        later();
      },
      notCosigned(note) {
        if (waiting.length < MAX_WAITING) waiting.push(note);
        later();
      },
    },
    async set(logs, peers) {
      gossip.setPeers(peers);
      await gossip.setLogs(logs);
      driver?.update(peers);
    },
    async close() {
      closed = true;
      driver?.close();
      stop.abort();
      await Promise.all(observing);
      await gossip.idle();
    },
  };
}
