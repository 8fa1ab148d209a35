// Rounds of all logs: once, or again and again with jitter until asked to stop.
import { SteleError } from '../../tlog/index.js';
import type { Context } from '../context.js';
import { EXIT, type ExitStatus } from '../errors.js';
import type { Coverage } from './coverage.js';
import type { LogFollower } from './follower.js';

/** Bundles of entries read at a stretch: what was found is saved after each. */
const STRETCH = 64;

/** One round of each log and all entries there are to read. Gives what was looked at, in order. */
export async function lookOnce(followers: readonly LogFollower[]): Promise<Coverage[][]> {
  return Promise.all(
    followers.map(async (follower) => {
      follower.resume();
      const coverage = await follower.round();
      while (await follower.readEntries(STRETCH));
      return [...coverage, ...follower.entryCoverage()];
    }),
  );
}

/** What following takes of the world. */
export interface FollowOptions {
  readonly context: Pick<Context, 'now' | 'sleep' | 'random'>;
  readonly intervalMs: number;
  readonly stop: AbortSignal;
  /** Told what a round looked at, when that has changed. */
  readonly onCoverage: (follower: LogFollower, coverage: readonly Coverage[]) => void;
  /** Told why a round could not be finished: a full disk, say. The next one is tried. */
  readonly onTrouble: (follower: LogFollower, error: SteleError) => void;
}

/** Follows every log by itself, so that none waits for another. Ends when `stop` aborts. */
export async function followAll(followers: readonly LogFollower[], options: FollowOptions): Promise<void> {
  await Promise.all(followers.map((follower) => follow(follower, options)));
}

async function follow(follower: LogFollower, options: FollowOptions): Promise<void> {
  const { context, intervalMs, stop } = options;
  let before = '';
  let resumed = false;
  while (!stop.aborted) {
    let more = false;
    try {
      if (!resumed) follower.resume();
      resumed = true;
      const begun = context.now();
      const coverage = await follower.round();
      do more = await follower.readEntries(STRETCH);
      while (more && !ended(stop) && Math.abs(context.now() - begun) < intervalMs);
      const rows = [...coverage, ...follower.entryCoverage()];
      const statuses = rows.map(({ name, status }) => `${name} ${status}`).join();
      if (statuses !== before) options.onCoverage(follower, rows);
      before = statuses;
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      options.onTrouble(follower, error);
    }
    const [jitter = 0] = context.random(1);
    if (!more) await context.sleep(intervalMs * (0.9 + jitter / 1280), stop).catch(() => undefined);
  }
}

/** A function, since it changes while others run. */
function ended({ aborted }: AbortSignal): boolean {
  return aborted;
}

/** The exit status of one look: the worst that stands, not only what is new. */
export function statusOfLook(
  followers: readonly LogFollower[],
  coverage: readonly (readonly Coverage[])[],
): ExitStatus {
  const kinds = new Set(followers.flatMap(({ alarms }) => alarms.raised.map(({ kind }) => kind)));
  const rows = coverage.flat();
  if (kinds.has('proven')) return EXIT.misbehaviour;
  const failed = rows.some(({ name, status }) => status === 'fail' && name !== 'quorum');
  if (failed || [...kinds].some((kind) => kind !== 'quorum')) return EXIT.failed;
  if (kinds.has('quorum')) return EXIT.quorum;
  return rows.some(({ network }) => network === true) ? EXIT.network : EXIT.ok;
}
