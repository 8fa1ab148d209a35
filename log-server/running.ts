import { setMaxListeners } from 'node:events';
import { parsePolicy } from '../tlog/index.js';
import type { Policy } from '../tlog/index.js';
import { Bodies } from '../system/index.js';
import type { Admission, Prepared } from './admission.js';
import type { PublishedHead } from './head.js';
import type { HeadSigner } from './head-signer.js';
import { createListener } from './http/app.js';
import { listen } from './http/listen.js';
import type { Readiness } from './readiness.js';
import { silentLogger } from './logger.js';
import { freeBytes, measureLog } from './metrics.js';
import type { QueryIndex } from './search/query-index.js';
import { News } from './signal.js';
import { Publisher } from './publisher.js';
import { Sequencer } from './sequencer.js';
import type { Receipt } from './sequencer.js';
import { DEFAULT_LIMITS } from './settings.js';
import type { LogLimits, LogSettings } from './settings.js';
import type { Companion } from './companion.js';
import { RESERVE_BYTES, diskFull } from './storage/log-storage.js';
import type { LogStorage } from './storage/types.js';
import { Witnesses } from './cosigning/witnesses.js';

/** A log that has started. */
export interface RunningLog {
  readonly url: string;
  readonly storage: LogStorage;
  /** As `POST /add`. */
  submit(body: Uint8Array): Promise<Receipt>;
  published(): PublishedHead | undefined;
  readiness(): Readiness;
  /** Finishes what is under way, for at most `drainMs`, then lets go of the folder. */
  close(): Promise<void>;
}

/** What starting has opened and read. */
export interface OpenedLog {
  readonly storage: LogStorage;
  readonly signer: HeadSigner;
  /** The policy in force. */
  readonly policy: Policy;
  readonly admission: Admission;
  /** Submits the log's own entries. */
  readonly companion?: Companion;
  /** Resolves when an entry below `size` is answered: when it is published. Only a benchmark gives another. */
  readonly covered?: (size: number) => Promise<PublishedHead>;
  /** Where entries are by what they say. */
  readonly search?: (published: () => number) => QueryIndex;
}

