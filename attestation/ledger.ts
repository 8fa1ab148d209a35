// The ledger: what a replay of entries 0…n-1 yields, as a keyed store. Values are canonical JSON.
// spec/attestations.md "The ledger" gives every key, its value and the digest, so that another
// implementation computes the same line.
import { concatBytes, decodeUtf8, encodeHex, encodeUtf8, decodeHex, sha256 } from '../tlog/index.js';
import { canonicalJson } from './json.js';
import type { AnchorRef, Roles, Terms } from './generated/types.js';

/** Where the ledger is read from: a database with pending changes laid over it, or memory. */
export interface KeyedStore {
  get(key: string): Promise<Uint8Array | undefined>;
}

/** What one entry changes: key to new value, or null where the key goes. */
export type Changes = Map<string, Uint8Array | null>;

/** `head`: what every admission looks at. */
export interface Head {
  /** Hex digest of the terms in force. */
  readonly terms: string;
  /** Schema digests the terms pin, by type URI. */
  readonly types: readonly string[];
  readonly unknownTypes: 'admit' | 'refuse';
  /** Bytes of one entry. */
  readonly sizeLimit: number;
  readonly origin: string;
  /** Index of the freeze entry, or null. */
  readonly frozenAt: number | null;
  /** How many anchors there are. */
  readonly anchors: number;
  /** Tree size of the last anchor's checkpoint, 0 before the first. */
  readonly anchorSize: number;
  /** Entry index of the last anchor, null before the first. */
  readonly anchorIndex: number | null;
  /** f of the policy in force: lying operators it survives; -1 where two disjoint quorums exist. */
  readonly faults: number;
}

/** What a key may do. Officers' keys act for the log, the others for their participant. */
export type KeyUse = 'anchor' | 'log' | 'operator' | 'recovery' | 'registrar' | 'signing';

/** `key/<key ID>`. Never removed: an ended key stays known so that it cannot come back as another's. */
export interface KeyRecord {
  /** Hex, raw. */
  readonly key: string;
  readonly participant: string;
  readonly uses: readonly KeyUse[];
  readonly roles: Roles | readonly [];
  /** In force for entries after this index. */
  readonly from: number;
  /** Not in force for entries after this index; null while in force. */
  readonly until: number | null;
}

/** `participant/<identifier>`. Officers have one too, so that nobody else takes their name. */
export interface ParticipantRecord {
  readonly officer: boolean;
  /** Entry that introduced it. */
  readonly index: number;
  readonly name: string;
  readonly roles: Roles | readonly [];
  /** IDs of keys in force, the recovery key's included, sorted. */
  readonly keys: readonly string[];
  /** Payload digest of a registrar's request that waits, or null. */
  readonly pending: string | null;
}

/** `anchor/<ordinal>`. */
export interface AnchorRecord {
  /** Entry index. */
  readonly index: number;
  /** Tree size of its checkpoint: it covers the entries below. */
  readonly size: number;
  readonly leafHash: string;
  /** POSIX seconds: the anchor was made at or after this; null where the policy gives no time. */
  readonly lower: number | null;
  /** POSIX seconds: what the anchor covers was logged at or before this; null as above. */
  readonly upper: number | null;
}

/** One of `pending`: a registrar's request to change a participant's key. */
export interface PendingRequest {
  readonly about: string;
  /** Payload digest of the request. */
  readonly statement: string;
  readonly index: number;
  /** Seconds it waits: the terms in force when it was logged. */
  readonly wait: number;
  /** POSIX seconds: logged before this; null until an anchor with a time covers it. */
  readonly loggedBy: number | null;
  readonly oldKey: string;
  /** Hex of the new raw key, null for a revocation. */
  readonly newKey: string | null;
}

/** An entry by index and payload digest. */
export interface EntryRef {
  readonly index: number;
  readonly statement: string;
}

/** `run/<participant>/<run>`. */
export interface RunRecord {
  /** Hex digest of the specification, from the first statement. */
  readonly specification: string;
  readonly intent: EntryRef | null;
  /** Distinct windows stated. */
  readonly windows: number;
  /** The last statement with effect. */
  readonly last: EntryRef;
  readonly final: EntryRef | null;
}

