// Every status of C2SP tlog-witness: what is sent, and what must come back.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  COSIGNATURE_MLDSA44,
  encodeHex,
  encodeUtf8,
  formatVkey,
  newSigningKey,
  NOTE_ED25519,
  openNote,
  parseVkey,
  sha256,
  signNoteLine,
} from '../tlog/index.js';
import { formatAddCheckpoint } from '../client/index.js';
import { addLine, SigningLog } from './helpers/signing-log.js';
import { serveFolder, startTestWitness, TestClock, type TestWitness } from './helpers/witness.js';

const log = new SigningLog();
const fork = new SigningLog(log.origin, 'forged');
/** Configured, and never cosigned. */
const fresh = new SigningLog('log.example/fresh');
let clock: TestClock;
let witness: TestWitness;

// Every transcript begins with size 5 of `log` cosigned.
beforeEach(async () => {
  clock = new TestClock();
  witness = await startTestWitness({ logs: [log.vkey, fresh.vkey], mldsa: true, clock });
  assert.equal((await add(0, 5)).status, 200);
});
afterEach(() => witness.remove());

/** The same folder, served anew. */
async function startTestWitnessAgain(): Promise<TestWitness> {
  await witness.close();
  witness = await serveFolder(witness.folder, { clock });
  return witness;
}

async function until(condition: () => boolean): Promise<void> {
  // Not for ever: what follows says what is wrong.
  for (let i = 0; i < 1000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
}

interface Sent {
  status: number;
  type: string | null;
  body: string;
}

async function post(body: string | Uint8Array): Promise<Sent> {
  const response = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body: Buffer.from(body) });
  return { status: response.status, type: response.headers.get('content-type'), body: await response.text() };
}

async function add(oldSize: number, size: number, from = log): Promise<Sent> {
  const proof = await from.proof(oldSize, size);
  return post(formatAddCheckpoint({ oldSize, proof, note: from.note(size) }));
}

/** What the monitoring endpoint shows; its size, or undefined where there is none. */
async function monitored(of: SigningLog = log): Promise<string | undefined> {
  const response = await fetch(`${witness.url}/${encodeHex(sha256(encodeUtf8(of.origin)))}/checkpoint`);
  assert.equal(response.headers.get('access-control-allow-origin'), '*');
  const body = await response.text();
  if (response.status === 404) return undefined;
  assert.equal(response.status, 200);
  return body;
}

/** The answer is refused with this status, and nothing changed. */
async function refused(body: string | Uint8Array, status: number): Promise<Sent> {
  const before = [await monitored(), await monitored(fresh)];
  const sent = await post(body);
  assert.equal(sent.status, status, sent.body);
  assert.deepEqual([await monitored(), await monitored(fresh)], before);
  return sent;
}

test('404 from the monitoring endpoint before anything was cosigned', async () => {
  assert.equal(await monitored(fresh), undefined);
});

test('409 with 0 when the old size is not 0 at first', async () => {
  assert.deepEqual(await add(3, 5, fresh), { status: 409, type: 'text/x.tlog.size', body: '0\n' });
});

test('422 for size 0 with another root, and for a proof from old size 0', async () => {
  const zero = formatAddCheckpoint({ oldSize: 0, proof: [], note: fresh.note(0, new Uint8Array(32)) });
  await refused(formatAddCheckpoint({ oldSize: 0, proof: [new Uint8Array(32)], note: fresh.note(5) }), 422);
  await refused(formatAddCheckpoint({ oldSize: 0, proof: [new Uint8Array(32)], note: fresh.note(0) }), 422);
  // Last, since it convicts the key.
  await refused(zero, 422);
});

