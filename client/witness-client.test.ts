import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  COSIGNATURE_ED25519,
  COSIGNATURE_MLDSA44,
  decodeUtf8,
  emptyRoot,
  encodeUtf8,
  formatCheckpoint,
  newSigningKey,
  NOTE_ED25519,
  signNote,
  signNoteLine,
} from '../tlog/index.js';
import { WitnessClient, type AddCheckpointResult, type Fetch, type Timer } from './index.js';

const log = newSigningKey('log.example/a', NOTE_ED25519, new Uint8Array(32).fill(1));
const witness = newSigningKey('witness.example/w', COSIGNATURE_ED25519, new Uint8Array(32).fill(2));
const quantum = newSigningKey('witness.example/w', COSIGNATURE_MLDSA44, new Uint8Array(32).fill(3));
const stranger = newSigningKey('stranger.example/s', COSIGNATURE_ED25519, new Uint8Array(32).fill(4));
const text = formatCheckpoint({ origin: log.name, size: 0, rootHash: emptyRoot(), extensions: [] });
const note = signNote(text, [log]);
const other = formatCheckpoint({ origin: log.name, size: 1, rootHash: new Uint8Array(32), extensions: [] });
const TIME = 1_700_000_000;

interface Reply {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
}

function ask(
  reply: Reply | Fetch,
  options: { timer?: Timer; maxBody?: number } = {},
): Promise<AddCheckpointResult> {
  const fetch: Fetch =
    typeof reply === 'function'
      ? reply
      : () =>
          Promise.resolve(
            new Response(reply.body ?? null, { status: reply.status ?? 200, headers: reply.headers ?? {} }),
          );
  const client = new WitnessClient({
    url: 'http://witness.example/',
    vkeys: [witness.vkey, quantum.vkey],
    fetch,
    ...options,
  });
  return client.addCheckpoint({ oldSize: 0, proof: [], note });
}

async function silence(reply: Reply | Fetch, options?: { timer?: Timer; maxBody?: number }): Promise<string> {
  const result = await ask(reply, options);
  assert.ok(result.kind === 'silent', `expected silence, found ${result.kind}`);
  return result.error.code;
}

const line = signNoteLine(text, witness, TIME);
const size = { 'content-type': 'text/x.tlog.size' };

test('sends the body of tlog-witness', async () => {
  let sent = '';
  let address = '';
  const client = new WitnessClient({
    url: 'http://witness.example/w1/',
    vkeys: [witness.vkey],
    fetch: (url, init) => {
      address = `${init.method ?? ''} ${url}`;
      sent = decodeUtf8(new Uint8Array(init.body as ArrayBuffer), 'body');
      assert.equal(init.redirect, 'manual');
      return Promise.resolve(new Response(null, { status: 404 }));
    },
  });
  await client.addCheckpoint({ oldSize: 7, proof: [new Uint8Array(32)], note });
  assert.equal(address, 'POST http://witness.example/w1/add-checkpoint');
  assert.equal(sent, `old 7\n${'A'.repeat(43)}=\n\n${decodeUtf8(note, 'note')}`);
});

test('a cosignature is verified over this very note; lines by others are dropped', async () => {
  const result = await ask({
    body: signNoteLine(text, stranger, TIME) + line + signNoteLine(text, quantum, TIME),
  });
  assert.ok(result.kind === 'cosigned', `expected a cosignature, found ${result.kind}`);
  assert.deepEqual(
    result.cosignatures.map(({ vkey, timestamp }) => [vkey.type, timestamp]),
    [
      [4, TIME],
      [6, TIME],
    ],
  );
  assert.equal(result.lines[0], line);
});

