// Tells every peer that speaks gossip what is new.
import type { Background } from './background.js';
import type { PeerState } from './reader.js';
import type { Watched } from './watched.js';

export class Teller {
  readonly #peers: () => readonly PeerState[];
  readonly #background: Background;

  constructor(peers: () => readonly PeerState[], background: Background) {
    this.#peers = peers;
    this.#background = background;
  }

  /** There is something new about this log. */
  news(w: Watched): void {
    for (const { peer, outbox, failures } of this.#peers()) {
      // One that does not answer reads it from us when it is back.
      if (peer.gossip && failures < 3) void this.#background.run(outbox.news(w));
    }
  }

  /** A file of evidence was made or received. */
  proof(sha256: string, bytes: Uint8Array): void {
    for (const { peer, outbox } of this.#peers()) {
      if (peer.gossip) void this.#background.run(outbox.proof(sha256, bytes));
    }
  }
}
