/** A C2SP witness: checks that logs only ever grow, and says so with a time. */
import {
  Bodies,
  lockFolder,
  SigningPool,
  systemClock,
  type LockTrouble,
  type SigningPoolOptions,
} from '../system/index.js';
import type { Clock, Vkey } from '../tlog/index.js';
import { ClockGuard, leapFile } from './clock-guard.js';
import { elsewhere } from './elsewhere.js';
import { WitnessError } from './errors.js';
import { checkFormat, layout, readKeys, readLogs, upgradeFolder, type WitnessedLog } from './folder.js';
import { addGossipDoors } from './gossip/doors.js';
import type { Gossip } from './gossip/engine.js';
import { forEachOf } from './gossip/limiter.js';
import type { Peer } from './gossip/ports.js';
import { runGossip, type GossipOptions, type RunningGossip } from './gossip/run.js';
import { otherMethods, witnessApp } from './http.js';
import { LIMITS, listen, type Limits } from './listen.js';
import type { Logger } from './log.js';
import { readPeers } from './peers.js';
import { measureWitness, type WitnessMetrics } from './metrics.js';
import { RestoredGuard, restoredFile } from './restored.js';
import { StateStore, type Step } from './state-store.js';
import { reportStatus, type StatusReport } from './status.js';
import { addViews } from './views.js';
import { Witness } from './witness.js';

export { WitnessError } from './errors.js';
export { decide, parseAddCheckpoint, trustedLines } from './add-checkpoint.js';
export type { Limits } from './listen.js';
export { parseSignSubtree, subtreeFault } from './sign-subtree.js';
export { addLog, initFolder, layout, removeKey } from './folder.js';
export { addPeer } from './peers.js';
export type * from './gossip/ports.js';
export { Gossip } from './gossip/engine.js';
export type { Logger } from './log.js';
export { originHash, type Step } from './state-store.js';

/** What a witness is started with. */
export interface WitnessOptions {
  /** As `initFolder` made it. */
  folder: string;
  /** Port 0 takes any that is free. */
  listen: { host: string; port: number };
  clock?: Clock;
  log?: Logger;
  /**
   * Named moments of a request, in order: `decided`, `signing` (the time is taken), `state-writing`,
   * `state-written` (synced under a temporary name), `state-renamed`, `state-durable`, `answering`.
   */
  step?: Step;
  /** Milliseconds and counts that bound what strangers can hold open. */
  limits?: Partial<Limits>;
  /** The threads that make ML-DSA-44 signatures, where the witness has such a key. */
  signing?: Omit<SigningPoolOptions, 'clock'>;
  /** How it compares notes with other witnesses. */
  gossip?: GossipOptions;
}

/** Milliseconds between looks at the clocks, so that a leap is noticed when nobody asks for anything. */
const CLOCK_INTERVAL = 60_000;

/** Logs about which others are asked at once after the start. */
const LOOKS = 8;

/** A witness that serves. */
export interface RunningWitness {
  /** Submission and monitoring prefix. */
  url: string;
  /** Verifier keys, Ed25519 first. */
  vkeys: Vkey[];
  /** What it knows of other witnesses, and what is proven. */
  gossip: Gossip;
  /** Why nothing is signed, if so. */
  ailing(): string | undefined;
  /** Whether that is for good: the folder is an older copy, and the key spent. */
  spent(): boolean;
  /** Reads the lists of logs and peers again. On an error the old ones stay. */
  reload(): Promise<void>;
  /** Answers what has been asked, then lets go of the folder. */
  close(): Promise<void>;
}

/** Upgrades a folder that nobody serves. False where there was nothing to do. Throws WitnessError. */
export async function upgradeStopped(folder: string): Promise<boolean> {
  await checkFormat(folder);
  const unlock = await lockFolder(layout.lock(folder), (trouble, cause) => lockError(folder, trouble, cause));
  try {
    return await upgradeFolder(folder);
  } finally {
    await unlock();
  }
}

/**
 * Serves one folder until closed. Throws WitnessError "locked", "lock_failed", "bad_folder", "bad_key",
 * "bad_log", "state_damaged", KeyFileError, and what listening throws.
 */
