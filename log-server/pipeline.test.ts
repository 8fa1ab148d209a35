// The pipeline's promises, on an owned clock and a scripted network: orders and counts, never seconds.
import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeUtf8, evaluatePolicy, formatCheckpoint, sha256, signNote } from '../tlog/index.js';
import type { Policy } from '../tlog/index.js';
import type { PublishedHead } from './head.js';
import type { LogStep } from './steps.js';
import { StorageError } from './storage/error.js';
import { admitAnything } from './admission.js';
import type { Admission } from './admission.js';
import { deferred } from './signal.js';
import { LOG_KEY, ORIGIN, startFixture } from './testing/fixture.js';
import { startScene } from './testing/scene.js';
import type { Scene } from './testing/scene.js';
import { conflict, hang, networkOf } from './testing/scripted-witness.js';
import { until, untilInTime } from './testing/until.js';

const entry = (i: number): Uint8Array => encodeUtf8(`entry ${i}`);
const ready = (s: Scene): Promise<void> => until(() => s.log.readiness().ready);
const publishedOf = (s: Scene): PublishedHead => s.log.published() ?? assert.fail('nothing is published');
const cosignersOf = (policy: Policy, note: Uint8Array): string[] =>
  evaluatePolicy(policy, note).cosignatures.map((each) => each.witness.name);

void test('commit, readable, sign, cosign, publish, answer: in this order', async () => {
  const steps: LogStep[] = [];
  const seen: string[] = [];
  const s = await startScene({ settings: { step: (name) => void steps.push(name) } });
  await ready(s);
  await until(() => s.log.published()?.note.length !== undefined && steps.includes('publish:after'));
  steps.length = 0;
  s.storage.calls.length = 0;
  for (const witness of s.witnesses) {
    witness.script = (question) => {
      seen.push(`${witness.name} asked when signed ${s.storage.signed === undefined ? 'no' : 'yes'}`);
      assert.deepEqual(question.note, s.storage.signed, 'what a witness sees is in its file');
      return undefined;
    };
  }
  await s.log.submit(entry(5));
  assert.deepEqual(s.storage.calls.slice(0, 4), ['commit', 'makeReadable', 'writeSigned', 'writePublished']);
  assert.deepEqual(
    steps.filter((step) => !/after|before/.test(step) || /^(sign|publish):/.test(step)).slice(0, 6),
    ['sign:before', 'sign:after', 'cosign', 'publish:before', 'publish:after', 'answer'],
  );
  assert.ok(seen.length >= 3);
  await s.close();
});

void test("witnesses get the log's own lines only, the right old size and a proof", async () => {
  const s = await startScene();
  await ready(s);
  await s.log.submit(entry(5));
  await s.log.submit(entry(6));
  await until(() => s.witnesses.every((witness) => witness.held?.size === 7));
  for (const { questions } of s.witnesses) {
    assert.equal(questions[0]?.oldSize, 5);
    for (const [i, { oldSize, note }] of questions.entries()) {
      if (i > 0) assert.equal(oldSize, questions[i - 1]?.size, 'no question is asked twice');
      assert.equal(new TextDecoder().decode(note).match(/^— /gm)?.length, 1);
    }
  }
  await s.close();
});

void test('one head is in collection at a time, and the next covers all that came meanwhile', async () => {
  const s = await startScene();
  await ready(s);
  const held: (() => void)[] = [];
  for (const witness of s.witnesses) {
    witness.script = (question) =>
      new Promise((resolve) => held.push(() => resolve(witness.honest(question))));
  }
  const first = s.log.submit(entry(5));
  await until(() => held.length === 4);
  const rest = [6, 7, 8].map((i) => s.log.submit(entry(i)));
  await until(() => s.storage.readableSize === 9);
  assert.equal(
    s.storage.calls.filter((call) => call === 'writeSigned').length,
    1,
    'nothing is signed meanwhile',
  );
  for (const witness of s.witnesses) witness.script = undefined;
  held.forEach((answer) => answer());
  assert.equal((await first).published.size, 6);
  assert.deepEqual(
    (await Promise.all(rest)).map(({ index, published }) => [index, published.size]),
    [
      [6, 9],
      [7, 9],
      [8, 9],
    ],
  );
  await s.close();
});

