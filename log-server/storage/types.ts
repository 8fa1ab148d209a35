/**
 * The seams of storage, and what stands on them.
 *
 *     initLogStorage(options), openLogStorage(options): Promise<LogStorage>               (index.ts)
 *     LogStorage      what the sequencer and the publisher talk to: the steps, in order, with their checks
 *       TreeState     small and transactional: head, unsealed entries, leaf index, ledger   (level | memory)
 *       TileStore     large and immutable: full tiles and bundles in the C2SP layout         (files | memory)
 *       Disk          the few file operations on which tiles, tail and note files are built  (node:fs | memory)
 *
 * Every driver of a seam runs the same suite (test/storage), and faults are injected at the seams, so
 * a driver for PostgreSQL or S3 needs no other proof than to pass there.
 *
 * Sizes and indexes are safe integers; hashes are 32-byte arrays.
 */
import type { HashReader, TileId, Vkey } from '../../tlog/index.js';

/** The part of a keyed store that admission reads. A missing key is `undefined`. */
export interface KeyedReader {
  get(key: string): Promise<Uint8Array | undefined>;
}

/** What a commit changes in the ledger's keyed store; `null` deletes. */
export type KeyedChanges = ReadonlyMap<string, Uint8Array | null>;

// ---------------------------------------------------------------- TreeState

/** One advance of the tree: everything in it lands in one atomic, synced write, or nothing does. */
export interface StateChange {
  /** Compare-and-swap: the size the tree has now. */
  readonly oldSize: number;
  /** Leaf data of the entries [oldSize, oldSize + entries.length). May be empty. */
  readonly entries: readonly Uint8Array[];
  /** Right edge of the new tree: roots of its perfect subtrees, largest first. */
  readonly edge: readonly Uint8Array[];
  /** Identity of an entry (32 bytes) → its index. An identity is never entered twice. */
  readonly ids: readonly (readonly [id: Uint8Array, index: number])[];
  readonly ledger: KeyedChanges;
  /** Entries below this, a multiple of 256, are in fsynced bundles and leave the state with this change. */
  readonly sealedTo: number;
  /** Size of the last note signed, and of the last published, as far as known when the change is made. */
  readonly signedSize: number;
  readonly publishedSize: number;
}

/** What the last commit left. */
export interface Head {
  readonly size: number;
  readonly edge: readonly Uint8Array[];
  readonly sealedTo: number;
  readonly signedSize: number;
  readonly publishedSize: number;
  /** Commits are numbered from 1; 0 is a state that was only initialised. */
  readonly commitNumber: number;
}

/** The small, transactional store. All errors are {@link StorageError}. */
export interface TreeState {
  readonly head: Head;
  /**
   * Throws `size_conflict` (nothing written), `storage_failed` (nothing written) or `outcome_unknown`,
   * after which every further call throws that.
   */
  commit(change: StateChange): Promise<void>;
  /** Entries [from, to) that are not sealed: sealedTo <= from. A missing one throws `state_damaged`. */
  entries(from: number, to: number): Promise<Uint8Array[]>;
  lookup(id: Uint8Array): Promise<number | undefined>;
  readonly ledger: KeyedReader;
  /** The size each witness last cosigned, by its name. */
  witnessSize(name: string): Promise<number | undefined>;
  putWitnessSizes(sizes: ReadonlyMap<string, number>): Promise<void>;
  /**
   * Reads everything once and compares it with the sums kept beside the head, which find a key that is
   * missing where checksums only find a value that differs. Work proportional to the whole state:
   * fsck and a slow background task call it. Throws `state_damaged`.
   */
  scrub(signal?: AbortSignal): Promise<StateCounts>;
  close(): Promise<void>;
}

/** How much a state holds. */
export interface StateCounts {
  readonly entries: number;
  readonly ids: number;
  readonly ledger: number;
}

// ---------------------------------------------------------------- TileStore

