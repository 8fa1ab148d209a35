import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeUtf8, formatVkey } from '../../tlog/index.js';
import type { RunningLog } from '../running.js';
import { ORIGIN, startFixture, testPolicy } from '../testing/fixture.js';
import { ManualClock } from '../testing/manual-clock.js';
import { MemoryStorage } from '../testing/memory-storage.js';
import { ScriptedWitness, conflict, hang, networkOf } from '../testing/scripted-witness.js';
import { noteAt, startScene } from '../testing/scene.js';
import type { Scene, SceneOptions } from '../testing/scene.js';
import { until, untilInTime } from '../testing/until.js';

/** A log of five entries and four witnesses that hold it, 3-of-4. */
function scene(prepare?: SceneOptions['prepare'], leaveOut: string[] = []): Promise<Scene> {
  return startScene({
    ...(prepare && { prepare }),
    settings: { leaveOut },
  });
}

/** Everyone has been asked once and has answered, or hangs. */
async function settled({ witnesses }: Scene): Promise<void> {
  await until(() => witnesses.every((witness) => witness.questions.length > 0));
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

const state = (log: RunningLog): string => log.readiness().state;

void test('all in step: open, asked once with the last signed note and its own size', async () => {
  const s = await scene();
  await until(() => state(s.log) === 'ready');
  for (const { questions } of s.witnesses) {
    assert.deepEqual(
      questions.map(({ oldSize, size, note }) => [oldSize, size, note]),
      [[5, 5, s.storage.signed]],
    );
  }
  assert.equal(s.storage.calls.includes('writeSigned'), false, 'nothing new was signed');
  await s.close();
});

void test('one hangs: open, and the hanging one delays nobody', async () => {
  const s = await scene(([w1]) => {
    w1.script = hang;
  });
  await until(() => state(s.log) === 'ready');
  const answer = await s.log.submit(encodeUtf8('entry 5'));
  assert.equal(answer.published.size, 6);
  await s.close();
});

void test('two silent: closed, and /readyz names them; 503 for submitters; nothing committed or signed', async () => {
  const s = await scene(([w1, w2]) => {
    w1.script = () => new Response('', { status: 404 });
    w2.script = () => new Response('', { status: 403 });
  });
  await settled(s);
  await until(() => s.log.readiness().awaited.length === 2);
  assert.deepEqual(s.log.readiness().awaited, ['w1', 'w2']);
  await assert.rejects(s.log.submit(encodeUtf8('entry 5')), { code: 'gate_closed', status: 503 });
  const ready = await fetch(`${s.log.url}/readyz`);
  assert.equal(ready.status, 503);
  assert.equal((await fetch(`${s.log.url}/checkpoint`)).status, 200, 'it serves what it last published');
  assert.deepEqual(s.storage.calls, []);
  await s.close();
});

void test('one of two silent comes back: open', async () => {
  const s = await scene(([w1, w2]) => {
    w1.script = hang;
    w2.script = () => new Response('', { status: 503 });
  });
  await settled(s);
  assert.equal(state(s.log), 'gate_closed');
  s.witnesses[1].script = undefined;
  await untilInTime(s.clock, () => state(s.log) === 'ready');
  await s.close();
});

void test('200 with a cosignature of another note, or a date more than 5 minutes back: silent', async () => {
  const s = await scene(async ([w1, w2], storage) => {
    const other = await noteAt(storage, 4);
    w1.script = () => new Response(w1.cosign(other));
    w2.script = ({ note }) => new Response(w2.cosign(note, -301));
  });
  await settled(s);
  await until(() => s.logger.lines.filter((line) => line.message === 'witness silent').length === 2);
  assert.equal(state(s.log), 'gate_closed');
  await s.close();
});

void test('dated exactly 5 minutes back: in step', async () => {
  const s = await scene(([w1, w2]) => {
    w1.script = hang;
    w2.script = ({ note }) => new Response(w2.cosign(note, -300));
  });
  await until(() => state(s.log) === 'ready');
  await s.close();
});

void test('409 with a smaller size of ours: the same note again with the proof from there, in step', async () => {
  const s = await scene(async ([w1], storage) => {
    w1.held = { size: 3, rootHash: await storage.rootAt(3), note: await noteAt(storage, 3) };
  });
  await until(() => state(s.log) === 'ready');
  await until(() => s.witnesses[0].questions.length === 2);
  const [first, second] = s.witnesses[0].questions;
  assert.deepEqual([first?.oldSize, second?.oldSize], [5, 3]);
  assert.deepEqual(first?.note, second?.note);
  assert.equal(s.log.readiness().setAside.length, 0);
  await s.close();
});

void test('409 with a smaller size of another history: 422 to the proof, refused as forked', async () => {
  const s = await scene(([w1], storage) => {
    w1.held = { size: 3, rootHash: new Uint8Array(32).fill(9), note: storage.signed as Uint8Array };
  });
  await until(() => s.log.readiness().setAside.length === 1);
  await settled(s);
  s.witnesses.slice(1).forEach((witness) => assert.equal(witness.questions.length, 1));
  await s.close();
});

for (const [what, script, code] of [
  ['409 above the last signed size', () => conflict(6), 'behind_witness'],
  ['422', () => new Response('', { status: 422 }), 'forked'],
  ['409 without a size', () => new Response('', { status: 409 }), 'forked'],
] as const) {
  void test(`${what}: refused as ${code}, for good`, async () => {
    const s = await scene((witnesses) => {
      witnesses[0].script = script;
      // The rest stays silent, so that the contradiction is what the gate sees first.
      for (const witness of witnesses.slice(1)) witness.script = () => new Response('', { status: 503 });
    });
    await until(() => state(s.log) === code);
    assert.deepEqual(s.log.readiness().awaited, ['w1']);
    for (const witness of s.witnesses) witness.script = undefined;
    await untilInTime(s.clock, () => s.witnesses.slice(1).every((witness) => witness.questions.length > 1));
    assert.equal(state(s.log), code);
    assert.equal(s.witnesses[0].questions.length, 1, 'it is asked no more');
    await assert.rejects(s.log.submit(encodeUtf8('x')), { code: 'gate_closed' });
    await s.close();
  });
}

void test('409 below what is remembered: alarm, and silent', async () => {
  const s = await scene(async (witnesses, storage) => {
    const w1 = witnesses[0];
    await storage.putWitnessSizes(new Map([[formatVkey(w1.key.vkey), 5]]));
    w1.held = { size: 3, rootHash: await storage.rootAt(3), note: await noteAt(storage, 3) };
    witnesses[1].script = hang;
  });
  await until(() => s.logger.alarms().includes('witness went back'));
  assert.equal(state(s.log), 'gate_closed');
  await until(() => s.log.readiness().awaited.length === 2);
  assert.deepEqual(s.log.readiness().awaited, ['w1', 'w2']);
  await s.close();
});

void test('a human leaves one out: the rest decides', async () => {
  const s = await scene(
    ([w1, w2]) => {
      w1.script = () => conflict(9);
      w2.script = hang;
    },
    ['w1'],
  );
  await until(() => state(s.log) === 'ready');
  assert.equal(s.witnesses[0].questions.length, 0);
  await s.close();
});

void test('the last published policy counts too', async () => {
  const clock = new ManualClock();
  const [w1, w2] = ['w1', 'w2'].map((name, i) => new ScriptedWitness(name, 10 + i, clock)) as [
    ScriptedWitness,
    ScriptedWitness,
  ];
  const storage = new MemoryStorage(ORIGIN);
  const note = await noteAt(storage, 0);
  await storage.writeSigned(note);
  await storage.writePublished(note, testPolicy([w2.policyLine, 'quorum w2']).text);
  w2.script = () => new Response('', { status: 503 });
  const { log, close } = await startFixture({
    storage,
    clock,
    opened: { policy: testPolicy([w1.policyLine, 'quorum w1']) },
    settings: { fetch: networkOf([w1, w2]) },
  });
  await until(() => w1.questions.length === 1 && w2.questions.length === 1);
  await until(() => log.readiness().awaited.includes('w2') && log.readiness().awaited.length === 1);
  assert.equal(state(log), 'gate_closed');
  w2.script = undefined;
  await untilInTime(clock, () => state(log) === 'ready');
  await close();
});

void test("what is signed and not published is published once the gate is open, with the gate's cosignatures", async () => {
  const s = await scene(async (_, storage) => {
    await storage.commit({ oldSize: 5, entries: [encodeUtf8('entry 5')] });
    await storage.makeReadable();
    await storage.writeSigned(await noteAt(storage, 6));
  });
  await until(() => s.log.published()?.size === 6);
  assert.deepEqual(
    s.storage.calls.filter((call) => call === 'writeSigned'),
    [],
  );
  for (const { questions } of s.witnesses.slice(0, 3)) assert.deepEqual(questions[0]?.oldSize, 6);
  await s.close();
});

void test('witnesses that went back count again once the operator adds them anew', async () => {
  const prepare: SceneOptions['prepare'] = async (witnesses, storage) => {
    for (const witness of witnesses.slice(0, 2)) {
      await storage.putWitnessSizes(new Map([[formatVkey(witness.key.vkey), 5]]));
      witness.held = { size: 3, rootHash: await storage.rootAt(3), note: await noteAt(storage, 3) };
    }
  };
  const wary = await scene(prepare);
  await until(() => wary.log.readiness().setAside.length === 2);
  assert.equal(state(wary.log), 'gate_closed');
  assert.deepEqual(wary.log.readiness().setAside, [
    'w1: it has gone back to 3 entries',
    'w2: it has gone back to 3 entries',
  ]);
  await wary.close();

  const anew = await startScene({ prepare, settings: { addAnew: ['w1', 'w2'] } });
  await until(() => state(anew.log) === 'ready' && anew.witnesses.every(({ held }) => held?.size === 5));
  assert.deepEqual(anew.log.readiness().setAside, []);
  // Asked from where they are: only who holds our tree of 3 takes the proof from there.
  assert.deepEqual(
    anew.witnesses[0].questions.map(({ oldSize, size }) => [oldSize, size]),
    [
      [5, 5],
      [3, 5],
    ],
  );
  await anew.close();
});
