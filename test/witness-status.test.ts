// What a witness shows of itself: /status.json, its page, /metrics; and `stele witness status`.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { WitnessClient } from '../client/index.js';
import {
  COSIGNATURE_ED25519,
  formatVkey,
  newSigningKey,
  NOTE_ED25519,
  signNote,
  type Vkey,
} from '../tlog/index.js';
import { httpNetwork } from '../witness/gossip/http-network.js';
import { addLog, addPeer, originHash } from '../witness/index.js';
import { Person } from './cli/world.js';
import { SigningLog, tilesOf } from './helpers/signing-log.js';
import { startTestWitness, TestClock, type TestWitness } from './helpers/witness.js';

const HOSTILE = `log.example/<script>alert("x")</script>&'\u202e`;
const log = new SigningLog();
const clock = new TestClock();
let north: TestWitness;
let south: TestWitness;
let root: string;

before(async () => {
  root = mkdtempSync(join(tmpdir(), 'stele-status-'));
  const gossip = { drive: 'manual' } as const;
  north = await startTestWitness({
    name: 'witness.example/north',
    logs: [log.vkey],
    clock,
    mldsa: true,
    gossip,
  });
  south = await startTestWitness({ name: 'witness.example/south', logs: [log.vkey], clock, gossip });
  const hostileKey = newSigningKey('log.example/key', NOTE_ED25519, new Uint8Array(32).fill(8));
  await addLog(north.folder, hostileKey.vkey, HOSTILE);
  await addPeer(north.folder, south.vkeys, { url: south.url });
  await addPeer(north.folder, [stranger.vkey], { url: 'http://127.0.0.1:1' });
  await north.reload();
});
after(async () => {
  await north.remove();
  await south.remove();
  rmSync(root, { recursive: true });
});

const stranger = newSigningKey(
  'witness.example/<b>gone</b>',
  COSIGNATURE_ED25519,
  new Uint8Array(32).fill(4),
);

async function add(to: { url: string; vkeys: Vkey[] }, oldSize: number, size: number): Promise<void> {
  const client = new WitnessClient({ url: to.url, vkeys: to.vkeys });
  const proof = await log.proof(oldSize, size);
  assert.equal((await client.addCheckpoint({ oldSize, proof, note: log.note(size) })).kind, 'cosigned');
}

interface Status {
  ok: boolean;
  reason: string | null;
  name: string;
  keys: string[];
  logs: Record<string, unknown>[];
  peers: Record<string, unknown>[];
  signing: { threads: number };
}

/** A second later: answers are fresh for so long. */
async function status(of: TestWitness): Promise<Status> {
  clock.pass(1000);
  const response = await fetch(`${of.url}/status.json`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('access-control-allow-origin'), '*');
  return (await response.json()) as Status;
}

test('status.json: keys, logs, ages, and peers', async () => {
  const empty = await status(north);
  assert.equal(empty.ok, true);
  assert.equal(empty.name, 'witness.example/north');
  assert.deepEqual(empty.keys, north.vkeys.map(formatVkey));
  assert.equal(empty.logs.length, 2);
  assert.deepEqual(
    empty.logs.map(({ size, cosigned, age }) => [size, cosigned, age]),
    [
      [0, null, null],
      [0, null, null],
    ],
  );
  await add(north, 0, 5);
  clock.pass(41_000);
  const later = await status(north);
  const found = later.logs.find(({ origin }) => origin === log.origin);
  assert.deepEqual([found?.['size'], found?.['age'], found?.['lag']], [5, 42, 0]);
  assert.equal(found?.['hash'], originHash(log.origin));
  assert.deepEqual(
    later.peers.map(({ name }) => name).sort(),
    [stranger.name, 'witness.example/south'].sort(),
  );
});

test('what peers show is in it: how far behind this witness is, and who does not answer', async () => {
  await add(south, 0, 5);
  await add(south, 5, 9);
  await north.gossip.round();
  const { logs, peers } = await status(north);
  const found = logs.find(({ origin }) => origin === log.origin);
  const views = found?.['peers'] as { name: string; size: number }[];
  assert.deepEqual(
    views.map(({ name, size }) => [name, size]),
    [['witness.example/south', 9]],
  );
  // Without tiles of the log nobody can tell whether size 9 continues ours: that is an alarm with an age.
  const alarms = found?.['alarms'] as { kind: string; age: number }[];
  assert.deepEqual(
    alarms.map(({ kind }) => kind),
    ['unproven'],
  );
  const page = await (await fetch(`${north.url}/`)).text();
  assert.ok(page.includes(`href="${originHash(log.origin)}/checkpoint"`));
  assert.match(page, /<li>unproven, for /);
  const gone = peers.find(({ name }) => name === stranger.name);
  assert.equal(gone?.['failures'], 1);
  assert.equal(gone['lastSeen'], null);
  const seen = peers.find(({ name }) => name === 'witness.example/south');
  assert.equal(seen?.['failures'], 0);
});

