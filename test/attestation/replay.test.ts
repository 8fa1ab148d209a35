// Random logs: the ledger kept entry by entry, the one replayed at once and the slow reference's are one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Replay,
  buildCharterAmendment,
  buildFreeze,
  buildKeyStatement,
  buildParticipantKey,
  buildRunFinal,
  buildRunIntent,
  buildRunProgress,
  canonicalJson,
  encodeLedgerLine,
  formatEnvelope,
  ledgerDigest,
  replay,
  sign,
  signEnvelope,
  termsInForce,
} from '../../attestation/index.js';
import type { UnsignedStatement } from '../../attestation/index.js';
import { Random } from '../random.js';
import { ReferenceLedger } from '../reference/attestation.js';
import { referenceCanonical } from '../reference/json.js';
import { ORIGIN, SPECIFICATION, World, final, idOf, intent, progress, seed, worldTerms } from './world.js';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A log of about `length` entries in which everything that can happen does. */
async function randomLog(random: Random, length: number): Promise<World> {
  const world = await new World(worldTerms({ keyWait: random.pick([0, 600, 1800]) })).begin();
  await world.introduce('lab-a');
  await world.introduce('lab-b', { roles: ['auditor', 'lab'] });
  /** The keys that sign for each lab now, by label. */
  const keys: Record<string, string> = { 'lab-a': 'lab-a', 'lab-b': 'lab-b' };
  const logged: string[] = [];
  const attempt = async (statement: UnsignedStatement, key: string): Promise<boolean> => {
    const envelope = sign(statement, seed(key));
    const answer = await world.ask(envelope);
    if (!answer.ok) return false;
    logged.push(await world.log(envelope));
    return true;
  };
  let fresh = 0;
  while (world.leaves.length < length) {
    const lab = random.pick(['lab-a', 'lab-b']);
    const key = keys[lab] ?? lab;
    const run = `run-${random.below(4)}`;
    const specification = random.chance(0.9) ? SPECIFICATION : idOf('another');
    const more = {
      signer: idOf(key),
      issuedAt: ++fresh,
      ...(random.chance(0.2) && logged.length > 0 ? { supersedes: random.pick(logged) } : {}),
      ...(random.chance(0.05) ? { recentAnchor: { index: 1, leafHash: idOf('elsewhere') } } : {}),
    };
    const chained = {
      ...more,
      retrospective: random.chance(0.3),
      ...(random.chance(0.7) && logged.length > 0 ? { previous: random.pick(logged) } : {}),
    };
    const change = {
      ...(await world.common(lab)),
      issuedAt: ++fresh,
      origin: ORIGIN,
      about: lab,
      reason: 'routine' as const,
    };
    const consent = (label: string): ReturnType<typeof buildKeyStatement> =>
      buildKeyStatement(
        {
          participant: lab,
          issuedAt: 1,
          origin: ORIGIN,
          roles: lab === 'lab-a' ? ['lab'] : ['auditor', 'lab'],
          use: 'signing',
        },
        seed(label),
      );
    switch (random.below(10)) {
      case 0:
      case 1:
        await attempt(buildRunIntent(specification, await intent(world, lab, run, more)), key);
        break;
      case 2:
      case 3:
        await attempt(
          buildRunProgress(specification, await progress(world, lab, run, random.below(3), chained)),
          key,
        );
        break;
      case 4:
        await attempt(buildRunFinal(specification, await final(world, lab, run, chained)), key);
        break;
      case 5: {
        const label = `fresh-${++fresh}`;
        if (
          await attempt(
            buildParticipantKey({ ...change, action: 'rotate', oldKey: idOf(key), newKey: consent(label) }),
            key,
          )
        )
          keys[lab] = label;
        break;
      }
      case 6: {
        const label = `asked-${++fresh}`;
        await attempt(
          buildParticipantKey({
            ...change,
            ...(await world.common('registrar-b')),
            issuedAt: ++fresh,
            action: 'rotate',
            oldKey: idOf(key),
            newKey: consent(label),
          }),
          'registrar-b',
        );
        break;
      }
      case 7:
        if (logged.length > 0)
          await attempt(
            buildParticipantKey({ ...change, action: 'object', request: random.pick(logged) }),
            `${lab}-recovery`,
          );
        break;
      case 8: {
        const registrar = random.pick(['registrar-a', 'registrar-b', 'registrar-c']);
        const current = await termsInForce(world.store);
        assert.ok(current);
        await attempt(
          buildCharterAmendment({
            ...(await world.common(registrar)),
            issuedAt: ++fresh,
            amends: random.chance(0.8) ? current.digest : idOf('stale'),
            terms: { ...current.terms, anchorInterval: 60 + random.below(2) },
          }),
          registrar,
        );
        break;
      }
      default:
        await world
          .anchor(
            ...[0, 1, 2, 3].map(() => (random.chance(0.1) ? undefined : world.now + 600 + random.below(50))),
          )
          .catch(() => undefined);
    }
  }
  return world;
}

