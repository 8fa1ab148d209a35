// The ports of the gossip engine over a simulated network and disk.
import { encodeUtf8, encodeHex, sha256 as hashOf } from '../../tlog/index.js';
import type { TileSource } from '../../client/index.js';
import type { GossipNetwork, GossipStore, Owed, Peer } from '../../witness/gossip/ports.js';
import type { Disk } from './disk.js';
import type { Network } from './network.js';
import type { WitnessParty } from './party.js';

/** Who is out there, as far as one witness can reach them. */
export interface Neighbours {
  readonly network: Network;
  witness(name: string): WitnessParty;
  /** The log's address. */
  source(viewer: string): TileSource;
}

/** One running witness's network: after a crash nothing of it answers any more. */
export class WireNetwork implements GossipNetwork {
  readonly #self: string;
  readonly #out: Neighbours;
  readonly #alive: () => boolean;

  constructor(self: string, out: Neighbours, alive: () => boolean) {
    this.#self = self;
    this.#out = out;
    this.#alive = alive;
  }

  latest(peer: Peer): Promise<Uint8Array | undefined> {
    return this.#ask(peer, (witness) => witness.latest(this.#self));
  }

  published(): Promise<Uint8Array | undefined> {
    return this.#whileAlive(this.#out.source(this.#self).checkpoint());
  }

  tiles(): TileSource {
    const source = this.#out.source(this.#self);
    return {
      checkpoint: () => this.#whileAlive(source.checkpoint()),
      tile: (tile) => this.#whileAlive(source.tile(tile)),
      bundle: (index, width) => this.#whileAlive(source.bundle(index, width)),
    };
  }

  push(peer: Peer, note: Uint8Array): Promise<void> {
    return this.#ask(peer, (witness) => witness.report(this.#self, note));
  }

  owed(peer: Peer, _origin: string, oldSize: number, newSize: number): Promise<Owed | undefined> {
    return this.#ask(peer, (witness) => witness.owed(this.#self, oldSize, newSize));
  }

  evidenceList(peer: Peer): Promise<readonly string[]> {
    return this.#ask(peer, (witness) => witness.evidenceList(this.#self));
  }

  evidence(peer: Peer, sha256: string): Promise<Uint8Array | undefined> {
    return this.#ask(peer, (witness) => witness.evidence(this.#self, sha256));
  }

  pushEvidence(peer: Peer, bytes: Uint8Array): Promise<void> {
    return this.#ask(peer, (witness) => witness.reportEvidence(this.#self, bytes));
  }

  #ask<T>(peer: Peer, what: (witness: WitnessParty) => Promise<T>): Promise<T> {
    const { network } = this.#out;
    if (!this.#alive()) return never();
    const witness = this.#out.witness(peer.name);
    return this.#whileAlive(network.call(this.#self, peer.name, () => what(witness)));
  }

  /** A process that has ended sees no answer. */
  async #whileAlive<T>(answer: Promise<T>): Promise<T> {
    try {
      const value = await answer;
      return this.#alive() ? value : await never<T>();
    } catch (error) {
      if (!this.#alive()) return never<T>();
      throw error;
    }
  }
}

/** What gossip remembers, on a disk that forgets what was not synced. */
export class DiskGossip implements GossipStore {
  readonly #disk: Disk;
  readonly #alive: () => boolean;
  readonly #onEvidence: (sha256: string, bytes: Uint8Array) => void;

  constructor(disk: Disk, alive: () => boolean, onEvidence: (sha256: string, bytes: Uint8Array) => void) {
    this.#disk = disk;
    this.#alive = alive;
    this.#onEvidence = onEvidence;
  }

  load(origin: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#disk.read(`gossip ${origin}`));
  }

  save(origin: string, state: Uint8Array): Promise<void> {
    return this.#write(`gossip ${origin}`, state);
  }

  listTiles(origin: string): Promise<readonly string[]> {
    return Promise.resolve(this.#names(`tile ${origin} `));
  }

  getTile(origin: string, path: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#disk.read(`tile ${origin} ${path}`));
  }

  putTile(origin: string, path: string, bytes: Uint8Array): Promise<void> {
    return this.#write(`tile ${origin} ${path}`, bytes);
  }

  removeTile(origin: string, path: string): Promise<void> {
    return this.#write(`tile ${origin} ${path}`, undefined);
  }

  loadEvidence(): Promise<readonly { readonly sha256: string; readonly bytes: Uint8Array }[]> {
    const names = this.#names('evidence ');
    return Promise.resolve(
      names.map((sha256) => ({ sha256, bytes: this.#disk.read(`evidence ${sha256}`) ?? new Uint8Array() })),
    );
  }

  async saveEvidence(sha256: string, bytes: Uint8Array): Promise<void> {
    if (encodeHex(hashOf(bytes)) !== sha256)
      throw new Error(`evidence ${sha256}: expected its hash as its name`);
    await this.#write(`evidence ${sha256}`, bytes);
    this.#onEvidence(sha256, bytes);
  }

  #write(name: string, bytes: Uint8Array | undefined): Promise<void> {
    return this.#alive() ? this.#disk.write(name, bytes) : never();
  }

  #names(prefix: string): string[] {
    return this.#disk
      .names()
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length));
  }
}

/** What somebody waits for whose process has ended. */
export function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}

export const bytesOf = (text: string): Uint8Array => encodeUtf8(text);
