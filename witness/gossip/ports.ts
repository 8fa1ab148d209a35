// What gossip asks of the world: the network, the disk, the witness it belongs to. The engine does no
// I/O but through these, so that a simulation runs the very same code over its own.
import type { TileSource } from '../../client/index.js';
import type { Vkey } from '../../tlog/index.js';

/** Another witness, of a list that only the operator changes. */
export interface Peer {
  /** Key name. */
  readonly name: string;
  /** Verifier keys of types 4 and 6, all of that name. */
  readonly vkeys: readonly Vkey[];
  /** Monitoring prefix, and the prefix of the gossip doors. Without one, it is read from the logs' checkpoints. */
  readonly url?: string;
  /** Whether it speaks spec/gossip.md; if not, it is only read. */
  readonly gossip: boolean;
}

/** A log that is watched. */
export interface GossipLog {
  readonly origin: string;
  readonly keys: readonly Vkey[];
  /** Prefix under which its checkpoint and tiles are read. */
  readonly url?: string;
}

/** What a peer answers for a tree that it vouches for. Nothing of it is believed before the proof holds. */
export interface Owed {
  /** 32 bytes: the root that its tree had at the old size. */
  readonly oldRoot: Uint8Array;
  /** RFC 6962 §2.1.2, from that root to the tree of the new size. */
  readonly proof: readonly Uint8Array[];
}

/**
 * Every promise settles within a time that the implementation bounds, every answer has a bounded length,
 * and no address is used that the operator has not configured. Whatever is thrown means "not now"; a
 * ClientError's message is shown to the operator.
 */
export interface GossipNetwork {
  /** `GET <peer>/<origin hash>/checkpoint` (C2SP tlog-witness): what it last cosigned; undefined for 404. */
  latest(peer: Peer, origin: string): Promise<Uint8Array | undefined>;
  /** The log's own checkpoint, from its configured URL; undefined if there is none. */
  published(log: GossipLog): Promise<Uint8Array | undefined>;
  /** The log's tiles, from its configured URL; undefined without one. */
  tiles(log: GossipLog): TileSource | undefined;
  /** `POST <peer>/gossip/checkpoint`. */
  push(peer: Peer, note: Uint8Array): Promise<void>;
  /** `GET <peer>/<origin hash>/consistency/<old>/<new>`; undefined if it cannot say. */
  owed(peer: Peer, origin: string, oldSize: number, newSize: number): Promise<Owed | undefined>;
  /** `GET <peer>/gossip/evidence`: the hex SHA-256 of every file that it has. */
  evidenceList(peer: Peer): Promise<readonly string[]>;
  /** `GET <peer>/gossip/evidence/<sha256>`; undefined if it has none of that hash. */
  evidence(peer: Peer, sha256: string): Promise<Uint8Array | undefined>;
  /** `POST <peer>/gossip/evidence`. */
  pushEvidence(peer: Peer, evidence: Uint8Array): Promise<void>;
}

/** Where gossip remembers. Losing all of it but the evidence loses nothing that cannot be read again. */
export interface GossipStore {
  /** What `save` last wrote for the log; undefined if nothing, or if it is damaged and was set aside. */
  load(origin: string): Promise<Uint8Array | undefined>;
  /** Durable when it resolves. Calls for one log come one after the other. */
  save(origin: string, state: Uint8Array): Promise<void>;
  /** Paths of the tiles kept, as C2SP tlog-tiles writes them. */
  listTiles(origin: string): Promise<readonly string[]>;
  /** The bytes that were put under that path, or others: whoever reads verifies. */
  getTile(origin: string, path: string): Promise<Uint8Array | undefined>;
  putTile(origin: string, path: string, bytes: Uint8Array): Promise<void>;
  removeTile(origin: string, path: string): Promise<void>;
  /** All files of evidence ever saved, by the hex SHA-256 of their bytes. */
  loadEvidence(): Promise<readonly { readonly sha256: string; readonly bytes: Uint8Array }[]>;
  /** Durable when it resolves. Never overwritten and never removed. */
  saveEvidence(sha256: string, bytes: Uint8Array): Promise<void>;
}

/** The witness's own head for a log: the note it last cosigned, as its state holds it; undefined if never. */
export type OwnNote = (origin: string) => string | undefined;

/** Whence a note came. Only peers are asked for proofs of what they showed. */
export type Source =
  | { readonly kind: 'peer'; readonly name: string }
  /** The log's own checkpoint, from its configured URL. */
  | { readonly kind: 'log' }
  /** A door: whoever met a checkpoint, or asked for one to be cosigned. */
  | { readonly kind: 'stranger' };

/** What became of a note. */
export type Reconciled =
  /** Not a signed checkpoint. */
  | { readonly kind: 'malformed'; readonly detail: string }
  | { readonly kind: 'unknown-origin' }
  /** Neither a trusted key of the log nor a known peer signed it. */
  | { readonly kind: 'untrusted' }
  /** On our history: a prefix of the largest tree verified, or that tree now. */
  | { readonly kind: 'consistent' }
  /** Nothing obtained shows how it stands to our history: an alarm, tried again each round. */
  | { readonly kind: 'open'; readonly detail: string }
  /** Not on our history. The hex SHA-256 of the files that this gave, none if they were had before. */
  | { readonly kind: 'contradiction'; readonly evidence: readonly string[] };

/** What an operator should look at. None of it is proof. */
export interface Alarm {
  /**
   * `unproven`: signed by the log or a peer, and how it stands to our history is not known. `contradiction`:
   * shown not to be on our history, and no known key signed both. `went-back`: a peer shows less than it
   * did. `no-tiles`: the log does not serve the tiles of what we cosigned.
   */
  readonly kind: 'unproven' | 'contradiction' | 'went-back' | 'no-tiles';
  /** Milliseconds since the epoch at which it was first seen. */
  readonly since: number;
  readonly detail: string;
}

/** What one log's peers are known to have. */
export interface PeerView {
  readonly name: string;
  /** The largest tree that it was seen to cosign, 0 if none. */
  readonly size: number;
  /** Seconds since the epoch in its latest cosignature seen, 0 if none. */
  readonly timestamp: number;
}

/** A file of evidence that is kept. */
export interface KeptEvidence {
  /** Hex, of the file. */
  readonly sha256: string;
  readonly kind: string;
  readonly role: 'log' | 'witness';
  readonly origin: string;
  /** Verifier keys as text. */
  readonly convicted: readonly string[];
}

/** One log. */
export interface LogStatus {
  readonly origin: string;
  /** What we last cosigned; size 0 and undefined if never. */
  readonly size: number;
  readonly rootHash: Uint8Array | undefined;
  /** Seconds since the epoch; 0 if never. */
  readonly timestamp: number;
  /** Size of the largest tree shown to be on our history. */
  readonly largestKnown: number;
  /** By how much what we cosigned is smaller than that. */
  readonly lag: number;
  readonly alarms: readonly Alarm[];
  /** Reports, and alarms, that found no room or lost it. */
  readonly dropped: number;
  readonly evidence: readonly KeptEvidence[];
  readonly peers: readonly PeerView[];
}

/** One peer. */
export interface PeerStatus {
  readonly name: string;
  /** Milliseconds since the epoch of its last answer; undefined if it never answered. */
  readonly lastSeen: number | undefined;
  /** Failures in a row, and what the last one was. */
  readonly failures: number;
  readonly failing: string | undefined;
}

/** Everything an operator may ask. */
export interface GossipStatus {
  /** Rounds completed. */
  readonly rounds: number;
  readonly logs: readonly LogStatus[];
  readonly peers: readonly PeerStatus[];
}
