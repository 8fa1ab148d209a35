// Each rule of docs/prometheus/stele.rules.yml fires when its fault is made, and is silent before.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { WitnessClient } from '../client/index.js';
import { measureLog } from '../log-server/metrics.js';
import { startScene } from '../log-server/testing/scene.js';
import { COSIGNATURE_ED25519, encodeUtf8, newSigningKey } from '../tlog/index.js';
import { addPeer } from '../witness/index.js';
import { startScript } from './helpers/process.js';
import { SigningLog } from './helpers/signing-log.js';
import { startTestWitness, TestClock } from './helpers/witness.js';

const rules = new Map(
  [
    ...readFileSync(
      fileURLToPath(new URL('../../docs/prometheus/stele.rules.yml', import.meta.url)),
      'utf8',
    ).matchAll(/^ {6}- alert: (\w+)\n(?: {8}#.*\n)* {8}expr: (.+)$/gm),
  ].map(([, name = '', expr = '']) => [name, expr]),
);
const tried = new Set<string>();

type Labels = readonly string[];

/** Values of a metric's series in a scrape; the labels that are asked for must be there. */
function read(scrape: string, metric: string, labels: Labels = []): number[] {
  return scrape.split('\n').flatMap((line) => {
    const found = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (found?.[1] !== metric) return [];
    const has = [...(found[2] ?? '').matchAll(/\w+="[^"]*"/g)].map(([label]) => label);
    return labels.every((label) => has.includes(label)) ? [Number(found[3])] : [];
  });
}

const EXPRESSION =
  /^(time\(\) - )?(?:(max_over_time|changes)\()?(\w+)(?:\{(.*?)\})?(?:\[\w+\]\))? (==|>|<) (?:on \(job, instance\) (?:group_left )?)?([0-9.e]+|[a-z_]+)(?: unless on \(job, instance\) (\w+)\{(.*)\})?$/;

/**
 * As much of PromQL as the rules use: `[time() -] metric{labels} op limit`, and `max_over_time(…[…])` and
 * `changes(…[…])` of what has one series; the limit a number, or a metric with one series; then `unless` a series is
 * there. A scrape is of one job and instance. `before` are the earlier scrapes of the range. Not `increase(…[…])`: of a
 * range with one sample it is nothing, and of a count that is there at the first scrape it has no more than that.
 */
function fires(expr: string, scrape: string, seconds: number, before: readonly string[]): boolean {
  const parts = EXPRESSION.exec(expr);
  assert.ok(parts, `expected an expression of the kind that is used here, found ${expr}`);
  const [, since, over, metric = '', matcher, operator, bound = '', unless = '', unlessMatcher] = parts;
  if (read(scrape, unless, unlessMatcher?.split(',')).length > 0) return false;
  const limit = /^[a-z]/.test(bound) ? (read(scrape, bound)[0] ?? NaN) : Number(bound);
  const labels = matcher?.split(',') ?? [];
  const range = [...before, scrape].flatMap((each) => read(each, metric, labels).slice(0, 1));
  const values =
    over === undefined
      ? read(scrape, metric, labels)
      : range.length === 0
        ? []
        : over === 'max_over_time'
          ? [Math.max(...range)]
          : [range.filter((value, i) => i > 0 && value !== range[i - 1]).length];
  return values.some((value) => {
    const compared = since === undefined ? value : seconds - value;
    if (operator === '==') return compared === limit;
    return operator === '>' ? compared > limit : compared < limit;
  });
}

/** Which rules fire. All that belong to the program must have found their metric somewhere. */
function firing(scrape: string, milliseconds: number, before: readonly string[] = []): string[] {
  return [...rules].flatMap(([name, expr]) =>
    fires(expr, scrape, milliseconds / 1000, before) ? [name] : [],
  );
}

function expectFiring(found: readonly string[], ...names: string[]): void {
  assert.deepEqual([...found].sort(), [...names].sort());
  for (const name of names) tried.add(name);
}

/** Waits for what comes about in the background. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

const scrapeOf = async (url: string): Promise<string> => (await fetch(`${url}/metrics`)).text();

/** As Prometheus keeps a scrape: every series with its job's name, and `up` for whether there was an answer. */
async function scrapeAs(job: string, url: string): Promise<string> {
  const label = `job="${job}"`;
  try {
    const text = (await scrapeOf(url)).replace(
      /^(\w+)(?:\{(.*)\})? /gm,
      (_, name: string, labels?: string) =>
        labels === undefined ? `${name}{${label}} ` : `${name}{${labels},${label}} `,
    );
    return `${text}up{${label}} 1\n`;
  } catch {
    return `up{${label}} 0\n`;
  }
}

test('a log: healthy, then nothing published for half an hour', async () => {
  const { log, clock, close } = await startScene();
  await until(() => log.readiness().ready);
  await log.submit(encodeUtf8('an entry'));
  expectFiring(firing(await scrapeOf(log.url), clock.now()));
  clock.advance(1_801_000);
  expectFiring(
    firing(await scrapeOf(log.url), clock.now()),
    'SteleLogNothingPublished',
    'SteleLogWitnessQuiet',
  );
  await close();
});

for (const [job, name] of [
  ['stele-log', 'SteleLog'],
  ['stele-witness', 'SteleWitness'],
] as const) {
  test(`${job}: the process is killed, and started again and again`, async (t) => {
    const parent = await mkdtemp(join(tmpdir(), 'stele-alerts-'));
    t.after(() => rm(parent, { recursive: true, force: true }));
    const folder = join(parent, 'folder');
    const [script, init] =
      job === 'stele-log'
        ? [
            'log-server/main',
            ['--admission', 'none', '--origin', 'log.example/alerts', '--policy', join(parent, 'none')],
          ]
        : ['witness/main', ['--name', 'witness.example/alerts']];
    await writeFile(join(parent, 'none'), 'quorum none\n');
    const made = startScript(script, ['init', '-f', folder, ...init]);
    assert.equal(await made.ended, 0, made.stderr());
    const admission = job === 'stele-log' ? ['--admission', 'none'] : [];
    const scrapes: string[] = [];
    const mine = (): string[] => {
      const [now = '', ...before] = [...scrapes].reverse();
      return firing(now, Date.now(), before.reverse()).filter((each) => /(?:Down|Restarts)$/.test(each));
    };
    for (let starts = 1; starts <= 5; starts++) {
      expectFiring(mine());
      const server = startScript(script, ['serve', '-f', folder, '-l', '127.0.0.1:0', ...admission]);
      t.after(() => server.process.kill('SIGKILL'));
      const url = await server.firstLine;
      // Two of each process: what does not change is no start.
      for (let i = 0; i < 2; i++) scrapes.push(await scrapeAs(job, url));
      server.process.kill('SIGKILL');
      await server.ended;
      if (starts > 1) continue;
      assert.deepEqual(mine(), []);
      scrapes.push(await scrapeAs(job, url));
      expectFiring(mine(), `${name}Down`);
      scrapes.pop();
    }
    expectFiring(mine(), `${name}Restarts`);
  });
}

test('a log: two witnesses of four are away, and the gate stays shut', async () => {
  const { log, clock, close } = await startScene({
    prepare: ([, , ...away]) => {
      for (const witness of away) witness.script = () => new Response('', { status: 500 });
    },
  });
  expectFiring(firing(await scrapeOf(log.url), clock.now()), 'SteleLogNotReady');
  // It has never published anything, and nobody has cosigned.
  clock.advance(1_801_000);
  expectFiring(
    firing(await scrapeOf(log.url), clock.now()),
    'SteleLogNotReady',
    'SteleLogNothingPublished',
    'SteleLogWitnessQuiet',
  );
  await close();
});

test('a log: a witness that is left out is not missed, nor is what a longer interval of anchors lets wait', async () => {
  const cosigned = 'stele_log_witness_cosigned_timestamp_seconds';
  const companion = { state: 'ready', anchorInterval: 3600, run: () => Promise.resolve() } as const;
  const { log, clock, close } = await startScene({
    settings: { leaveOut: ['w4'] },
    opened: { companion },
  });
  await until(() => log.readiness().ready);
  const scrape = await scrapeOf(log.url);
  assert.deepEqual([read(scrape, cosigned).length, read(scrape, cosigned, ['witness="w4"'])], [3, []]);
  clock.advance(10_800_000);
  expectFiring(firing(await scrapeOf(log.url), clock.now()));
  clock.advance(1000);
  expectFiring(
    firing(await scrapeOf(log.url), clock.now()),
    'SteleLogNothingPublished',
    'SteleLogWitnessQuiet',
  );
  await close();
});

test('a log that is frozen: nothing is published any more, nor cosigned, and that is no fault', async () => {
  const { log, clock, close } = await startScene({
    opened: { companion: { state: 'frozen', run: () => Promise.resolve() } },
  });
  await until(() => log.readiness().state === 'frozen');
  clock.advance(1_801_000);
  expectFiring(firing(await scrapeOf(log.url), clock.now()));
  await close();
});

test('a log: a witness has seen more than this folder has signed, and the first scrape knows already', async () => {
  const { log, clock, close } = await startScene({
    prepare: ([witness]) => {
      witness.script = () =>
        new Response('999\n', { status: 409, headers: { 'content-type': 'text/x.tlog.size' } });
    },
  });
  await until(() => log.readiness().setAside.length > 0);
  const found = firing(await scrapeOf(log.url), clock.now());
  for (const name of ['SteleLogNotReady', 'SteleLogWitnessSetAside', 'SteleLogAlarm'])
    assert.ok(found.includes(name), name);
  expectFiring(['SteleLogWitnessSetAside', 'SteleLogAlarm'], 'SteleLogWitnessSetAside', 'SteleLogAlarm');
  const told = await scrapeOf(log.url);
  await close();

  // Started again, and all is well: what was said a minute ago is still to be looked at, and in an hour no more.
  const again = await startScene();
  await until(() => again.log.readiness().ready);
  again.clock.advance(60_000);
  const now = await scrapeOf(again.log.url);
  expectFiring(firing(now, again.clock.now(), [told]), 'SteleLogAlarm');
  expectFiring(firing(now, again.clock.now()));
  again.clock.advance(840_000);
  expectFiring(firing(await scrapeOf(again.log.url), again.clock.now(), [told]));
  await again.close();
});

test('a log: the disk is nearly full', () => {
  const clock = new TestClock();
  const readiness = {
    ready: true,
    state: 'ready' as const,
    message: '',
    awaited: [],
    setAside: [],
    committed: 0,
    published: 0,
  };
  const measured = (freeBytes: number): string => {
    const metrics = measureLog({
      clock,
      freeBytes: () => freeBytes,
      witnesses: [],
      readiness: () => readiness,
      anchorInterval: () => undefined,
    });
    metrics.close();
    return metrics.text();
  };
  expectFiring(firing(measured(2e9), clock.now()));
  expectFiring(firing(measured(9e8), clock.now()), 'SteleLogDiskLow');
});

test('a witness: a peer away, something unexplained, a proof, and a clock that leapt', async () => {
  const clock = new TestClock();
  const log = new SigningLog();
  const witness = await startTestWitness({ logs: [log.vkey], clock, gossip: { drive: 'manual' } });
  after(() => witness.remove());
  const gone = newSigningKey('witness.example/gone', COSIGNATURE_ED25519, new Uint8Array(32).fill(4));
  await addPeer(witness.folder, [gone.vkey], { url: 'http://127.0.0.1:1' });
  await witness.reload();
  const client = new WitnessClient({ url: witness.url, vkeys: witness.vkeys });
  const cosign = (note: Uint8Array): Promise<unknown> =>
    client.addCheckpoint({ oldSize: 0, proof: [], note });
  /** What is shown may be a second old, and older on a busy machine. */
  const scrape = (): Promise<string> => {
    clock.pass(1000);
    return scrapeOf(witness.url);
  };
  await cosign(log.note(5));
  expectFiring(firing(await scrape(), clock.now()));

  for (let i = 0; i < 6; i++) await witness.gossip.round();
  expectFiring(firing(await scrape(), clock.now()), 'SteleWitnessPeerQuiet');

  // Signed by the log, larger, and nobody serves the tiles.
  await fetch(`${witness.url}/gossip/checkpoint`, { method: 'POST', body: new Uint8Array(log.note(9)) });
  const shows = async (metric: string): Promise<boolean> =>
    read(await scrape(), metric).some((count) => count > 0);
  await until(() => shows('stele_witness_log_alarms'));
  expectFiring(firing(await scrape(), clock.now()), 'SteleWitnessPeerQuiet', 'SteleWitnessAlarm');

  const other = new SigningLog(log.origin, 'another');
  await fetch(`${witness.url}/gossip/checkpoint`, { method: 'POST', body: new Uint8Array(other.note(5)) });
  await until(() => shows('stele_witness_log_evidence'));
  expectFiring(
    firing(await scrape(), clock.now()),
    'SteleWitnessPeerQuiet',
    'SteleWitnessAlarm',
    'SteleWitnessEvidence',
  );

  clock.wall += 2 * 3600 * 1000;
  await until(async () => firing(await scrape(), clock.now()).includes('SteleWitnessSignsNothing'));
  tried.add('SteleWitnessSignsNothing');
});

/** What promtool reads, which .ci/containers runs. */
interface RuleTests {
  tests: { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] }[];
}

test('each rule has series for promtool by which it fires, and by which it does not', () => {
  const file = new URL('../../docs/prometheus/stele.rules.test.yml', import.meta.url);
  const { tests } = parse(readFileSync(file, 'utf8')) as RuleTests;
  const cases = tests.flatMap((each) => each.alert_rule_test);
  const names = (fires: boolean): string[] => [
    ...new Set(
      cases.flatMap(({ alertname, exp_alerts = [] }) => (exp_alerts.length > 0 === fires ? [alertname] : [])),
    ),
  ];
  for (const fires of [true, false]) assert.deepEqual(names(fires).sort(), [...rules.keys()].sort());
});

test('every rule was seen to fire', () => {
  assert.deepEqual([...tried].sort(), [...rules.keys()].sort());
});
