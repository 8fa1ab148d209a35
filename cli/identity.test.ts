import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildCharter,
  buildCharterAmendment,
  buildKeyStatement,
  buildParticipant,
  buildParticipantKey,
  buildTerms,
  keyId,
  sign,
  statementFromPredicate,
  termsDigest,
  type EmbeddedEnvelope,
  type Envelope,
  type Terms,
} from '../attestation/index.js';
import {
  encodeHex,
  encodeUtf8,
  formatVkey,
  newSigningKey,
  publicKeyFromSeed,
  sha256,
} from '../tlog/index.js';
import { buildDirectory, type Directory } from './identity.js';
import { termsFrom } from './terms.js';

const ORIGIN = 'log.example/identity';
const seed = (name: string): Uint8Array => sha256(encodeUtf8(name));
const hex = (name: string): string => encodeHex(publicKeyFromSeed(seed(name)));
const id = (name: string): string => keyId(publicKeyFromSeed(seed(name)));
const recentAnchor = { index: 1, leafHash: '0'.repeat(64) };
const officer = (participant: string, name = participant): Terms['operator'] => ({
  participant,
  name,
  key: hex(participant),
});

function terms(...registrars: string[]): Terms {
  const vkey = formatVkey(newSigningKey(ORIGIN, 1, seed('log')).vkey);
  return buildTerms({
    origin: ORIGIN,
    operator: officer('operator'),
    anchorKey: hex('anchor'),
    logKeys: [vkey],
    policy: `log ${vkey}\nquorum none\n`,
    registrars: { threshold: 2, members: registrars.map((name) => officer(name)) },
  });
}

const TERMS = terms('reg-a', 'reg-b');
const CHARTER = sign(buildCharter(TERMS, 1), seed('operator'));

function consent(
  name: string,
  use: 'signing' | 'recovery',
  participant = 'lab',
  origin = ORIGIN,
): EmbeddedEnvelope {
  return buildKeyStatement({ participant, issuedAt: 1, origin, roles: ['lab'], use }, seed(name));
}

function introduction(
  signer: string,
  keys = [consent('lab-key', 'signing'), consent('lab-recovery', 'recovery')],
): Envelope {
  return sign(
    buildParticipant({
      participant: signer,
      issuedAt: 1,
      recentAnchor,
      origin: ORIGIN,
      about: 'lab',
      name: 'The Lab',
      jurisdiction: 'CH',
      controlledBy: [],
      roles: ['lab'],
      keys,
    }),
    seed(signer),
  );
}

function rotation(signer: string, oldKey: string, newKey: string): Envelope {
  return sign(
    buildParticipantKey({
      participant: signer.startsWith('lab') ? 'lab' : signer,
      issuedAt: 1,
      recentAnchor,
      origin: ORIGIN,
      about: 'lab',
      action: 'rotate',
      oldKey: id(oldKey),
      newKey: consent(newKey, 'signing'),
      reason: 'routine',
    }),
    seed(signer),
  );
}

function amendment(signer: string, amends: Terms, to: Terms): Envelope {
  const statement = buildCharterAmendment({
    participant: signer,
    issuedAt: 1,
    recentAnchor,
    amends: termsDigest(amends),
    terms: to,
  });
  return sign(statement, seed(signer));
}

function read(...entries: [number, Envelope][]): Directory {
  return buildDirectory(
    ORIGIN,
    entries.map(([index, envelope]) => ({ index, envelope })),
  );
}

test('charter and registrar introduce a lab’s keys, whatever the order in the file', () => {
  const directory = read([7, introduction('reg-a')], [0, CHARTER]);
  assert.deepEqual(directory.faults, []);
  const key = directory.keys.get(id('lab-key'));
  assert.deepEqual([key?.participant, key?.name, key?.uses, key?.from], ['lab', 'The Lab', ['signing'], 7]);
  assert.deepEqual(directory.keys.get(id('lab-recovery'))?.uses, ['recovery']);
  assert.deepEqual(directory.keys.get(id('reg-b'))?.uses, ['registrar']);
});

test('nobody but a registrar of the charter introduces anybody', () => {
  for (const signer of ['operator', 'stranger', 'lab-key']) {
    const directory = read([0, CHARTER], [7, introduction(signer)]);
    assert.equal(directory.keys.has(id('lab-recovery')), false, signer);
    assert.equal(directory.faults.length, 1, signer);
  }
  assert.equal(read([7, introduction('reg-a')]).keys.size, 0, 'without the charter nobody is known');
});

