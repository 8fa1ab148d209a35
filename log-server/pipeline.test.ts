// The pipeline's promises, on an owned clock and a scripted network: orders and counts, never seconds.
import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeUtf8, sha256 } from '../tlog/index.js';
import type { LogStep } from './steps.js';
import { StorageError } from './storage/error.js';
import { admitAnything } from './admission.js';
import type { Admission } from './admission.js';
import type { Companion, CompanionView } from './companion.js';
import { deferred } from './signal.js';
import type { Receipt } from './sequencer.js';
import { startFixture } from './testing/fixture.js';
import { entry, ready, startScene } from './testing/scene.js';
import { hang } from './testing/scripted-witness.js';
import { until } from './testing/until.js';

void test('commit, readable, sign, cosign, publish, answer: in this order', { timeout: 20_000 }, async () => {
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

void test('one payload twice in a batch is one entry', async () => {
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

void test('entries that come in turns of the event loop one after the other are one batch', async () => {
  const s = await startFixture();
  await until(() => s.log.published() !== undefined);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const receipts: Promise<Receipt>[] = [];
  for (const i of [1, 2, 3]) {
    receipts.push(s.log.submit(entry(i)));
    await turn();
  }
  assert.deepEqual(
    (await Promise.all(receipts)).map(({ index, published }) => [index, published.size]),
    [
      [0, 3],
      [1, 3],
      [2, 3],
    ],
  );
  await s.close();
});

void test('what has stopped while a batch was gathered commits nothing', async () => {
  let stop: CompanionView['stop'] = () => undefined;
  const companion: Companion = {
    state: 'ready',
    run: (view) => {
      stop = (message) => view.stop(message);
      return Promise.resolve();
    },
  };
  const s = await startFixture({ opened: { companion } });
  await until(() => s.log.published() !== undefined);
  const submitted = s.log.submit(entry(1));
  submitted.catch(() => undefined);
  // It reaches the queue, and the turn of the event loop is still the same.
  for (let i = 0; i < 100; i++) await Promise.resolve();
  stop('a human must look');
  await assert.rejects(submitted, { code: 'stopped' });
  assert.equal(s.storage.size, 0);
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
