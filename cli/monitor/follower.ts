// One log, followed: each round asks all places, keeps and reconciles what they show, looks at what has
// gone quiet or missing, and says what changed. Between rounds entries are read for filters.
import { join } from 'node:path';
import { ClientError, VerifiedTiles, type TileSource } from '../../client/index.js';
import { checkAlone, type MadeEvidence } from '../../evidence/index.js';
import {
  encodeBase64,
  evaluatePolicy,
  quote,
  SteleError,
  TILE_WIDTH,
  TlogError,
  type PolicyEvaluation,
} from '../../tlog/index.js';
import type { Context } from '../context.js';
import { inWords, writeFound } from '../evidence.js';
import { Alarms, type AlarmKind, type Finding } from './alarms.js';
import type { FollowedLog, MonitorLimits, NamedFilter, WatchedWitness } from './config.js';
import { timeOf, type Coverage } from './coverage.js';
import { EntryReader } from './entries.js';
import { EVENT_SCHEMA, showAge, showInstant, type MonitorEvent } from './events.js';
import { verifiedNote } from './notes.js';
import { convictedKeys, Reconciler, type Head, type Standing } from './reconcile.js';
import { askOwed, lookEverywhere, tileSources, type Sighting } from './sources.js';
import { LogState, logStateFolder, type LastSign, type LogMemory } from './state.js';
import { TreeStore } from './trees.js';

/** What a follower is given. */
export interface FollowerOptions {
  readonly log: FollowedLog;
  /** The monitor's folder. */
  readonly folder: string;
  readonly filters: readonly NamedFilter[];
  readonly limits: MonitorLimits;
  readonly timeoutMs: number;
  readonly context: Pick<Context, 'fetch' | 'sleep' | 'now' | 'random'>;
  /**
   * Hands events to every sink, each once in a process's life. They stay remembered until `delivered` is
   * called: when they cannot be lost any more.
   */
  readonly deliver: (events: readonly MonitorEvent[], delivered: () => void) => void;
  /** False while a sink cannot take more matches. */
  readonly room?: () => boolean;
  /** Tells somebody outside about notes that contradict each other. */
  readonly report?: (notes: readonly Uint8Array[]) => void;
  /** Named moments, in order: `kept`, `proven`, `saved`, `delivered`. Tests end the process at one. */
  readonly step?: (name: string) => void;
}

/** A checkpoint whose signatures were verified. */
interface Met extends Head {
  readonly evaluation: PolicyEvaluation;
  readonly standing: Standing;
}

export class LogFollower {
  readonly origin: string;
  readonly #options: FollowerOptions;
  readonly #state: LogState;
  readonly #alarms: Alarms;
  readonly #sources: readonly TileSource[];
  readonly #trees: TreeStore;
  readonly #reconciler: Reconciler;
  readonly #entries: EntryReader;
  #pending: MonitorEvent[] = [];
  /** IDs of what was handed over and is not known to have been delivered. */
  readonly #handed = new Set<string>();
  #coverage: Coverage[] = [];