test('a witness that lags behind its peers says by how much: in status.json, page, metrics and stele witness status', async () => {
  const tiles = tilesOf(log, () => 1239);
  const far = await startTestWitness({ name: 'witness.example/far', logs: [log.vkey], clock });
  const near = await startTestWitness({
    name: 'witness.example/near',
    logs: [log.vkey],
    clock,
    gossip: {
      drive: 'manual',
      // The peer by HTTP, and the log's tiles without a server of their own.
      network: { ...httpNetwork({ signal: new AbortController().signal }), tiles: () => tiles },
    },
  });
  try {
    await addPeer(near.folder, far.vkeys, { url: far.url });
    await near.reload();
    const lag = async (): Promise<unknown[]> => {
      const found = (await status(near)).logs.find(({ origin }) => origin === log.origin);
      return [found?.['size'], found?.['largestKnown'], found?.['lag'], found?.['alarms']];
    };
    const seen = async (): Promise<string[]> => {
      const page = await (await fetch(`${near.url}/`)).text();
      const metrics = await (await fetch(`${near.url}/metrics`)).text();
      const table = await new Person(root, 'lagging').run('witness', 'status', near.url);
      assert.equal(table.status, 0, table.stdout);
      return [
        /title="Behind others">([^<]*)</.exec(page)?.[1] ?? 'missing',
        /^stele_witness_log_lag_entries\{origin="log\.example\/test"\} (\d+)$/m.exec(metrics)?.[1] ??
          'missing',
        /log\.example\/test +5 +\d+ s ago +(\d+) +0 +0$/m.exec(table.stdout)?.[1] ?? 'missing',
      ];
    };
    await add(near, 0, 5);
    assert.deepEqual(await lag(), [5, 5, 0, []]);
    assert.deepEqual(await seen(), ['', '0', '0']);
    await add(far, 0, 1239);
    await near.gossip.round();
    assert.deepEqual(await lag(), [5, 1239, 1234, []]);
    assert.deepEqual(await seen(), ['1\u202f234 entries', '1234', '1234']);
    // It catches up.
    await add(near, 5, 1239);
    assert.deepEqual(await lag(), [1239, 1239, 0, []]);
  } finally {
    await near.remove();
    await far.remove();
  }
});

test('the page needs no script and nothing from elsewhere, and text in it is text', async () => {
  clock.pass(1000);
  const response = await fetch(`${north.url}/`);
  assert.equal(response.status, 200);
  const policy = response.headers.get('content-security-policy') ?? '';
  assert.match(
    policy,
    /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
  );
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
  const page = await response.text();
  for (const bad of [
    '<script',
    '<b>',
    '<img',
    '<link',
    'javascript:',
    '\u202e',
    'http-equiv',
    'href="http',
  ]) {
    assert.ok(!page.includes(bad), bad);
  }
  assert.doesNotMatch(page, /\s(on[a-z]+|src|style)=/);
  assert.ok(page.includes('log.example/&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;\ufffd'));
  assert.ok(page.includes('witness.example/&lt;b&gt;gone&lt;/b&gt;'));
});

test('/metrics: logs, peers, requests by outcome, times, writes, threads', async () => {
  const before = await scrape();
  assert.equal(before[`stele_witness_log_size{origin="${log.origin}"}`], 5);
  await add(north, 5, 6);
  const client = new WitnessClient({ url: north.url, vkeys: north.vkeys });
  await client.addCheckpoint({ oldSize: 0, proof: [], note: log.note(7) });
  clock.pass(3000);
  const now = await scrape();
  const grown = (name: string): number => (now[name] ?? 0) - (before[name] ?? 0);
  assert.equal(grown('stele_witness_requests_total{door="add-checkpoint",outcome="cosigned"}'), 1);
  assert.equal(grown('stele_witness_requests_total{door="add-checkpoint",outcome="conflict"}'), 1);
  assert.equal(grown('stele_witness_request_seconds_count{door="add-checkpoint"}'), 1);
  assert.equal(grown('stele_witness_state_writes_total'), 1);
  assert.equal(grown('stele_witness_signing_signed_total'), 1);
  assert.equal(now[`stele_witness_log_size{origin="${log.origin}"}`], 6);
  assert.equal(now[`stele_witness_log_age_seconds{origin="${log.origin}"}`], 4);
  assert.equal(now['stele_witness_signs'], 1);
  assert.equal(now[`stele_witness_peer_failures{peer="${stranger.name}"}`], 1);
});