void test('a late cosignature is merged into the same note', async () => {
  const s = await startScene();
  await ready(s);
  await until(() => s.log.published()?.size === 5 && cosignersOf(s.policy, publishedOf(s).note).length === 4);
  let late: (() => void) | undefined;
  const slow = s.witnesses[3];
  slow.script = (question) => new Promise((resolve) => (late = () => resolve(slow.honest(question))));
  const { published } = await s.log.submit(entry(5));
  assert.deepEqual(cosignersOf(s.policy, published.note).sort(), ['w1', 'w2', 'w3']);
  await until(() => late !== undefined);
  late?.();
  await until(() => cosignersOf(s.policy, publishedOf(s).note).length === 4);
  assert.equal(s.log.published()?.size, 6);
  assert.deepEqual(s.storage.published?.note, s.log.published()?.note, 'and durable');
  await s.close();
});

void test('the published size never falls, whichever collection ends last', async () => {
  const s = await startScene({ settings: { limits: { publishIntervalMs: 0, collectionTimeoutMs: 5000 } } });
  await ready(s);
  // Two witnesses are slow for the head of 6 entries: its collection times out with two of three.
  const late: (() => void)[] = [];
  for (const witness of s.witnesses.slice(2)) {
    witness.script = (question) =>
      new Promise((resolve) => late.push(() => resolve(new Response(witness.cosign(question.note)))));
  }
  const first = s.log.submit(entry(5));
  first.catch(() => undefined);
  await until(() => late.length === 2);
  const second = s.log.submit(entry(6));
  second.catch(() => undefined);
  await until(() => s.storage.readableSize === 7);
  s.clock.advance(5000);
  await assert.rejects(first, { code: 'quorum_unreachable', status: 503, retryAfter: 10 });
  await until(() => s.storage.calls.filter((call) => call === 'writeSigned').length === 2);
  // Now the old head's cosignatures come in: it has its quorum after all, and is larger than what is published.
  const sizes: number[] = [];
  late.splice(0).forEach((answer) => answer());
  await until(() => {
    sizes.push(publishedOf(s).size);
    return late.length === 2;
  });
  assert.equal(s.log.published()?.size, 6);
  late.splice(0).forEach((answer) => answer());
  assert.equal((await second).published.size, 7);
  assert.deepEqual(
    sizes,
    [...sizes].sort((a, b) => a - b),
  );
  await s.close();
});

void test('a smaller head that has its quorum after a larger one was published is dropped', async () => {
  const s = await startScene({ settings: { limits: { publishIntervalMs: 0, collectionTimeoutMs: 5000 } } });
  await ready(s);
  await until(() => s.witnesses.every((witness) => witness.held?.size === 5));
  const [, , w3, w4] = s.witnesses;
  let late: (() => void) | undefined;
  w3.script = (question) => new Promise((resolve) => (late = () => resolve(w3.honest(question))));
  w4.script = () => new Response('', { status: 500 });
  const first = s.log.submit(entry(5));
  first.catch(() => undefined);
  await until(() => late !== undefined && w4.questions.at(-1)?.size === 6);
  const second = s.log.submit(entry(6));
  w4.script = undefined;
  await until(() => s.storage.readableSize === 7);
  s.clock.advance(5000);
  await assert.rejects(first, { code: 'quorum_unreachable' });
  assert.equal((await second).published.size, 7);
  w3.script = undefined;
  late?.();
  await until(() => w3.held?.size === 7);
  await until(() => cosignersOf(s.policy, publishedOf(s).note).length === 4);
  assert.equal(s.log.published()?.size, 7);
  assert.deepEqual(s.logger.alarms(), []);
  await s.close();
});

void test('without a quorum: 503, entries stay committed, and the same index when it is back', async () => {
  const s = await startScene({ settings: { limits: { publishIntervalMs: 0, collectionTimeoutMs: 5000 } } });
  await ready(s);
  for (const witness of s.witnesses.slice(0, 2)) witness.script = () => new Response('', { status: 500 });
  const refused = s.log.submit(entry(5));
  refused.catch(() => undefined);
  await until(() => s.storage.signed !== undefined && s.storage.calls.includes('writeSigned'));
  await until(() => s.witnesses.every((witness) => witness.questions.length > 1));
  s.clock.advance(5000);
  await assert.rejects(refused, { code: 'quorum_unreachable' });
  assert.equal(s.storage.size, 6);
  assert.equal(s.log.published()?.size, 5);
  for (const witness of s.witnesses) witness.script = undefined;
  await untilInTime(s.clock, () => s.log.published()?.size === 6);
  await s.close();
});

