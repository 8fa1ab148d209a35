// Time from anchors. A party's own clock never decides anything: an entry was made after the anchor it
// names and logged before the first anchor that covers it, and an anchor's time comes from its witnesses.
//
// With f the number of lying operators that the policy survives and one timestamp per operator, among
// any f+1 of them one is honest. So what the anchor covers was logged by the (f+1)-th smallest, and the
// anchor itself was made at or after the (f+1)-th largest: of 10, 20, 30 and 999 with f = 1 that is 20
// and 30.
import { evaluatePolicy, policyFaults } from '../tlog/index.js';
import type { Policy } from '../tlog/index.js';
import { KEYS, LedgerView } from './ledger.js';
import type { AnchorRecord, KeyedStore } from './ledger.js';
import type { AnchorRef } from './generated/types.js';

/** An anchor's two times, POSIX seconds. */
export interface AnchorTimes {
  /** The anchor was made at or after this. */
  readonly lower: number;
  /** What it covers was logged at or before this. */
  readonly upper: number;
}

/**
 * Times from timestamps, grouped by operator. Zero timestamps state no time and do not count. undefined
 * where faults is below 0 or fewer than faults + 1 operators state a time.
 */
export function timesFromTimestamps(
  timestamps: Iterable<readonly [operator: string, seconds: number]>,
  faults: number,
): AnchorTimes | undefined {
  const smallest = new Map<string, number>();
  const largest = new Map<string, number>();
  for (const [operator, seconds] of timestamps) {
    if (seconds === 0) continue;
    // An honest operator's lines are all true, so either may be taken; a lying one is counted once.
    smallest.set(operator, Math.min(seconds, smallest.get(operator) ?? Infinity));
    largest.set(operator, Math.max(seconds, largest.get(operator) ?? 0));
  }
  if (faults < 0) return undefined;
  const upper = [...smallest.values()].sort((a, b) => a - b)[faults];
  const lower = [...largest.values()].sort((a, b) => b - a)[faults];
  return upper === undefined || lower === undefined ? undefined : { lower, upper };
}

/**
 * An anchored checkpoint's times under a policy: the charter's, or a reader's own for a second column.
 * undefined where that policy gives none. Throws TlogError as evaluatePolicy does.
 */
export function anchorTimes(
  policy: Policy,
  note: Uint8Array,
  faults: number = policyFaults(policy),
): AnchorTimes | undefined {
  const { cosignatures } = evaluatePolicy(policy, note);
  return timesFromTimestamps(
    cosignatures.map(({ witness, timestamp }) => [witness.operator, timestamp] as const),
    faults,
  );
}

/** Why a bound is not there. */
export type NoBound =
  /** The statement names no anchor. */
  | 'no-anchor-named'
  /** It names one that this log does not have at that place. */
  | 'anchor-unknown'
  /** No anchor covers the entry yet. */
  | 'not-anchored'
  /** The policy in force gives the anchor no time. */
  | 'no-time';

/** One bound: a time with the anchor it rests on, or why there is none. */
export type Bound =
  | { readonly seconds: number; readonly anchor: number }
  | { readonly seconds: undefined; readonly reason: NoBound };

/** When an entry came to be, from the log alone. */
export interface TimeBounds {
  /** The statement was made at or after this. */
  readonly notBefore: Bound;
  /** The entry was logged at or before this. */
  readonly notAfter: Bound;
}

/**
 * The bounds of the entry at `index`, whose statement names `recentAnchor` (undefined where it names
 * none, as charters and anchors do). Reads only the ledger.
 */
export async function timeBounds(
  store: KeyedStore,
  index: number,
  recentAnchor: AnchorRef | undefined,
): Promise<TimeBounds> {
  const view = new LedgerView(store, index);
  return {
    notBefore: await notBefore(view, index, recentAnchor),
    notAfter: await notAfter(view, index),
  };
}

async function notBefore(view: LedgerView, index: number, named: AnchorRef | undefined): Promise<Bound> {
  if (named === undefined) return { seconds: undefined, reason: 'no-anchor-named' };
  const anchor = await findAnchor(view, named);
  if (anchor === undefined || anchor.index >= index) return { seconds: undefined, reason: 'anchor-unknown' };
  return anchor.lower === null
    ? { seconds: undefined, reason: 'no-time' }
    : { seconds: anchor.lower, anchor: anchor.index };
}

async function notAfter(view: LedgerView, index: number): Promise<Bound> {
  const anchor = await coveringAnchor(view, index);
  if (anchor === undefined) return { seconds: undefined, reason: 'not-anchored' };
  return anchor.upper === null
    ? { seconds: undefined, reason: 'no-time' }
    : { seconds: anchor.upper, anchor: anchor.index };
}

/** The anchor that a statement names, if the log has it. */
export async function findAnchor(view: LedgerView, named: AnchorRef): Promise<AnchorRecord | undefined> {
  const at = await view.get<{ ordinal: number }>(KEYS.anchorAt(named.index));
  if (at === undefined) return undefined;
  const anchor = await view.get<AnchorRecord>(KEYS.anchor(at.ordinal));
  return anchor?.leafHash === named.leafHash ? anchor : undefined;
}

/** Whether the log has this anchor. */
export async function isAnchor(store: KeyedStore, named: AnchorRef): Promise<boolean> {
  return (await findAnchor(new LedgerView(store, 0), named)) !== undefined;
}

/** The first anchor whose checkpoint's size is above `index`. Anchors' sizes grow, so halving finds it. */
async function coveringAnchor(view: LedgerView, index: number): Promise<AnchorRecord | undefined> {
  const head = await view.head();
  let low = 0;
  let high = head?.anchors ?? 0;
  let found: AnchorRecord | undefined;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const anchor = await view.get<AnchorRecord>(KEYS.anchor(middle));
    if (anchor === undefined) throw new RangeError(`ledger without anchor ${middle}`);
    if (anchor.size > index) {
      found = anchor;
      high = middle;
    } else low = middle + 1;
  }
  return found;
}