  /** Throws CliError "state_damaged". */
  constructor(options: FollowerOptions) {
    const { log, folder, context, timeoutMs } = options;
    this.#options = options;
    this.origin = log.origin;
    const own = logStateFolder(folder, log.origin);
    this.#state = LogState.open(own, log.origin, context.now());
    const { alarms, largest, open, witnessed } = this.#state.memory;
    this.#alarms = new Alarms(alarms);
    this.#sources = tileSources(context, log, timeoutMs);
    this.#trees = new TreeStore(own, this.#sources, (oldSize, newSize) =>
      askOwed(context, log, timeoutMs, oldSize, newSize),
    );
    this.#reconciler = new Reconciler(log.policy, this.#trees, {
      ...(largest && { largest }),
      open,
      witnessed,
    });
    this.#entries = new EntryReader(log, options.filters, this.#state.memory, this.#trees);
  }

  /** Alarms that stand, and those that are not old enough to be raised. */
  get alarms(): Alarms {
    return this.#alarms;
  }

  /** Hands over what an earlier process had found and may not have delivered. */
  resume(): void {
    if (this.#memory.outbox.length > 0) this.#commit();
  }

  /** One look at everything but entries. Gives what was looked at. */
  async round(): Promise<readonly Coverage[]> {
    const { context, log, timeoutMs } = this.#options;
    this.#coverage = [];
    const sightings = await lookEverywhere(context, log, this.#sources, timeoutMs);
    const now = context.now();
    const seen: [Sighting, Met | undefined][] = [];
    for (const sighting of sightings) seen.push([sighting, await this.#take(sighting, now)]);
    for (const { head, standing } of await this.#reconciler.retry()) this.#judge(head, standing, now);
    const shown = seen.find(([{ kind }]) => kind === 'log')?.[1];
    if (shown !== undefined) await this.#lookAtLog(shown, now);
    this.#sayConsistency(seen.filter(([, met]) => met !== undefined).length);
    this.#lookForHidden(seen, shown, now);
    this.#lookForQuiet(now);
    const readable = shown?.evaluation.met === true && shown.standing.kind === 'consistent';
    this.#entries.show(readable ? shown : undefined);
    this.#commit();
    return this.#coverage;
  }

  /**
   * Reads entries on from where it stopped, `bundles` of 256 at most: for filters all of them, for anchors
   * the newest part. Gives whether there are more to read now.
   */
  async readEntries(bundles: number): Promise<boolean> {
    const { context, limits, room } = this.#options;
    const now = context.now();
    const read = await this.#entries.read(bundles, now, room?.() !== false);
    for (const { note, index } of read.checkpoints) await this.#takeAnchored(note, index, now);
    this.#pending.push(...read.matches);
    if (read.tiles !== 'unknown') this.#update('tiles', 'entries', read.tiles, now);
    const { anchor } = this.#memory;
    if (limits.anchors !== undefined && anchor !== undefined && read.anchorsComplete) {
      const age = now - anchor.at;
      const finding = {
        since: anchor.at,
        detail: `the newest anchor, entry ${anchor.index}, ${when(anchor)}`,
      };
      this.#update('quiet-anchors', '', age >= limits.anchors ? finding : undefined, now);
    }
    this.#commit();
    return read.more;
  }

  /** What the reading of entries covered. */
  entryCoverage(): Coverage[] {
    return this.#entries.coverage(this.#options.context.now());
  }

  get #memory(): LogMemory {
    return this.#state.memory;
  }

  /** Verifies what a place answered, keeps it, and holds it against everything met before. */
  async #take(sighting: Sighting, now: number): Promise<Met | undefined> {
    const name = nameOf(sighting);
    if ('error' in sighting) {
      const { error, kind } = sighting;
      const network = kind === 'log';
      this.#cover({ name, status: 'not-checkable', detail: `${error.message} (${error.code})`, network });
      return undefined;
    }
    const { note, witness, from } = sighting;
    try {
      const evaluation = openNote(this.#options.log, note);
      const time = witness && newestBy(evaluation, witness);
      if (witness !== undefined && time === undefined) throw withoutCosignature(witness);
      const met = await this.#meet(evaluation, from, now);
      if (time !== undefined)
        this.#cover({
          name,
          status: 'pass',
          detail: `cosigned size ${met.size}, ${ago(now, 1000 * time)}`,
        });
      else
        this.#cover({ name, status: 'pass', detail: `size ${met.size}, root ${encodeBase64(met.rootHash)}` });
      return met;
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      // Signed by nobody whom the policy lists, or badly: it proves nothing about anybody.
      this.#cover({ name, status: 'fail', detail: `${error.message} (${error.code})` });
      return undefined;
    }
  }

  async #meet(evaluation: PolicyEvaluation, from: string, now: number): Promise<Met> {
    const note = verifiedNote(evaluation, this.#options.log.policy);
    this.#state.keep(note);
    this.#step('kept');
    const { size, rootHash } = evaluation.checkpoint;
    for (const { witness: by, timestamp } of evaluation.cosignatures)
      this.#signOf(by.vkey.name, timestamp, now);
    const head: Head = { size, rootHash, note };
    this.#convict(checkAlone(note, this.#options.log.policy), now);
    const witnesses = evaluation.cosignatures.map(({ vkey }) => vkey.name);
    const standing = await this.#reconciler.meet(head, from, now, witnesses);
    this.#judge(head, standing, now);
    return { ...head, evaluation, standing };
  }

  /** The checkpoint in an anchor is one that the log signed, like any other. */
  async #takeAnchored(note: Uint8Array, index: number, now: number): Promise<void> {
    try {
      await this.#meet(openNote(this.#options.log, note), `anchor at ${index}`, now);
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      // By keys that this reader's policy does not list: the charter may ask for others.
    }
  }

  #signOf(witness: string, timestamp: number, now: number): void {
    const known = this.#memory.witnessSigns.get(witness);
    if (timestamp <= (known?.timestamp ?? 0)) return;
    // A time that is ahead of our clock counts as now: nobody stays fresh by dating into the future.
    this.#memory.witnessSigns.set(witness, { timestamp, at: Math.min(1000 * timestamp, now) });
  }

  #judge(head: Head, standing: Standing, now: number): void {
    if (standing.kind !== 'contradiction') return;
    const before = this.#pending.length;
    this.#convict(standing.evidence, now);
    if (standing.evidence.length === 0)
      this.#update('split-view', '', { detail: `${standing.detail}; no key of the policy signed both` }, now);
    const news = this.#pending.length > before;
    const { largest } = this.#reconciler.state;
    if (news) this.#options.report?.([head.note, ...(largest ? [largest.note] : [])]);
  }

  /** The file is on disk before anybody hears of it; one for each set of keys. */
  #convict(evidence: readonly MadeEvidence[], now: number): void {
    for (const made of evidence) {
      const about = convictedKeys(made);
      if (this.#alarms.all.some((alarm) => alarm.kind === 'proven' && alarm.about === about)) continue;
      const path = writeFound(join(this.#options.folder, 'evidence'), made.bytes, 'evidence');
      this.#step('proven');
      this.#update('proven', about, { detail: inWords(made.verdict), evidence: [path] }, now);
    }
  }

  async #lookAtLog(shown: Met, now: number): Promise<void> {
    const { shown: before } = this.#memory;
    const rollback: Finding = {
      detail: `it shows a tree of size ${shown.size} and showed one of ${before.largest} before; a cache that lags mends itself, so this proves nothing yet`,
    };
    this.#update('rollback', '', shown.size < before.largest ? rollback : undefined, now);
    this.#memory.shown = { largest: Math.max(before.largest, shown.size), note: shown.note };
    this.#lookAtQuorum(shown, now);
    this.#signOfLog(shown, before.note, now);
    await this.#lookAtTiles(shown, now);
  }

  #lookAtQuorum({ size, evaluation }: Met, now: number): void {
    const { policy } = this.#options.log;
    const names = evaluation.cosignatures.map(({ witness }) => witness.name);
    const detail = `size ${size} is cosigned by ${names.length === 0 ? 'no witness' : names.join(', ')} of the policy's ${policy.witnesses.length}`;
    this.#update('quorum', '', evaluation.met ? undefined : { detail }, now);
    if (policy.quorum === undefined)
      this.#cover({ name: 'quorum', status: 'not-checkable', detail: `the policy asks for none; ${detail}` });
    else this.#cover({ name: 'quorum', status: evaluation.met ? 'pass' : 'fail', detail });
  }

  /** When the log was last alive: as its witnesses say where the policy makes a time of that. */
  #signOfLog({ note, evaluation }: Met, before: Uint8Array | undefined, now: number): void {
    const lower = evaluation.met ? timeOf(this.#options.log.policy, note) : undefined;
    const { sign } = this.#memory;
    if (lower !== undefined) {
      const at = Math.min(lower, now);
      if (sign?.by !== 'witnesses' || at > sign.at) this.#memory.sign = { at, by: 'witnesses' };
    } else if (before === undefined || Buffer.compare(before, note) !== 0) {
      this.#memory.sign = { at: now, by: 'monitor' };
    }
  }

  /** What the log shows now must be there now, so nothing that was kept answers in its place. */
  async #lookAtTiles({ size, rootHash }: Met, now: number): Promise<void> {
    const [source] = this.#sources;
    if (size === 0 || source === undefined) return;
    const name = 'tiles';
    const tiles = new VerifiedTiles(source, size, rootHash);
    const full = Math.floor(size / TILE_WIDTH);
    try {
      await tiles.edge();
      const picked = full === 0 ? undefined : this.#randomBelow(full);
      if (picked !== undefined) await tiles.tile(0, picked);
      this.#update('tiles', '', undefined, now);
      const sample =
        picked === undefined ? '' : `, and tile ${picked} of ${full} full ones, picked at random`;
      this.#cover({ name, status: 'pass', detail: `the right edge of the tree of size ${size}${sample}` });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      const detail = `${error.message} (${error.code})`;
      const atFault = ['bad_tile', 'not_found', 'too_large'].includes(error.code);
      if (atFault) this.#update('tiles', '', { detail }, now);
      this.#cover({ name, status: atFault ? 'fail' : 'not-checkable', detail });
    }
  }

  #sayConsistency(met: number): void {
    const name = 'consistency';
    const { open, largest } = this.#reconciler.state;
    const proven = this.#alarms.raised.filter(({ kind }) => kind === 'proven' || kind === 'split-view');
    const [first] = proven;
    if (first !== undefined) this.#cover({ name, status: 'fail', detail: first.detail });
    else if (open.length > 0) {
      const oldest = open.reduce((a, b) => (a.since <= b.since ? a : b));
      const more = this.#reconciler.dropped;
      this.#cover({
        name,
        status: 'not-checkable',
        detail: `${open.length + more} signed tree head${open.length + more === 1 ? '' : 's'} cannot be held against the log's tree yet, one of size ${oldest.size} from ${oldest.from}: ${oldest.why}`,
      });
    } else if (largest === undefined)
      this.#cover({ name, status: 'not-checkable', detail: 'no tree of this log was met yet' });
    else
      this.#cover({
        name,
        status: 'pass',
        detail: `${met} checkpoint${met === 1 ? '' : 's'} met now, all part of one tree of size ${largest.size}`,
      });
  }

  /** Signed, and not part of what the log shows: normal for a moment, while the log is publishing. */
  #lookForHidden(
    seen: readonly (readonly [Sighting, Met | undefined])[],
    shown: Met | undefined,
    now: number,
  ): void {
    if (shown === undefined) return;
    const hidden = new Map<string, Finding>();
    const { lag: after } = this.#options.limits;
    for (const { from, since, size, why } of this.#reconciler.state.open.toReversed())
      hidden.set(from, {
        since,
        after,
        detail: `a signed tree of size ${size} that the log does not show: ${why}`,
      });
    for (const [{ from, kind }, met] of seen)
      if (kind !== 'log' && met !== undefined && met.size > shown.size && !hidden.has(from))
        hidden.set(from, {
          after,
          detail: `a signed tree of size ${met.size}; the log shows one of size ${shown.size}`,
        });
    for (const [from, finding] of hidden) this.#update('not-shown', from, finding, now);
    for (const { kind, about } of this.#alarms.all)
      if (kind === 'not-shown' && !hidden.has(about)) this.#update(kind, about, undefined, now);
  }

  #lookForQuiet(now: number): void {
    const { log, limits } = this.#options;
    const { sign, started, witnessSigns } = this.#memory;
    const quiet = (
      kind: AlarmKind,
      about: string,
      limit: number | undefined,
      at: number,
      what: string,
    ): void => {
      if (limit === undefined) return;
      const finding = { since: at, detail: what };
      this.#update(kind, about, now - at >= limit ? finding : undefined, now);
    };
    const newest =
      sign === undefined
        ? 'it was never seen since this monitor began'
        : `its newest checkpoint ${when(sign)}`;
    quiet('quiet-log', '', limits.log, sign?.at ?? started, newest);
    for (const { name, keyName } of log.witnesses) {
      const last = witnessSigns.get(keyName);
      const what =
        last === undefined
          ? 'no cosignature of it was seen since this monitor began'
          : `its newest cosignature was made ${showInstant(last.at)}`;
      quiet('quiet-witness', name, limits.witness, last?.at ?? started, what);
    }
  }

  #update(kind: AlarmKind, about: string, finding: Finding | undefined, now: number): void {
    const changed = this.#alarms.update(kind, about, finding, now);
    if (changed === undefined) return;
    const { change: event, alarm } = changed;
    const { since, detail, evidence } = alarm;
    this.#pending.push({
      schema: EVENT_SCHEMA,
      id: `${this.#entries.prefix}-${this.#memory.next++}`,
      time: showInstant(now),
      log: this.origin,
      event,
      kind,
      about,
      since: showInstant(since),
      age: Math.max(0, Math.floor((now - since) / 1000)),
      detail,
      ...(evidence && { evidence }),
    });
  }

  /** What was found is on disk before it is said, and is said again until it is known to have been. */
  #commit(): void {
    const { memory } = this.#state;
    const { largest, open, witnessed } = this.#reconciler.state;
    Object.assign(memory, { largest, open, witnessed, alarms: this.#alarms.all });
    memory.outbox.push(...this.#pending.splice(0));
    this.#state.save();
    const fresh = memory.outbox.filter(({ id }) => !this.#handed.has(id));
    if (fresh.length === 0) return;
    this.#step('saved');
    for (const { id } of fresh) this.#handed.add(id);
    this.#options.deliver(fresh, () => this.#delivered(fresh));
  }

  /** They have reached whom they are for. */
  #delivered(events: readonly MonitorEvent[]): void {
    this.#step('delivered');
    const ids = new Set(events.map(({ id }) => id));
    this.#memory.outbox = this.#memory.outbox.filter(({ id }) => !ids.has(id));
    for (const id of ids) this.#handed.delete(id);
    this.#state.save();
  }

  #cover(row: Coverage): void {
    this.#coverage.push(row);
  }

  #step(name: string): void {
    this.#options.step?.(name);
  }

  #randomBelow(limit: number): number {
    const bytes = this.#options.context.random(6);
    return Math.floor((bytes.reduce((sum, byte) => sum * 256 + byte, 0) / 2 ** 48) * limit);
  }
}

