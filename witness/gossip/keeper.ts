// What is written down of a log while gossip goes on: its state, and the tiles of what is on our history.
import { sameTree, treeKey, type Head } from './head.js';
import type { Background } from './background.js';
import { Limiter } from './limiter.js';
import type { GossipNetwork, GossipStore } from './ports.js';
import type { Watched } from './watched.js';

export interface KeeperOptions {
  readonly network: GossipNetwork;
  readonly store: GossipStore;
  readonly clock: { now(): number };
}

export class Keeper {
  readonly #network: GossipNetwork;
  readonly #store: GossipStore;
  readonly #clock: { now(): number };
  readonly #background: Background;
  /** Trees whose tiles are fetched at once, and states written. */
  readonly #keeping = new Limiter(4);
  readonly #saving = new Limiter(4);

  constructor({ network, store, clock }: KeeperOptions, background: Background) {
    this.#network = network;
    this.#store = store;
    this.#clock = clock;
    this.#background = background;
  }

  /** Something is to be saved: soon, and once for all that changes meanwhile. */
  touch(w: Watched): void {
    w.dirty = true;
    if (w.saving) return;
    w.saving = true;
    void this.#background.run(
      this.#saving.run(async () => {
        try {
          while (w.dirty) {
            w.dirty = false;
            await this.#store.save(w.log.origin, w.format());
          }
        } finally {
          w.saving = false;
        }
      }),
    );
  }

  /** Fetches and keeps the tiles of what is on our history, unless that is done or under way. */
  async keep(w: Watched): Promise<void> {
    const remote = this.#network.tiles(w.log);
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
        this.touch(w);
      }
      return true;
    } catch (error) {
      if (w.own && sameTree(head, w.own) && !w.noTiles) {
        const detail = error instanceof Error ? error.message : 'failed';
        w.noTiles = { kind: 'no-tiles', since: this.#clock.now(), detail };
        this.touch(w);
      }
      return false;
    }
  }
}
