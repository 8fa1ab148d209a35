// Every status of C2SP tlog-witness "sign-subtree": what is sent, and what must come back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { formatSignSubtree, WitnessClient, type SignSubtreeRequest } from '../client/index.js';
import {
  COSIGNATURE_MLDSA44,
  encodeHex,
  encodeUtf8,
  newSigningKey,
  parseSignatureLines,
  sha256,
  signNoteLine,
  verifySubtree,
  type SigningKey,
} from '../tlog/index.js';
import { SigningLog } from './helpers/signing-log.js';
import { startTestWitness, TestClock, type TestWitness } from './helpers/witness.js';

const SIZE = 14;
const log = new SigningLog();
const clock = new TestClock();
let witness: TestWitness;
/** The checkpoint of SIZE, with the log's line and the witness's two. */
let cosigned = '';

before(async () => {
  witness = await startTestWitness({ logs: [log.vkey], mldsa: true, clock });
  const client = new WitnessClient({ url: witness.url, vkeys: witness.vkeys });
  assert.equal(
    (await client.addCheckpoint({ oldSize: 0, proof: [], note: log.note(SIZE) })).kind,
    'cosigned',
  );
  cosigned = await monitored();
});
after(() => witness.remove());

async function monitored(): Promise<string> {
  const hash = encodeHex(sha256(encodeUtf8(log.origin)));
  return (await fetch(`${witness.url}/${hash}/checkpoint`)).text();
}

/** The request for a subtree of the cosigned checkpoint, which is in order. */
async function request(start: number, end: number): Promise<SignSubtreeRequest> {
  const proof = await log.subtreeProof(start, end, SIZE);
  return { start, end, hash: log.hash(start, end), proof, note: encodeUtf8(cosigned) };
}

async function post(
  body: string | Uint8Array | SignSubtreeRequest,
  url = witness.url,
): Promise<{ status: number; body: string; type: string | null }> {
  const bytes = typeof body === 'string' || body instanceof Uint8Array ? body : formatSignSubtree(body);
  const response = await fetch(`${url}/sign-subtree`, { method: 'POST', body: Buffer.from(bytes) });
  return { status: response.status, body: await response.text(), type: response.headers.get('content-type') };
}

async function refused(body: string | Uint8Array | SignSubtreeRequest, status: number): Promise<void> {
  const sent = await post(body);
  assert.equal(sent.status, status, sent.body);
  assert.ok(!sent.body.includes('—'));
  assert.equal(await monitored(), cosigned);
}

/** The checkpoint's text under the lines given. */
const under = (...lines: string[]): Uint8Array => encodeUtf8(`${log.text(SIZE)}\n${lines.join('')}`);
/** The lines of the cosigned note: the log's, Ed25519, ML-DSA-44. */
const lineOf = (index: number): string => `${cosigned.split('\n\n')[1]?.split('\n')[index] ?? ''}\n`;

test('200 with one ML-DSA-44 line for the subtree, of the time zero; nothing changes', async () => {
  for (const [start, end] of [
    [0, 14],
    [0, 1],
    [0, 9],
    [4, 8],
    [8, 13],
    [8, 14],
    [12, 14],
    [13, 14],
  ] as const) {
    const { status, body } = await post(await request(start, end));
    assert.equal(status, 200, body);
    const [line, ...more] = parseSignatureLines(encodeUtf8(body));
    const vkey = witness.vkeys[1];
    assert.ok(line && vkey && more.length === 0);
    const subtree = { origin: log.origin, start, end, hash: log.hash(start, end) };
    assert.equal(verifySubtree(vkey, subtree, line.signature), 0);
  }
  assert.equal(await monitored(), cosigned);
});

test('the example of the document: its range, and a hash and a proof of this tree', async () => {
  const { proof } = await request(8, 13);
  assert.equal(proof.length, 4);
  const text = Buffer.from(formatSignSubtree(await request(8, 13))).toString();
  assert.match(text, /^subtree 8 13\n([A-Za-z0-9+/]{43}=\n){5}\nlog\.example\/test\n14\n/);
});

test('200 whichever of its keys signed the checkpoint, other lines ignored, a client verifies it', async () => {
  const good = await request(8, 13);
  const stranger = newSigningKey('cosigner.example', COSIGNATURE_MLDSA44, new Uint8Array(32).fill(3));
  for (const lines of [
    [lineOf(1)],
    [lineOf(2)],
    [lineOf(0), lineOf(1), lineOf(2)],
    [signNoteLine(log.text(SIZE), stranger, 5), lineOf(2)],
  ]) {
    assert.equal((await post({ ...good, note: under(...lines) })).status, 200);
  }
  const client = new WitnessClient({ url: witness.url, vkeys: witness.vkeys });
  assert.equal((await client.signSubtree(good)).length, 1);
  const others = new WitnessClient({ url: witness.url, vkeys: [stranger.vkey] });
  await assert.rejects(others.signSubtree(good), { code: 'bad_reply' });
  await assert.rejects(client.signSubtree({ ...good, proof: [] }), { code: 'bad_status' });
});

test('200 for a checkpoint cosigned before the latest one, and with a clock that is behind', async () => {
  const other = await startTestWitness({
    name: 'witness.example/later',
    logs: [log.vkey],
    mldsa: true,
    clock,
  });
  try {
    const client = new WitnessClient({ url: other.url, vkeys: other.vkeys });
    const first = await client.addCheckpoint({ oldSize: 0, proof: [], note: log.note(SIZE) });
    assert.ok(first.kind === 'cosigned');
    const proof = await log.proof(SIZE, 20);
    await client.addCheckpoint({ oldSize: SIZE, proof, note: log.note(20) });
    clock.wall -= 5000;
    const good = await request(8, 13);
    assert.equal((await client.signSubtree({ ...good, note: under(...first.lines) })).length, 1);
  } finally {
    clock.wall += 5000;
    await other.remove();
  }
});

