// Each rule of docs/prometheus/stele.rules.yml fires when its fault is made, and is silent before.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WitnessClient } from '../client/index.js';
import { measureLog } from '../log-server/metrics.js';
import { startScene } from '../log-server/testing/scene.js';
import { COSIGNATURE_ED25519, encodeUtf8, newSigningKey } from '../tlog/index.js';
import { addPeer } from '../witness/index.js';
import { SigningLog } from './helpers/signing-log.js';
import { startTestWitness, TestClock } from './helpers/witness.js';

const rules = new Map(
  [
    ...readFileSync(
      fileURLToPath(new URL('../../docs/prometheus/stele.rules.yml', import.meta.url)),
      'utf8',
    ).matchAll(/^ {6}- alert: (\w+)\n {8}expr: (.+)$/gm),
  ].map(([, name = '', expr = '']) => [name, expr]),
);
const tried = new Set<string>();

/** Values of a metric's series in a scrape; a label that is asked for must be there. */
function read(scrape: string, metric: string, label: string | undefined): number[] {
  return scrape.split('\n').flatMap((line) => {
    const found = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (found?.[1] !== metric || (label !== undefined && found[2] !== label)) return [];
    return [Number(found[3])];
  });
}

/** As much of PromQL as the rules use: `[time() -] metric op number`, and `increase(metric{label}[…]) > 0`. */
function fires(expr: string, scrape: string, seconds: number, before: string): boolean {
  const parts = /^(time\(\) - )?(?:increase\()?(\w+)(?:\{(.*?)\})?(?:\[\w+\]\))? (==|>|<) ([0-9.e]+)$/.exec(
    expr,
  );
  assert.ok(parts, `expected an expression of the kind that is used here, found ${expr}`);
  const [, since, metric = '', label, operator, limit] = parts;
  const total = (text: string): number => read(text, metric, label).reduce((sum, value) => sum + value, 0);
  const values = expr.startsWith('increase(') ? [total(scrape) - total(before)] : read(scrape, metric, label);
  return values.some((value) => {
    const compared = since === undefined ? value : seconds - value;
    if (operator === '==') return compared === Number(limit);
    return operator === '>' ? compared > Number(limit) : compared < Number(limit);
  });
}

/** Which rules fire. All that belong to the program must have found their metric somewhere. */
function firing(scrape: string, milliseconds: number, before = ''): string[] {
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

test('a log: healthy, then nothing published for half an hour', async () => {
  const { log, clock, close } = await startScene();
  await until(() => log.readiness().ready);
  await log.submit(encodeUtf8('an entry'));
  await until(async () =>
    read(await scrapeOf(log.url), 'stele_log_witness_cosigned_timestamp_seconds', undefined).every(
      (at) => at > 0,
    ),
  );
  expectFiring(firing(await scrapeOf(log.url), clock.now()));
  clock.advance(1_801_000);
  expectFiring(
    firing(await scrapeOf(log.url), clock.now()),
    'SteleLogNothingPublished',
    'SteleLogWitnessQuiet',
  );
  await close();
});

test('a log: two witnesses of four are away, and the gate stays shut', async () => {
  const { log, clock, close } = await startScene({
    prepare: ([, , ...away]) => {
      for (const witness of away) witness.script = () => new Response('', { status: 500 });
    },
  });
  expectFiring(firing(await scrapeOf(log.url), clock.now()), 'SteleLogNotReady', 'SteleLogWitnessQuiet');
  await close();
});

test('a log: a witness has seen more than this folder has signed', async () => {
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
  await close();
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
    read(await scrape(), metric, undefined).some((count) => count > 0);
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

test('every rule was seen to fire', () => {
  assert.deepEqual([...tried].sort(), [...rules.keys()].sort());
});
