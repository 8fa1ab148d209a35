// Transcripts: the request, then what must come back.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { encodeHex, encodeUtf8, formatVkey, leafHash, parseBundle, parseTile } from '../tlog/index.js';
import { chooseType } from './http/accept.js';
import { startFixture, testKey, testPolicy } from './testing/fixture.js';
import type { Fixture } from './testing/fixture.js';
import { until } from './testing/until.js';

const entry = (i: number): Uint8Array => encodeUtf8(`entry ${i}`);

async function withEntries(count: number): Promise<Fixture> {
  const fixture = await startFixture();
  await Promise.all(Array.from({ length: count }, (_, i) => fixture.log.submit(entry(i))));
  return fixture;
}

/** Sends bytes as they are, so that no client mends the path, and reads until the server closes. */
async function raw(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

const get = (url: string, path: string): Promise<string> =>
  raw(url, `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);

void test('checkpoint, tiles and bundles have the headers of tlog-tiles', async () => {
  const { log, close } = await withEntries(300);
  const checkpoint = await fetch(`${log.url}/checkpoint`);
  assert.equal(checkpoint.status, 200);
  assert.equal(checkpoint.headers.get('content-type'), 'text/plain; charset=utf-8');
  assert.equal(checkpoint.headers.get('cache-control'), 'no-cache');
  for (const path of [
    '/checkpoint',
    '/tile/0/000',
    '/tile/0/001.p/44',
    '/tile/1/000.p/1',
    '/tile/entries/000',
    '/nothing',
    '/healthz',
  ]) {
    assert.equal((await fetch(log.url + path)).headers.get('access-control-allow-origin'), '*', path);
  }
  const tile = await fetch(`${log.url}/tile/0/000`);
  assert.equal(tile.headers.get('content-type'), 'application/octet-stream');
  assert.equal(tile.headers.get('cache-control'), 'public, max-age=31536000, immutable');
  assert.equal((await tile.arrayBuffer()).byteLength, 8192);
  const head = await fetch(`${log.url}/tile/0/000`, { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers.get('content-length')], [200, '8192']);
  await close();
});

void test('a partial is sliced from what is there, whatever its width up to the edge', async () => {
  const { log, close } = await withEntries(300);
  for (const [path, width] of [
    ['/tile/0/000.p/7', 7],
    ['/tile/0/001.p/44', 44],
    ['/tile/0/001.p/1', 1],
  ] as const) {
    const answer = await fetch(log.url + path);
    const hashes = parseTile(new Uint8Array(await answer.arrayBuffer()), width);
    const first = path.startsWith('/tile/0/001') ? 256 : 0;
    assert.deepEqual(
      hashes.map(encodeHex),
      Array.from({ length: width }, (_, i) => encodeHex(leafHash(entry(first + i)))),
    );
  }
  const bundle = await fetch(`${log.url}/tile/entries/000.p/3`);
  assert.equal(parseBundle(new Uint8Array(await bundle.arrayBuffer()), 3).length, 3);
  for (const path of [
    '/tile/0/001.p/45',
    '/tile/0/001',
    '/tile/0/002.p/1',
    '/tile/1/000.p/2',
    '/tile/2/000.p/1',
    '/tile/entries/001.p/45',
  ]) {
    const answer = await fetch(log.url + path);
    assert.deepEqual([answer.status, answer.headers.get('cache-control')], [404, 'no-store'], path);
  }
  await close();
});

void test('bundles are gzipped when, and only when, the reader takes it', async () => {
  const { log, close } = await withEntries(20);
  const path = '/tile/entries/000.p/20';
  const plain = await raw(log.url, `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
  assert.doesNotMatch(plain, /content-encoding/i);
  assert.match(plain, /vary: Accept-Encoding/i);
  const refused = await raw(
    log.url,
    `GET ${path} HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip;q=0\r\nconnection: close\r\n\r\n`,
  );
  assert.doesNotMatch(refused, /content-encoding/i);
  const packed = await raw(
    log.url,
    `GET ${path} HTTP/1.1\r\nhost: x\r\naccept-encoding: br, gzip\r\nconnection: close\r\n\r\n`,
  );
  assert.match(packed, /content-encoding: gzip/i);
  const body = Buffer.from(packed.slice(packed.indexOf('\r\n\r\n') + 4), 'latin1');
  assert.equal(parseBundle(gunzipSync(body)).length, 20);
  await close();
});

