// What gossip knows of one log, and how it is written down.
//
//   {"format":0,"origin":"log.example","base":"…","own":"12/5891…","open":[…],"peers":[…],"alarms":[…],…}
//   sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//
// All of it but the ages can be read again from the peers, so what is damaged is set aside.
import { decodeUtf8, encodeHex, encodeUtf8, sha256, type Vkey } from '../../tlog/index.js';
import {
  noteOf,
  openHead,
  readNote,
  sameTree,
  signedBy,
  treeKey,
  type Head,
  type KnownKeys,
} from './head.js';
import { Limiter } from './limiter.js';
import type { Alarm, GossipLog, GossipStore } from './ports.js';
import { Reports } from './reports.js';
import { KeptTiles } from './tiles.js';

/** Trees known not to be ours: so many are remembered for each log. */
const REMEMBERED = 64;
/** Alarms about what was settled that are kept for each log. */
const MAX_ALARMS = 64;

/** What one peer was seen to sign. */
export interface Seen {
  /** The largest tree, 0 if none. */
  size: number;
  /** Seconds since the epoch; 0 if never. */
  timestamp: number;
  /** The largest tree with its line that is on our history. */
  ours: Head | undefined;
  /** Since when it has shown less than before, in milliseconds since the epoch. */
  wentBack: number | undefined;
  /** The bytes it showed last, to spare work. */
  last: Uint8Array | undefined;
}

export class Watched {
  log: GossipLog;
  readonly open: Reports = new Reports();
  readonly seen: Map<string, Seen> = new Map();
  /** What we cosigned last; undefined before. */
  own: Head | undefined;
  /** The note it was read from. */
  ownNote: string | undefined;
  /** The largest tree that is on our history, signed by the log. */
  base: Head | undefined;
  /** Trees shown not to be on our history, and the keys that stood under them. */
  readonly others: Map<string, Set<string>> = new Map();
  /** By what they are about, the oldest first; `by` is who signed that. */
  readonly alarms: Map<string, Alarm & { readonly by: string }> = new Map();
  noTiles: Alarm | undefined;
  readonly tiles: KeptTiles;
  /** Trees whose right edges are kept since the start, by treeKey. */
  kept: ReadonlySet<string> = new Set();
  keeping = false;
  /** How many reports are looked into at once. */
  readonly limiter: Limiter = new Limiter(4);
  /** Something is to be saved. */
  dirty = false;
  saving = false;

  constructor(log: GossipLog, store: GossipStore) {
    this.log = log;
    this.tiles = new KeptTiles(store, log.origin);
  }

  /** Trees that are on our history, the one we cosigned first. */
  anchors(): Head[] {
    const { own, base } = this;
    return [own, base].filter(
      (head, i): head is Head => head !== undefined && !(i === 1 && own !== undefined && sameTree(own, head)),
    );
  }

  seenOf(name: string): Seen {
    let seen = this.seen.get(name);
    if (!seen) {
      seen = { size: 0, timestamp: 0, ours: undefined, wentBack: undefined, last: undefined };
      this.seen.set(name, seen);
    }
    return seen;
  }

  /** Keys have changed, and with them what the same bytes say: look at them again. */
  showAgain(): void {
    for (const view of this.seen.values()) view.last = undefined;
  }

  /** Remembers a tree that is not on our history. */
  setAside(head: Head): void {
    const key = treeKey(head);
    this.others.set(key, new Set([...(this.others.get(key) ?? []), ...head.lines.keys()]));
    const [first] = this.others.keys();
    if (this.others.size > REMEMBERED && first !== undefined) this.others.delete(first);
  }

  /** Whether this tree is known not to be ours, under these very keys. */
  isAside(head: Head): boolean {
    const keys = this.others.get(treeKey(head));
    return keys !== undefined && [...head.lines.keys()].every((key) => keys.has(key));
  }

