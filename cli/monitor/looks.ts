// What a round looks at when every place was asked: what the log shows, whether it hides something, and what has
// gone quiet.
import { ClientError, VerifiedTiles, type TileSource } from '../../client/index.js';
import { TILE_WIDTH } from '../../tlog/index.js';
import type { Alarms, AlarmKind, Finding } from './alarms.js';
import type { FollowedLog, MonitorLimits } from './config.js';
import { timeOf, type Coverage } from './coverage.js';
import { showInstant } from './events.js';
import type { Met } from './meeting.js';
import type { Outbox } from './outbox.js';
import type { Reconciler } from './reconcile.js';
import type { Sighting } from './sources.js';
import type { LastSign, LogMemory } from './state.js';

/** What the looks take. */
export interface LooksParts {
  readonly log: FollowedLog;
  readonly limits: MonitorLimits;
  readonly memory: LogMemory;
  readonly alarms: Alarms;
  readonly reconciler: Reconciler;
  readonly outbox: Outbox;
  /** Of the log's own address. */
  readonly source: TileSource | undefined;
  readonly random: (bytes: number) => Uint8Array;
}

/** The looks of one round, at one time. */
export class Looks {
  readonly #parts: LooksParts;
  readonly #now: number;
  readonly #cover: (row: Coverage) => void;

  /** `cover` is told what was looked at. */
  constructor(parts: LooksParts, now: number, cover: (row: Coverage) => void) {
    this.#parts = parts;
    this.#now = now;
    this.#cover = cover;
  }

  /** At what the log shows. */
  async atLog(shown: Met): Promise<void> {
    const { shown: before } = this.#parts.memory;
    const rollback: Finding = {
      detail: `it shows a tree of size ${shown.size} and showed one of ${before.largest} before; a cache that lags mends itself, so this proves nothing yet`,
    };
    this.#update('rollback', '', shown.size < before.largest ? rollback : undefined);
    this.#parts.memory.shown = { largest: Math.max(before.largest, shown.size), note: shown.note };
    this.#atQuorum(shown);
    this.#signOfLog(shown, before.note);
    await this.#atTiles(shown);
  }

  #atQuorum({ size, evaluation }: Met): void {
    const { policy } = this.#parts.log;
    const names = evaluation.cosignatures.map(({ witness }) => witness.name);
    const detail = `size ${size} is cosigned by ${names.length === 0 ? 'no witness' : names.join(', ')} of the policy's ${policy.witnesses.length}`;
    this.#update('quorum', '', evaluation.met ? undefined : { detail });
    if (policy.quorum === undefined)
      this.#cover({ name: 'quorum', status: 'not-checkable', detail: `the policy asks for none; ${detail}` });
    else this.#cover({ name: 'quorum', status: evaluation.met ? 'pass' : 'fail', detail });
  }

  /** When the log was last alive: as its witnesses say where the policy makes a time of that. */
  #signOfLog({ note, evaluation }: Met, before: Uint8Array | undefined): void {
    const lower = evaluation.met ? timeOf(this.#parts.log.policy, note) : undefined;
    const { sign } = this.#parts.memory;
    if (lower !== undefined) {
      const at = Math.min(lower, this.#now);
      if (sign?.by !== 'witnesses' || at > sign.at) this.#parts.memory.sign = { at, by: 'witnesses' };
    } else if (before === undefined || Buffer.compare(before, note) !== 0) {
      this.#parts.memory.sign = { at: this.#now, by: 'monitor' };
    }
  }

  /** What the log shows now must be there now, so nothing that was kept answers in its place. */
  async #atTiles({ size, rootHash }: Met): Promise<void> {
    const { source } = this.#parts;
    if (size === 0 || source === undefined) return;
    const name = 'tiles';
    const tiles = new VerifiedTiles(source, size, rootHash);
    const full = Math.floor(size / TILE_WIDTH);
    try {
      await tiles.edge();
      const picked = full === 0 ? undefined : this.#randomBelow(full);
      if (picked !== undefined) await tiles.tile(0, picked);
      this.#update('tiles', '', undefined);
      const sample =
        picked === undefined ? '' : `, and tile ${picked} of ${full} full ones, picked at random`;
      this.#cover({ name, status: 'pass', detail: `the right edge of the tree of size ${size}${sample}` });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      const detail = `${error.message} (${error.code})`;
      const atFault = ['bad_tile', 'not_found', 'too_large'].includes(error.code);
      if (atFault) this.#update('tiles', '', { detail });
      this.#cover({ name, status: atFault ? 'fail' : 'not-checkable', detail });
    }
  }

  /** At what was met: `met` checkpoints now. */
  consistency(met: number): void {
    const name = 'consistency';
    const { open, largest } = this.#parts.reconciler.state;
    const proven = this.#parts.alarms.raised.filter(({ kind }) => kind === 'proven' || kind === 'split-view');
    const [first] = proven;
    if (first !== undefined) this.#cover({ name, status: 'fail', detail: first.detail });
    else if (open.length > 0) {
      const oldest = open.reduce((a, b) => (a.since <= b.since ? a : b));
      const more = this.#parts.reconciler.dropped;
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
  forHidden(seen: readonly (readonly [Sighting, Met | undefined])[], shown: Met | undefined): void {
    if (shown === undefined) return;
    const hidden = new Map<string, Finding>();
    const { lag: after } = this.#parts.limits;
    for (const { from, since, size, why } of this.#parts.reconciler.state.open.toReversed())
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
    for (const [from, finding] of hidden) this.#update('not-shown', from, finding);
    for (const { kind, about } of this.#parts.alarms.all)
      if (kind === 'not-shown' && !hidden.has(about)) this.#update(kind, about, undefined);
  }

  /** For what was not heard of for too long. */
  forQuiet(): void {
    const { log, limits, memory } = this.#parts;
    const { sign, started, witnessSigns } = memory;
    const now = this.#now;
    const quiet = (
      kind: AlarmKind,
      about: string,
      limit: number | undefined,
      at: number,
      what: string,
    ): void => {
      if (limit === undefined) return;
      const finding = { since: at, detail: what };
      this.#update(kind, about, now - at >= limit ? finding : undefined);
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

  /** For anchors, once the newest entries were read. */
  forQuietAnchors(): void {
    const { limits, memory } = this.#parts;
    const { anchor } = memory;
    if (limits.anchors === undefined || anchor === undefined) return;
    const age = this.#now - anchor.at;
    const finding = {
      since: anchor.at,
      detail: `the newest anchor, entry ${anchor.index}, ${when(anchor)}`,
    };
    this.#update('quiet-anchors', '', age >= limits.anchors ? finding : undefined);
  }

  #update(kind: AlarmKind, about: string, finding: Finding | undefined): void {
    this.#parts.outbox.update(kind, about, finding, this.#now);
  }

  #randomBelow(limit: number): number {
    const bytes = this.#parts.random(6);
    return Math.floor((bytes.reduce((sum, byte) => sum * 256 + byte, 0) / 2 ** 48) * limit);
  }
}

function when({ at, by }: LastSign): string {
  return by === 'witnesses'
    ? `was made ${showInstant(at)}, as witnesses say`
    : `was first met ${showInstant(at)}: no witnesses give it a time by this policy`;
}