/** Large immutable objects under C2SP paths such as `tile/entries/x001/067`. */
export interface TileStore {
  get(path: string): Promise<Uint8Array | undefined>;
  /**
   * All objects are durable when this returns, their folders too. One that exists is compared: other
   * bytes throw `state_damaged`, equal ones are made durable again (what wrote them may have died
   * before its fsync). Throws `storage_failed` if nothing of it can be seen, else `outcome_unknown`.
   */
  put(objects: readonly (readonly [path: string, bytes: Uint8Array])[]): Promise<void>;
}

// ---------------------------------------------------------------- Disk

/**
 * The file operations everything but `level` is built on. Paths are relative to the log's folder and
 * use `/`. Errors are the platform's own; the layers above give them their code.
 */
export interface Disk {
  read(path: string): Promise<Uint8Array | undefined>;
  /** Names in a folder, sorted; none if there is no folder. */
  list(folder: string): Promise<string[]>;
  /** Makes or replaces a file and syncs its content. Not atomic, its name not yet durable. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Writes at `offset` of an existing file, cutting what lies behind, and syncs it. */
  append(path: string, offset: number, bytes: Uint8Array): Promise<void>;
  /** Syncs the content of an existing file. */
  sync(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Makes a folder and its parents, each new name durable. */
  makeFolder(path: string): Promise<void>;
  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>;
  /** Removes a file or a folder with all in it, not durably. No error if it is not there. */
  remove(path: string): Promise<void>;
  /** What is left for unprivileged writers. */
  freeBytes(): Promise<number>;
}

// ---------------------------------------------------------------- LogStorage

/** A batch as the sequencer hands it over: storage computes hashes, edge and what is sealed. */
export interface Batch {
  /** Compare-and-swap: `storage.size` when the batch was admitted. */
  readonly oldSize: number;
  readonly entries: readonly Uint8Array[];
  readonly ids?: readonly (readonly [id: Uint8Array, index: number])[];
  readonly ledger?: KeyedChanges;
}

/** The tree after a commit. */
export interface Committed {
  readonly size: number;
  readonly rootHash: Uint8Array;
  /** One per entry of the batch. */
  readonly leafHashes: readonly Uint8Array[];
}

/**
 * A log's folder, opened and checked. One instance per key and folder.
 *
 * The order the caller keeps, and storage enforces: commit → makeReadable → writeSigned (at most
 * readableSize) → witnesses → writePublished (at most the signed size). `commit` may run while
 * `makeReadable` does; two calls of one method queue up.
 */
export interface LogStorage {
  readonly origin: string;
  /** Committed size: admission and indexes count from here. */
  readonly size: number;
  /** Root of the committed tree. */
  rootHash(): Uint8Array;
  /** Entries below this are durable twice and may be signed. */
  readonly readableSize: number;
  /** What starting found torn by a crash, and mended; for the log file. */
  readonly mended: readonly string[];

  /** COMMIT. Errors as {@link TreeState.commit}. */
  commit(batch: Batch): Promise<Committed>;
  /**
   * READABLE: seals full bundles and tiles, puts the rest in the tail file, and answers with the size
   * that is now readable: what was committed when it was called. After `storage_failed` it may be
   * called again.
   */
  makeReadable(): Promise<number>;

  /** The note signed last, fsynced before this returns; undefined before the first. */
  readonly signed: Uint8Array | undefined;
  /**
   * Throws `not_allowed` unless every log key whose turn it is signed it for this origin and none that has retired, with the tree's root at its size, not smaller
   * than the last signed and not above {@link readableSize}.
   */
  writeSigned(note: Uint8Array): Promise<void>;
  /** The note published last, with the policy it was published under. */
  readonly published: { readonly note: Uint8Array; readonly policy: Uint8Array } | undefined;
  /**
   * The same rules as {@link writeSigned}, one log key being enough, with the signed size as the limit. Called again with more
   * cosignatures for the same size. With `publishPartials` also writes `checkpoint` of the static folder.
   */
  writePublished(note: Uint8Array, policy: Uint8Array): Promise<void>;

