// docs/grafana/stele.json and docs/prometheus/prometheus.yml: what they name is what the programs expose.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import { startScene } from '../log-server/testing/scene.js';
import { until } from '../log-server/testing/until.js';
import { COSIGNATURE_ED25519, encodeUtf8, newSigningKey } from '../tlog/index.js';
import { addPeer } from '../witness/index.js';
import { WitnessClient } from '../client/index.js';
import { SigningLog } from './helpers/signing-log.js';
import { startTestWitness, TestClock } from './helpers/witness.js';

interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  datasource?: { type: string; uid: string };
  targets?: { refId: string; expr: string; legendFormat: string; datasource: object }[];
}
interface Dashboard {
  title: string;
  uid: string;
  schemaVersion: number;
  panels: Panel[];
  templating: { list: { name: string; type: string; definition?: string }[] };
}

const docs = new URL('../../docs/', import.meta.url);
const dashboard = JSON.parse(readFileSync(new URL('grafana/stele.json', docs), 'utf8')) as Dashboard;
const panels = dashboard.panels.filter(({ type }) => type !== 'row');
/** Names of the labels of each series, by its name. */
const exposed = new Map<string, Set<string>>();
/** What Prometheus adds. */
const ADDED = ['job', 'instance'];

function collect(scrape: string): void {
  for (const line of scrape.split('\n')) {
    const [, name = '', labels = ''] = /^([a-z]\w*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (name === '') continue;
    const known = exposed.get(name) ?? new Set(ADDED);
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label);
    exposed.set(name, known);
  }
}

before(async () => {
  const { log, close } = await startScene({ settings: { folder: tmpdir() } });
  await until(() => log.readiness().ready);
  await log.submit(encodeUtf8('an entry'));
  await fetch(`${log.url}/add`, { method: 'POST', body: 'another' });
  collect(await (await fetch(`${log.url}/metrics`)).text());
  await close();
  const clock = new TestClock();
  const signing = new SigningLog();
  const witness = await startTestWitness({ logs: [signing.vkey], clock, gossip: { drive: 'manual' } });
  after(() => witness.remove());
  const gone = newSigningKey('witness.example/gone', COSIGNATURE_ED25519, new Uint8Array(32).fill(4));
  await addPeer(witness.folder, [gone.vkey], { url: 'http://127.0.0.1:1' });
  await witness.reload();
  const client = new WitnessClient({ url: witness.url, vkeys: witness.vkeys });
  await client.addCheckpoint({ oldSize: 0, proof: [], note: signing.note(5) });
  clock.pass(1000);
  collect(await (await fetch(`${witness.url}/metrics`)).text());
});

/** Series and labels of an expression, as far as these dashboards go. */
function namesIn(expr: string): { series: string[]; labels: string[] } {
  const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => (list ?? '').split(/, */));
  const matched = [...expr.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label]) => label ?? '');
  const bare = expr
    .replace(/by \([^)]*\)/g, '')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\[[^\]]*\]/g, '');
  const series = [...bare.matchAll(/\b[a-z]\w*_\w+\b/g)].map(([name]) => name);
  return { series: series.filter((name) => name !== 'histogram_quantile'), labels: [...grouped, ...matched] };
}

test('every series, and every label, that the dashboard names is one that a log or a witness exposes', () => {
  for (const { title, targets = [] } of panels) {
    assert.ok(targets.length > 0, title);
    for (const { expr, legendFormat } of targets) {
      const { series, labels } = namesIn(expr);
      assert.ok(series.length > 0, expr);
      for (const name of series) assert.ok(exposed.has(name), `${title}: ${name} is not exposed`);
      const known = new Set(series.flatMap((name) => [...(exposed.get(name) ?? [])]));
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label ?? '');
      for (const label of [...labels, ...shown]) assert.ok(known.has(label), `${title}: no label ${label}`);
      // What is summed away cannot be shown.
      const by = /by \(([^)]*)\)/.exec(expr)?.[1]?.split(/, */);
      if (by !== undefined)
        for (const label of shown) assert.ok(by.includes(label), `${title}: ${label} is summed away`);
    }
  }
  for (const { definition } of dashboard.templating.list) {
    if (definition === undefined) continue;
    const metric = /^label_values\((\w+), instance\)$/.exec(definition)?.[1] ?? '';
    assert.ok(exposed.has(metric), definition);
  }
});

test('every series of the log and the witness is somewhere on it, but for a few', () => {
  const named = new Set(
    panels.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => namesIn(expr).series)),
  );
  const missing = [...exposed.keys()].filter((name) => !named.has(name) && !/_(sum|count)$/.test(name));
  assert.deepEqual(missing.sort(), [
    'process_start_time_seconds',
    'stele_log_quiet_seconds',
    'stele_witness_log_size',
    'stele_witness_signing_refused_total',
    'stele_witness_signing_replaced_total',
    'stele_witness_signing_signed_total',
    'stele_witness_signing_threads',
  ]);
});

test('Grafana can import it: identities, places, and a data source that is chosen there', () => {
  const { title, uid, schemaVersion, templating } = dashboard;
  assert.ok(title !== '' && /^[\w-]{1,40}$/.test(uid) && schemaVersion >= 36);
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
  const variables = templating.list.map(({ name }) => name);
  assert.equal(templating.list[0]?.type, 'datasource');
  for (const { datasource, targets = [], title } of panels) {
    assert.equal(datasource?.uid, '${datasource}', title);
    assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
    for (const target of targets) {
      assert.deepEqual(target.datasource, datasource);
      for (const [, name = ''] of target.expr.matchAll(/\$(\w+)/g))
        assert.ok(name === '__rate_interval' || variables.includes(name), name);
    }
  }
  for (const [i, { gridPos: a, title }] of dashboard.panels.entries()) {
    assert.ok(a.x + a.w <= 24, title);
    for (const { gridPos: b } of dashboard.panels.slice(i + 1)) {
      const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
      assert.ok(apart, `${title} overlaps`);
    }
  }
});

test('the Prometheus example reads the rules and asks at the ports that the programs have', () => {
  const folder = new URL('prometheus/', docs);
  const { rule_files, scrape_configs } = parse(readFileSync(new URL('prometheus.yml', folder), 'utf8')) as {
    rule_files: string[];
    scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
  };
  for (const file of rule_files) assert.ok(existsSync(new URL(file, folder)), file);
  const reference = readFileSync(new URL('config.md', docs), 'utf8');
  for (const { job_name, static_configs } of scrape_configs) {
    const [serve = ''] = new RegExp(`### \`${job_name} serve\`[^#]*`).exec(reference) ?? [];
    for (const target of static_configs.flatMap(({ targets }) => targets))
      assert.ok(serve.includes(`\`${target}\``), target);
  }
});