/** Starts the pipeline and the HTTP side over an opened log. */
export async function runLog(opened: OpenedLog, settings: LogSettings): Promise<RunningLog> {
  const { storage, signer, policy, admission, companion } = opened;
  const { clock, step = () => undefined, fetch = globalThis.fetch } = settings;
  const limits = withDefaults(settings.limits, policy);
  const ending = new AbortController();
  const { signal } = ending;
  // Every loop and every sleep of every witness listens to it.
  setMaxListeners(0, signal);
  let onPublished = (): void => undefined;
  let draining = false;
  const metrics = measureLog({
    clock,
    freeBytes: () => freeBytes(settings.folder),
    witnesses: policy.witnesses.flatMap(({ name }) =>
      settings.leaveOut?.includes(name) === true ? [] : [name],
    ),
    readiness: () => readiness(),
    anchorInterval: () => companion?.anchorInterval,
  });
  const logger = metrics.counting(settings.logger ?? silentLogger);

  const publisher = new Publisher({
    storage,
    signer,
    policy,
    clock,
    logger,
    step,
    publishIntervalMs: limits.publishIntervalMs,
    collectionTimeoutMs: limits.collectionTimeoutMs,
    signal,
  });
  const covered = opened.covered ?? ((size: number) => publisher.waitFor(size));
  const committed = (first: number, entries: readonly Prepared[]): void => search?.committed(first, entries);
  const sequencer = new Sequencer({
    storage,
    admission,
    publisher,
    covered,
    committed,
    limits,
    logger,
    step,
  });
  const stop = (message: string): void => {
    logger.log('alarm', 'signing stopped until a human decides', { why: message });
    publisher.stop('stopped', message);
  };
  const lastPolicy = storage.published?.policy;
  const witnesses = new Witnesses({
    storage,
    policy,
    lastPolicy: lastPolicy === undefined ? undefined : parsePolicy(lastPolicy),
    logKeys: signer.vkeys,
    leftOut: new Set(settings.leaveOut),
    addAnew: new Set(settings.addAnew),
    fetch,
    clock,
    logger,
    timeoutMs: limits.witnessTimeoutMs,
    newest: () => publisher.current,
    onCosigned: (collection, lines) => {
      for (const { witness } of lines) metrics.cosigned(witness);
      publisher.cosigned(collection, lines);
    },
    onOpen: () => {
      publisher.open();
      sequencer.open();
    },
    onStop: stop,
    signal,
  });
  publisher.listen(
    () => witnesses.ring(),
    () => {
      metrics.published();
      search?.ring();
      news.tell();
      onPublished();
    },
  );

  const search = opened.search?.(() => publisher.published?.size ?? 0);
  const news = new News();

  const reserve = settings.reserveBytes ?? RESERVE_BYTES;
  const readiness = (): Readiness => {
    const common = {
      setAside: witnesses.setAside,
      committed: storage.size,
      published: publisher.published?.size ?? null,
    };
    const not = (state: Readiness['state'], message: string, awaited: readonly string[] = []): Readiness => {
      return { ready: false, state, message, awaited, ...common };
    };
    const { gate } = witnesses;
    if (draining) return not('draining', 'the server is shutting down');
    if (sequencer.stopped !== undefined) return not('stopped', sequencer.stopped.message);
    if (gate.state === 'refused') {
      const held = gate.code === 'forked' ? 'another history' : 'more than this folder has signed';
      return not(gate.code, `witnesses hold ${held}: ${gate.witnesses.join(', ')}`, gate.witnesses);
    }
    if (gate.state === 'waiting') return not('gate_closed', 'waiting for witnesses', gate.awaited);
    // Entries are refused with this code until a note can be written again; that is tried every second.
    if (publisher.failing !== undefined) return not(publisher.failing.code, publisher.failing.message);
    if (companion?.state === 'frozen' && common.published !== common.committed)
      return not(
        'frozen',
        'the log is frozen: it takes nothing more, and its last tree is to be published yet',
      );
    // Not learnt from the entry that is refused for it: who reads this comes before that.
    const free = freeBytes(settings.folder) ?? Infinity;
    if (companion?.state !== 'frozen' && free < reserve)
      return not('storage_failed', diskFull(free, reserve));
    if (companion !== undefined && companion.state !== 'ready')
      return not(companion.state, STATES[companion.state]);
    return { ready: true, state: 'ready', message: 'takes entries', awaited: [], ...common };
  };

  let requests = 0;
  const prefix = Math.floor(clock.now()).toString(36);
  const app = createListener({
    storage,
    admission: settings.admission,
    policy,
    vkeys: signer.vkeys,
    logger,
    maxBody: settings.admission === 'none' ? Math.min(limits.bodyBytes, 65_536) : limits.bodyBytes,
    bodies: new Bodies(limits.bodiesBytes),
    answerBytes: limits.answerBytes,
    submit: (body) => sequencer.submit(body),
    published: () => publisher.published,
    readiness,
    metrics,
    search,
    news: (until) => news.next(until),
    clock,
    signal,
    nextRequestId: () => `${prefix}-${(requests++).toString(36)}`,
  });
  const server = await listen(app, settings.listen, limits);
  logger.log('info', 'listening', { url: server.url, origin: storage.origin, size: storage.size });

  // A loop that throws is a bug of ours: nothing more is signed, the readers are served on.
  const watch = (name: string, loop: Promise<void>): Promise<void> =>
    loop.catch((error: unknown) => {
      if (signal.aborted) return;
      logger.log('alarm', 'a part of the server failed', { part: name, error: String(error) });
      publisher.stop('stopped', `${name} failed`);
    });
  const sequencing = watch('sequencer', sequencer.run());
  const publishing = watch('publisher', publisher.run());
  const others = [watch('witnesses', witnesses.run())];
  if (search !== undefined) others.push(search.run(clock, signal));
  if (companion !== undefined) {
    const view = {
      submit: (body: Uint8Array) => sequencer.submit(body, 'server'),
      published: () => publisher.published,
      onPublished: (listener: () => void) => {
        onPublished = listener;
      },
      stop,
      opened: witnesses.opened,
    };
    others.push(watch('companion', companion.run(view, signal)));
  }

  const drain = async (): Promise<void> => {
    sequencer.drain();
    await sequencing;
    publisher.drain();
    await publishing;
  };
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    draining = true;
    logger.log('info', 'draining');
    const enough = clock.sleep(limits.drainMs, signal).catch(() => undefined);
    await Promise.race([drain(), enough]);
    ending.abort(new Error('the server has shut down'));
    publisher.stop('stopped', 'the server has shut down');
    sequencer.drain();
    await Promise.all([sequencing, publishing, ...others]);
    await server.close(CLOSE_GRACE_MS);
    await signer.close();
    await storage.close();
    metrics.close();
    logger.log('info', 'closed');
  };
  return {
    url: server.url,
    storage,
    submit: (body) => sequencer.submit(body),
    published: () => publisher.published,
    readiness,
    close: () => (closing ??= close()),
  };
}

/** How long answers that are already decided may take to leave, milliseconds. */
const CLOSE_GRACE_MS = 2000;

const STATES = {
  starting: 'the charter and the first anchor are not published yet',
  frozen: 'the log is frozen: it only serves',
} as const;

function withDefaults(limits: Partial<LogLimits> | undefined, policy: Policy): LogLimits {
  // Witnesses are other people's machines: a head a second is enough for them.
  const publishIntervalMs = policy.quorum === undefined ? 0 : 1000;
  const all = { ...DEFAULT_LIMITS, publishIntervalMs, ...limits };
  // A submitter waits for a collection or two, in which nothing is sent.
  return { ...all, stallTimeoutMs: Math.max(all.stallTimeoutMs, 4 * all.collectionTimeoutMs) };
}
