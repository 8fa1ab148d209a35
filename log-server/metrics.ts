import { statfsSync } from 'node:fs';
import { Metrics, measureProcess } from '../system/index.js';
import { SteleError } from '../tlog/index.js';
import type { Clock } from '../tlog/index.js';
import type { Readiness } from './readiness.js';
import type { Level, Logger } from './logger.js';

/** What a log server measures of itself. docs/metrics.md lists them. */
export interface LogMetrics {
  /** The text that `GET /metrics` answers. */
  text(): string;
  /** A logger that counts what it passes on. */
  counting(logger: Logger): Logger;
  /** A submission that came at `begun`, on the monotonic clock, was logged. */
  logged(begun: number): void;
  /** A submission was refused with this. */
  refused(error: unknown): void;
  /** An HTTP answer. */
  answered(method: string, path: string, status: number): void;
  /** A head was published now. */
  published(): void;
  /** A witness cosigned now, by its key name. */
  cosigned(witness: string): void;
  /** Ends what is measured of the process. */
  close(): void;
}

/** What the gauges read. */
export interface Measured {
  readonly clock: Clock;
  /** What is free where the log lies; undefined where that cannot be told. */
  freeBytes(): number | undefined;
  /** Those of the policy that are asked. */
  readonly witnesses: readonly string[];
  readiness(): Readiness;
  /** Seconds between the charter's anchors, each of which is published; undefined where there are none. */
  anchorInterval(): number | undefined;
}

/** Seconds: from an idle log on a fast disk to one that waits for slow witnesses. */
const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Seconds in which nothing need be published, however short the interval of anchors. */
const QUIET = 1800;

/** Makes them. The gauges are read at each scrape. */
export function measureLog(measured: Measured): LogMetrics {
  const { clock, witnesses } = measured;
  const readiness = (): Readiness => measured.readiness();
  const metrics = new Metrics();
  const seconds = (): number => clock.now() / 1000;
  // A process that never publishes is silent since its start: an alert compares with a number, not with none.
  const startedAt = seconds();
  let publishedAt = startedAt;
  const cosignedAt = new Map<string, number>();
  let alarmedAt = 0;

  metrics.gauge('stele_log_ready', 'Whether entries are taken: 1 or 0.', () => (readiness().ready ? 1 : 0));
  metrics.gauge('stele_log_state', 'The state that /readyz says, as a label.', () => [
    { labels: { state: readiness().state }, value: 1 },
  ]);
  metrics.gauge('stele_log_committed_entries', 'Entries committed.', () => readiness().committed);
  metrics.gauge(
    'stele_log_published_entries',
    'Entries under the published checkpoint.',
    () => readiness().published ?? undefined,
  );
  metrics.gauge(
    'stele_log_published_timestamp_seconds',
    'When a checkpoint was last published by this process, since 1970; before the first, when it started.',
    () => publishedAt,
  );
  metrics.gauge(
    'stele_log_quiet_seconds',
    "For how long nothing need be published, nor cosigned: three of the charter's intervals of anchors, half an hour at least.",
    () => Math.max(QUIET, 3 * (measured.anchorInterval() ?? 0)),
  );
  metrics.gauge('stele_log_witnesses_set_aside', 'Witnesses that are asked no more.', () => {
    return readiness().setAside.length;
  });
  metrics.gauge(
    'stele_log_witness_cosigned_timestamp_seconds',
    'When the witness last cosigned for this process, since 1970; before the first time, when it started. None for one that is left out.',
    () => witnesses.map((witness) => ({ labels: { witness }, value: cosignedAt.get(witness) ?? startedAt })),
  );
  metrics.gauge('stele_log_disk_free_bytes', 'Free space where the log lies.', () => measured.freeBytes());
  const lines = metrics.counter('stele_log_messages_total', 'Messages of the server, by level.');
  for (const level of LEVELS) lines.add({ level }, 0);
  // A rate of the count sees no alarm that came before the first scrape, nor one that is the only one of each process.
  metrics.gauge(
    'stele_log_alarm_timestamp_seconds',
    'When the last message of level alarm was said by this process, since 1970; 0 before the first.',
    () => alarmedAt,
  );
  const submissions = metrics.counter(
    'stele_log_submissions_total',
    'Submissions by outcome: logged, or the code of the refusal.',
  );
  const logged = submissions.adder({ outcome: 'logged' });
  const times = metrics.histogram(
    'stele_log_submission_seconds',
    'From a submission to its answer, of those that were logged.',
    SECONDS,
  );
  const requests = metrics.counter('stele_log_http_requests_total', 'HTTP requests, by what was asked for.');
  const added = requests.adder({ route: 'add', status: '200' });
  const close = measureProcess(metrics, () => clock.now());

  return {
    close,
    text: () => metrics.text(),
    counting: (logger) => ({
      log: (level, message, fields) => {
        if (LEVELS.includes(level)) lines.add({ level });
        if (level === 'alarm') alarmedAt = seconds();
        logger.log(level, message, fields);
      },
    }),
    logged: (begun) => {
      logged();
      times.observe((clock.monotonic() - begun) / 1000);
    },
    refused: (error) => {
      // Codes are a closed set; what strangers write is in messages only.
      submissions.add({ outcome: error instanceof SteleError ? error.code : 'internal' });
    },
    answered: (method, path, status) => {
      const route = routeOf(method, path);
      if (route === 'add' && status === 200) added();
      else requests.add({ route, status: String(status) });
    },
    published: () => {
      publishedAt = seconds();
    },
    cosigned: (witness) => void cosignedAt.set(witness, seconds()),
  };
}

/** Debug lines are one a request, which has its own counter. */
const LEVELS: readonly Level[] = ['info', 'warn', 'error', 'alarm'];

/** A few names for all paths that strangers can think of. */
function routeOf(method: string, path: string): string {
  if (path === '/add') return method === 'POST' ? 'add' : 'other';
  if (method !== 'GET' && method !== 'HEAD') return 'other';
  if (path === '/checkpoint') return 'checkpoint';
  if (path.startsWith('/tile/entries/')) return 'entries';
  if (path.startsWith('/tile/')) return 'tile';
  if (path.startsWith('/api/')) return 'api';
  return path === '/healthz' || path === '/readyz' || path === '/metrics' ? 'status' : 'other';
}

/** Free space on a folder's disk. */
export function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
