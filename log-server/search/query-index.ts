// Where to look for entries by participant, run, type, digest and time. It holds indexes only and is made
// from the published log, so it can be deleted at any time, and nobody need believe it: an entry that it
// names is fetched with its proof. That it names all of them, only a reader of the whole log can know.
//
//   size                          entries looked at
//   <kind>\0<value>\0<index>      entries of one bundle that have this value: the first's index in 16 digits, and of
//                                 each its place in the bundle, a byte
//   time\0<seconds>\0<ordinal>    an anchor by its time; the entries it is the first to cover
import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { KEYS, factsFit, factsOf, factsOfStatement, shortType, typeUri } from '../../attestation/index.js';
import type { AnchorRecord, EntryFacts } from '../../attestation/index.js';
import {
  SteleError,
  TILE_WIDTH,
  bundleLeafHashes,
  decodeUtf8,
  encodeHex,
  encodeUtf8,
  equalBytes,
  parseBundle,
} from '../../tlog/index.js';
import type { Clock } from '../../tlog/index.js';
import type { Prepared } from '../admission.js';
import type { Logger } from '../logger.js';
import { Bell } from '../signal.js';
import { openDatabase, readKey } from '../storage/database.js';
import type { Database } from '../storage/database.js';
import type { LogStorage } from '../storage/types.js';
import { SubmissionError } from '../errors.js';

/** What is asked for: all that is given must fit. */
export interface Query {
  readonly participant?: string;
  readonly run?: string;
  /** Short name or URI. */
  readonly type?: string;
  /** Hex SHA-256, of the payload or anywhere in the statement. */
  readonly digest?: string;
  /** POSIX seconds: entries of which an anchor says that they were logged by then, no earlier, no later. */
  readonly from?: number;
  readonly until?: number;
  /** Newest first. */
  readonly newestFirst: boolean;
  /** Index that the page begins behind, in its order. */
  readonly after?: number;
  readonly limit: number;
}

/** A page of what was found. */
export interface Found {
  /** Entries [0, size) were looked at. */
  readonly size: number;
  readonly entries: readonly {
    readonly index: number;
    readonly facts: EntryFacts;
    /** Its bytes. */
    readonly entry: Uint8Array;
  }[];
  /** `after` of the next page; undefined where this was the last. */
  readonly next: number | undefined;
}

/** Awaited between entries, so that others have a turn. */
export type Breathe = (count: number) => Promise<void> | undefined;

/** Entries looked at for one page: a rare combination of frequent values takes several pages. */
const LOOKED_AT = 1000;
/** Entries from which on their whole bundle is read. */
const TOGETHER = 16;
/** Anchors between two times that one question may span: five months at ten minutes each. */
const MAX_ANCHORS = 20_000;
/** Milliseconds before an index that failed is made anew. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
const SIZE = encodeUtf8('size');
const VERSION = '2';
/** Entries that are handed over before their turn, at most; others are read. */
const HANDED = 4096;

type Kind = 'participant' | 'run' | 'type' | 'digest';
/** The order in which a value narrows the search most. */
const KINDS: readonly Kind[] = ['digest', 'run', 'participant', 'type'];

/** What an entry is found by. */
interface Looked {
  readonly values: readonly (readonly [Kind, string])[];
  readonly isAnchor: boolean;
}

/** Opens with what there is; what cannot be read is made anew. */
export class QueryIndex {
  readonly #folder: string;
  readonly #storage: LogStorage;
  readonly #logger: Logger;
  readonly #bell = new Bell();
  readonly #published: () => number;
  #open: { db: Database; close: () => Promise<void> } | undefined;
  #size = 0;
  /** By index: of entries that were committed and are not looked at yet. */
  readonly #handed = new Map<number, Looked>();
  /** What a search found wrong with it. */
  #doubt: Error | undefined;

