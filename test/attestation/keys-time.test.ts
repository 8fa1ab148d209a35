// Keys change from an index on and never backwards; time comes from anchors alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  anchorTimes,
  buildKeyStatement,
  buildParticipantKey,
  buildRunIntent,
  lastAnchor,
  replay,
  sign,
  timeBounds,
  timesFromTimestamps,
} from '../../attestation/index.js';
import type { ParticipantKey, UnsignedStatement } from '../../attestation/index.js';
import { encodeUtf8, parsePolicy } from '../../tlog/index.js';
import { Random } from '../random.js';
import { referenceAnchorTimes, referenceTimeBounds } from '../reference/time.js';
import { ORIGIN, SPECIFICATION, World, idOf, intent, policyText, seed, worldTerms } from './world.js';

const LAB = 'example-lab';

async function withLab(keyWait = 3600): Promise<World> {
  const world = await new World(worldTerms({ keyWait })).begin();
  await world.introduce(LAB);
  return world;
}

async function change(
  world: World,
  by: string,
  given: Partial<ParticipantKey['predicate']>,
  newKey?: string,
): Promise<UnsignedStatement> {
  const use = given.oldKey === idOf(`${LAB}-recovery`) ? ('recovery' as const) : ('signing' as const);
  return buildParticipantKey({
    ...(await world.common(by)),
    origin: ORIGIN,
    about: LAB,
    action: newKey === undefined ? 'revoke' : 'rotate',
    reason: 'routine',
    ...(newKey === undefined
      ? {}
      : {
          newKey: buildKeyStatement(
            { participant: LAB, issuedAt: world.now, origin: ORIGIN, roles: ['lab'], use },
            seed(newKey),
          ),
        }),
    ...given,
  });
}

async function canSign(world: World, key: string): Promise<string> {
  const answer = await world.ask(
    sign(buildRunIntent(SPECIFICATION, await intent(world, LAB, `run-${world.leaves.length}`)), seed(key)),
  );
  return answer.ok ? 'yes' : answer.code;
}

test('a key puts another in its place; what it signed before stays', async () => {
  const world = await withLab();
  await world.logSigned(buildRunIntent(SPECIFICATION, await intent(world, LAB, 'run-1')), LAB);
  await world.logSigned(await change(world, LAB, { oldKey: idOf(LAB) }, 'k2'), LAB);
  assert.equal(await canSign(world, LAB), 'key_not_in_force');
  assert.equal(await canSign(world, 'k2'), 'yes');
  // The ended key cannot come back.
  const back = await world.ask(sign(await change(world, LAB, { oldKey: idOf('k2') }, LAB), seed('k2')));
  assert.ok(!back.ok && back.code === 'key_known');
  assert.deepEqual((await replay(world.leaves)).refused, []);
});

test('the recovery key replaces a lost key, and itself, at once', async () => {
  const world = await withLab();
  await world.logSigned(
    await change(world, LAB, { oldKey: idOf(LAB), reason: 'lost' }, 'k2'),
    `${LAB}-recovery`,
  );
  assert.equal(await canSign(world, 'k2'), 'yes');
  await world.logSigned(
    await change(world, LAB, { oldKey: idOf(`${LAB}-recovery`) }, 'r2'),
    `${LAB}-recovery`,
  );
  await world.logSigned(
    await change(world, LAB, { oldKey: idOf('k2'), reason: 'compromised', compromisedSince: 1 }),
    'r2',
  );
  assert.equal(await canSign(world, 'k2'), 'key_not_in_force');
});

test('a registrar\u2019s change waits: by anchors\u2019 time, not by anybody\u2019s clock', async () => {
  const world = await withLab(3600);
  await world.logSigned(
    await change(world, 'registrar-b', { oldKey: idOf(LAB), reason: 'lost' }, 'k2'),
    'registrar-b',
  );
  assert.equal(await canSign(world, 'k2'), 'unknown_key');
  await world.anchor(); // covers the request: it was logged by now
  const logged = world.now + 1; // f = 1 of four: the second smallest
  assert.equal(await canSign(world, LAB), 'yes');
  world.now = logged + 3600 - 3 - 600; // anchor() adds 600; its lower time is now + 2
  await world.anchor();
  assert.equal(await canSign(world, 'k2'), 'unknown_key', 'a second before the wait is over');
  world.now = logged + 3600 - 2 - 600;
  await world.anchor();
  assert.equal(await canSign(world, 'k2'), 'yes');
  assert.equal(await canSign(world, LAB), 'key_not_in_force');
  assert.deepEqual((await replay(world.leaves)).findings, []);
});

