// Witnesses without a machine: the engine of each, over a network and a disk in memory that the test owns.
import { addSignature, cosignerKey, type SigningKey } from './keys.js';
import { ClientError, type TileSource } from '../../client/index.js';
import { decodeUtf8, encodeHex, sha256, type Vkey } from '../../tlog/index.js';
import {
  Gossip,
  type GossipLog,
  type GossipNetwork,
  type GossipStore,
  type Owed,
  type Peer,
} from '../../witness/index.js';

/** What one witness keeps. */
export class MemoryStore implements GossipStore {
  readonly states: Map<string, Uint8Array> = new Map<string, Uint8Array>();
  readonly tiles: Map<string, Uint8Array> = new Map<string, Uint8Array>();
  readonly evidence: Map<string, Uint8Array> = new Map<string, Uint8Array>();

  load(origin: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.states.get(origin));
  }
  save(origin: string, state: Uint8Array): Promise<void> {
    this.states.set(origin, state);
    return Promise.resolve();
  }
  listTiles(): Promise<readonly string[]> {
    return Promise.resolve([...this.tiles.keys()]);
  }
  getTile(_: string, path: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.tiles.get(path));
  }
  putTile(_: string, path: string, bytes: Uint8Array): Promise<void> {
    this.tiles.set(path, bytes);
    return Promise.resolve();
  }
  removeTile(_: string, path: string): Promise<void> {
    this.tiles.delete(path);
    return Promise.resolve();
  }
  loadEvidence(): Promise<readonly { sha256: string; bytes: Uint8Array }[]> {
    return Promise.resolve([...this.evidence].map(([name, bytes]) => ({ sha256: name, bytes })));
  }
  saveEvidence(name: string, bytes: Uint8Array): Promise<void> {
    if (encodeHex(sha256(bytes)) !== name) throw new Error('evidence under another name than its hash');
    this.evidence.set(name, bytes);
    return Promise.resolve();
  }
}

/** How one witness answers another; what is left out, it does not do. */
export interface Manners {
  latest?: (origin: string) => Promise<Uint8Array | undefined>;
  owed?: (oldSize: number, newSize: number) => Promise<Owed | undefined>;
  evidenceList?: () => Promise<readonly string[]>;
  evidence?: (name: string) => Promise<Uint8Array | undefined>;
}

export class World {
  readonly nodes: Map<string, Node> = new Map<string, Node>();
  /** Who cannot hear whom. */
  cut: (from: string, to: string) => boolean = () => false;
  /** Milliseconds since the epoch. */
  now = 1_700_000_000_000;
  /** How often each port was used. */
  readonly asked: Map<string, number> = new Map<string, number>();

  count(port: string): void {
    this.asked.set(port, (this.asked.get(port) ?? 0) + 1);
  }

  /** A witness that knows these logs and has no peers yet. */
  async node(name: string, logs: readonly GossipLog[], options: NodeOptions = {}): Promise<Node> {
    const node = new Node(this, name, options);
    this.nodes.set(name, node);
    await node.start(logs, []);
    return node;
  }

  /** Makes all of them peers of each other. */
  async meet(...nodes: Node[]): Promise<void> {
    for (const node of nodes) {
      await node.start(
        node.logs,
        nodes.filter((other) => other !== node).map(({ peer }) => peer),
      );
    }
  }

  async round(): Promise<void> {
    for (const node of this.nodes.values()) await node.gossip.round();
    for (const node of this.nodes.values()) await node.gossip.idle();
  }

  async reach(from: string, to: string): Promise<Node> {
    const node = this.nodes.get(to);
    await Promise.resolve();
    if (!node || this.cut(from, to)) throw new ClientError('unreachable', `${to}: cut off`);
    return node;
  }
}

export interface NodeOptions {
  /** Tiles of the log as this witness sees them. */
  source?: TileSource;
  /** Overrides how it answers. */
  manners?: Manners;
  c2sp?: boolean;
}

export class Node {
  readonly world: World;
  readonly name: string;
  readonly key: SigningKey;
  readonly store: MemoryStore = new MemoryStore();
  readonly own: Map<string, string> = new Map<string, string>();
  logs: readonly GossipLog[] = [];
  source: TileSource | undefined;
  manners: Manners;
  gossip!: Gossip;
  readonly #c2sp: boolean;

  constructor(world: World, name: string, { source, manners = {}, c2sp = false }: NodeOptions) {
    this.world = world;
    this.name = name;
    this.key = cosignerKey(name);
    this.source = source;
    this.manners = manners;
    this.#c2sp = c2sp;
  }

  get vkey(): Vkey {
    return this.key.vkey;
  }

  get peer(): Peer {
    return { name: this.name, vkeys: [this.vkey], url: `http://${this.name}`, gossip: !this.#c2sp };
  }

  /** Starts the program, again perhaps, on what is kept. */
  async start(logs: readonly GossipLog[], peers: readonly Peer[]): Promise<void> {
    this.logs = logs;
    this.gossip = new Gossip({
      network: this.#network(),
      store: this.store,
      clock: { now: () => this.world.now },
      random: () => 0.5,
      own: (origin) => this.own.get(origin),
      ownKeys: [this.vkey],
    });
    this.gossip.setPeers(peers);
    await this.gossip.setLogs(logs);
  }

  /** Cosigns, without asking what it cosigned before. */
  cosign(note: Uint8Array, seconds: number = Math.floor(this.world.now / 1000)): Uint8Array {
    const signed = addSignature(note, this.key, seconds);
    const text = decodeUtf8(signed, 'note');
    const origin = text.slice(0, text.indexOf('\n'));
    this.own.set(origin, text);
    this.gossip.cosigned(origin);
    return signed;
  }

  /** The status of the only log. */
  get status(): ReturnType<Gossip['status']>['logs'][number] {
    const [log] = this.gossip.status().logs;
    if (!log) throw new Error('no log is watched');
    return log;
  }

  #network(): GossipNetwork {
    const { world, name } = this;
    const bytes = (text: string | undefined): Uint8Array | undefined =>
      text === undefined ? undefined : new TextEncoder().encode(text);
    return {
      async latest(peer, origin) {
        world.count('latest');
        const node = await world.reach(name, peer.name);
        return node.manners.latest ? node.manners.latest(origin) : bytes(node.own.get(origin));
      },
      published: async () => {
        await Promise.resolve();
        return this.source?.checkpoint();
      },
      tiles: () => {
        const { source } = this;
        if (!source) return undefined;
        return {
          ...source,
          tile(tile) {
            world.count('tile');
            return source.tile(tile);
          },
        };
      },
      async push(peer, note) {
        world.count('push');
        const node = await world.reach(name, peer.name);
        await node.gossip.take(note, { kind: 'stranger' });
      },
      async owed(peer, origin, oldSize, newSize) {
        world.count('owed');
        const node = await world.reach(name, peer.name);
        if (node.manners.owed) return node.manners.owed(oldSize, newSize);
        return node.gossip.consistency(origin, oldSize, newSize);
      },
      async evidenceList(peer) {
        const node = await world.reach(name, peer.name);
        if (node.manners.evidenceList) return node.manners.evidenceList();
        return node.gossip.evidenceList().map((kept) => kept.sha256);
      },
      async evidence(peer, hash) {
        world.count('evidence');
        const node = await world.reach(name, peer.name);
        return node.manners.evidence ? node.manners.evidence(hash) : node.gossip.evidenceFile(hash);
      },
      async pushEvidence(peer, file) {
        const node = await world.reach(name, peer.name);
        await node.gossip.takeEvidence(file);
      },
    };
  }
}
