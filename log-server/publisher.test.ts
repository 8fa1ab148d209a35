// What is signed, collected, published and when: on an owned clock and a scripted network.
import assert from 'node:assert/strict';
import test from 'node:test';
import { StorageError } from './storage/error.js';
import { hang } from './testing/scripted-witness.js';
import { cosignersOf, entry, publishedOf, ready, startScene } from './testing/scene.js';
import { until, untilInTime } from './testing/until.js';

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

void test('a publication waits for no write of what its witnesses cosigned; the next write has the newest of all', async () => {
  const writes: ReadonlyMap<string, number>[] = [];
  let end = (): void => undefined;
  const written = new Promise<void>((resolve) => (end = resolve));
  const s = await startScene({
    prepare: (_, storage) => {
      storage.putWitnessSizes = (sizes) => {
        writes.push(sizes);
        return written;
      };
    },
  });
  try {
    await ready(s);
    await until(() => writes.length === 1);
    for (const i of [5, 6]) {
      await s.log.submit(entry(i));
      await until(() => cosignersOf(s.policy, publishedOf(s).note).length === 4);
    }
    assert.equal(writes.length, 1, 'one at a time');
  } finally {
    end();
  }
  await until(() => writes.length === 2);
  assert.deepEqual([...(writes[1]?.values() ?? [])], [7, 7, 7, 7]);
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

void test('a witness that hangs delays no publication: no time passes', { timeout: 20_000 }, async () => {
  const s = await startScene();
  await ready(s);
  const slow = s.witnesses[3];
  await until(() => cosignersOf(s.policy, publishedOf(s).note).length === 4);
  slow.script = hang;
  const before = s.clock.monotonic();
  for (const i of [5, 6, 7, 8]) {
    const { published } = await s.log.submit(entry(i));
    assert.equal(published.size, i + 1);
    assert.deepEqual(cosignersOf(s.policy, published.note).sort(), ['w1', 'w2', 'w3']);
  }
  // Neither the limit of an exchange nor a pause after one that failed has run out.
  assert.equal(s.clock.monotonic(), before);
  assert.equal(slow.questions.filter(({ size }) => size > 5).length, 1, 'it is asked one thing at a time');
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