  /** `published` is the size of the published tree: nothing else is shown. */
  constructor(folder: string, storage: LogStorage, published: () => number, logger: Logger) {
    this.#folder = folder;
    this.#storage = storage;
    this.#published = published;
    this.#logger = logger;
  }

  /** Entries looked at. */
  get size(): number {
    return this.#size;
  }

  /** There may be more entries. */
  ring(): void {
    this.#bell.ring();
  }

  /** Takes over what admission read of entries from index `first` on, so that they are not read and parsed again. */
  committed(first: number, entries: readonly Prepared[]): void {
    entries.forEach(({ statement, id }, i) => {
      if (statement === undefined || id === undefined || this.#handed.size >= HANDED) return;
      this.#handed.set(first + i, lookedFor(factsOfStatement(statement, encodeHex(id))));
    });
  }

  /** The loop: follows the published log until the signal aborts. An index that fails is made anew. */
  async run(clock: Clock, signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#bell.ring());
    let pause = FIRST_PAUSE_MS;
    const ended = (): boolean => signal.aborted;
    for (let anew = false; !ended(); anew = true) {
      try {
        await this.#start(anew);
        while (!ended()) {
          if (this.#doubt !== undefined) throw this.#doubt;
          if (this.#size >= this.#published()) await this.#bell.wait();
          else await this.#advance();
        }
      } catch (error) {
        this.#logger.log('warn', 'query index made anew', { error: String(error) });
      } finally {
        const open = this.#open;
        this.#open = undefined;
        this.#doubt = undefined;
        await open?.close().catch(() => undefined);
      }
      await clock.sleep(pause, signal).catch(() => undefined);
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    }
  }

  /**
   * Ends early, with what was found, where `gone` is aborted; `breathe` is awaited with the count of entries read. Throws
   * SubmissionError "index_unavailable" while there is none, and "bad_request".
   */
  async search(query: Query, gone?: AbortSignal, breathe?: Breathe): Promise<Found> {
    const db = this.#open?.db;
    if (db === undefined) throw new SubmissionError('index_unavailable', 'the index is being made');
    try {
      return await this.#search(db, query, gone, breathe);
    } catch (error) {
      if (error instanceof SteleError) throw error;
      // Somebody deleted its files, or the disk bent them. Of an index that is closed, its successor knows nothing.
      if (this.#open?.db === db) {
        this.#doubt = error instanceof Error ? error : new Error(String(error));
        this.#bell.ring();
      }
      throw new SubmissionError('index_unavailable', 'the index cannot be read, and is made anew');
    }
  }

  async #search(db: Database, query: Query, gone?: AbortSignal, breathe?: Breathe): Promise<Found> {
    const size = this.#size;
    const times = await this.#ranges(db, query);
    const entries: { index: number; facts: EntryFacts; entry: Uint8Array }[] = [];
    let looked = 0;
    let last: number | undefined;
    for await (const index of this.#candidates(db, query, size, times)) {
      if (entries.length >= query.limit || looked >= LOOKED_AT || gone?.aborted === true)
        return { size, entries, next: last };
      await breathe?.(++looked);
      last = index;
      const entry = await this.#storage.readEntry(index);
      const facts = factsOf(entry);
      if (facts !== undefined && factsFit(query, facts)) entries.push({ index, facts, entry });
    }
    return { size, entries, next: undefined };
  }

  async #start(anew: boolean): Promise<void> {
    if (anew) await rm(this.#folder, { recursive: true, force: true });
    this.#open = await openDatabase(this.#folder, true);
    const stored = await readKey(this.#open.db, SIZE);
    const [version, size] = stored === undefined ? [VERSION, '0'] : decodeUtf8(stored).split(' ');
    this.#size = Number(size);
    // Another version, or an index of a larger log: the folder of the log is another than it was.
    if (version !== VERSION || !Number.isSafeInteger(this.#size) || this.#size > this.#storage.size)
      throw new Error(
        `expected version ${VERSION} and a size up to ${this.#storage.size}, found ${version} ${size}`,
      );
  }

  /** The next entries, one write. Not synced: what a power cut takes is looked at again. */
  async #advance(): Promise<void> {
    const db = this.#open?.db;
    if (db === undefined) return;
    // LevelDB goes on for a long time with files that have been deleted.
    await access(join(this.#folder, 'CURRENT'));
    const from = this.#size;
    const to = Math.min(from - (from % TILE_WIDTH) + TILE_WIDTH, this.#published());
    const places = new Map<string, { readonly first: number; readonly bytes: number[] }>();
    // Chained: of a list of operations `level` makes a copy each.
    const batch = db.batch();
    for (const [i, looked] of (await this.#lookAt(from, to)).entries()) {
      const index = from + i;
      for (const [kind, value] of looked?.values ?? []) {
        const name = `${kind}\0${value}\0`;
        const row = places.get(name);
        if (row === undefined) places.set(name, { first: index, bytes: [index % TILE_WIDTH] });
        else row.bytes.push(index % TILE_WIDTH);
      }
      if (looked?.isAnchor === true)
        for (const [key, value] of await this.#timeOf(index)) batch.put(key, value);
    }
    // Never an empty value: classic-level never frees the copy that it makes of one.
    for (const [name, { first, bytes }] of places)
      batch.put(Buffer.from(name + pad(first), 'latin1'), Uint8Array.from(bytes));
    batch.put(SIZE, encodeUtf8(`${VERSION} ${to}`));
    await batch.write();
    this.#size = to;
  }

  /** What entries [from, to) of one bundle are found by: as handed over, or, where any was not, as read. */
  async #lookAt(from: number, to: number): Promise<(Looked | undefined)[]> {
    const handed: (Looked | undefined)[] = [];
    for (let index = from; index < to; index++) {
      const looked = this.#handed.get(index);
      this.#handed.delete(index);
      if (looked !== undefined) handed.push(looked);
    }
    if (handed.length === to - from) return handed;
    return (await this.#entries(from, to)).map((entry) => {
      const facts = factsOf(entry);
      return facts && lookedFor(facts);
    });
  }

  /**
   * Entries [from, to) of one bundle. Many are read together: one after the other, each would cost reading their
   * bundle.
   */
  async #entries(from: number, to: number): Promise<Uint8Array[]> {
    if (to - from < TOGETHER) {
      const entries: Uint8Array[] = [];
      for (let index = from; index < to; index++) entries.push(await this.#storage.readEntry(index));
      return entries;
    }
    const index = Math.floor(from / TILE_WIDTH);
    const first = index * TILE_WIDTH;
    const bundle = await this.#storage.readBundle(index, to - first);
    const tile = await this.#storage.readTile({ level: 0, index, width: to - first });
    if (bundle === undefined || tile === undefined || !equalBytes(bundleLeafHashes(bundle), tile))
      throw new Error(`expected bundle ${index} to hash to its tile`);
    return parseBundle(bundle, to - first).slice(from - first);
  }

  /** Which entries the anchor at `index` is the first to cover, by its time. */
  async #timeOf(index: number): Promise<[Uint8Array, Uint8Array][]> {
    const { ledger } = this.#storage;
    const read = async <T>(key: string): Promise<T | undefined> => {
      const bytes = await ledger.get(key);
      return bytes === undefined ? undefined : (JSON.parse(decodeUtf8(bytes)) as T);
    };
    const at = await read<{ ordinal: number }>(KEYS.anchorAt(index));
    const anchor = at && (await read<AnchorRecord>(KEYS.anchor(at.ordinal)));
    if (anchor === undefined || at === undefined || anchor.upper === null) return [];
    const before = at.ordinal === 0 ? undefined : await read<AnchorRecord>(KEYS.anchor(at.ordinal - 1));
    const key = encodeUtf8(`time\0${pad(anchor.upper)}\0${pad(at.ordinal)}`);
    return [[key, encodeUtf8(`${before?.size ?? 0} ${anchor.size}`)]];
  }

  /** The ranges of indexes that the question's times allow, ascending; undefined where it names none. */
  async #ranges(db: Database, { from, until }: Query): Promise<(readonly [number, number])[] | undefined> {
    if (from === undefined && until === undefined) return undefined;
    const ranges: [number, number][] = [];
    const options = {
      gte: encodeUtf8(`time\0${pad(from ?? 0)}\0`),
      lt: encodeUtf8(`time\0${pad((until ?? 9_007_199_254_740_990) + 1)}\0`),
      limit: MAX_ANCHORS + 1,
    };
    for await (const value of db.values(options)) {
      const [first = 0, end = 0] = decodeUtf8(value).split(' ').map(Number);
      ranges.push([first, end]);
    }
    if (ranges.length > MAX_ANCHORS)
      throw new SubmissionError(
        'bad_request',
        `expected times with at most ${MAX_ANCHORS} anchors between them`,
      );
    return joined(ranges);
  }

  /** Indexes of entries that may fit, in the order asked for, behind `after`. */
  async *#candidates(
    db: Database,
    query: Query,
    size: number,
    times: readonly (readonly [number, number])[] | undefined,
  ): AsyncGenerator<number> {
    const { newestFirst, after } = query;
    const [low, high] = newestFirst
      ? [0, Math.min(size, after ?? size)]
      : [after === undefined ? 0 : after + 1, size];
    const ranges = (times ?? [[0, size] as const])
      .map(([from, to]) => [Math.max(from, low), Math.min(to, high)] as const)
      .filter(([from, to]) => from < to);
    if (newestFirst) ranges.reverse();
    const kind = KINDS.find((each) => query[each] !== undefined);
    for (const [from, to] of ranges) {
      if (kind === undefined) {
        for (let i = 0; i < to - from; i++) yield newestFirst ? to - 1 - i : from + i;
        continue;
      }
      const prefix = `${kind}\0${kind === 'type' ? shortType(query.type ?? '') : (query[kind] ?? '')}\0`;
      const options = {
        // A row that begins before the range, in its first bundle, may reach into it.
        gte: encodeUtf8(prefix + pad(from - (from % TILE_WIDTH))),
        lt: encodeUtf8(prefix + pad(to)),
        reverse: newestFirst,
      };
      for await (const [key, places] of db.iterator(options)) {
        const first = Number(decodeUtf8(key).slice(prefix.length));
        const indexes = Array.from(places, (place) => first - (first % TILE_WIDTH) + place);
        if (newestFirst) indexes.reverse();
        for (const index of indexes) if (index >= from && index < to) yield index;
      }
    }
  }
}

/**
 * The ranges, ascending, as one where they touch: anchors follow on one another, and each range that is left
 * costs whoever looks for a rare value a look of its own.
 */
export function joined(ranges: readonly (readonly [number, number])[]): [number, number][] {
  const left: [number, number][] = [];
  for (const [from, to] of [...ranges].sort(([a], [b]) => a - b)) {
    const last = left.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
    else left.push([from, to]);
  }
  return left;
}

function lookedFor({ participants, run, type, digests, statement }: EntryFacts): Looked {
  const values: [Kind, string][] = [
    ...participants.map((value): [Kind, string] => ['participant', value]),
    ...(run === undefined ? [] : [['run', run] as [Kind, string]]),
    ['type', type],
    ...digests.map((value): [Kind, string] => ['digest', value]),
  ];
  return {
    // Of types that are not ours a value can be anything; what no identifier is, is not looked for either.
    values: values.filter(([, value]) => /^[!-~]{1,200}$/.test(value)),
    isAnchor: statement.predicateType === typeUri('anchor'),
  };
}

/** Sixteen digits, so that keys sort as their numbers do. */
function pad(value: number): string {
  return String(value).padStart(16, '0');
}