void test('a path is parsed by the grammar: no other spelling, and no way out', async () => {
  const { log, close } = await withEntries(3);
  for (const path of [
    '/tile/0/0',
    '/tile/00/000',
    '/tile/0/x000/000',
    '/tile/0/000.p/0',
    '/tile/0/000.p/256',
    '/tile/0/000.p/01',
    '/tile/64/000',
    '/tile/0/000/',
    '/tile/0//000',
    '/tile/../state/CURRENT',
    '/tile/entries/../../log.key',
    '/tile/0/%2e%2e/000',
    '/tile/0/000.p/3%00',
    '/tile/-1/000',
    '/tile/entries/x001',
    '/tile/0/000.p/3/..',
  ]) {
    const answer = await get(log.url, path);
    assert.match(answer, /^HTTP\/1\.1 404 /, path);
    assert.match(answer, /cache-control: no-store/i, path);
    assert.match(answer, /"code":"not_found"/, path);
  }
  // A query is no part of the path.
  assert.match(await get(log.url, '/tile/0/000.p/3?x=1'), /^HTTP\/1\.1 200 /);
  await close();
});

void test('POST /add answers by Accept', async () => {
  const { log, close } = await withEntries(0);
  const add = (accept?: string): Promise<Response> =>
    fetch(`${log.url}/add`, { method: 'POST', body: 'x', headers: accept === undefined ? {} : { accept } });
  const types = await Promise.all(
    [
      undefined,
      '*/*',
      'text/plain',
      'application/json',
      'text/x.tlog.proof',
      'text/plain;q=0.1, application/json;q=0.9',
      'image/png',
    ].map(async (accept) => (await add(accept)).headers.get('content-type')),
  );
  const plain = 'text/plain; charset=utf-8';
  assert.deepEqual(types, [
    plain,
    plain,
    plain,
    'application/json',
    'text/x.tlog.proof',
    'application/json',
    plain,
  ]);
  const answer = (await (await add('application/json')).json()) as Record<string, unknown>;
  assert.deepEqual(Object.keys(answer), ['index', 'leafHash', 'entry', 'proof']);
  assert.equal(answer['leafHash'], encodeHex(leafHash(encodeUtf8('x'))));
  assert.match(String(answer['proof']), /^c2sp\.org\/tlog-proof@v1\nindex 7\n/);
  await close();
});

void test('too large a body: 413, whether announced or not, and the rest is not read', async () => {
  const { log, close } = await withEntries(0);
  const announced = await raw(log.url, 'POST /add HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000\r\n\r\n');
  assert.match(announced, /^HTTP\/1\.1 413 /);
  assert.match(announced, /"code":"entry_too_large"/);
  assert.match(announced, /connection: close/i);
  const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
  const chunked = await raw(
    log.url,
    `POST /add HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${chunk}${chunk}`,
  );
  assert.match(chunked, /^HTTP\/1\.1 413 /);
  const edge = await fetch(`${log.url}/add`, { method: 'POST', body: new Uint8Array(65_535) });
  assert.equal(edge.status, 200);
  const over = await fetch(`${log.url}/add`, { method: 'POST', body: new Uint8Array(65_536) });
  assert.equal(over.status, 413);
  await close();
});

void test('errors are JSON with code, message and hint, or plain text where that is asked for', async () => {
  const { log, close } = await withEntries(1);
  const json = await fetch(`${log.url}/api/v1/entries/1`);
  assert.deepEqual([json.status, json.headers.get('content-type')], [404, 'application/json']);
  const { error } = (await json.json()) as { error: Record<string, unknown> };
  assert.deepEqual(Object.keys(error), ['code', 'message', 'hint']);
  const text = await fetch(`${log.url}/api/v1/entries/1`, { headers: { accept: 'text/plain' } });
  assert.match(await text.text(), /^not_found: expected an index below the published size 1\n/);
  for (const [path, code] of [
    ['/api/v1/entries/01', 'bad_decimal'],
    ['/api/v1/entries/-1', 'bad_decimal'],
    ['/api/v1/entries/99999999999999999', 'unsafe_integer'],
    ['/api/v1/entries?payload=zz', 'bad_request'],
    ['/api/v1/entries', 'bad_request'],
    ['/api/v1/entries?payload=00', 'bad_request'],
    ['/api/v1/proofs/inclusion', 'bad_request'],
    ['/api/v1/proofs/inclusion?index=1&index=2', 'bad_request'],
    ['/api/v1/proofs/inclusion?index=1&sise=2', 'bad_request'],
    ['/api/v1/proofs/consistency?from=x', 'bad_decimal'],
  ] as const) {
    const answer = await fetch(log.url + path);
    const body = (await answer.json()) as { error: { code: string } };
    assert.deepEqual([answer.status, body.error.code], [400, code], path);
  }
  await close();
});

