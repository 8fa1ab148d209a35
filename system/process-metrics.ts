import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics } from './metrics.js';

/**
 * What every program measures of its own process. Names are those that Prometheus' own clients use.
 * Answers what ends the measuring.
 */
export function measureProcess(metrics: Metrics, now: () => number): () => void {
  const started = now() / 1000 - process.uptime();
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  metrics.gauge('process_start_time_seconds', 'When the process started, since 1970.', () => started);
  metrics.gauge('process_resident_memory_bytes', 'Memory that the process holds.', () =>
    process.memoryUsage.rss(),
  );
  const cpu = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  metrics.gauge('process_cpu_seconds_total', 'Processor time used, all threads.', cpu, 'counter');
  metrics.gauge(
    'nodejs_eventloop_lag_p99_seconds',
    'How late the main thread was since the last look, 99th percentile.',
    () => {
      const seconds = delay.percentile(99) / 1e9;
      delay.reset();
      return seconds;
    },
  );
  return () => void delay.disable();
}