export async function startWitness(options: WitnessOptions): Promise<RunningWitness> {
  const { folder, step } = options;
  const clock = options.clock ?? systemClock;
  const log: Logger = options.log ?? (() => undefined);
  const limits: Limits = { ...LIMITS, ...options.limits };

  await checkFormat(folder);
  const unlock = await lockFolder(layout.lock(folder), (trouble, cause) => lockError(folder, trouble, cause));
  let signer: SigningPool | undefined;
  let states: StateStore | undefined;
  let running: RunningGossip | undefined;
  let metrics: WitnessMetrics | undefined;
  try {
    const pool = (signer = new SigningPool(await readKeys(folder), { clock, ...options.signing }));
    await upgradeFolder(folder);
    const counted: Step = (name) => {
      if (name === 'state-durable') metrics?.stateWritten();
      return step?.(name);
    };
    const store = (states = await StateStore.open(layout.state(folder), counted, clock));
    const guard = await ClockGuard.open(clock, leapFile(layout.leap(folder)));
    const restored = await RestoredGuard.open({
      mark: restoredFile(layout.restored(folder)),
      vkeys: pool.vkeys,
      own: (origin) => store.get(origin),
      clock,
      log,
    });
    if (restored.spent !== undefined) log('error', 'restored-backup', { message: restored.spent });
    const gossiping = (running = runGossip({
      folder,
      clock,
      log,
      own: (origin) => store.get(origin)?.note,
      ownKeys: pool.vkeys,
      met: (seen, where) => restored.meet(seen, where),
      ...options.gossip,
    }));
    const witness = new Witness(pool, store, guard, step, gossiping.witnessing, restored);
    let logs: readonly WitnessedLog[] = [];
    let peers: readonly Peer[] = [];
    const reload = async (): Promise<void> => {
      [logs, peers] = [await readLogs(folder), await readPeers(folder)];
      for (const { origin } of logs) if (!store.has(origin)) await store.load(origin);
      // Before the first answer: what is convicted was read.
      await gossiping.set(logs, peers);
      restored.ask(elsewhere(pool.vkeys[0]?.name ?? '', logs, peers, gossiping.network, clock));
      witness.setLogs(logs);
    };
    await reload();

    const bodies = new Bodies(limits.bodies);
    const ailing = (): string | undefined => {
      if (restored.spent !== undefined) return restored.spent;
      if (guard.check()) return 'the clock leapt ahead: stele-witness confirm-clock';
      return store.failure?.message;
    };
    const status = (): StatusReport =>
      reportStatus({
        clock,
        vkeys: pool.vkeys,
        logs: () => logs,
        peers: () => peers,
        gossip: () => gossiping.gossip.status(),
        signing: () => pool.status(),
        ailing,
      });
    const measured = (metrics = measureWitness(() => clock.now(), status));
    const app = witnessApp({ witness, clock, log, bodies, measured, ailing });
    addViews(app, { clock, status, metrics: measured });
    const { gossip } = gossiping;
    addGossipDoors(app, { gossip, clock, log, bodies, originOf: (hash) => witness.originOf(hash) });
    otherMethods(app);
    const server = await listen((request, env) => app.fetch(request, env), options.listen, limits);
    const { url } = server;

    const stop = new AbortController();
    const watching = watchClock(clock, guard, restored, log, stop.signal);
    // At the start everybody is asked about every log, and nobody's first request waits for it if it can be helped.
    const looking = forEachOf(logs, LOOKS, async ({ origin }) => {
      if (!stop.signal.aborted) await restored.looked(origin);
    });
    log('info', 'serving', { url, names: pool.vkeys.map(({ name }) => name) });

    let closing: Promise<void> | undefined;
    const close = async (): Promise<void> => {
      stop.abort();
      await watching;
      await server.close();
      await gossiping.close();
      await looking;
      await store.close();
      await guard.idle();
      await restored.idle();
      measured.close();
      await pool.close();
      await unlock();
      log('info', 'closed');
    };
    return {
      url,
      vkeys: pool.vkeys,
      gossip,
      ailing,
      spent: () => restored.spent !== undefined,
      reload,
      close: () => (closing ??= close()),
    };
  } catch (error) {
    await running?.close();
    metrics?.close();
    await signer?.close();
    await states?.close();
    await unlock();
    throw error;
  }
}

/** Looks at the clocks now and then, and asks those again who did not answer, until stopped. */
async function watchClock(
  clock: Clock,
  guard: ClockGuard,
  restored: RestoredGuard,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  let told = false;
  for (;;) {
    const leap = guard.check();
    if (leap && !told) {
      const iso = (ms: number): string => new Date(ms).toISOString();
      log('error', 'clock-leapt', { expected: iso(leap.expected), found: iso(leap.found) });
    }
    told = leap !== undefined;
    await guard.refresh();
    await clock.sleep(CLOCK_INTERVAL, signal).catch(() => undefined);
    if (signal.aborted) return;
    await restored.again();
  }
}

function lockError(folder: string, { kind, text }: LockTrouble, cause: unknown): WitnessError {
  const path = layout.lock(folder);
  if (kind === 'held')
    return new WitnessError(
      'locked',
      `${path}: expected to be the only one here, found that another witness serves this folder`,
      'stop the other process first; two would sign contradicting histories',
      { cause },
    );
  return new WitnessError(
    'lock_failed',
    `${path}: expected to take the lock, found ${text}`,
    kind === 'failed'
      ? 'free space, mend the disk or its rights, and start again'
      : 'the folder holds no data: if no witness runs on it, remove it and start again',
    { cause },
  );
}