void test('look-ups: entry, inclusion and consistency proofs of the published tree', async () => {
  const { log, close } = await withEntries(7);
  const read = async (path: string): Promise<Record<string, unknown>> =>
    (await (await fetch(`${log.url}/api/v1/${path}`)).json()) as Record<string, unknown>;
  const found = await read('entries/3');
  assert.deepEqual([found['index'], found['leafHash']], [3, encodeHex(leafHash(entry(3)))]);
  assert.equal((await read('checkpoint'))['size'], 7);
  assert.equal(((await read('proofs/inclusion?index=3&size=5'))['proof'] as string[]).length, 3);
  assert.equal(((await read('proofs/consistency?from=3&to=7'))['proof'] as string[]).length, 4);
  assert.deepEqual((await read('proofs/consistency?from=0&to=7'))['proof'], []);
  assert.equal((await fetch(`${log.url}/api/v1/proofs/inclusion?index=3&size=8`)).status, 404);
  assert.equal((await fetch(`${log.url}/api/v1/proofs/consistency?from=5&to=4`)).status, 404);
  await close();
});

// Node's own interval is 30 s: the bound tells the two apart, and nothing else is timed.
test('headers and bodies that drip are cut off', { timeout: 20_000 }, async () => {
  const { log, close } = await startFixture({
    settings: { limits: { headersTimeoutMs: 400, requestTimeoutMs: 800 } },
  });
  const headers = await raw(log.url, 'POST /add HTTP/1.1\r\nhost: x\r\nx-slow: ');
  assert.match(headers, /^HTTP\/1\.1 408 /);
  const body = await raw(log.url, 'POST /add HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc');
  assert.match(body, /^(HTTP\/1\.1 408 |$)/);
  await close();
});

void test('other methods are 405, other paths 404, and every answer has a request ID', async () => {
  const { log, close } = await withEntries(0);
  for (const [method, path, status] of [
    ['POST', '/checkpoint', 405],
    ['DELETE', '/tile/0/000', 405],
    ['POST', '/', 405],
    ['GET', '/api/v2/x', 404],
    ['POST', '/api/v2/x', 404],
  ] as const) {
    const answer = await fetch(log.url + path, { method });
    assert.equal(answer.status, status, path);
    assert.equal(answer.headers.get('allow'), status === 405 ? 'GET, HEAD' : null, path);
    assert.match(answer.headers.get('x-request-id') ?? '', /^[0-9a-z]+-[0-9a-z]+$/);
  }
  await close();
});

void test('whoever opens the URL in a browser learns what is here; /add names its method', async () => {
  const { log, close } = await withEntries(3);
  const front = await fetch(log.url);
  assert.equal(front.status, 200);
  assert.equal(front.headers.get('content-type'), 'text/plain; charset=utf-8');
  assert.match(await front.text(), /^\S+\n\nPublished: 3 entries\.\nState: ready /);
  const add = await fetch(`${log.url}/add`);
  assert.deepEqual([add.status, add.headers.get('allow')], [405, 'POST']);
  assert.equal(((await add.json()) as { error: { code: string } }).error.code, 'bad_method');
  await close();
});