test('one lying witness cannot shorten the wait', async () => {
  const world = await withLab(3600);
  await world.logSigned(
    await change(world, 'registrar-b', { oldKey: idOf(LAB), reason: 'lost' }, 'k2'),
    'registrar-b',
  );
  await world.anchor(1, world.now, world.now, world.now);
  await world.anchor(world.now, world.now, world.now, world.now + 10 ** 6);
  assert.equal(await canSign(world, 'k2'), 'unknown_key');
});

test('any key of the participant objects while the request waits, and only then', async () => {
  const world = await withLab(3600);
  const request = await world.logSigned(
    await change(world, 'registrar-b', { oldKey: idOf(LAB), reason: 'lost' }, 'k2'),
    'registrar-b',
  );
  const second = await world.logSigned(
    await change(world, 'registrar-c', { oldKey: idOf(LAB), reason: 'lost' }, 'k3'),
    'registrar-c',
  );
  const objection = async (to: string): Promise<UnsignedStatement> =>
    buildParticipantKey({
      ...(await world.common(LAB)),
      origin: ORIGIN,
      about: LAB,
      action: 'object',
      request: to,
      reason: 'unauthorised',
    });
  await world.logSigned(await objection(second), LAB);
  await world.logSigned(await objection(request), `${LAB}-recovery`);
  await world.anchor();
  world.now += 10 ** 5;
  await world.anchor();
  assert.equal(await canSign(world, LAB), 'yes');
  assert.equal(await canSign(world, 'k2'), 'unknown_key');
  const byRegistrar = await world.ask(
    sign(await change(world, 'registrar-b', { action: 'object', request }), seed('registrar-b')),
  );
  assert.ok(!byRegistrar.ok && byRegistrar.code === 'not_entitled');
  assert.deepEqual(
    (await replay(world.leaves)).findings.map(({ code }) => code),
    ['request-void', 'objection-void'],
  );
});

test('a request whose key has changed meanwhile comes to nothing', async () => {
  const world = await withLab(60);
  await world.logSigned(
    await change(world, 'registrar-b', { oldKey: idOf(LAB), reason: 'lost' }, 'k2'),
    'registrar-b',
  );
  await world.logSigned(await change(world, LAB, { oldKey: idOf(LAB) }, 'k3'), LAB);
  await world.anchor();
  await world.anchor();
  assert.equal(await canSign(world, 'k3'), 'yes');
  assert.deepEqual((await replay(world.leaves)).findings, [{ code: 'request-void', entries: [3, 6] }]);
});

test('without a waiting time a registrar acts at once', async () => {
  const world = await withLab(0);
  await world.logSigned(
    await change(world, 'registrar-b', { oldKey: idOf(LAB), reason: 'lost' }, 'k2'),
    'registrar-b',
  );
  assert.equal(await canSign(world, 'k2'), 'yes');
});

test('of 10, 20, 30 and 999 with f = 1 the times are 20 and 30', () => {
  const of = (faults: number, ...seconds: number[]): unknown =>
    timesFromTimestamps(
      seconds.map((time, i) => [`operator ${i}`, time] as const),
      faults,
    );
  assert.deepEqual(of(1, 10, 20, 30, 999), { upper: 20, lower: 30 });
  assert.deepEqual(of(0, 10, 20, 30, 999), { upper: 10, lower: 999 });
  assert.deepEqual(of(3, 10, 20, 30, 999), { upper: 999, lower: 10 });
  assert.equal(of(4, 10, 20, 30, 999), undefined);
  assert.equal(of(-1, 10, 20, 30, 999), undefined);
  assert.deepEqual(of(1, 0, 20, 30, 0), { upper: 30, lower: 20 });
  assert.equal(of(1, 0, 20, 0, 0), undefined);
  assert.equal(of(0), undefined);
  // Two keys of one operator are one voice.
  assert.deepEqual(
    timesFromTimestamps(
      [
        ['a', 10],
        ['a', 50],
        ['b', 20],
      ],
      1,
    ),
    { upper: 20, lower: 20 },
  );
});