test('400 for a range that is no subtree, or ends behind the checkpoint', async () => {
  const good = await request(8, 13);
  for (const [start, end] of [
    [8, 8],
    [0, 0],
    [13, 8],
    [4, 9],
    [2, 5],
    [1, 3],
    [8, 15],
    [0, 15],
    [16, 20],
  ] as const) {
    await refused({ ...good, start, end }, 400);
  }
});

test('400 for what is not a request', async () => {
  const text = Buffer.from(formatSignSubtree(await request(8, 13))).toString();
  const rest = text.slice(text.indexOf('\n'));
  const [, hash = ''] = text.split('\n');
  for (const first of [
    'subtree 8',
    'subtree 8 13 ',
    'subtree 8 13 14',
    'subtree 08 13',
    'subtree 8 +13',
    'subtree  8 13',
    'Subtree 8 13',
    'subtree -8 13',
    'subtree 8 9007199254740993',
    'old 8',
    '',
  ]) {
    await refused(first + rest, 400);
  }
  const note = text.slice(text.indexOf('\n\n') + 2);
  for (const body of [
    '',
    '\n\n',
    note,
    `subtree 0 14\n\n${note}`,
    `subtree 0 14\n${hash.slice(1)}\n\n${note}`,
    `subtree 0 14\nAAAA\n\n${note}`,
    `subtree 0 14\n${hash}\nAAAA\n\n${note}`,
    `subtree 0 14\n${`${hash}\n`.repeat(65)}\n${note}`,
    `subtree 0 14\n${hash}\n${note}`,
    `subtree 0 14\n${hash}\n\n${log.text(SIZE)}`,
    text.slice(0, -1),
    text.replace('\n\n', '\n\n\n'),
  ]) {
    await refused(body, 400);
  }
  // 63 proof lines are looked at.
  await refused(`subtree 0 14\n${`${hash}\n`.repeat(64)}\n${note}`, 422);
  const answer = await post('x'.repeat(128 * 1024 + 1));
  assert.equal(answer.status, 413);
});

test('404 for an unknown origin', async () => {
  const other = new SigningLog('log.example/unknown');
  const note = other.note(SIZE);
  await refused({ start: 0, end: SIZE, hash: other.root(SIZE), proof: [], note }, 404);
});

test('422 for a proof that does not hold, and another hash or root', async () => {
  const good = await request(8, 13);
  const [first, ...rest] = good.proof;
  assert.ok(first);
  const flipped = first.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
  await refused({ ...good, proof: [] }, 422);
  await refused({ ...good, proof: rest }, 422);
  await refused({ ...good, proof: [flipped, ...rest] }, 422);
  await refused({ ...good, proof: [...good.proof, first] }, 422);
  await refused({ ...good, hash: log.hash(8, 12) }, 422);
  const forked = new SigningLog(log.origin, 'forged', 9);
  await refused({ ...good, hash: forked.hash(8, 13), proof: await forked.subtreeProof(8, 13, SIZE) }, 422);
});

test('403 for a checkpoint that none of its keys signed, or one with a forged line under them', async () => {
  const good = await request(8, 13);
  const forkedLog = new SigningLog(log.origin, 'forged', 9);
  await refused({ ...good, note: log.note(SIZE) }, 403);
  // Another history under the log's key: the proof holds, and this witness never cosigned it.
  const forked = { start: 8, end: 13, hash: forkedLog.hash(8, 13) };
  const proof = await forkedLog.subtreeProof(8, 13, SIZE);
  await refused({ ...forked, proof, note: forkedLog.note(SIZE) }, 403);
  // The lines are for another text.
  const moved = encodeUtf8(`${forkedLog.text(SIZE)}\n${lineOf(1)}${lineOf(2)}`);
  await refused({ ...forked, proof, note: moved }, 403);
  const name = witness.vkey.name;
  const stranger: SigningKey = newSigningKey(name, COSIGNATURE_MLDSA44, new Uint8Array(32).fill(9));
  await refused({ ...good, note: under(signNoteLine(log.text(SIZE), stranger, 5)) }, 403);
  for (const index of [1, 2]) {
    const line = lineOf(index).trimEnd();
    const forged = `${line.slice(0, -8)}${line.slice(-8, -7) === 'A' ? 'B' : 'A'}${line.slice(-7)}\n`;
    await refused({ ...good, note: under(forged) }, 403);
    await refused({ ...good, note: under(forged, lineOf(3 - index)) }, 403);
    await refused({ ...good, note: under(lineOf(3 - index), forged) }, 403);
  }
});

test('503 while no signature can be made, and 404 without an ML-DSA-44 key', async () => {
  const script = new URL('./helpers/none.js', import.meta.url);
  const name = witness.vkey.name;
  const broken = await startTestWitness({ name, logs: [log.vkey], mldsa: true, signing: { script } });
  const plain = await startTestWitness({ name: 'witness.example/plain', logs: [log.vkey] });
  try {
    const good = await request(8, 13);
    assert.equal((await post(good, broken.url)).status, 503);
    assert.equal((await post(good, plain.url)).status, 404);
  } finally {
    await broken.remove();
    await plain.remove();
  }
});

test('405 for another method', async () => {
  assert.equal((await fetch(`${witness.url}/sign-subtree`)).status, 405);
});
