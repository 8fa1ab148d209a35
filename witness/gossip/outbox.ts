// News on its way to one peer. What waits is bounded by the number of logs; what cannot be delivered is
// dropped, since the peer reads it from us when it is back.
import { noteOf, sameTree, signedBy, treeKey, type Head } from './head.js';
import type { GossipNetwork, Peer } from './ports.js';
import type { Watched } from './watched.js';

export class Outbox {
  readonly peer: Peer;
  readonly #network: GossipNetwork;
  readonly #logs = new Set<Watched>();
  readonly #evidence = new Map<string, Uint8Array>();
  /** The trees last sent, by origin. */
  readonly #sent = new Map<string, ReadonlySet<string>>();
  #working: Promise<void> | undefined;

  constructor(peer: Peer, network: GossipNetwork) {
    this.peer = peer;
    this.#network = network;
  }

  /** There is something new about this log. Resolves when nothing is left to send. */
  news(w: Watched): Promise<void> {
    this.#logs.add(w);
    return (this.#working ??= this.#work());
  }

  /** A file of evidence was made or received. Resolves as `news` does. */
  proof(sha256: string, bytes: Uint8Array): Promise<void> {
    this.#evidence.set(sha256, bytes);
    return (this.#working ??= this.#work());
  }

  async #work(): Promise<void> {
    try {
      while (this.#evidence.size > 0 || this.#logs.size > 0) {
        const [file] = this.#evidence;
        const [w] = this.#logs;
        // Evidence first: it is rare, and everything else can wait for it.
        if (file) {
          this.#evidence.delete(file[0]);
          await this.#network.pushEvidence(this.peer, file[1]);
        } else if (w) {
          this.#logs.delete(w);
          await this.#send(w);
        }
      }
    } catch {
      this.#logs.clear();
      this.#evidence.clear();
    } finally {
      // In the same turn as the last look: what comes later starts again.
      this.#working = undefined;
    }
  }

  async #send(w: Watched): Promise<void> {
    const { origin } = w.log;
    const heads = w.anchors();
    const sent = this.#sent.get(origin) ?? new Set();
    this.#sent.set(origin, new Set(heads.map((head) => this.#key(w, head))));
    for (const head of heads) {
      // What the peer has cosigned it knows, and what it was told.
      if (signedBy(head, this.peer.vkeys) || sent.has(this.#key(w, head))) continue;
      await this.#network.push(this.peer, noteOf(head));
    }
  }

  #key(w: Watched, head: Head): string {
    return `${treeKey(head)}${w.own && sameTree(w.own, head) ? ' ours' : ''}`;
  }
}
