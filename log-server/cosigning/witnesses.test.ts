// Witnesses that contradict the log while it runs.
import assert from 'node:assert/strict';
import test from 'node:test';
import { formatCheckpoint, signNote } from '../../tlog/index.js';
import { LOG_KEY, ORIGIN, startFixture } from '../testing/fixture.js';
import { entry, ready, startScene } from '../testing/scene.js';
import { conflict, networkOf } from '../testing/scripted-witness.js';
import { until } from '../testing/until.js';

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

for (const [what, answer] of [
  ['contradicts', () => conflict(1000)],
  ['does not trust the key any more', () => new Response('', { status: 403 })],
] as const) {
  void test(`one witness that ${what} and shows a conflicting note under our key stops signing at once`, async () => {
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
    witnesses[0].script = answer;
    t.log.submit(entry(5)).catch(() => undefined);
    await until(() => t.log.readiness().state === 'stopped');
    assert.match(t.log.readiness().message, /shows a conflicting note/);
    assert.ok(t.logger.alarms().includes('a conflicting note under our key'));
    await t.close();
  });
}

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