test('200 with lines that verify, and the checkpoint is shown to monitors', async () => {
  assert.equal((await add(0, 0, fresh)).status, 200);
  assert.equal((await add(0, 0, fresh)).status, 200);
  assert.equal((await add(0, 3, fresh)).status, 200);
  const { status, body } = await add(5, 6);
  assert.equal(status, 200);
  const opened = openNote(encodeUtf8(`${log.text(6)}\n${body}`), witness.vkeys);
  assert.deepEqual(
    opened.verified.map(({ vkey, timestamp }) => [vkey.type, timestamp]),
    [
      [4, 1_700_000_000],
      [6, 1_700_000_000],
    ],
  );
  const shown = encodeUtf8((await monitored()) ?? '');
  const both = openNote(shown, [...witness.vkeys, log.vkey]);
  assert.equal(both.text, log.text(6));
  assert.deepEqual([both.verified.length, both.unknown], [3, 0]);
});

test('200 again for the same checkpoint, with the time it is now', async () => {
  clock.pass(5000);
  const { status, body } = await add(5, 5);
  assert.equal(status, 200);
  const [line] = openNote(encodeUtf8(`${log.text(5)}\n${body}`), witness.vkeys).verified;
  assert.equal(line?.timestamp, 1_700_000_005);
});

test('409 with the size for any other old size', async () => {
  const conflict = { status: 409, type: 'text/x.tlog.size', body: '5\n' };
  assert.deepEqual(await add(0, 5), conflict);
  assert.deepEqual(await add(4, 5), conflict);
  assert.deepEqual(await add(6, 8), conflict);
  // Whatever the checkpoint says: its old size is looked at first.
  assert.deepEqual(await post(formatAddCheckpoint({ oldSize: 0, proof: [], note: fork.note(9) })), conflict);
});

test('400 when the old size is above the checkpoint', async () => {
  await refused(formatAddCheckpoint({ oldSize: 5, proof: [], note: log.note(4) }), 400);
});

test('422 for another root at the same size; then its key is convicted, and that is 403', async () => {
  await refused(formatAddCheckpoint({ oldSize: 5, proof: [], note: fork.note(5) }), 422);
  await until(() => witness.gossip.convictedKeys(log.origin).size === 1);
  const honest = formatAddCheckpoint({ oldSize: 5, proof: await log.proof(5, 9), note: log.note(9) });
  await refused(honest, 403);
  const restarted = await startTestWitnessAgain();
  await refused(honest, 403);
  assert.equal(restarted.gossip.evidenceList().length, 1);
  assert.equal((await add(0, 5, fresh)).status, 200);
});

test('422 for a proof that does not hold', async () => {
  await refused(formatAddCheckpoint({ oldSize: 5, proof: [new Uint8Array(32)], note: log.note(5) }), 422);
  const proof = await log.proof(5, 9);
  await refused(formatAddCheckpoint({ oldSize: 5, proof: proof.slice(1), note: log.note(9) }), 422);
  await refused(formatAddCheckpoint({ oldSize: 5, proof: [...proof].reverse(), note: log.note(9) }), 422);
  await refused(formatAddCheckpoint({ oldSize: 5, proof: [], note: log.note(9) }), 422);
  const forged = await fork.proof(5, 9);
  await refused(formatAddCheckpoint({ oldSize: 5, proof: forged, note: fork.note(9) }), 422);
});

test('404 for an unknown origin', async () => {
  const other = new SigningLog('log.example/unknown');
  await refused(formatAddCheckpoint({ oldSize: 0, proof: [], note: other.note(1) }), 404);
  assert.equal(await monitored(other), undefined);
});

test('403 without a trusted signature, and for a forged line under a trusted key', async () => {
  const text = log.text(6);
  const stranger = newSigningKey(log.origin, NOTE_ED25519, new Uint8Array(32).fill(99));
  const good = signNoteLine(text, log.key);
  const forged = signNoteLine(log.text(7), log.key);
  const proof = await log.proof(5, 6);
  const head = Buffer.from(
    formatAddCheckpoint({ oldSize: 5, proof, note: encodeUtf8(`${text}\n`) }),
  ).toString();
  await refused(head + signNoteLine(text, stranger), 403);
  await refused(head + forged, 403);
  await refused(head + good + forged, 403);
  await refused(head + forged + good, 403);
});

