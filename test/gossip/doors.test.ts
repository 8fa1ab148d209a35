// Gossip over HTTP and files: the doors, peers that misbehave, and a folder that was damaged.
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { formatAddCheckpoint } from '../../client/index.js';
import { encodeHex, encodeUtf8, sha256 } from '../../tlog/index.js';
import { fileStore } from '../../witness/gossip/file-store.js';
import { httpNetwork } from '../../witness/gossip/http-network.js';
import { parseOwed } from '../../witness/gossip/owed.js';
import { addLog, addPeer, layout, originHash, type Peer } from '../../witness/index.js';
import { SigningLog, tilesOf } from '../helpers/signing-log.js';
import {
  serveFolder,
  startTestWitness,
  TestClock,
  witnessFolder,
  type TestWitness,
} from '../helpers/witness.js';
import { addSignature, cosignerKey } from './keys.js';

const log = new SigningLog();
const fork = new SigningLog(log.origin, 'forged', 290);
const hash = originHash(log.origin);

/** A server that answers as told, until the test ends. */
async function listen(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function start(t: TestContext): Promise<TestWitness> {
  const witness = await startTestWitness({ logs: [log.vkey], clock: new TestClock() });
  t.after(() => witness.remove());
  return witness;
}

async function add(witness: TestWitness, oldSize: number, size: number, from = log): Promise<number> {
  const body = formatAddCheckpoint({
    oldSize,
    proof: await from.proof(oldSize, size),
    note: from.note(size),
  });
  return (await post(witness, 'add-checkpoint', body)).status;
}

async function post(
  witness: TestWitness,
  path: string,
  body: Uint8Array,
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${witness.url}/${path}`, { method: 'POST', body: Buffer.from(body) });
  return { status: response.status, text: await response.text() };
}

test('POST /gossip/checkpoint: a status for each outcome', async (t) => {
  const witness = await start(t);
  assert.equal(await add(witness, 0, 300), 200);
  const report = (note: Uint8Array): Promise<{ status: number; text: string }> =>
    post(witness, 'gossip/checkpoint', note);
  const stranger = cosignerKey('stranger.example');
  const unsigned = addSignature(new SigningLog(log.origin, 'nobody').note(300), stranger, 5);
  const alone = new TextDecoder().decode(unsigned).split('\n');
  assert.deepEqual(await report(log.note(300)), { status: 200, text: 'consistent\n' });
  assert.equal((await report(log.note(301))).status, 202);
  assert.equal((await report(encodeUtf8('nothing'))).status, 400);
  assert.equal((await report(encodeUtf8([...alone.slice(0, 4), ...alone.slice(5)].join('\n')))).status, 403);
  assert.equal((await report(new SigningLog('other.example').note(3))).status, 404);
  assert.equal((await report(new Uint8Array(131_073))).status, 413);
  assert.equal((await fetch(`${witness.url}/gossip/checkpoint`, { method: 'PUT' })).status, 405);
  const { status, text } = await report(fork.note(300));
  assert.equal(status, 200);
  assert.match(text, /^contradiction\n[0-9a-f]{64}\n$/);
  const name = text.split('\n')[1] ?? '';
  assert.equal(await (await fetch(`${witness.url}/gossip/evidence`)).text(), `${name}\n`);
  const file = new Uint8Array(await (await fetch(`${witness.url}/gossip/evidence/${name}`)).arrayBuffer());
  assert.equal(encodeHex(sha256(file)), name);
  assert.equal((await fetch(`${witness.url}/gossip/evidence/${'0'.repeat(64)}`)).status, 404);

  const other = await start(t);
  assert.deepEqual(await post(other, 'gossip/evidence', file), { status: 200, text: `${name}\n` });
  assert.deepEqual(await post(other, 'gossip/evidence', file), { status: 200, text: `${name}\n` });
  assert.deepEqual(
    await readFile(join(layout.evidence(other.folder), `${name}.evidence`)),
    Buffer.from(file),
  );
  assert.equal(await add(other, 0, 300), 403);
  const altered = Uint8Array.from(file);
  altered[altered.length - 5] = (altered[altered.length - 5] ?? 0) ^ 1;
  assert.ok([400, 422].includes((await post(other, 'gossip/evidence', altered)).status));
  assert.equal((await post(other, 'gossip/evidence', encodeUtf8('nothing'))).status, 400);
  const unknown = await startTestWitness({ logs: [new SigningLog('other.example').vkey] });
  t.after(() => unknown.remove());
  assert.equal((await post(unknown, 'gossip/evidence', file)).status, 403);
});

test('what strangers may cost is bounded', async (t) => {
  const witness = await start(t);
  const statuses = new Map<number, number>();
  const big = new Uint8Array(100_000).fill(65);
  for (let i = 0; i < 40; i++) {
    const { status } = await post(witness, 'gossip/checkpoint', big);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  // The clock stands still: 400 tokens at once, about 25 for each of these.
  assert.ok((statuses.get(400) ?? 0) <= 17, JSON.stringify([...statuses]));
  assert.ok((statuses.get(429) ?? 0) >= 20);
  assert.equal(await add(witness, 0, 300), 200);
});

test('GET /<origin hash>/consistency: what a witness owes, from tiles that it kept', async (t) => {
  let up = true;
  const source = tilesOf(log, () => 700);
  const url = await listen(t, (request, response) => {
    const match = /^\/tile\/([0-9]+)\/([0-9]{3})(?:\.p\/([0-9]+))?$/.exec(request.url ?? '');
    const tile = { level: Number(match?.[1]), index: Number(match?.[2]), width: Number(match?.[3] ?? 256) };
    const bytes = up && match ? source.tile(tile) : Promise.reject(new Error('none'));
    bytes.then(
      (body) => response.end(body),
      () => response.writeHead(404).end(),
    );
  });
  const folder = await witnessFolder();
  await addLog(folder, log.vkey, log.origin, url);
  const witness = await serveFolder(folder, { clock: new TestClock() });
  t.after(() => witness.remove());
  assert.equal(await add(witness, 0, 700), 200);
  const { gossip } = witness;
  while (gossip.status().logs[0]?.size !== 700) await new Promise((resolve) => setImmediate(resolve));
  await gossip.idle();
  up = false;
  const get = (path: string): Promise<Response> => fetch(`${witness.url}/${hash}/consistency/${path}`);
  const owed = await get('600/700');
  assert.equal(owed.headers.get('access-control-allow-origin'), '*');
  assert.deepEqual(parseOwed(new Uint8Array(await owed.arrayBuffer())), {
    oldRoot: log.root(600),
    proof: await log.proof(600, 700),
  });
  for (const [path, status] of [
    ['0/5', 400],
    ['6/5', 400],
    ['05/6', 400],
    ['x/6', 400],
    ['600/701', 404],
  ] as const) {
    assert.equal((await get(path)).status, status, path);
  }
  assert.equal((await fetch(`${witness.url}/${'0'.repeat(64)}/consistency/1/2`)).status, 404);
});

test('peers that hang, send rubbish, endless bodies, or lead elsewhere: the others are heard', async (t) => {
  const good = await start(t);
  assert.equal(await add(good, 0, 300), 200);
  let led = 0;
  const elsewhere = await listen(t, (_, response) => {
    led++;
    response.end(log.note(5));
  });
  const urls = [
    await listen(t, () => undefined),
    await listen(t, (_, response) => response.end('\u0000 rubbish')),
    await listen(t, (_, response) => {
      const pour = (): void => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
        if (!response.destroyed) response.once('drain', pour);
      };
      pour();
    }),
    await listen(t, (request, response) => {
      response.writeHead(307, { location: `${elsewhere}${request.url ?? ''}` }).end();
    }),
  ];
  const folder = await witnessFolder({ name: 'witness.example/other', logs: [log.vkey] });
  // Time runs out when the test says so: after the good one has been heard.
  let runOut = (): void => undefined;
  const patience = new Promise<void>((resolve) => (runOut = resolve));
  const network = httpNetwork({ timer: { sleep: () => patience } });
  const witness = await serveFolder(folder, { clock: new TestClock(), gossip: { drive: 'manual', network } });
  t.after(() => witness.remove());
  assert.equal(await add(witness, 0, 300, fork), 200);
  for (const [i, url] of urls.entries())
    await addPeer(folder, [cosignerKey(`peer${i}.example`).vkey], { url });
  await addPeer(folder, [good.vkey], { url: good.url });
  await witness.reload();
  const hanging = witness.gossip.pull('peer0.example');
  for (const { name } of witness.gossip.status().peers.slice(1)) await witness.gossip.pull(name);
  runOut();
  await hanging;
  const { peers, logs } = witness.gossip.status();
  const failing = peers.filter(({ failures }) => failures > 0).map(({ name }) => name);
  assert.deepEqual(failing, ['peer0.example', 'peer1.example', 'peer2.example', 'peer3.example']);
  assert.equal(led, 0);
  assert.equal(logs[0]?.evidence.length, 1, 'the fork that the good one shows was met');
  assert.equal(await add(witness, 300, 310, fork), 403);
});

test('a damaged memory of gossip does not stop a witness, and evidence is never lost', async (t) => {
  const witness = await start(t);
  assert.equal(await add(witness, 0, 300), 200);
  await post(witness, 'gossip/checkpoint', log.note(500));
  await witness.close();
  const state = join(layout.gossip(witness.folder), hash, 'state');
  await writeFile(state, Buffer.concat([await readFile(state), Buffer.from('x')]));
  const again = await serveFolder(witness.folder, { clock: new TestClock() });
  assert.equal(await add(again, 300, 310), 200);
  await post(again, 'gossip/checkpoint', fork.note(310));
  assert.equal(again.gossip.evidenceList().length, 1);
  await again.close();
  assert.ok((await readdir(join(layout.gossip(witness.folder), hash))).includes('state.damaged'));
  const store = fileStore(witness.folder);
  const [kept] = await store.loadEvidence();
  assert.ok(kept);
  // One that rots convicts nobody, and stays where it is.
  const file = join(layout.evidence(witness.folder), `${kept.sha256}.evidence`);
  await writeFile(file, kept.bytes.subarray(1));
  const last = await serveFolder(witness.folder, { clock: new TestClock() });
  assert.equal(last.gossip.evidenceList().length, 0);
  assert.equal(await add(last, 310, 320), 200);
  await last.close();
  assert.equal((await readFile(file)).length, kept.bytes.length - 1);
});

test('addresses come from the operator alone', async (t) => {
  const asked: string[] = [];
  const network = httpNetwork({
    fetch: (url) => {
      asked.push(url);
      return Promise.resolve(new Response('', { status: 404 }));
    },
  });
  const peer: Peer = { name: 'a.example', vkeys: [], url: 'http://a.example/w/', gossip: true };
  assert.equal(await network.latest(peer, 'http://evil.example/../x'), undefined);
  await network.owed(peer, log.origin, 5, 7);
  await network.evidence(peer, 'f'.repeat(64));
  await assert.rejects(network.latest({ name: 'b.example', vkeys: [], gossip: false }, log.origin));
  assert.deepEqual(asked, [
    `http://a.example/w/${originHash('http://evil.example/../x')}/checkpoint`,
    `http://a.example/w/${hash}/consistency/5/7`,
    `http://a.example/w/gossip/evidence/${'f'.repeat(64)}`,
  ]);
  t.diagnostic('no others');
});
