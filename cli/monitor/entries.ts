// Reads a log's entries for filters, from where it stopped, and its newest part for anchors.
import { createHash } from 'node:crypto';
import { checkStatement, factsOf, knownType, type EntryFacts } from '../../attestation/index.js';
import { ClientError } from '../../client/index.js';
import { encodeHex, encodeUtf8, SteleError, TILE_WIDTH } from '../../tlog/index.js';
import type { Finding } from './alarms.js';
import type { FollowedLog, NamedFilter } from './config.js';
import { timeOf, type Coverage } from './coverage.js';
import { EVENT_SCHEMA, showAge, showInstant, type MatchEvent } from './events.js';
import { filterId, matches, type ReadEntry } from './filter.js';
import type { Head, Trees } from './reconcile.js';
import type { LogMemory } from './state.js';

/** Entries at the end of a log that are looked through for anchors where no filter reads them all. */
const NEWEST_PART = 4096;
/** Matches after which a stretch of reading ends, so that they are told and the place is saved. */
const ENOUGH_MATCHES = 256;

/** What a stretch of reading found. */
export interface Stretch {
  readonly matches: readonly MatchEvent[];
  /** Checkpoints in anchors, with the anchors' indexes. */
  readonly checkpoints: readonly { readonly note: Uint8Array; readonly index: number }[];
  /** What is wrong with tiles or bundles; `unknown` where the network did not answer. */
  readonly tiles: Finding | undefined | 'unknown';
  /** Whether there is more to read of the tree shown. */
  readonly more: boolean;
  /** Whether no entry after the newest known anchor was left out. */
  readonly anchorsComplete: boolean;
}

export class EntryReader {
  /** What the IDs of this log's events begin with. */
  readonly prefix: string;
  readonly #log: FollowedLog;
  readonly #filters: readonly (NamedFilter & { readonly id: string })[];
  readonly #memory: LogMemory;
  readonly #trees: Trees;
  #head: Head | undefined;
  #trouble: string | undefined;
  #foreign = 0;
  #matched = 0;
  #full = false;

  constructor(log: FollowedLog, filters: readonly NamedFilter[], memory: LogMemory, trees: Trees) {
    this.#log = log;
    this.#filters = filters.map((filter) => ({ ...filter, id: filterId(filter) }));
    this.#memory = memory;
    this.#trees = trees;
    this.prefix = createHash('sha256').update(encodeUtf8(log.origin)).digest('hex').slice(0, 16);
  }

  /** Sets the tree that is read: one that the policy accepts and nothing contradicts, or none. */
  show(head: Head | undefined): void {
    this.#head = head;
  }