void test('a browser gets a page: no script, nothing from elsewhere, and text is text', async () => {
  const hostile = testKey('witness.example/<b>w</b>', 4, 7);
  const policy = testPolicy([`witness <i>w</i> ${formatVkey(hostile.vkey)}`, 'quorum <i>w</i>']);
  const { log, close } = await startFixture({ opened: { policy } });
  const accept = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
  const front = await fetch(log.url, { headers: { accept } });
  assert.equal(front.headers.get('content-type'), 'text/html; charset=utf-8');
  assert.equal(front.headers.get('vary'), 'Accept');
  assert.match(front.headers.get('content-security-policy') ?? '', /^default-src 'none'; style-src 'sha256-/);
  const page = await front.text();
  assert.ok(page.includes('witness.example/&lt;b&gt;w&lt;/b&gt;') && page.includes('&lt;i&gt;w&lt;/i&gt;'));
  assert.match(page, /It takes no entries:<\/span> waiting for witnesses\..*Nothing is published yet/s);
  for (const bad of ['<script', '<b>', '<i>', '<img', '<link', 'href="http'])
    assert.ok(!page.includes(bad), bad);
  await close();
});

void test('chooseType: quality, specificity, order', () => {
  const offered = ['text/plain', 'application/json'] as const;
  for (const [accept, expected] of [
    ['application/*', 'application/json'],
    ['text/*;q=0.2,application/json;q=0.1', 'text/plain'],
    ['*/*;q=0.5, text/plain;q=0', 'application/json'],
    ['APPLICATION/JSON', 'application/json'],
    ['application/json;q=2', 'text/plain'],
    ['', 'text/plain'],
    [';;;,,,', 'text/plain'],
  ] as const) {
    assert.equal(chooseType(accept, offered), expected, accept);
  }
});

void test('one connection has one answer in the making, however much it asks at once and reads nothing', async () => {
  const { log, close } = await startFixture();
  const fat = new Uint8Array(60_000).fill(1);
  for (let i = 0; i < 200; i++) await log.submit(fat);
  let bundles = 0;
  const { storage } = log;
  const readBundle = storage.readBundle.bind(storage);
  storage.readBundle = (index, width) => {
    bundles++;
    return readBundle(index, width);
  };
  const { hostname, port } = new URL(log.url);
  const ask = 'GET /tile/entries/000.p/200 HTTP/1.1\r\nhost: x\r\n\r\n';
  const socket = connect(Number(port), hostname);
  socket.pause();
  socket.write(ask.repeat(8));
  await until(() => bundles > 0);
  for (let i = 0; i < 20; i++) await fetch(`${log.url}/healthz`).then((answer) => answer.text());
  assert.equal(bundles, 1, 'the others wait for the first to be taken');
  let taken = 0;
  socket.on('data', (chunk: Buffer) => (taken += chunk.length)).resume();
  await until(() => bundles === 8 && taken > 8 * 200 * 60_000);
  socket.destroy();
  assert.equal(await raw(log.url, ask.replaceAll('tile/entries', 'nothing').repeat(1000)), '', 'cut off');
  await close();
});

void test('readers who take nothing hold no more bundles than the budget, and give it back when they go', async () => {
  const { log, close } = await startFixture({ settings: { limits: { answerBytes: 1 } } });
  for (let i = 0; i < 200; i++) await log.submit(new Uint8Array(60_000).fill(1));
  const { hostname, port } = new URL(log.url);
  const path = '/tile/entries/000.p/200';
  const slow = connect(Number(port), hostname);
  slow.pause();
  slow.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  const identity = { headers: { 'accept-encoding': 'identity' } };
  const ask = async (): Promise<Response> => {
    const answer = await fetch(log.url + path, identity);
    await answer.arrayBuffer();
    return answer;
  };
  let refused = await ask();
  for (let i = 0; i < 50 && refused.status === 200; i++) refused = await ask();
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '5');
  assert.equal(refused.headers.get('cache-control'), 'no-store');
  assert.equal((await fetch(`${log.url}/checkpoint`)).status, 200, 'what is small is served on');
  slow.destroy();
  while ((await ask()).status === 503);
  await close();
});

void test('a connection on which nothing moves is closed', async () => {
  const { log, close } = await startFixture({
    settings: { limits: { stallTimeoutMs: 300, collectionTimeoutMs: 10 } },
  });
  for (let i = 0; i < 200; i++) await log.submit(new Uint8Array(60_000).fill(1));
  const { hostname, port } = new URL(log.url);
  const socket = connect(Number(port), hostname);
  socket.pause();
  socket.write('GET /tile/entries/000.p/200 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  await delay(2000);
  let taken = 0;
  socket.on('data', (chunk: Buffer) => (taken += chunk.length));
  socket.on('error', () => undefined).resume();
  await once(socket, 'close');
  assert.ok(taken < 200 * 60_000, 'it had not been read in time');
  await close();
});
