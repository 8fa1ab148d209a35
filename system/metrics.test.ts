import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from './metrics.js';

test('counters, gauges and histograms as the text format has them', () => {
  const metrics = new Metrics();
  const requests = metrics.counter('requests_total', 'Requests by outcome.');
  requests.add({ outcome: 'fine' });
  requests.add({ outcome: 'fine' }, 2);
  requests.add({ outcome: 'a "quoted"\nline\\' });
  metrics.gauge('size', 'Entries.', () => 7);
  metrics.gauge('unknown', 'Not known yet.', () => undefined);
  metrics.gauge('peers', 'By peer.', () => [{ labels: { peer: 'a' }, value: 1 }]);
  const times = metrics.histogram('seconds', 'How long.', [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 2]) times.observe(value, { door: 'add' });
  assert.equal(
    metrics.text(),
    `# HELP requests_total Requests by outcome.
# TYPE requests_total counter
requests_total{outcome="fine"} 3
requests_total{outcome="a \\"quoted\\"\\nline\\\\"} 1
# HELP size Entries.
# TYPE size gauge
size 7
# HELP unknown Not known yet.
# TYPE unknown gauge
# HELP peers By peer.
# TYPE peers gauge
peers{peer="a"} 1
# HELP seconds How long.
# TYPE seconds histogram
seconds_bucket{door="add",le="0.1"} 2
seconds_bucket{door="add",le="1"} 3
seconds_bucket{door="add",le="+Inf"} 4
seconds_sum{door="add"} 2.65
seconds_count{door="add"} 4
`,
  );
});