test('incremental, replayed and slow: one ledger, one line, at every entry', async () => {
  const random = new Random(5);
  const seen = new Set<string>();
  for (let round = 0; round < 8; round++) {
    const world = await randomLog(random, 45);
    const reference = new ReferenceLedger(1);
    const state = new Replay(ORIGIN);
    for (const leaf of world.leaves) {
      await state.push(leaf);
      reference.push(leaf);
      assert.equal(encodeLedgerLine(await state.ledger()), reference.line());
    }
    const ledger = await state.ledger();
    assert.deepEqual(ledger.refused, []);
    for (const { code } of ledger.findings) seen.add(code);
    assert.equal(encodeLedgerLine(ledger), encodeLedgerLine(await ledgerDigest(world.store)));
    const plain = [...ledger.store.values]
      .filter(([key]) => key !== 'digest')
      .map(([key, value]) => [key, text(value)]);
    const slow = [...reference.values].map(([key, value]) => [key, referenceCanonical(value)]);
    assert.deepEqual(new Map(plain as [string, string][]), new Map(slow as [string, string][]));
    assert.deepEqual((await replay(world.leaves)).store.values, world.store.values);
  }
  // The generator reaches what it should.
  for (const code of [
    'second-statement',
    'supersedes-nothing',
    'anchor-unknown',
    'chain-broken',
    'intent-late',
    'intent-missing',
    'specification-changed',
    'statement-after-final',
    'amendment-stale',
    'objection-void',
    'request-void',
  ])
    assert.ok(seen.has(code), `${code} never happened; found ${[...seen].join(', ')}`);
});

test('a log that broke its own rules is found out, entry by entry', async () => {
  const world = await new World().begin();
  await world.introduce('lab-a');
  await world.logSigned(buildRunIntent(SPECIFICATION, await intent(world, 'lab-a', 'run-1')), 'lab-a');
  const good = world.leaves.slice();
  const stranger = formatEnvelope(
    sign(buildRunIntent(SPECIFICATION, await intent(world, 'lab-a', 'run-2')), seed('stranger')),
  );
  const spaced = new TextEncoder().encode(text(good[3] ?? stranger).replace(':', ': '));
  const forgedAnchor = formatEnvelope(
    world.anchorOf(world.checkpoint(undefined, { size: 3, rootHash: seed('other') })),
  );
  const leaves = [
    ...good,
    stranger,
    good[3] ?? stranger,
    spaced,
    new Uint8Array(0),
    new TextEncoder().encode('not JSON'),
    forgedAnchor,
  ];
  const ledger = await replay(leaves);
  assert.deepEqual(
    ledger.refused.map(({ index, code }) => `${index} ${code}`),
    ['4 unknown_key', '5 duplicate', '6 not_canonical', '7 bad_json', '8 bad_json', '9 anchor_root'],
  );
  assert.equal(ledger.size, leaves.length);
  assert.deepEqual(
    ledger.findings.map(({ code }) => code),
    Array(6).fill('not-admissible'),
  );
  const clean = await replay(good);
  assert.notDeepEqual(ledger.digest, clean.digest);
});

test('a log without a charter, or of another origin, admits nothing', async () => {
  const world = await new World().begin();
  assert.deepEqual(
    (await replay(world.leaves, 'other.example')).refused.map(({ code }) => code),
    ['wrong_origin', 'no_charter'],
  );
  assert.deepEqual(
    (await replay(world.leaves.slice(1))).refused.map(({ code }) => code),
    ['not_charter'],
  );
  const frozen = await new World().begin();
  await frozen.logSigned(
    buildFreeze({
      ...(await frozen.common('example-operator')),
      origin: ORIGIN,
      reason: 'planned',
      successor: null,
    }),
    'operator',
  );
  const after = formatEnvelope(sign(await frozen.participant('x'), seed('registrar-a')));
  assert.deepEqual(
    (await replay([...frozen.leaves, after])).refused.map(({ code }) => code),
    ['frozen'],
  );
});

test('any change of one bit in any entry changes the line, and no replay throws', async () => {
  const world = await randomLog(new Random(3), 12);
  const line = encodeLedgerLine(await replay(world.leaves));
  const random = new Random(4);
  for (let i = 0; i < 60; i++) {
    const leaves = world.leaves.map((leaf) => leaf.slice());
    const leaf = random.pick(leaves);
    const bit = random.below(leaf.length * 8);
    leaf[bit >> 3] = (leaf[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.notEqual(encodeLedgerLine(await replay(leaves)), line);
  }
});

test('a statement whose payload is not what was signed by sign() is still judged', async () => {
  const world = await new World().begin();
  const odd = signEnvelope(JSON.parse(text(canonicalJson({ hello: 1 }))) as object, seed('operator'));
  const ledger = await replay([...world.leaves, formatEnvelope(odd)]);
  assert.deepEqual(
    ledger.refused.map(({ code }) => code),
    ['bad_statement'],
  );
});