async function scrape(): Promise<Record<string, number>> {
  clock.pass(1000);
  const response = await fetch(`${north.url}/metrics`);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  return Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

test('a clock that leapt is said everywhere, and stele witness status fails', async () => {
  const other = new TestClock();
  const witness = await startTestWitness({ name: 'witness.example/leapt', logs: [log.vkey], clock: other });
  try {
    other.wall += 2 * 3_600_000;
    other.elapsed += 1000;
    const { ok, reason } = (await (await fetch(`${witness.url}/status.json`)).json()) as Status;
    assert.equal(ok, false);
    assert.match(reason ?? '', /the clock leapt ahead/);
    assert.match(await (await fetch(`${witness.url}/`)).text(), /It signs nothing:<\/span> the clock leapt/);
    assert.match(await (await fetch(`${witness.url}/metrics`)).text(), /^stele_witness_signs 0$/m);
    const answer = await new Person(root, 'operator').run('witness', 'status', witness.url, '--json');
    assert.equal(answer.status, 1);
    assert.match(answer.json.checks[0]?.detail ?? '', /signs nothing: the clock leapt/);
  } finally {
    await witness.remove();
  }
});

test('stele witness status: a table of what our witnesses say, escaped', async () => {
  clock.pass(1000);
  const person = new Person(root, 'reader');
  const { status: code, stdout } = await person.run('witness', 'status', north.url, south.url);
  // It has met trees that nobody showed it to belong together.
  assert.equal(code, 1, stdout);
  assert.match(stdout, /fail\s+alarm\s+http.*log\.example\/test: says unproven/);
  assert.match(stdout, /pass\s+says\s+http:\/\/127\.0\.0\.1:\d+: witness\.example\/north says that it signs/);
  assert.match(stdout, /log +size +cosigned +behind +alarms +evidence/);
  assert.match(stdout, /log\.example\/test +6 /);
  assert.match(stdout, /peer witness\.example\/<b>gone<\/b>: 1 failure, never seen/);
  assert.ok(!stdout.includes('\u202e'));
  const nowhere = await person.run('witness', 'status', north.url, 'witness.example');
  assert.equal(nowhere.status, 2);
  assert.match(nowhere.stderr, /expected an http or https URL, found "witness\.example" \(bad_settings\)/);
});

test('stele witness status: of other witnesses, what their cosignatures show by the keys of a policy', async () => {
  const person = new Person(root, 'auditor');
  const foreign = newSigningKey('other.example/w', COSIGNATURE_ED25519, new Uint8Array(32).fill(6));
  const note = signNote(log.text(12), [log.key, foreign], 1_700_000_000);
  // It serves the C2SP monitoring endpoint, and nothing else.
  const server = createServer((request, response) => {
    const known = request.url === `/${originHash(log.origin)}/checkpoint`;
    response.writeHead(known ? 200 : 404).end(known ? note : 'no\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const policy = [
      `log ${formatVkey(log.vkey)}`,
      `witness other ${formatVkey(foreign.vkey)} ${url}`,
      `witness south ${formatVkey(south.vkey)} ${south.url}`,
      'group both 2 other south',
      'quorum both',
      '',
    ].join('\n');
    person.write('policy', policy);
    const now = (): number => 1_700_000_090_000;
    const all = await person.runWith({ now }, 'witness', 'status', '--policy', 'policy', '--json');
    assert.deepEqual(
      all.json.checks.filter(({ status }) => status === 'fail').map(({ name }) => name),
      ['alarm'],
      JSON.stringify(all.json),
    );
    const details = all.json.checks.filter(({ name }) => name === 'cosigned').map(({ detail }) => detail);
    assert.ok(
      details.includes(`${url}: other.example/w: ${log.origin} at size 12, 90 s ago`),
      details.join('\n'),
    );
    assert.ok(details.some((detail) => detail.includes(`witness.example/south: ${log.origin} at size 9`)));
    const alone = await person.run('witness', 'status', url, '--json');
    assert.equal(alone.json.checks[0]?.status, 'not-checkable');
    // By another key of the same name for the log nothing there is good.
    const other = newSigningKey(log.origin, NOTE_ED25519, new Uint8Array(32).fill(7));
    person.write('policy', policy.replace(formatVkey(log.vkey), formatVkey(other.vkey)));
    const wrong = await person.run('witness', 'status', url, '--policy', 'policy', '--json');
    assert.equal(wrong.status, 1);
    assert.match(
      JSON.stringify(wrong.json.checks),
      /"fail".*expected a signature by a key known for that origin/,
    );
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
  const down = await person.run('witness', 'status', url, '--json');
  assert.equal(down.status, 3);
  const none = await person.run('witness', 'status', '--json');
  assert.equal(none.status, 2);
});

test('stele witness status: what is not said to be absent is no absence', async () => {
  const person = new Person(root, 'patient');
  person.write('policy', `log ${formatVkey(log.vkey)}\nquorum none\n`);
  for (const [answered, expected] of [
    [503, 3],
    [400, 3],
    [410, 0],
  ]) {
    const ill = { fetch: () => Promise.resolve(new Response('', { status: answered ?? 0 })) };
    for (const more of [['--policy', 'policy'], []]) {
      const words = ['witness', 'status', 'http://witness.example', ...more, '--json'];
      const { status, stdout } = await person.runWith(ill, ...words);
      assert.equal(status, expected, stdout);
    }
  }
});