void test(
  'above the backlog nothing new is admitted, and the readers are served',
  { timeout: 20_000 },
  async () => {
    const s = await startScene({
      settings: { limits: { publishIntervalMs: 0, collectionTimeoutMs: 5000, backlog: 3 } },
    });
    await ready(s);
    for (const witness of s.witnesses) witness.script = hang;
    const waiting = [5, 6, 7].map((i) => s.log.submit(entry(i)));
    for (const each of waiting) each.catch(() => undefined);
    await until(() => s.storage.size === 8);
    await assert.rejects(s.log.submit(entry(8)), { code: 'backlog_full', status: 503, retryAfter: 30 });
    assert.equal(s.storage.size, 8);
    assert.equal((await fetch(`${s.log.url}/checkpoint`)).status, 200);
    await s.close();
  },
);

void test('one liar is set aside and stops nothing; the second stops signing', async () => {
  const s = await startScene();
  await ready(s);
  s.witnesses[0].script = () => conflict(1000);
  await s.log.submit(entry(5));
  await until(() => s.log.readiness().setAside.length === 1);
  assert.deepEqual(s.logger.alarms(), ['witness contradicts this log']);
  const asked = s.witnesses[0].questions.length;
  await s.log.submit(entry(6));
  assert.equal(s.witnesses[0].questions.length, asked, 'a witness set aside is asked no more');
  s.witnesses[1].script = () => new Response('', { status: 422 });
  const third = s.log.submit(entry(7));
  third.catch(() => undefined);
  await until(() => s.log.readiness().state === 'stopped');
  await assert.rejects(third, { code: 'stopped', status: 503 });
  assert.match(
    s.log.readiness().message,
    /2 witness operators contradict this log, and its policy survives 1 liars/,
  );
  const signed = s.storage.signed;
  await assert.rejects(s.log.submit(entry(8)), { code: 'stopped' });
  assert.deepEqual(s.storage.signed, signed);
  assert.equal((await fetch(`${s.log.url}/checkpoint`)).status, 200, 'readers are served on');
  await s.close();
});

void test('one witness that shows a conflicting note under our key stops signing at once', async () => {
  const forged = signNote(
    formatCheckpoint({ origin: ORIGIN, size: 1000, rootHash: new Uint8Array(32), extensions: [] }),
    [LOG_KEY],
  );
  const s = await startScene({
    prepare: () => undefined,
  });
  await s.close();
  const witnesses = s.witnesses;
  const network = networkOf(witnesses, (url) =>
    Promise.resolve(
      url.endsWith('/checkpoint')
        ? new Response(forged as Uint8Array<ArrayBuffer>)
        : new Response('', { status: 404 }),
    ),
  );
  const t = await startFixture({
    storage: s.storage,
    clock: s.clock,
    opened: { policy: s.policy },
    settings: { fetch: network, limits: { publishIntervalMs: 0 } },
  });
  await until(() => t.log.readiness().ready);
  witnesses[0].script = () => conflict(1000);
  t.log.submit(entry(5)).catch(() => undefined);
  await until(() => t.log.readiness().state === 'stopped');
  assert.match(t.log.readiness().message, /shows a conflicting note/);
  assert.ok(t.logger.alarms().includes('a conflicting note under our key'));
  await t.close();
});

void test('a liar that shows what this log has signed meanwhile proves nothing and stops nothing', async () => {
  const s = await startScene();
  await s.close();
  const shown: ((note: Uint8Array) => void)[] = [];
  const network = networkOf(s.witnesses, (url) =>
    url.endsWith('/checkpoint')
      ? new Promise((resolve) => shown.push((note) => resolve(new Response(note as Uint8Array<ArrayBuffer>))))
      : Promise.resolve(new Response('', { status: 404 })),
  );
  const t = await startFixture({
    storage: s.storage,
    clock: s.clock,
    opened: { policy: s.policy },
    settings: { fetch: network, limits: { publishIntervalMs: 0 } },
  });
  await until(() => t.log.readiness().ready);
  s.witnesses[0].script = () => conflict(1000);
  await t.log.submit(entry(5));
  await until(() => shown.length === 1);
  await t.log.submit(entry(6));
  shown[0]?.(t.log.published()?.note ?? assert.fail('nothing is published'));
  assert.equal((await t.log.submit(entry(7))).index, 7);
  assert.equal((await t.log.submit(entry(8))).index, 8);
  assert.equal(t.log.readiness().state, 'ready');
  assert.ok(!t.logger.alarms().includes('a conflicting note under our key'));
  await t.close();
});