test('answers that make no sense are silence with a reason', async () => {
  assert.equal(await silence({ body: signNoteLine(other, witness, TIME) }), 'bad_signature');
  assert.equal(await silence({ body: line + signNoteLine(other, quantum, TIME) }), 'bad_signature');
  assert.equal(await silence({ body: signNoteLine(text, stranger, TIME) }), 'bad_reply');
  assert.equal(await silence({ body: signNoteLine(text, quantum, 0) }), 'bad_reply');
  assert.equal(await silence({ body: '' }), 'bad_note');
  assert.equal(await silence({ body: `${other}\n${signNoteLine(other, witness, TIME)}` }), 'bad_note');
  assert.equal(await silence({ body: line.trimEnd() }), 'bad_note');
  assert.equal(await silence({ body: `${line}\u0000` }), 'bad_note');
  assert.equal(await silence({ body: 'x'.repeat(70_000) }), 'too_large');
  assert.equal(await silence({ status: 409, headers: size, body: 'seven\n' }), 'bad_decimal');
  assert.equal(await silence({ status: 409, headers: size, body: '07\n' }), 'bad_decimal');
  assert.equal(await silence({ status: 409, headers: size, body: '7' }), 'bad_reply');
  assert.equal(await silence({ status: 409, headers: size, body: '9007199254740993\n' }), 'unsafe_integer');
  assert.equal(await silence({ status: 302, headers: { location: 'http://127.0.0.1/' } }), 'redirected');
  assert.equal(await silence({ status: 500 }), 'bad_status');
  assert.equal(await silence({ status: 204 }), 'bad_status');
  assert.equal(await silence({ status: 429 }), 'bad_status');
  assert.equal(await silence(() => Promise.reject(new TypeError('fetch failed'))), 'unreachable');
  assert.equal(await silence({ body: line }, { maxBody: 100 }), 'too_large');
});

test('each status has its meaning', async () => {
  assert.deepEqual(await ask({ status: 409, headers: size, body: '7\n' }), { kind: 'conflict', size: 7 });
  assert.deepEqual(
    await ask({ status: 409, headers: { 'content-type': 'text/x.tlog.size; charset=utf-8' }, body: '7\n' }),
    { kind: 'conflict', size: 7 },
  );
  assert.deepEqual(await ask({ status: 409 }), { kind: 'conflict' });
  assert.deepEqual(await ask({ status: 422 }), { kind: 'inconsistent' });
  assert.deepEqual(await ask({ status: 404 }), { kind: 'unknown-log', status: 404 });
  for (const status of [400, 403, 413]) assert.deepEqual(await ask({ status }), { kind: 'refused', status });
  const busy = await ask({ status: 503, headers: { 'retry-after': '17' } });
  assert.equal(busy.kind === 'silent' ? busy.retryAfter : undefined, 17);
  const date = 'Sun, 06 Nov 1994 08:49:37 GMT';
  const later = 'Sun, 06 Nov 1994 08:50:37 GMT';
  const dated = await ask({ status: 503, headers: { 'retry-after': later, date } });
  assert.equal(dated.kind === 'silent' ? dated.retryAfter : undefined, 60);
});

test('a witness that hangs, before or within its answer, is silent when the time is up', async () => {
  let ring: () => void = () => undefined;
  const timer: Timer = {
    sleep: () => new Promise((resolve) => (ring = resolve)),
  };
  const never: Fetch = () => {
    setImmediate(() => ring());
    return new Promise(() => undefined);
  };
  assert.equal(await silence(never, { timer }), 'timeout');
  const drip: Fetch = () => {
    setImmediate(() => ring());
    return Promise.resolve(new Response(new ReadableStream({ pull: () => new Promise(() => undefined) })));
  };
  assert.equal(await silence(drip, { timer }), 'timeout');
});

test('a call can be called off', async () => {
  const stop = new AbortController();
  const client = new WitnessClient({
    url: 'http://witness.example',
    vkeys: [witness.vkey],
    fetch: () => {
      stop.abort();
      return new Promise(() => undefined);
    },
  });
  const result = await client.addCheckpoint(
    { oldSize: 0, proof: [], note: encodeUtf8(decodeUtf8(note, '')) },
    stop.signal,
  );
  assert.equal(result.kind === 'silent' ? result.error.code : '', 'aborted');
});