/** `finding/<index>/<n>`: something that does not fit, with the entries it rests on. Blames nobody. */
export interface Finding {
  readonly code: FindingCode;
  /** Indexes, ascending. */
  readonly entries: readonly number[];
}

/** Findings of the ledger itself; the checks of an audit are built on top. */
export type FindingCode =
  | 'amendment-stale'
  | 'anchor-unknown'
  | 'chain-broken'
  | 'intent-late'
  | 'intent-missing'
  | 'not-admissible'
  | 'objection-void'
  | 'request-void'
  | 'second-statement'
  | 'specification-changed'
  | 'statement-after-final'
  | 'supersedes-nothing';

/** Sixteen digits, so that keys sort as their numbers do. */
function pad(value: number): string {
  return String(value).padStart(16, '0');
}

export const KEYS: {
  readonly digest: string;
  readonly head: string;
  readonly terms: string;
  readonly pending: string;
  key(id: string): string;
  participant(id: string): string;
  anchor(ordinal: number): string;
  anchorAt(index: number): string;
  natural(type: string, participant: string, ...fields: (string | number)[]): string;
  endedLogKey(id: string): string;
  votes(amends: string, terms: string): string;
  run(participant: string, run: string): string;
  finding(index: number, n: number): string;
} = {
  digest: 'digest',
  head: 'head',
  terms: 'terms',
  pending: 'pending',
  key: (id) => `key/${id}`,
  participant: (id) => `participant/${id}`,
  anchor: (ordinal) => `anchor/${pad(ordinal)}`,
  anchorAt: (index) => `anchor-at/${pad(index)}`,
  natural: (type, participant, ...fields) => ['natural', type, participant, ...fields].join('/'),
  endedLogKey: (id) => `ended-log-key/${id}`,
  votes: (amends, terms) => `votes/${amends}/${terms}`,
  run: (participant, run) => `run/${participant}/${run}`,
  finding: (index, n) => `finding/${pad(index)}/${pad(n)}`,
};

/** A keyed store in memory, for replays and tests. */
export class MemoryStore implements KeyedStore {
  readonly values: Map<string, Uint8Array> = new Map();

  get(key: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.values.get(key));
  }

  /** Makes changes permanent. */
  apply(changes: Changes): void {
    for (const [key, value] of changes) {
      if (value === null) this.values.delete(key);
      else this.values.set(key, value);
    }
  }
}

/** Values decoded last, by key, with the very bytes they were decoded from. */
const lastDecoded = new Map<string, { readonly bytes: Uint8Array; readonly value: unknown }>();
const DECODED_LIMIT = 2048;

/**
 * A store that keeps a value in memory gives the same array each time, and then what it says is known: every entry asks for
 * its signer's key, the head and an anchor. Another array, of another ledger or a later one, is decoded anew.
 */
function decoded(key: string, bytes: Uint8Array): unknown {
  const known = lastDecoded.get(key);
  if (known?.bytes === bytes) return known.value;
  const value = frozen(JSON.parse(decodeUtf8(bytes)));
  const [oldest] = lastDecoded.keys();
  if (known === undefined && lastDecoded.size >= DECODED_LIMIT && oldest !== undefined)
    lastDecoded.delete(oldest);
  lastDecoded.set(key, { bytes, value });
  return value;
}

/** One value for all who ask: none of them may change it. */
function frozen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  Object.values(value).forEach(frozen);
  return Object.freeze(value);
}

/** The store with one entry's changes over it. Values are what canonicalJson writes. */
export class LedgerView {
  readonly changes: Changes = new Map();
  readonly #store: KeyedStore;
  readonly #index: number;
  #findings = 0;

  constructor(store: KeyedStore, index: number) {
    this.#store = store;
    this.#index = index;
  }

  async get<Value>(key: string): Promise<Value | undefined> {
    const changed = this.changes.get(key);
    if (changed === null) return undefined;
    if (changed !== undefined) return JSON.parse(decodeUtf8(changed)) as Value;
    const bytes = await this.#store.get(key);
    return bytes === undefined ? undefined : (decoded(key, bytes) as Value);
  }

  put(key: string, value: object): void {
    this.changes.set(key, canonicalJson(value));
  }

