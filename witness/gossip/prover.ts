// How two trees of one log stand to each other: from the tiles we kept, from those that the log serves, or
// from a peer that vouches for the larger. Nobody is believed; a proof that holds is.
import type { TileSource } from '../../client/index.js';
import { equalBytes, SteleError, verifyConsistency } from '../../tlog/index.js';
import { signedBy, type Head } from './head.js';
import { Limiter } from './limiter.js';
import type { GossipNetwork, Owed, Peer } from './ports.js';
import { proofFromTiles } from './tiles.js';
import type { Watched } from './watched.js';

/** Peers that are asked for one proof. */
const ASKED = 4;
/** Questions of strangers that may wait for the log's server. */
const DEBTS_WAITING = 8;

export type Relation =
  | { readonly kind: 'consistent' }
  /** `shown` leads from another root to the larger tree; there is none for two trees of one size. */
  | { readonly kind: 'contradiction'; readonly shown?: Owed }
  | { readonly kind: 'unknown' };

export class Prover {
  readonly #network: GossipNetwork;
  readonly #debts = new Limiter(2);
  #waiting = 0;

  constructor(network: GossipNetwork) {
    this.#network = network;
  }

  /** `peers` may be asked, in their order, those that vouch for the larger tree first. Sizes are above 0. */
  async relation(
    w: Watched,
    a: Head,
    b: Head,
    showed: ReadonlySet<string>,
    peers: readonly Peer[],
  ): Promise<Relation> {
    if (a.size === b.size) {
      return { kind: equalBytes(a.rootHash, b.rootHash) ? 'consistent' : 'contradiction' };
    }
    const [small, large] = a.size < b.size ? [a, b] : [b, a];
    for await (const shown of this.#proofs(w, small.size, large, showed, peers)) {
      try {
        verifyConsistency({
          oldSize: small.size,
          oldRoot: shown.oldRoot,
          newSize: large.size,
          newRoot: large.rootHash,
          proof: shown.proof,
        });
      } catch (error) {
        // A proof that fails shows nothing: anybody can make one up. Perhaps another has one that holds.
        if (error instanceof SteleError) continue;
        throw error;
      }
      if (equalBytes(shown.oldRoot, small.rootHash)) return { kind: 'consistent' };
      return { kind: 'contradiction', shown };
    }
    return { kind: 'unknown' };
  }

  async *#proofs(
    w: Watched,
    oldSize: number,
    large: Head,
    showed: ReadonlySet<string>,
    peers: readonly Peer[],
  ): AsyncGenerator<Owed, void, undefined> {
    const kept = await proofFromTiles(w.tiles.source, large, oldSize, large.size).catch(() => undefined);
    if (kept) yield kept;
    const remote = this.#remote(w);
    if (remote) {
      const { cache } = w.tiles;
      const served = await proofFromTiles(remote, large, oldSize, large.size, cache).catch(() => undefined);
      if (served) yield served;
    }
    const vouching = peers.filter(
      ({ gossip, name, vkeys }) => gossip && (showed.has(name) || signedBy(large, vkeys)),
    );
    for (const peer of vouching.slice(0, ASKED)) {
      const owed = await this.#network.owed(peer, w.log.origin, oldSize, large.size).catch(() => undefined);
      if (owed) yield owed;
    }
  }

  /** What we owe to whoever asks: the proof between two sizes of our own history. Requires 0 < old <= new. */
  async owed(w: Watched, oldSize: number, newSize: number): Promise<Owed | undefined> {
    const trees = w.anchors().filter(({ size }) => size >= newSize);
    for (const tree of trees) {
      const kept = await proofFromTiles(w.tiles.source, tree, oldSize, newSize).catch(() => undefined);
      if (kept) return kept;
    }
    const remote = this.#remote(w);
    // Strangers may make us ask the log; not many at once.
    if (!remote || this.#waiting >= DEBTS_WAITING) return undefined;
    this.#waiting++;
    try {
      return await this.#debts.run(async () => {
        for (const tree of trees) {
          const { cache } = w.tiles;
          const served = await proofFromTiles(remote, tree, oldSize, newSize, cache).catch(() => undefined);
          if (served) return served;
        }
        return undefined;
      });
    } finally {
      this.#waiting--;
    }
  }

  #remote(w: Watched): TileSource | undefined {
    return this.#network.tiles(w.log);
  }
}