void test('an unknown outcome stops the sequencer: no retry', async () => {
  const s = await startScene();
  await ready(s);
  s.storage.faults.commit = new StorageError('outcome_unknown', 'did the write land?');
  await assert.rejects(s.log.submit(entry(5)), { code: 'stopped', status: 503 });
  const commits = s.storage.calls.filter((call) => call === 'commit').length;
  await assert.rejects(s.log.submit(entry(6)), { code: 'stopped' });
  assert.equal(s.storage.calls.filter((call) => call === 'commit').length, commits);
  assert.equal(s.log.readiness().state, 'stopped');
  await s.close();
});

void test('a write that certainly failed: 503, and the next one is tried', async () => {
  const s = await startScene();
  await ready(s);
  s.storage.faults.commit = new StorageError('storage_failed', 'the disk is full');
  await assert.rejects(s.log.submit(entry(5)), { code: 'storage_failed', status: 503 });
  assert.equal((await s.log.submit(entry(5))).index, 5);
  await s.close();
});

void test('committed and not readable: 503, and made readable with what comes next', async () => {
  const s = await startScene();
  await ready(s);
  s.storage.faults.makeReadable = new StorageError('storage_failed', 'the disk is full');
  await assert.rejects(s.log.submit(entry(5)), { code: 'not_readable', status: 503 });
  assert.equal(s.storage.size, 6);
  assert.equal((await s.log.submit(entry(6))).index, 6);
  assert.equal(s.log.published()?.size, 7);
  await s.close();
});

void test('a note that certainly was not written is written later', async () => {
  for (const call of ['writeSigned', 'writePublished'] as const) {
    const s = await startScene();
    await ready(s);
    await until(
      () => s.log.published()?.size === 5 && cosignersOf(s.policy, publishedOf(s).note).length === 4,
    );
    s.storage.faults[call] = new StorageError('storage_failed', 'the disk is full');
    await assert.rejects(s.log.submit(entry(5)), { code: 'storage_failed' });
    s.clock.advance(1000);
    await until(() => s.log.published()?.size === 6);
    await s.close();
  }
});

void test('a full queue: 503', async () => {
  const s = await startScene({
    settings: {
      limits: { publishIntervalMs: 0, queueEntries: 2 },
      step: (name) => (name === 'answer' ? undefined : undefined),
    },
  });
  await ready(s);
  const answers = await Promise.allSettled(Array.from({ length: 10 }, (_, i) => s.log.submit(entry(5 + i))));
  const refused = answers.filter((answer) => answer.status === 'rejected');
  assert.ok(refused.length > 0);
  for (const { reason } of refused) assert.equal((reason as { code: string }).code, 'queue_full');
  await s.close();
});

void test('shutting down answers what is under way and takes nothing new', async () => {
  const s = await startScene();
  await ready(s);
  const under = [5, 6, 7].map((i) => s.log.submit(entry(i)));
  const closing = s.close();
  await assert.rejects(s.log.submit(entry(8)), { code: 'draining', status: 503 });
  assert.deepEqual(
    (await Promise.all(under)).map((receipt) => receipt.index),
    [5, 6, 7],
  );
  await closing;
  assert.equal(s.storage.calls.at(-1), 'close');
});

test('one payload twice in a batch is one entry', async () => {
  const s = await startFixture({
    opened: {
      admission: {
        prepare: (body) => Promise.resolve({ entry: body, id: sha256(body) }),
        admit: () => Promise.resolve(new Map()),
      },
    },
  });
  await until(() => s.log.published() !== undefined);
  const receipts = await Promise.all(
    [entry(1), entry(2), entry(1), entry(2), entry(1)].map((body) => s.log.submit(body)),
  );
  assert.deepEqual(
    receipts.map((receipt) => receipt.index),
    [0, 1, 0, 1, 0],
  );
  assert.deepEqual([s.storage.size, s.storage.calls.filter((call) => call === 'commit').length], [2, 1]);
  await s.close();
});