test('lines by unknown keys are ignored and not passed on, sixteen ML-DSA-44 lines among them', async () => {
  const text = log.text(6);
  let lines = signNoteLine(text, log.key);
  for (let i = 0; i < 16; i++) {
    const seed = new Uint8Array(32).fill(i + 1);
    lines += signNoteLine(text, newSigningKey(`cosigner.example/${i}`, COSIGNATURE_MLDSA44, seed), 1);
  }
  const proof = await log.proof(5, 6);
  const body = Buffer.concat([
    formatAddCheckpoint({ oldSize: 5, proof, note: encodeUtf8(`${text}\n`) }),
    encodeUtf8(lines),
  ]);
  assert.ok(body.length > 52_000);
  assert.equal((await post(body)).status, 200);
  assert.ok(!((await monitored()) ?? '').includes('cosigner.example'));
});

test('400 for what is not a request', async () => {
  const note = Buffer.from(log.note(5)).toString();
  const hash = `${'A'.repeat(43)}=\n`;
  const bad = [
    '',
    '\n',
    note,
    `old 5\n${note}`,
    `old 05\n\n${note}`,
    `old -5\n\n${note}`,
    `old +5\n\n${note}`,
    `old 5 \n\n${note}`,
    `old  5\n\n${note}`,
    `Old 5\n\n${note}`,
    `old 5\r\n\n${note}`,
    `old 9007199254740993\n\n${note}`,
    `old 5\nAAAA\n\n${note}`,
    `old 5\n${'A'.repeat(43)}\n\n${note}`,
    `old 5\n${'A'.repeat(42)}B=\n\n${note}`,
    `old 5\n${hash.repeat(64)}\n${note}`,
    `old 5\n\n${note}`.slice(0, -1),
    `old 5\n\n\n${note}`,
    `old 5\n\n${log.text(5)}`,
    `old 5\n\nno checkpoint\n\n${addLine(log.note(5), log.key)}`,
  ];
  for (const body of bad) await refused(body, 400);
  await refused(Buffer.concat([Buffer.from(`old 5\n\n${note}`), Buffer.from([0xff])]), 400);
});

test('63 proof lines are looked at', async () => {
  await refused(`old 5\n${`${'A'.repeat(43)}=\n`.repeat(63)}\n${Buffer.from(log.note(6)).toString()}`, 422);
});

test('128 KiB are read, a byte more is 413', async () => {
  await refused('x'.repeat(128 * 1024), 400);
  const { status } = await post('x'.repeat(128 * 1024 + 1));
  assert.equal(status, 413);
  // Without a length announced beforehand.
  const stream = new ReadableStream({
    pull(controller) {
      controller.enqueue(new Uint8Array(65_536));
    },
  });
  const init = { method: 'POST', body: stream, duplex: 'half' } as RequestInit;
  const answer = await fetch(`${witness.url}/add-checkpoint`, init).then(
    (response) => response.status,
    () => 'cut off',
  );
  assert.ok(answer === 413 || answer === 'cut off');
  assert.equal((await add(5, 6)).status, 200);
});

test('other methods and paths', async () => {
  assert.equal((await fetch(`${witness.url}/add-checkpoint`)).status, 405);
  assert.equal((await fetch(`${witness.url}/`)).status, 200);
  assert.equal((await fetch(`${witness.url}/other`)).status, 404);
  assert.equal((await fetch(`${witness.url}/..%2f..%2fwitness.key/checkpoint`)).status, 404);
  assert.equal((await fetch(`${witness.url}/sign-subtree`)).status, 405);
  assert.equal((await fetch(`${witness.url}/healthz`)).status, 200);
});

test('503 while the clock is behind the last cosignature, 200 once it has caught up', async () => {
  assert.equal((await add(5, 7)).status, 200);
  clock.wall -= 3000;
  const proof = await log.proof(7, 8);
  const body = Buffer.from(formatAddCheckpoint({ oldSize: 7, proof, note: log.note(8) }));
  const response = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body });
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '3');
  // What needs no signature is answered as ever.
  assert.equal((await add(6, 8)).status, 409);
  clock.pass(2999);
  await refused(body, 503);
  clock.pass(1);
  assert.equal((await post(body)).status, 200);
});