test('property: times agree with the slow reference', () => {
  const random = new Random(7);
  for (let i = 0; i < 2000; i++) {
    const stamps = Array.from(
      { length: random.below(8) },
      () => [`o${random.below(5)}`, random.below(6)] as const,
    );
    const faults = random.below(5) - 1;
    assert.deepEqual(
      timesFromTimestamps(stamps, faults) ?? null,
      referenceAnchorTimes(stamps, faults),
      JSON.stringify([stamps, faults]),
    );
  }
});

test('every entry lies between the anchor it names and the first that covers it', async () => {
  const world = await withLab();
  const before = await lastAnchor(world.store);
  assert.ok(before);
  const at = world.leaves.length;
  await world.logSigned(buildRunIntent(SPECIFICATION, await intent(world, LAB, 'run-1')), LAB);
  const open = await timeBounds(world.store, at, before);
  assert.deepEqual(open.notAfter, { seconds: undefined, reason: 'not-anchored' });
  await world.anchor(10, 20, 30, 999);
  await world.anchor();
  const bounds = await timeBounds(world.store, at, before);
  assert.deepEqual(bounds.notAfter, { seconds: 20, anchor: at + 1 });
  assert.equal(bounds.notBefore.seconds, 1_800_000_602);
  const named = await lastAnchor(world.store);
  assert.deepEqual((await timeBounds(world.store, at, undefined)).notBefore, {
    seconds: undefined,
    reason: 'no-anchor-named',
  });
  assert.deepEqual((await timeBounds(world.store, at, { index: 1, leafHash: idOf('x') })).notBefore, {
    seconds: undefined,
    reason: 'anchor-unknown',
  });
  assert.deepEqual(
    (await timeBounds(world.store, at, named)).notBefore,
    { seconds: undefined, reason: 'anchor-unknown' },
    'a later anchor',
  );
  // A reader's own policy: with f = 0 every witness is believed.
  const own = anchorTimes(
    parsePolicy(encodeUtf8(policyText('group all-of-them all w1 w2 w3 w4\nquorum all-of-them\n'))),
    world.checkpoint([10, 20, 30, 999]),
  );
  assert.deepEqual(own, { upper: 999, lower: 10 });
});

test('a policy that survives nobody gives no time', async () => {
  const world = await new World(
    worldTerms({ policy: policyText('group one any w1 w2 w3 w4\nquorum one\n') }),
  ).begin();
  assert.deepEqual((await timeBounds(world.store, 0, undefined)).notAfter, {
    seconds: undefined,
    reason: 'no-time',
  });
});

test('bounds of every entry agree with the slow reference, over random logs', async () => {
  const random = new Random(11);
  for (let round = 0; round < 5; round++) {
    const world = await withLab();
    for (let i = 0; i < 25; i++) {
      if (random.chance(0.4)) await world.anchor(...[0, 1, 2, 3].map(() => world.now + random.below(50)));
      else await world.logSigned(buildRunIntent(SPECIFICATION, await intent(world, LAB, `run-${i}`)), LAB);
    }
    for (const [index, wanted] of referenceTimeBounds(world.leaves, 1).entries()) {
      const payload = JSON.parse(new TextDecoder().decode(world.leaves[index])) as { payload: string };
      const statement = JSON.parse(Buffer.from(payload.payload, 'base64').toString()) as {
        predicate: { recentAnchor?: { index: number; leafHash: string } };
      };
      const found = await timeBounds(world.store, index, statement.predicate.recentAnchor);
      assert.deepEqual(
        [found.notBefore.seconds ?? null, found.notAfter.seconds ?? null],
        wanted,
        `entry ${index}`,
      );
    }
  }
});
