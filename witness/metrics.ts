// What a witness measures of itself: GET /metrics. docs/metrics.md lists them.
import { measureProcess, Metrics, type Sample } from '../system/index.js';
import type { StatusReport } from './status.js';

export interface WitnessMetrics {
  /** The text that `GET /metrics` answers. */
  text(): string;
  /** A request was answered. `outcome` is one of a closed set. */
  answered(door: string, outcome: string, seconds: number): void;
  /** A state was written, and is durable. */
  stateWritten(): void;
  /** Ends what is measured of the process. */
  close(): void;
}

/** Seconds: a state that is synced to a fast disk, up to one behind slow signatures. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Makes them. `now` is in milliseconds; `status` is read once for each scrape. */
export function measureWitness(now: () => number, status: () => StatusReport): WitnessMetrics {
  const metrics = new Metrics();
  let report: StatusReport | undefined;
  const read = (): StatusReport => (report ??= status());
  const perLog = (value: (log: StatusReport['logs'][number]) => number | null) => (): Sample[] =>
    read().logs.flatMap((log) => {
      const found = value(log);
      return found === null ? [] : [{ labels: { origin: log.origin }, value: found }];
    });
  const perPeer = (value: (peer: StatusReport['peers'][number]) => number | null) => (): Sample[] =>
    read().peers.flatMap((peer) => {
      const found = value(peer);
      return found === null ? [] : [{ labels: { peer: peer.name }, value: found }];
    });

  metrics.gauge('stele_witness_signs', 'Whether it signs: 1 or 0.', () => (read().ok ? 1 : 0));
  metrics.gauge(
    'stele_witness_log_size',
    'Size of the checkpoint last cosigned, by log.',
    perLog(({ size }) => size),
  );
  metrics.gauge(
    'stele_witness_log_age_seconds',
    'Time since it was cosigned.',
    perLog(({ age }) => age),
  );
  metrics.gauge(
    'stele_witness_log_lag_entries',
    'By how much it is smaller than the largest tree known to be on the same history.',
    perLog(({ lag }) => lag),
  );
  metrics.gauge(
    'stele_witness_log_alarms',
    'Alarms that stand: see status.json.',
    perLog(({ alarms }) => alarms.length),
  );
  metrics.gauge(
    'stele_witness_log_evidence',
    'Files of evidence about the log or its witnesses that are kept.',
    perLog(({ evidence }) => evidence.length),
  );
  metrics.gauge(
    'stele_witness_peer_age_seconds',
    'Time since the peer last answered.',
    perPeer(({ age }) => age),
  );
  metrics.gauge(
    'stele_witness_peer_failures',
    'Failures of the peer in a row.',
    perPeer(({ failures }) => failures),
  );
  metrics.gauge(
    'stele_witness_gossip_rounds_total',
    'Rounds of gossip since the start.',
    () => read().rounds,
    'counter',
  );
  const signing = (name: keyof StatusReport['signing'], help: string, type: 'gauge' | 'counter'): void => {
    const suffix = type === 'counter' ? '_total' : '';
    metrics.gauge(`stele_witness_signing_${name}${suffix}`, help, () => read().signing[name], type);
  };
  signing('threads', 'Threads for ML-DSA-44 signatures that run.', 'gauge');
  signing('waiting', 'ML-DSA-44 signatures that wait for a thread.', 'gauge');
  signing('signed', 'ML-DSA-44 signatures made since the start.', 'counter');
  signing('replaced', 'Signing threads that ended or hung since the start.', 'counter');
  signing('refused', 'ML-DSA-44 signatures refused since the start, since too many waited.', 'counter');

  const requests = metrics.counter('stele_witness_requests_total', 'Requests, by door and outcome.');
  requests.add({ door: 'add-checkpoint', outcome: 'cosigned' }, 0);
  const times = metrics.histogram(
    'stele_witness_request_seconds',
    'From a request to its answer, by door, of those that were signed.',
    SECONDS,
  );
  const writes = metrics.counter('stele_witness_state_writes_total', 'States made durable.');
  writes.add({}, 0);
  const close = measureProcess(metrics, now);

  return {
    close,
    text() {
      report = undefined;
      return metrics.text();
    },
    answered(door, outcome, seconds) {
      requests.add({ door, outcome });
      if (outcome === 'cosigned' || outcome === 'subtree-signed') times.observe(seconds, { door });
    },
    stateWritten: () => writes.add(),
  };
}
