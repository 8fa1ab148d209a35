// One log, followed: each round asks all places, keeps and reconciles what they show, looks at what has
// gone quiet or missing, and says what changed. Between rounds entries are read for filters.
import type { TileSource } from '../../client/index.js';
import type { Context } from '../context.js';
import { Alarms } from './alarms.js';
import type { FollowedLog, MonitorLimits, NamedFilter } from './config.js';
import type { Coverage } from './coverage.js';
import { EntryReader } from './entries.js';
import { Looks } from './looks.js';
import { Meeting, type Met } from './meeting.js';
import { Outbox, type Deliver } from './outbox.js';
import { Reconciler } from './reconcile.js';
import { askOwed, lookEverywhere, tileSources, type Sighting } from './sources.js';
import { LogState, logStateFolder, type LogMemory } from './state.js';
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
  readonly deliver: Deliver;
  /** False while a sink cannot take more matches. */
  readonly room?: () => boolean;
  /** Tells somebody outside about notes that contradict each other. */
  readonly report?: (notes: readonly Uint8Array[]) => void;
  /** Named moments, in order: `kept`, `proven`, `saved`, `delivered`. Tests end the process at one. */
  readonly step?: (name: string) => void;
}

export class LogFollower {
  readonly origin: string;
  readonly #options: FollowerOptions;
  readonly #state: LogState;
  readonly #alarms: Alarms;
  readonly #sources: readonly TileSource[];
  readonly #reconciler: Reconciler;
  readonly #entries: EntryReader;
  readonly #outbox: Outbox;
  readonly #meeting: Meeting;

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
    const trees = new TreeStore(own, this.#sources, (oldSize, newSize) =>
      askOwed(context, log, timeoutMs, oldSize, newSize),
    );
    this.#reconciler = new Reconciler(log.policy, trees, {
      ...(largest && { largest }),
      open,
      witnessed,
    });
    this.#entries = new EntryReader(log, options.filters, this.#state.memory, trees);
    const { origin } = log;
    const { deliver, report, step = () => undefined } = options;
    const kept = { state: this.#state, alarms: this.#alarms, step };
    this.#outbox = new Outbox({ ...kept, origin, prefix: this.#entries.prefix, deliver });
    const outbox = this.#outbox;
    this.#meeting = new Meeting({ ...kept, log, folder, reconciler: this.#reconciler, outbox, report });
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
    const coverage: Coverage[] = [];
    const cover = (row: Coverage): void => void coverage.push(row);
    const sightings = await lookEverywhere(context, log, this.#sources, timeoutMs);
    const now = context.now();
    const seen: [Sighting, Met | undefined][] = [];
    for (const sighting of sightings) seen.push([sighting, await this.#meeting.take(sighting, now, cover)]);
    await this.#meeting.retry(now);
    const shown = seen.find(([{ kind }]) => kind === 'log')?.[1];
    const looks = this.#looks(now, cover);
    if (shown !== undefined) await looks.atLog(shown);
    looks.consistency(seen.filter(([, met]) => met !== undefined).length);
    looks.forHidden(seen, shown);
    looks.forQuiet();
    const readable = shown?.evaluation.met === true && shown.standing.kind === 'consistent';
    this.#entries.show(readable ? shown : undefined);
    this.#commit();
    return coverage;
  }

  /**
   * Reads entries on from where it stopped, `bundles` of 256 at most: for filters all of them, for anchors
   * the newest part. Gives whether there are more to read now.
   */
  async readEntries(bundles: number): Promise<boolean> {
    const { context, room } = this.#options;
    const now = context.now();
    const read = await this.#entries.read(bundles, now, room?.() !== false);
    for (const { note, index } of read.checkpoints) await this.#meeting.takeAnchored(note, index, now);
    this.#outbox.add(read.matches);
    if (read.tiles !== 'unknown') this.#outbox.update('tiles', 'entries', read.tiles, now);
    if (read.anchorsComplete) this.#looks(now, () => undefined).forQuietAnchors();
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

  #looks(now: number, cover: (row: Coverage) => void): Looks {
    const { context, limits, log } = this.#options;
    const parts = { log, limits, memory: this.#memory, alarms: this.#alarms, random: context.random };
    const [source] = this.#sources;
    return new Looks({ ...parts, reconciler: this.#reconciler, outbox: this.#outbox, source }, now, cover);
  }

  #commit(): void {
    const { largest, open, witnessed } = this.#reconciler.state;
    Object.assign(this.#memory, { largest, open, witnessed });
    this.#outbox.commit();
  }
}