test('503 after a leap of the clock that nobody confirmed, for every log, and nothing changed', async () => {
  clock.wall += 2 * 3_600_000;
  const proof = await log.proof(5, 6);
  await refused(formatAddCheckpoint({ oldSize: 5, proof, note: log.note(6) }), 503);
  await refused(formatAddCheckpoint({ oldSize: 0, proof: [], note: fresh.note(1) }), 503);
  // What needs no signature is answered as ever.
  await refused(formatAddCheckpoint({ oldSize: 4, proof: [], note: log.note(6) }), 409);
  assert.equal((await fetch(`${witness.url}/healthz`)).status, 503);
});

test('500 when the state cannot be written, and nothing changed', async () => {
  let full = false;
  const step = (name: string): void => {
    if (full && name === 'state-writing') throw new Error('ENOSPC');
  };
  const other = await startTestWitness({ logs: [log.vkey], step, name: 'witness.example/full' });
  try {
    const send = async (oldSize: number, size: number): Promise<Response> => {
      const body = formatAddCheckpoint({
        oldSize,
        proof: await log.proof(oldSize, size),
        note: log.note(size),
      });
      return fetch(`${other.url}/add-checkpoint`, { method: 'POST', body: Buffer.from(body) });
    };
    assert.equal((await send(0, 5)).status, 200);
    full = true;
    const answer = await send(5, 6);
    assert.equal(answer.status, 500);
    assert.ok(!(await answer.text()).includes('—'));
    full = false;
    assert.equal((await send(4, 6)).status, 409);
    assert.equal((await send(5, 6)).status, 200);
  } finally {
    await other.remove();
  }
});

test('a key may be added for an overlap, and both count', async () => {
  const other = newSigningKey(log.origin, NOTE_ED25519, new Uint8Array(32).fill(55));
  const { addLog } = await import('../witness/index.js');
  await addLog(witness.folder, parseVkey(formatVkey(other.vkey)));
  await witness.reload();
  const text = log.text(5);
  const note = encodeUtf8(`${text}\n${signNoteLine(text, other)}`);
  assert.equal((await post(formatAddCheckpoint({ oldSize: 5, proof: [], note }))).status, 200);
  assert.equal((await add(5, 5)).status, 200);
});

/** Bytes on a connection of their own, which reads nothing until told. */
async function open(text: string): Promise<Socket> {
  const { hostname, port } = new URL(witness.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined).pause();
  await new Promise<void>((resolve) => socket.write(text, () => resolve()));
  return socket;
}

test('requests sent ahead on one connection are answered in turn, and too many end it', async () => {
  const path = `/${encodeHex(sha256(encodeUtf8(log.origin)))}/checkpoint`;
  const ask = `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
  const few = await open(ask.repeat(9) + ask.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'));
  const many = await open(ask.repeat(1000));
  const answers = await Promise.all(
    [few, many].map(async (socket) => {
      let taken = '';
      socket.on('data', (chunk: Buffer) => (taken += chunk.toString('latin1'))).resume();
      // Not `once`: the end of the one that is cut off is an error, too.
      if (!socket.closed) await new Promise((resolve) => socket.on('close', resolve));
      return taken.match(/HTTP\/1\.1 200 /g)?.length ?? 0;
    }),
  );
  assert.deepEqual(answers, [10, 0]);
});

test('a body in chunks of one byte costs its length, not an object for each', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  const head = 'POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n';
  const text = head + '1\r\nx\r\n'.repeat(130_000);
  const sockets = await Promise.all([1, 2, 3, 4].map(() => open(text)));
  // Each of these is behind at least one more read of what the others have sent.
  for (let i = 0; i < 100; i++) await monitored();
  const grown = used() - before;
  assert.ok(grown < 20_000_000, `four bodies of 130,000 bytes took ${grown}`);
  for (const socket of sockets) {
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1'))).resume();
    socket.write('0\r\n\r\n');
    while (!answer.includes('\r\n\r\n')) await once(socket, 'data');
    assert.match(answer, /^HTTP\/1\.1 400 /, 'it was read to its end');
    socket.destroy();
  }
});