void test('a submission that is being checked while the server drains is answered, and the server ends', async () => {
  const checked = deferred<true>();
  let checking = false;
  const slow: Admission = {
    ...admitAnything,
    prepare: async (body, source) => {
      checking = true;
      await checked.promise;
      return admitAnything.prepare(body, source);
    },
  };
  const { log, close } = await startFixture({ opened: { admission: slow } });
  await until(() => log.readiness().ready);
  const submitted = log.submit(entry(1)).then(() => 'logged');
  await until(() => checking);
  const closing = close();
  // The sequencer's loop has nothing else to do; only then is the submission found to be good.
  await new Promise((resolve) => setImmediate(resolve));
  checked.resolve(true);
  await closing;
  const nobody = new Promise((resolve) => setImmediate(() => resolve('never answered')));
  assert.equal(await Promise.race([submitted, nobody]), 'logged');
});

void test('while notes cannot be written the log is not ready, with the code; then it is again', async () => {
  for (const call of ['writeSigned', 'writePublished'] as const) {
    const s = await startScene();
    await ready(s);
    await until(
      () => s.log.published()?.size === 5 && cosignersOf(s.policy, publishedOf(s).note).length === 4,
    );
    const full = (): StorageError => new StorageError('storage_failed', 'the disk is full');
    s.storage.faults[call] = full();
    await assert.rejects(s.log.submit(entry(5)), { code: 'storage_failed' });
    for (let again = 0; again < 2; again++) {
      const answer = await fetch(`${s.log.url}/readyz`);
      const { ready, state, message } = (await answer.json()) as Record<string, unknown>;
      assert.deepEqual([answer.status, ready, state], [503, false, 'storage_failed']);
      assert.match(String(message), /the disk is full/);
      const tried = s.storage.calls.filter((name) => name === call).length;
      if (again === 0) s.storage.faults[call] = full();
      s.clock.advance(1000);
      await until(() => s.storage.calls.filter((name) => name === call).length > tried);
    }
    await until(() => s.log.readiness().state === 'ready');
    assert.equal(s.log.published()?.size, 6);
    await s.close();
  }
});

void test('a late cosignature that could not be written is written later, and until then it is not ready', async () => {
  const s = await startScene();
  await ready(s);
  await until(() => s.log.published()?.size === 5 && cosignersOf(s.policy, publishedOf(s).note).length === 4);
  let late: (() => void) | undefined;
  const slow = s.witnesses[3];
  slow.script = (question) => new Promise((resolve) => (late = () => resolve(slow.honest(question))));
  await s.log.submit(entry(5));
  await until(() => late !== undefined);
  s.storage.faults.writePublished = new StorageError('storage_failed', 'the disk is full');
  late?.();
  await until(() => s.log.readiness().state === 'storage_failed');
  s.clock.advance(1000);
  await until(() => s.log.readiness().state === 'ready');
  assert.equal(cosignersOf(s.policy, publishedOf(s).note).length, 4);
  await s.close();
});

void test('a replay of what is published is answered with the leaf as logged, past a queue that is full', async () => {
  let hold = Promise.resolve();
  let free = (): void => undefined;
  let judged = 0;
  const committed = new Map<string, number>();
  const s = await startFixture({
    settings: { limits: { queueEntries: 1 } },
    opened: {
      admission: {
        // The first byte is the payload, the rest a signature.
        prepare: (body) => {
          const id = sha256(body.subarray(0, 1));
          return Promise.resolve({ entry: body, id, known: committed.get(String(body[0])) });
        },
        admit: async (prepared, index) => {
          judged++;
          await hold;
          committed.set(String(prepared.entry[0]), index);
          return new Map();
        },
      },
    },
  });
  await until(() => s.log.published() !== undefined);
  assert.equal((await s.log.submit(encodeUtf8('a, signed'))).index, 0);
  hold = new Promise((resolve) => (free = resolve));
  const under = s.log.submit(encodeUtf8('b'));
  await until(() => judged === 2);
  const waiting = s.log.submit(encodeUtf8('c'));
  await assert.rejects(s.log.submit(encodeUtf8('d')), { code: 'queue_full' });
  try {
    for (let i = 0; i < 3; i++) {
      const again = await s.log.submit(encodeUtf8('a, signed otherwise'));
      assert.deepEqual([again.index, String(again.entry)], [0, String(encodeUtf8('a, signed'))]);
      assert.ok(again.published.size >= 1);
    }
  } finally {
    // A test that fails must not wait for what it holds.
    free();
  }
  assert.deepEqual([(await under).index, (await waiting).index], [1, 2]);
  await s.close();
});