  delete(key: string): void {
    this.changes.set(key, null);
  }

  /** Records a finding about the entry being looked at and, where given, earlier ones. */
  find(code: FindingCode, ...others: readonly number[]): void {
    const finding: Finding = { code, entries: [...others, this.#index].sort((a, b) => a - b) };
    this.put(KEYS.finding(this.#index, this.#findings++), finding);
  }

  head(): Promise<Head | undefined> {
    return this.get<Head>(KEYS.head);
  }

  async terms(): Promise<Terms> {
    const terms = await this.get<Terms>(KEYS.terms);
    if (terms === undefined) throw new RangeError('ledger without terms');
    return terms;
  }
}

/** The ledger's size and digest: the line that two auditors compare. */
export interface LedgerDigest {
  /** Entries replayed. */
  readonly size: number;
  /** 32 bytes. */
  readonly digest: Uint8Array;
}

/** Written last, which is what is read next: the same bytes say the same. */
let lastDigest: { readonly bytes: Uint8Array; readonly digest: LedgerDigest } | undefined;

/** Reads the digest; of an empty ledger it is 32 zero bytes at size 0. */
export async function ledgerDigest(store: KeyedStore): Promise<LedgerDigest> {
  const bytes = await store.get(KEYS.digest);
  if (bytes === undefined) return { size: 0, digest: new Uint8Array(32) };
  if (bytes === lastDigest?.bytes) return lastDigest.digest;
  const value = JSON.parse(decodeUtf8(bytes)) as { size: number; digest: string };
  return { size: value.size, digest: decodeHex(value.digest) };
}

const [NULL, EMPTY, END] = [encodeUtf8('null'), encodeUtf8('{}'), encodeUtf8('}')];

/**
 * The digest after one more entry: SHA-256(old digest || leaf hash || SHA-256(changes)), where changes is
 * the canonical JSON of the object {key: new value or null}. Incremental, and it pins the whole
 * history of the ledger, not its last state alone. spec/attestations.md "The digest".
 */
export function nextDigest(old: LedgerDigest, leafHash: Uint8Array, changes: Changes): LedgerDigest {
  // Values are canonical already and RFC 8785 sorts keys by UTF-16 code units, as sort() does.
  const parts: Uint8Array[] = [];
  for (const key of [...changes.keys()].sort()) {
    if (key === KEYS.digest) continue;
    parts.push(
      encodeUtf8(`${parts.length === 0 ? '{' : ','}${JSON.stringify(key)}:`),
      changes.get(key) ?? NULL,
    );
  }
  parts.push(parts.length === 0 ? EMPTY : END);
  const changed = sha256(concatBytes(...parts));
  return { size: old.size + 1, digest: sha256(concatBytes(old.digest, leafHash, changed)) };
}

/** `<size> <hex>`: the line that two auditors compare. */
export function encodeLedgerLine({ size, digest }: LedgerDigest): string {
  return `${size} ${encodeHex(digest)}`;
}

/** The digest's value in the store. */
export function digestValue({ size, digest }: LedgerDigest): Uint8Array {
  const bytes = encodeUtf8(`{"digest":"${encodeHex(digest)}","size":${size}}`);
  lastDigest = { bytes, digest: { size, digest } };
  return bytes;
}

/** The terms in force, or undefined for an empty ledger. What a server compares its configuration with. */
export async function termsInForce(store: KeyedStore): Promise<{ terms: Terms; digest: string } | undefined> {
  const view = new LedgerView(store, 0);
  const head = await view.head();
  return head === undefined ? undefined : { terms: await view.terms(), digest: head.terms };
}

/** The last anchor as a statement names it, with its checkpoint's size; undefined before the first. */
export async function lastAnchor(store: KeyedStore): Promise<(AnchorRef & { size: number }) | undefined> {
  const view = new LedgerView(store, 0);
  const head = await view.head();
  if (head === undefined || head.anchors === 0) return undefined;
  const anchor = await view.get<AnchorRecord>(KEYS.anchor(head.anchors - 1));
  if (anchor === undefined) throw new RangeError('ledger without its last anchor');
  return { index: anchor.index, leafHash: anchor.leafHash, size: anchor.size };
}