test('a charter counts at index 0 of its own log and under the operator’s own signature', () => {
  assert.equal(read([1, CHARTER]).keys.size, 0);
  assert.equal(buildDirectory('another.example/log', [{ index: 0, envelope: CHARTER }]).keys.size, 0);
  const forged = {
    ...CHARTER,
    signature: Uint8Array.from(CHARTER.signature, (byte, i) => (i === 9 ? byte ^ 1 : byte)),
  };
  assert.equal(read([0, forged]).faults.length, 1);
});

test('an entry whose signature is not by the key it names is a fault and has no effect', () => {
  const good = introduction('reg-a');
  const forged = { ...good, signature: introduction('reg-b').signature };
  const directory = read([0, CHARTER], [7, forged]);
  assert.equal(directory.keys.has(id('lab-key')), false);
  assert.match(directory.faults.join(), /entry 7 is not signed by the key that it names/);
});

test('a key consents for one participant of one log, itself', () => {
  const recovery = consent('lab-recovery', 'recovery');
  const stolen = { ...consent('lab-key', 'signing'), signatures: consent('other', 'signing').signatures };
  for (const key of [
    consent('lab-key', 'signing', 'rival'),
    consent('lab-key', 'signing', 'lab', 'another.example/log'),
    stolen,
  ]) {
    const directory = read([0, CHARTER], [7, introduction('reg-a', [key, recovery])]);
    assert.equal(directory.keys.has(id('lab-key')), false);
    assert.equal(directory.faults.length, 1);
  }
});

test('a rotation ends the old key at its own index and begins the new one', () => {
  for (const signer of ['lab-key', 'lab-recovery']) {
    const directory = read(
      [0, CHARTER],
      [7, introduction('reg-a')],
      [9, rotation(signer, 'lab-key', 'lab-new')],
    );
    assert.deepEqual(directory.faults, []);
    assert.equal(directory.keys.get(id('lab-key'))?.until, 9);
    assert.equal(directory.keys.get(id('lab-new'))?.from, 9);
  }
  const sideways = read(
    [0, CHARTER],
    [7, introduction('reg-a')],
    [9, rotation('lab-key', 'lab-recovery', 'lab-new')],
  );
  assert.equal(sideways.keys.has(id('lab-new')), false, 'a signing key changes itself alone');
});

test('what a registrar’s change brought rests on it, and ends nothing', () => {
  const asked = [
    [0, CHARTER],
    [7, introduction('reg-a')],
    [9, rotation('reg-b', 'lab-key', 'lab-new')],
  ] as const;
  const waiting = read(...asked.map(([index, entry]): [number, Envelope] => [index, entry]));
  assert.deepEqual(waiting.faults, [], 'it may have taken effect');
  assert.equal(waiting.keys.get(id('lab-key'))?.until, undefined, 'it may have come to nothing');
  assert.equal(waiting.keys.get(id('lab-new'))?.restsOn, 9);
  const later = read(...asked.map(([index, entry]): [number, Envelope] => [index, entry]), [
    12,
    rotation('lab-new', 'lab-new', 'lab-newer'),
  ]);
  assert.deepEqual(later.faults, []);
  assert.equal(later.keys.get(id('lab-newer'))?.restsOn, 9, 'and so does what that key signed');
  const own = read(...asked.map(([index, entry]): [number, Envelope] => [index, entry]), [
    12,
    rotation('lab-recovery', 'lab-key', 'lab-new'),
  ]);
  assert.deepEqual(own.faults, []);
  assert.deepEqual(
    [own.keys.get(id('lab-new'))?.from, own.keys.get(id('lab-new'))?.restsOn],
    [12, undefined],
    'the lab itself may bring the key',
  );
  const stranger = read([0, CHARTER], [7, introduction('reg-a')], [9, rotation('operator', 'lab-key', 'k')]);
  assert.equal(stranger.faults.length, 1, 'the operator is no registrar');
});