  readonly ledger: KeyedReader;
  lookup(id: Uint8Array): Promise<number | undefined>;
  witnessSize(name: string): Promise<number | undefined>;
  putWitnessSizes(sizes: ReadonlyMap<string, number>): Promise<void>;

  /** Leaf data. Requires 0 <= index < size. */
  readEntry(index: number): Promise<Uint8Array>;
  /** undefined if no tree of at most {@link readableSize} has this tile. Partial ones are sliced. */
  readTile(tile: TileId): Promise<Uint8Array | undefined>;
  readBundle(index: number, width: number): Promise<Uint8Array | undefined>;
  /** For proofs in the tree of `size`. Requires 0 <= treeSize <= size. */
  hashReader(treeSize: number): HashReader;
  /** Requires 0 <= treeSize <= size. */
  rootAt(treeSize: number): Promise<Uint8Array>;

  /** See {@link TreeState.scrub}. */
  scrub(signal?: AbortSignal): Promise<void>;
  /** Ends what is under way, then lets go of everything. */
  close(): Promise<void>;
}

/**
 * Called, and awaited, before and after each thing that a crash can fall between: `commit:before`,
 * `commit:after`, `seal:written`, `tail:renamed`, `signed:written`, … {@link STEPS} names them all.
 */
export type StepHook = (name: StepName) => void | Promise<void>;

/** Every named step, in the order in which one batch meets them. */
export const STEPS = [
  'commit:before',
  'commit:after',
  'seal:before',
  'seal:written',
  'seal:renamed',
  'seal:after',
  'partials:before',
  'partials:after',
  'tail:before',
  'tail:written',
  'tail:renamed',
  'tail:after',
  'readable',
  'signed:before',
  'signed:written',
  'signed:renamed',
  'signed:marked',
  'signed:after',
  'published:before',
  'published:written',
  'published:renamed',
  'published:checkpoint',
  'published:after',
] as const;

export type StepName = (typeof STEPS)[number];

/** The sizes of the first and the last head that a key signs; `until` is null while it signs. */
export interface KeySpan {
  readonly from: number;
  readonly until: number | null;
}

/** Options of `openLogStorage` and `initLogStorage`. */
export interface LogStorageOptions {
  /** The log's data folder. */
  readonly folder: string;
  /** Where the log's key lies: the lock and the mark of the last signed size lie beside it. */
  readonly keyFolder: string;
  /** The log's origin, which is its key's name. */
  readonly origin: string;
  /**
   * Every key the log has and had: a note found must be signed by one, a note written by all whose turn it is. The
   * first one's ID names the lock.
   */
  readonly logKeys: readonly [Vkey, ...Vkey[]];
  /** Which heads each of them signs, in their order; all of them where nothing is said. */
  readonly keySpans?: readonly KeySpan[];
  /** Also write partial tiles and bundles and `checkpoint`, so that a static server can serve `public/`. */
  readonly publishPartials?: boolean;
  readonly step?: StepHook;
  /**
   * Bytes that must be free for a commit to be begun, 64 MiB unless said: running full within `level`
   * has an unknown outcome and stops the log, before it does no harm.
   */
  readonly reserveBytes?: number;
}

/** What an entry does to the keyed stores: admission's effects, recomputed by recover and fsck. */
export interface EntryEffects {
  /** undefined where entries have no identity (`--admission none`). */
  readonly id: Uint8Array | undefined;
  readonly ledger: KeyedChanges;
}

/** Recomputes the effects of the entry at `index` on the ledger as it is before it. */
export type EffectsOf = (
  store: KeyedReader,
  index: number,
  entry: Uint8Array,
  treeRoot: (size: number) => Promise<Uint8Array>,
) => Promise<EntryEffects>;