/** A note of this log: every line by a key of the policy verifies, and the log signed. */
function openNote({ policy, origin }: FollowedLog, note: Uint8Array): PolicyEvaluation {
  const evaluation = evaluatePolicy(policy, note);
  if (evaluation.checkpoint.origin === origin) return evaluation;
  throw new TlogError(
    'wrong_origin',
    `checkpoint: expected origin ${quote(origin)}, found ${quote(evaluation.checkpoint.origin)}`,
    'is this the address of that log?',
  );
}

/** Seconds: the newest time at which this witness says it cosigned the note. */
function newestBy({ cosignatures }: PolicyEvaluation, { vkeys }: WatchedWitness): number | undefined {
  const times = cosignatures.filter(({ vkey }) => vkeys.includes(vkey)).map(({ timestamp }) => timestamp);
  return times.length === 0 ? undefined : Math.max(...times);
}

function withoutCosignature({ keyName }: WatchedWitness): TlogError {
  return new TlogError(
    'no_known_signature',
    `expected a checkpoint cosigned by ${quote(keyName)}, found none of its lines in it`,
    'is this the monitoring address of that witness?',
  );
}

function nameOf({ kind, from }: Sighting): string {
  if (kind === 'log') return 'checkpoint';
  return kind === 'view' ? `at ${from}` : `witness ${from}`;
}

function when({ at, by }: LastSign): string {
  return by === 'witnesses'
    ? `was made ${showInstant(at)}, as witnesses say`
    : `was first met ${showInstant(at)}: no witnesses give it a time by this policy`;
}

function ago(now: number, at: number): string {
  return at > now + 60_000
    ? `at ${showInstant(at)}, ahead of this clock`
    : `${showAge((now - at) / 1000)} ago`;
}