test('whatever is in the file is signed by who may sign it', () => {
  const intent = (signer: string): Envelope =>
    sign(
      statementFromPredicate(
        'run-intent',
        {
          participant: signer.startsWith('reg') ? signer : 'lab',
          issuedAt: 1,
          recentAnchor,
          run: 'run-1',
          plannedFlopBand: { atLeast: '1', below: '10' },
          plannedFlop: { unknown: 'withheld' },
          plannedStart: 1,
          facilities: { unknown: 'withheld' },
          code: { unknown: 'withheld' },
          dataOrder: { unknown: 'withheld' },
          seed: { unknown: 'withheld' },
          hyperparameters: { unknown: 'withheld' },
          parents: [],
        },
        '0'.repeat(64),
      ),
      seed(signer),
    );
  assert.deepEqual(read([0, CHARTER], [7, introduction('reg-a')], [9, intent('lab-key')]).faults, []);
  for (const signer of ['lab-recovery', 'stranger', 'reg-a'])
    assert.equal(
      read([0, CHARTER], [7, introduction('reg-a')], [9, intent(signer)]).faults.length,
      1,
      signer,
    );
  assert.equal(
    read([7, introduction('reg-a')], [9, intent('stranger')]).faults.length,
    0,
    'without the charter',
  );
  const twice = read(
    [0, CHARTER],
    [7, introduction('reg-a')],
    [7, introduction('reg-a')],
    [7, introduction('reg-b')],
  );
  assert.deepEqual(twice.faults, ['entry 7 is two different entries']);
});

test('a new key takes over the use of the old one, and nobody ends the keys of others', () => {
  const takeover = sign(
    buildParticipantKey({
      participant: 'lab',
      issuedAt: 1,
      recentAnchor,
      origin: ORIGIN,
      about: 'lab',
      action: 'rotate',
      oldKey: id('lab-key'),
      newKey: consent('lab-new', 'recovery'),
      reason: 'routine',
    }),
    seed('lab-key'),
  );
  const raised = read([0, CHARTER], [7, introduction('reg-a')], [9, takeover]);
  assert.equal(raised.keys.has(id('lab-new')), false, 'a signing key makes no recovery key');
  assert.equal(raised.faults.length, 1);
  const foreign = read(
    [0, CHARTER],
    [7, introduction('reg-a')],
    [9, rotation('lab-recovery', 'reg-b', 'lab-new')],
  );
  assert.equal(foreign.keys.get(id('reg-b'))?.until, undefined);
  assert.equal(foreign.keys.has(id('lab-new')), false);
  assert.equal(foreign.faults.length, 1);
});

test('new terms take the threshold of different registrars', () => {
  const next = terms('reg-c');
  next.registrars.threshold = 1;
  const one = read([0, CHARTER], [5, amendment('reg-a', TERMS, next)], [6, amendment('reg-a', TERMS, next)]);
  assert.equal(one.keys.has(id('reg-c')), false, 'one registrar twice is one');
  const two = read([0, CHARTER], [5, amendment('reg-a', TERMS, next)], [6, amendment('reg-b', TERMS, next)]);
  assert.equal(two.keys.get(id('reg-c'))?.from, 6);
  assert.equal(two.keys.get(id('reg-a'))?.until, 6);
  const staying = terms('reg-a', 'reg-c');
  const kept = read(
    [0, CHARTER],
    [5, amendment('reg-a', TERMS, staying)],
    [6, amendment('reg-b', TERMS, staying)],
  );
  assert.deepEqual([kept.keys.get(id('reg-a'))?.from, kept.keys.get(id('reg-a'))?.until], [0, undefined]);
  const stale = read([0, CHARTER], [5, amendment('reg-a', next, next)], [6, amendment('reg-b', next, next)]);
  assert.equal(stale.keys.has(id('reg-c')), false, 'amends terms that are not in force');
  const late = read(
    [0, CHARTER],
    [5, amendment('reg-a', TERMS, next)],
    [6, amendment('reg-b', TERMS, next)],
    [7, introduction('reg-a')],
  );
  assert.equal(late.keys.has(id('lab-key')), false, 'a registrar whose term has ended introduces nobody');
});

test('the terms in force are those that the threshold agreed on, and nothing is made of an entry that does not fit', () => {
  const next = terms('reg-a', 'reg-c');
  const at = (...entries: [number, Envelope][]): { terms: Terms; index: number } =>
    termsFrom(
      ORIGIN,
      entries.map(([index, envelope]) => ({ index, envelope })),
    );
  assert.deepEqual(at([0, CHARTER], [5, amendment('reg-a', TERMS, next)]), { terms: TERMS, index: 0 });
  const agreed = at([0, CHARTER], [5, amendment('reg-a', TERMS, next)], [6, amendment('reg-b', TERMS, next)]);
  assert.deepEqual([agreed.index, termsDigest(agreed.terms)], [6, termsDigest(next)]);
  assert.throws(() => at([0, CHARTER], [5, amendment('stranger', TERMS, next)]), {
    code: 'bad_terms',
    status: 1,
  });
  assert.throws(() => at(), { code: 'no_terms', status: 1 });
});