  /**
   * An alarm about what these have signed. Who signs endless trees pushes nobody else's alarm out, nor the first
   * of his own, which says since when: once there is no room, what goes is the last but one of those who have most.
   */
  alarm(about: string, by: string, alarm: Alarm): void {
    if (this.alarms.has(about)) return;
    this.alarms.set(about, { ...alarm, by });
    if (this.alarms.size <= MAX_ALARMS) return;
    this.open.dropped++;
    const bySigners = new Map<string, string[]>();
    for (const [key, { by: signers }] of this.alarms)
      bySigners.set(signers, [...(bySigners.get(signers) ?? []), key]);
    const most = [...bySigners.values()].reduce((a, b) => (b.length > a.length ? b : a));
    this.alarms.delete(most.length > 2 ? (most.at(-2) ?? about) : about);
  }

  format(): Uint8Array {
    const text = (head: Head | undefined): string | null => (head ? decodeUtf8(noteOf(head), 'note') : null);
    const line = `${JSON.stringify({
      format: 0,
      origin: this.log.origin,
      base: text(this.base),
      own: this.own ? treeKey(this.own) : null,
      open: this.open.all().map(({ head, since, peers, owner, detail }) => ({
        note: text(head),
        since,
        peers: [...peers],
        owner: owner ?? null,
        detail,
      })),
      dropped: this.open.dropped,
      peers: [...this.seen].map(([name, { size, timestamp, ours, wentBack }]) => ({
        name,
        size,
        timestamp,
        ours: text(ours),
        wentBack: wentBack ?? null,
      })),
      alarms: [...this.alarms].map(([about, alarm]) => ({ about, ...alarm })),
      noTiles: this.noTiles ?? null,
    })}\n`;
    return encodeUtf8(`${line}sha256 ${encodeHex(sha256(encodeUtf8(line)))}\n`);
  }

  /**
   * Takes up what was saved; whether it could. Notes are verified again, by the keys configured now.
   * `own` is what we had cosigned then, as treeKey has it.
   */
  restore(bytes: Uint8Array, keys: KnownKeys): { own: string | null } | undefined {
    try {
      const [line = '', check] = decodeUtf8(bytes, 'state').split('\n');
      if (check !== `sha256 ${encodeHex(sha256(encodeUtf8(`${line}\n`)))}`) return undefined;
      const saved = JSON.parse(line) as Saved;
      if (saved.format !== 0 || saved.origin !== this.log.origin) return undefined;
      const head = (note: string | null): Head | undefined =>
        note === null ? undefined : openHead(readNote(encodeUtf8(note)), keys);
      const base = head(saved.base);
      this.base = base && signedBy(base, this.log.keys) ? base : undefined;
      for (const { note, since, peers, owner, detail } of saved.open) {
        const found = head(note);
        if (found) this.open.restore(found, since, peers, owner ?? undefined, detail);
      }
      this.open.dropped = saved.dropped;
      for (const { name, size, timestamp, ours, wentBack } of saved.peers) {
        Object.assign(this.seenOf(name), {
          size,
          timestamp,
          ours: head(ours),
          wentBack: wentBack ?? undefined,
        });
      }
      for (const { about, by = '', ...alarm } of saved.alarms) this.alarms.set(about, { ...alarm, by });
      this.noTiles = saved.noTiles ?? undefined;
      return { own: saved.own };
    } catch {
      return undefined;
    }
  }

  /** Who may vouch for a head. */
  keys(witnesses: readonly Vkey[]): KnownKeys {
    return { logs: this.log.keys, witnesses };
  }
}

/** As `format` writes it; the checksum says that it did. */
interface Saved {
  readonly format: unknown;
  readonly origin: unknown;
  readonly base: string | null;
  readonly own: string | null;
  readonly open: readonly {
    readonly note: string;
    readonly since: number;
    readonly peers: readonly string[];
    readonly owner: string | null;
    readonly detail: string;
  }[];
  readonly dropped: number;
  readonly peers: readonly {
    readonly name: string;
    readonly size: number;
    readonly timestamp: number;
    readonly ours: string | null;
    readonly wentBack: number | null;
  }[];
  readonly alarms: readonly ({ readonly about: string; readonly by?: string } & Alarm)[];
  readonly noTiles: Alarm | null;
}