  /** Reads on. With `room` false, nothing: matches would have nowhere to go. */
  async read(bundles: number, now: number, room: boolean): Promise<Stretch> {
    const found: MatchEvent[] = [];
    const checkpoints: { note: Uint8Array; index: number }[] = [];
    const head = this.#head;
    const memory = this.#memory;
    this.#trouble = undefined;
    this.#full = this.#filters.length > 0 && !room;
    let tiles: Finding | undefined | 'unknown' = head === undefined ? 'unknown' : undefined;
    let at = head === undefined || this.#full ? Infinity : this.#start(head);
    try {
      for (let i = 0; i < bundles && head !== undefined && at < head.size; i++) {
        const number = Math.floor(at / TILE_WIDTH);
        const { start, entries, leafHashes } = await this.#trees.read(head, (tree) => tree.bundle(number));
        for (let index = at; index < start + entries.length; index++) {
          const entry = entries[index - start] ?? new Uint8Array();
          const leafHash = encodeHex(leafHashes[index - start] ?? new Uint8Array());
          const facts = factsOf(entry);
          found.push(...this.#judge({ index, leafHash, facts }, now));
          const note = index >= memory.anchorsRead ? anchored(facts) : undefined;
          if (note === undefined) continue;
          this.#noteAnchor(index, note, now);
          if (index >= head.size - NEWEST_PART) checkpoints.push({ note, index });
        }
        at = start + entries.length;
        this.#advance(at);
        if (found.length >= ENOUGH_MATCHES) break;
      }
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      this.#trouble = `${error.message} (${error.code})`;
      const atFault =
        !(error instanceof ClientError) ||
        ['bad_bundle', 'bad_tile', 'not_found', 'too_large'].includes(error.code);
      tiles = atFault ? { detail: this.#trouble } : 'unknown';
      at = Infinity; // tried again in the next round
    }
    this.#matched += found.length;
    const complete = head !== undefined && memory.anchorsRead >= head.size;
    return {
      matches: found,
      checkpoints,
      tiles,
      more: head !== undefined && at < head.size,
      anchorsComplete: complete && (memory.anchor?.index ?? -1) >= memory.anchorsFrom,
    };
  }

  /** What was read, and what was not. */
  coverage(now: number): Coverage[] {
    return [this.#anchorCoverage(now), this.#matchCoverage()];
  }

  /** Where reading goes on: at the filter that is furthest behind, or in the newest part. */
  #start({ size }: Head): number {
    const memory = this.#memory;
    const cursors = this.#filters.map(({ id }) => memory.cursors.get(id) ?? 0);
    const newest = Math.max(memory.anchorsRead, size - NEWEST_PART);
    const at = Math.min(newest, ...cursors);
    if (at > memory.anchorsRead && at < size) {
      memory.anchorsFrom = at;
      memory.anchorsRead = at;
    }
    return at;
  }

  #advance(to: number): void {
    const memory = this.#memory;
    for (const { id } of this.#filters) memory.cursors.set(id, Math.max(to, memory.cursors.get(id) ?? 0));
    memory.anchorsRead = Math.max(memory.anchorsRead, to);
  }

  #judge(entry: ReadEntry, now: number): MatchEvent[] {
    const { index, leafHash, facts } = entry;
    if (facts === undefined) this.#foreign += 1;
    return this.#filters
      .filter(({ id }) => index >= (this.#memory.cursors.get(id) ?? 0))
      .filter((filter) => matches(filter, entry))
      .map(({ id, name }) => ({
        schema: EVENT_SCHEMA,
        id: `${this.prefix}-${id}-${index}`,
        time: showInstant(now),
        log: this.#log.origin,
        event: 'match',
        filter: name,
        index,
        leafHash,
        ...(facts !== undefined && {
          entry: facts.id,
          type: facts.type,
          participant: facts.statement.predicate.participant,
        }),
        ...(facts?.run !== undefined && { run: facts.run }),
      }));
  }

  #noteAnchor(index: number, note: Uint8Array, now: number): void {
    let lower: number | undefined;
    try {
      lower = timeOf(this.#log.policy, note);
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
    }
    this.#memory.anchor = {
      index,
      at: Math.min(lower ?? now, now),
      by: lower === undefined ? 'monitor' : 'witnesses',
    };
  }

  #anchorCoverage(now: number): Coverage {
    const name = 'anchors';
    const { anchor, anchorsFrom, anchorsRead } = this.#memory;
    const head = this.#head;
    const missing = (detail: string): Coverage => ({ name, status: 'not-checkable', detail });
    if (this.#trouble !== undefined) return missing(this.#trouble);
    if (head === undefined) return missing('there is no checkpoint now whose entries could be relied on');
    if (anchorsRead < head.size)
      return missing(`entries ${anchorsRead} to ${head.size - 1} were not read yet`);
    if (anchor === undefined)
      return missing(
        anchorsFrom > 0
          ? `none in entries ${anchorsFrom} to ${head.size - 1}, the newest part, and only that was read`
          : 'the log has none: it is not a Stele log, or a new one',
      );
    if (anchor.index < anchorsFrom)
      return missing(
        `none in entries ${anchorsFrom} to ${head.size - 1}, the newest part; the last one known is entry ${anchor.index}`,
      );
    const basis = anchor.by === 'witnesses' ? '' : ", by this monitor's clock: the policy gives it no time";
    return {
      name,
      status: 'pass',
      detail: `the newest is entry ${anchor.index}, made ${showAge((now - anchor.at) / 1000)} ago${basis}`,
    };
  }

  #matchCoverage(): Coverage {
    const name = 'entries';
    const count = this.#filters.length;
    const missing = (detail: string): Coverage => ({ name, status: 'not-checkable', detail });
    if (count === 0) return missing('no filter is given, so entries were not looked at but for anchors');
    if (this.#full) return missing('the webhook has not taken what was found before: reading waits for it');
    if (this.#trouble !== undefined) return missing(this.#trouble);
    const head = this.#head;
    if (head === undefined) return missing('there is no checkpoint now whose entries could be relied on');
    const at = Math.min(...this.#filters.map(({ id }) => this.#memory.cursors.get(id) ?? 0));
    if (at < head.size) return missing(`read up to entry ${at} of ${head.size} so far`);
    const foreign =
      this.#foreign === 0
        ? ''
        : `; ${this.#foreign} read now are no statements, and only a digest fits those`;
    return {
      name,
      status: 'pass',
      detail: `all ${head.size} were judged by ${count} filter${count === 1 ? '' : 's'}, ${this.#matched} fitted since this monitor was started${foreign}`,
    };
  }
}

/** The signed note in an anchor; undefined for any other entry. */
function anchored(facts: EntryFacts | undefined): Uint8Array | undefined {
  const statement = facts?.statement;
  if (statement === undefined || knownType(statement.predicateType) !== 'anchor') return undefined;
  try {
    const known = checkStatement(statement);
    return 'checkpoint' in known.predicate ? encodeUtf8(known.predicate.checkpoint) : undefined;
  } catch (error) {
    if (error instanceof SteleError) return undefined;
    throw error;
  }
}
