// Who may log what: each rule broken on purpose, one at a time, and the code that must come back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AttestationError,
  buildCharter,
  buildCharterAmendment,
  buildFreeze,
  buildKeyStatement,
  buildParticipantKey,
  buildRunFinal,
  buildRunIntent,
  buildRunProgress,
  digestOf,
  encodeLedgerLine,
  formatEnvelope,
  keyId,
  ledgerDigest,
  parseEnvelope,
  prepareEntry,
  replay,
  sign,
  signEnvelope,
  signerOf,
  termsDigest,
  termsInForce,
} from '../../attestation/index.js';
import type { Envelope, KeyStatement, Terms, UnsignedStatement } from '../../attestation/index.js';
import {
  COSIGNATURE_MLDSA44,
  encodeHex,
  encodeUtf8,
  formatVkey,
  newSigningKey,
  publicKeyFromSeed,
} from '../../tlog/index.js';
import {
  ORIGIN,
  SPECIFICATION,
  World,
  final,
  idOf,
  intent,
  policyText,
  progress,
  publicHex,
  seed,
  worldTerms,
} from './world.js';

async function codeOf(world: World, envelope: Envelope): Promise<string> {
  const answer = await world.ask(envelope);
  if (answer.ok) return 'admitted';
  assert.notEqual(answer.message, '');
  return answer.code;
}

const ask = (world: World, statement: UnsignedStatement, key: string): Promise<string> =>
  codeOf(world, sign(statement, seed(key)));

async function withLab(): Promise<World> {
  const world = await new World().begin();
  await world.introduce('example-lab');
  return world;
}

/** A statement changed after it was built and signed without the checks of sign(). */
function forged(
  statement: UnsignedStatement,
  key: string,
  change: object = {},
  predicate: object = {},
): Envelope {
  const signer = keyId(publicKeyFromSeed(seed(key)));
  return signEnvelope(
    { ...statement, ...change, predicate: { ...statement.predicate, signer, ...predicate } },
    seed(key),
  );
}

function leaveOut<Value>(object: Record<string, Value>, key: string): Record<string, Value> {
  return Object.fromEntries(Object.entries(object).filter(([each]) => each !== key));
}

test('entry 0 is the charter, signed by the operator key it names', async () => {
  const world = new World();
  const charter = (change: Partial<Terms>): UnsignedStatement => buildCharter(worldTerms(change), world.now);
  assert.equal(await ask(world, charter({}), 'operator'), 'admitted');
  assert.equal(await ask(world, charter({}), 'registrar-a'), 'charter_signer');
  assert.equal(await ask(world, charter({ origin: 'other.example' }), 'operator'), 'wrong_origin');
  assert.equal(
    await codeOf(world, forged(charter({}), 'operator', {}, { participant: 'somebody' })),
    'charter_signer',
  );
  const good = sign(charter({}), seed('operator'));
  assert.equal(await codeOf(world, { ...good, signature: new Uint8Array(64) }), 'bad_signature');
  assert.equal(
    await codeOf(
      world,
      forged(charter({}), 'operator', { subject: [{ name: ORIGIN, digest: { sha256: idOf('x') } }] }),
    ),
    'bad_subject',
  );
  const first = new World(worldTerms());
  assert.equal(
    await codeOf(first, first.anchorOf(first.checkpoint(undefined, { size: 1, rootHash: seed('x') }))),
    'not_charter',
  );
});

test('terms that could not work are refused', async () => {
  const world = new World();
  const of = (change: Partial<Terms>): Promise<string> =>
    ask(world, buildCharter(worldTerms(change), world.now), 'operator');
  const { admission, operator, registrars } = world.terms;
  const member = { participant: 'registrar-a', name: 'A', key: publicHex('registrar-a') };
  assert.equal(await of({ admission: { ...admission, version: 2 } }), 'terms_version');
  const without = leaveOut(admission.schemas, 'https://stele-log/anchor/v1');
  assert.equal(await of({ admission: { ...admission, schemas: without } }), 'terms_schemas');
  assert.equal(
    await of({
      admission: {
        ...admission,
        schemas: { ...admission.schemas, 'https://stele-log/facility/v9': idOf('x') },
      },
    }),
    'terms_schemas',
  );
  assert.equal(
    await of({
      admission: {
        ...admission,
        schemas: { ...admission.schemas, 'https://stele-log/common/v1': idOf('x') },
      },
    }),
    'terms_schemas',
  );
  assert.equal(await of({ logKeys: ['nonsense'] }), 'terms_log_keys');
  assert.equal(await of({ logKeys: [`${world.terms.logKeys[0] ?? ''}x`] }), 'terms_log_keys');
  assert.equal(await of({ anchorKey: operator.key }), 'terms_keys');
  assert.equal(await of({ anchorKey: publicHex('log') }), 'terms_keys');
  assert.equal(await of({ anchorKey: '00'.repeat(32) }), 'terms_keys');
  assert.equal(
    await of({ registrars: { threshold: 1, members: [{ ...member, key: operator.key }] } }),
    'terms_keys',
  );
  assert.equal(
    await of({ registrars: { threshold: 1, members: [{ ...operator, name: 'Another name' }] } }),
    'terms_keys',
  );
  assert.equal(await of({ registrars: { threshold: 1, members: [operator] } }), 'admitted');
  assert.equal(await of({ registrars: { threshold: 2, members: [member] } }), 'terms_registrars');
  assert.equal(
    await of({
      registrars: { ...registrars, members: [member, { ...member, key: publicHex('registrar-b') }] },
    }),
    'terms_registrars',
  );
  assert.equal(await of({ policy: 'quorum none\n' }), 'terms_policy');
  assert.equal(await of({ policy: policyText('quorum nobody\n') }), 'terms_policy');
  assert.equal(await of({ policy: policyText('# our favourite witnesses\nquorum w1\n') }), 'terms_policy');
  assert.equal(await of({ policy: policyText('# operator example w1 w2\nquorum w1\n') }), 'admitted');
  assert.equal(await of({ policy: policyText('quorum none\n') }), 'admitted');
  const one = '# operator example w1 w2\n';
  const asOne = `${one}group both any w1 w2\n`;
  const flat = 'group flat 3 w1 w2 w3 w4\n';
  assert.equal(await of({ policy: policyText(`${one}${flat}quorum flat\n`) }), 'terms_policy');
  assert.equal(await of({ policy: policyText(`${asOne}group top 2 both w3 w4\nquorum top\n`) }), 'admitted');
  assert.equal(await of({ policy: policyText(`${one}${flat}quorum none\n`) }), 'admitted');
  assert.equal(await of({ sizeLimit: 1024 }), 'entry_too_large');
});

test('entry 1 is the first anchor, of size 1', async () => {
  const world = new World();
  await world.logSigned(buildCharter(world.terms, world.now), 'operator');
  const anchorRef = { index: 1, leafHash: idOf('x') };
  const freeze = buildFreeze({
    participant: 'example-operator',
    issuedAt: 1,
    recentAnchor: anchorRef,
    origin: ORIGIN,
    reason: 'planned',
    successor: null,
  });
  assert.equal(await ask(world, freeze, 'operator'), 'not_first_anchor');
  assert.equal(
    await codeOf(world, world.anchorOf(world.checkpoint(undefined, { size: 2, rootHash: seed('x') }))),
    'anchor_size',
  );
  assert.equal(await codeOf(world, world.anchorOf(world.checkpoint())), 'admitted');
  await world.anchor();
  assert.equal(await ask(world, buildCharter(world.terms, world.now), 'operator'), 'not_charter');
});

test('an anchor is a newer checkpoint of this very log with its quorum, under the anchor key', async () => {
  const world = await withLab();
  const at = world.now;
  const good = world.checkpoint();
  assert.equal(await codeOf(world, world.anchorOf(good)), 'admitted');
  const statement = JSON.parse(
    new TextDecoder().decode(world.anchorOf(good).payload),
  ) as UnsignedStatement & { predicate: { checkpoint: string } };
  const withNote = (note: string, key = 'anchor'): Envelope =>
    forged(
      statement,
      key,
      { subject: [{ name: 'checkpoint', digest: { sha256: digestOfText(note) } }] },
      { checkpoint: note, participant: key === 'anchor' ? 'example-operator' : key },
    );
  const note = statement.predicate.checkpoint;
  const lines = note.split('\n');
  assert.equal(await codeOf(world, withNote(note)), 'admitted');
  assert.equal(await codeOf(world, withNote(note, 'example-lab')), 'not_entitled');
  assert.equal(await codeOf(world, withNote(note, 'stranger')), 'unknown_key');
  assert.equal(
    await codeOf(world, withNote(new TextDecoder().decode(world.checkpoint([at, at])))),
    'anchor_quorum',
  );
  assert.equal(await codeOf(world, withNote(`${note}${lines.at(-2) ?? ''}\n`)), 'anchor_lines');
  assert.equal(
    await codeOf(
      world,
      withNote(`${note}\u2014 stranger.example ${lines.at(-2)?.split(' ').at(-1) ?? ''}\n`),
    ),
    'anchor_lines',
  );
  assert.equal(await codeOf(world, withNote(note.slice(0, -1))), 'anchor_note');
  assert.equal(
    await codeOf(
      world,
      withNote(`${note.slice(0, -12)}${note.at(-12) === 'A' ? 'B' : 'A'}${note.slice(-11)}`),
    ),
    'anchor_note',
  );
  assert.equal(await codeOf(world, withNote('hello\n')), 'anchor_note');
  assert.equal(
    await codeOf(
      world,
      world.anchorOf(world.checkpoint([at, at, at], { rootHash: seed('another history') })),
    ),
    'anchor_root',
  );
  assert.equal(
    await codeOf(
      world,
      world.anchorOf(world.checkpoint([at, at, at], { size: 4, rootHash: seed('future') })),
    ),
    'anchor_size',
  );
  assert.equal(
    await codeOf(world, world.anchorOf(world.checkpoint([at, at, at], { size: 1 }))),
    'anchor_size',
  );
  assert.equal(await codeOf(world, world.anchorOf(world.checkpoint([at, at, at], { size: 2 }))), 'admitted');
  // The anchor key signs nothing else, whatever participant it names.
  const other = forged(
    buildRunIntent(SPECIFICATION, await intent(world, 'example-lab', 'r')),
    'anchor',
    {},
    { participant: 'example-operator' },
  );
  assert.equal(await codeOf(world, other), 'not_entitled');
});

function digestOfText(note: string): string {
  const split = note.lastIndexOf('\n\n');
  return digestOf(encodeUtf8(split < 0 ? note : note.slice(0, split + 1)));
}

test('who is not known, not meant or not entitled is refused', async () => {
  const world = await withLab();
  const statement = buildRunIntent(SPECIFICATION, await intent(world, 'example-lab', 'run-1'));
  assert.equal(await ask(world, statement, 'example-lab'), 'admitted');
  assert.equal(await ask(world, statement, 'stranger'), 'unknown_key');
  assert.equal(await ask(world, statement, 'registrar-a'), 'wrong_participant');
  assert.equal(await ask(world, statement, 'example-lab-recovery'), 'not_entitled');
  await world.introduce('example-utility', { roles: ['utility'] });
  const byUtility = buildRunIntent(SPECIFICATION, await intent(world, 'example-utility', 'run-1'));
  assert.equal(await ask(world, byUtility, 'example-utility'), 'not_entitled');
  const good = sign(statement, seed('example-lab'));
  assert.equal(
    await codeOf(world, { ...good, signature: good.signature.map((b) => b ^ 1) }),
    'bad_signature',
  );
  assert.equal(await codeOf(world, { ...good, keyid: idOf('example-lab-recovery') }), 'keyid_mismatch');
  assert.equal(await ask(world, await world.participant('new-lab'), 'registrar-b'), 'wrong_participant');
  const byLab = { ...(await world.participant('new-lab')) };
  assert.equal(
    await codeOf(world, forged(byLab, 'example-lab', {}, { participant: 'example-lab' })),
    'not_entitled',
  );
  const freeze = buildFreeze({
    ...(await world.common('registrar-a')),
    origin: ORIGIN,
    reason: 'planned',
    successor: null,
  });
  assert.equal(await ask(world, freeze, 'registrar-a'), 'not_entitled');
});

test('malformed statements', async () => {
  const world = await withLab();
  const statement = buildRunIntent(SPECIFICATION, await intent(world, 'example-lab', 'run-1'));
  const of = (change: object, predicate: object = {}): Promise<string> =>
    codeOf(world, forged(statement, 'example-lab', change, predicate));
  assert.equal(await of({}), 'admitted');
  assert.equal(await of({ _type: 'https://in-toto.io/Statement/v0.1' }), 'bad_statement');
  assert.equal(await of({ extra: 1 }), 'bad_statement');
  assert.equal(await of({ subject: [] }), 'bad_statement');
  assert.equal(await of({ subject: [{ name: 'run-2', digest: { sha256: SPECIFICATION } }] }), 'bad_subject');
  assert.equal(
    await of({ subject: [{ name: 'run-1', digest: { sha512: SPECIFICATION } }] }),
    'bad_statement',
  );
  assert.equal(await of({ predicateType: 'run-intent' }), 'bad_statement');
  assert.equal(await of({}, { run: 'Run 1' }), 'bad_statement');
  assert.equal(await of({}, { note: 'free text' }), 'bad_statement');
  assert.equal(await of({}, { plannedFlopBand: '1e25' }), 'bad_statement');
  assert.equal(await of({}, { plannedFlop: '1' }), 'stated_and_committed');
  assert.equal(await of({}, { plannedStart: '2026-01-01T00:00:00Z' }), 'bad_statement');
  assert.equal(await of({}, { committed: { plannedFlop: idOf('x') } }), 'bad_statement');
  assert.equal(await of({}, { committed: { secret: idOf('x') } }), 'bad_statement');
  assert.equal(await of({}, { recentAnchor: { index: 1 } }), 'bad_statement');
  const { payload, ...rest } = sign(statement, seed('example-lab'));
  assert.equal(
    await codeOf(world, { ...rest, payload: encodeUtf8(` ${new TextDecoder().decode(payload)}`) }),
    'not_canonical',
  );
  assert.equal(await codeOf(world, { ...rest, payload: encodeUtf8('{"a":1,"a":1}') }), 'bad_json');
  assert.equal(await codeOf(world, { ...rest, payload: encodeUtf8('[]') }), 'bad_statement');
  assert.throws(
    () => sign({ ...statement, subject: [] }, seed('example-lab')),
    (error) => error instanceof AttestationError && error.code === 'bad_statement',
  );
});

test('what a stranger wrote is quoted in the answer, short and without control characters', async () => {
  const world = await withLab();
  const statement = buildRunIntent(SPECIFICATION, await intent(world, 'example-lab', 'run-1'));
  for (const predicate of [{ ['\u001b[2J\u202e'.repeat(500)]: 1 }, { run: '\u001b[2J\u202e'.repeat(500) }]) {
    const answer = await world.ask(forged(statement, 'example-lab', {}, predicate));
    assert.ok(!answer.ok && answer.code === 'bad_statement');
    assert.match(answer.message, /^[ -~\u2026]{1,400}$/);
  }
});

test('a payload is logged once, and only up to the charter\u2019s size', async () => {
  const world = await new World(worldTerms({ sizeLimit: 16384 })).begin();
  await world.introduce('example-lab');
  const statement = buildRunIntent(SPECIFICATION, await intent(world, 'example-lab', 'run-1'));
  await world.logSigned(statement, 'example-lab');
  assert.equal(await ask(world, statement, 'example-lab'), 'duplicate');
  const checkpoint = {
    step: 1,
    weights: { root: idOf('a'), manifestDigest: idOf('b'), files: 1 },
    folder: { unknown: 'not-recorded' as const },
  };
  const large = await progress(world, 'example-lab', 'run-1', 0, {
    checkpoints: Array<typeof checkpoint>(60).fill(checkpoint),
  });
  assert.equal(await ask(world, buildRunProgress(SPECIFICATION, large), 'example-lab'), 'entry_too_large');
});

test('types that the charter does not list are admitted or refused as it says', async () => {
  const unknown = (world: World): Envelope =>
    forged(
      {
        _type: 'https://in-toto.io/Statement/v1',
        subject: [{ name: 'x', digest: { sha256: idOf('x') } }],
        predicateType: 'https://stele-log/facility/v7' as never,
        predicate: { participant: 'example-lab', anything: { goes: [world.now] } },
      },
      'example-lab',
    );
  const { admission } = worldTerms();
  const open = await new World(worldTerms({ admission: { ...admission, unknownTypes: 'admit' } })).begin();
  await open.introduce('example-lab');
  assert.equal(await codeOf(open, unknown(open)), 'admitted');
  const entry = await open.ask(unknown(open));
  assert.ok(entry.ok && !entry.statement.known);
  const closed = await withLab();
  assert.equal(await codeOf(closed, unknown(closed)), 'type_not_admitted');
  // A type this code knows and the charter does not pin is unknown to the log: a later release that
  // knows more types must admit what was admitted before.
  const fewer = leaveOut(admission.schemas, 'https://stele-log/run-intent/v1');
  const older = await new World(
    worldTerms({ admission: { ...admission, schemas: fewer, unknownTypes: 'admit' } }),
  ).begin();
  await older.introduce('example-lab');
  const wrong = forged(
    buildRunIntent(SPECIFICATION, await intent(older, 'example-lab', 'run-1')),
    'example-lab',
    {},
    { run: 7 },
  );
  assert.equal(await codeOf(older, wrong), 'admitted');
  const embedded = buildKeyStatement(
    { participant: 'example-lab', issuedAt: 1, origin: ORIGIN, roles: ['lab'], use: 'signing' },
    seed('example-lab'),
  );
  assert.equal(await codeOf(open, parseEnvelope(encodeUtf8(JSON.stringify(embedded)))), 'not_an_entry');
});

test('a participant comes with the consent of each of its keys', async () => {
  const world = await withLab();
  const given = { participant: 'new-lab', issuedAt: world.now, origin: ORIGIN, roles: ['lab' as const] };
  const consent = (
    change: Partial<KeyStatement['predicate']> = {},
    key = 'k1',
  ): ReturnType<typeof buildKeyStatement> =>
    buildKeyStatement({ ...given, use: 'signing', ...change }, seed(key));
  const recovery = consent({ use: 'recovery' }, 'k2');
  const of = async (...keys: ReturnType<typeof buildKeyStatement>[]): Promise<string> =>
    ask(world, await world.participant('new-lab', { keys }), 'registrar-a');
  assert.equal(await of(consent(), recovery), 'admitted');
  assert.equal(await of(consent(), consent({}, 'k3')), 'bad_key_statement');
  assert.equal(await of(recovery, consent({ use: 'recovery' }, 'k3')), 'bad_key_statement');
  assert.equal(await of(consent(), consent(), recovery), 'bad_key_statement');
  assert.equal(await of(consent({ participant: 'other' }), recovery), 'bad_key_statement');
  assert.equal(await of(consent({ roles: ['lab', 'auditor'] }), recovery), 'bad_key_statement');
  assert.equal(await of(consent({ origin: 'other.example' }), recovery), 'wrong_origin');
  assert.equal(await of(consent({}, 'example-lab'), recovery), 'key_known');
  assert.equal(await of(consent({}, 'operator'), recovery), 'key_known');
  assert.equal(await of(consent({}, 'log'), recovery), 'key_known');
  const stolen = { ...consent(), signatures: consent({}, 'k3').signatures };
  assert.equal(await of(stolen, recovery), 'bad_key_statement');
  const [{ keyid } = { keyid: '' }] = consent().signatures;
  const [{ sig } = { sig: '' }] = consent({}, 'k3').signatures;
  assert.equal(await of({ ...consent(), signatures: [{ keyid, sig }] }, recovery), 'bad_key_statement');
  const intentEnvelope = JSON.parse(
    new TextDecoder().decode(
      formatEnvelope(sign(buildRunIntent(SPECIFICATION, await intent(world, 'k1', 'r')), seed('k1'))),
    ),
  ) as ReturnType<typeof buildKeyStatement>;
  assert.equal(await of(intentEnvelope, recovery), 'bad_key_statement');
  assert.equal(
    await ask(world, await world.participant('example-lab', { controlledBy: ['x'] }), 'registrar-a'),
    'participant_known',
  );
  assert.equal(await ask(world, await world.participant('registrar-b'), 'registrar-a'), 'participant_known');
  assert.equal(
    await ask(world, await world.participant('x', { origin: 'other.example' }), 'registrar-a'),
    'wrong_origin',
  );
  assert.equal(
    await codeOf(world, forged(await world.participant('x'), 'registrar-a', {}, { name: 'a\u202eb' })),
    'bad_statement',
  );
});

test('runs: what does not fit is logged and becomes a finding', async () => {
  const world = await withLab();
  const findings = async (): Promise<string[]> =>
    (await replay(world.leaves)).findings.map(({ code, entries }) => `${code} ${entries.join(',')}`);
  const lab = 'example-lab';
  const first = await world.logSigned(buildRunIntent(SPECIFICATION, await intent(world, lab, 'run-1')), lab); // 3
  await world.logSigned(
    buildRunIntent(
      SPECIFICATION,
      await intent(world, lab, 'run-1', { plannedFlopBand: { unknown: 'withheld' } }),
    ),
    lab,
  ); // 4
  assert.deepEqual(await findings(), ['second-statement 3,4']);
  await world.logSigned(
    buildRunIntent(
      SPECIFICATION,
      await intent(world, lab, 'run-1', { plannedFlopBand: { unknown: 'not-yet-known' }, supersedes: first }),
    ),
    lab,
  ); // 5
  assert.deepEqual(await findings(), ['second-statement 3,4']);
  await world.logSigned(buildRunProgress(SPECIFICATION, await progress(world, lab, 'run-1', 0)), lab); // 6
  await world.logSigned(buildRunProgress(SPECIFICATION, await progress(world, lab, 'run-2', 0)), lab); // 7
  await world.logSigned(buildRunIntent(idOf('another'), await intent(world, lab, 'run-2')), lab); // 8
  const retro = await world.logSigned(
    buildRunFinal(SPECIFICATION, await final(world, lab, 'run-3', { retrospective: true })),
    lab,
  ); // 9
  await world.logSigned(
    buildRunProgress(
      SPECIFICATION,
      await progress(world, lab, 'run-3', 0, { retrospective: true, previous: retro }),
    ),
    lab,
  ); // 10
  await world.logSigned(
    buildRunIntent(SPECIFICATION, await intent(world, lab, 'run-4', { supersedes: idOf('nothing') })),
    lab,
  ); // 11
  await world.logSigned(
    buildRunIntent(
      SPECIFICATION,
      await intent(world, lab, 'run-5', { recentAnchor: { index: 1, leafHash: idOf('another log') } }),
    ),
    lab,
  ); // 12
  assert.deepEqual(await findings(), [
    'second-statement 3,4',
    'chain-broken 5,6',
    'intent-missing 7',
    'specification-changed 7,8',
    'intent-late 7,8',
    'statement-after-final 9,10',
    'supersedes-nothing 11',
    'anchor-unknown 12',
  ]);
  const ledger = await replay(world.leaves);
  assert.equal(encodeLedgerLine(ledger), encodeLedgerLine(await ledgerDigest(world.store)));
});

test('the freeze lets one anchor follow that covers it, and nothing else', async () => {
  const world = await withLab();
  await world.anchor();
  await world.logSigned(
    buildFreeze({
      ...(await world.common('example-operator')),
      origin: ORIGIN,
      reason: 'superseded',
      successor: 'next.example',
    }),
    'operator',
  );
  assert.equal(
    await ask(
      world,
      buildRunIntent(SPECIFICATION, await intent(world, 'example-lab', 'run-1')),
      'example-lab',
    ),
    'frozen',
  );
  const early = world.checkpoint(undefined, { size: world.leaves.length - 1 });
  assert.equal(await codeOf(world, world.anchorOf(early)), 'anchor_size');
  await world.anchor();
  assert.equal(await codeOf(world, world.anchorOf(world.checkpoint())), 'frozen');
  assert.equal((await replay(world.leaves)).refused.length, 0);
});

test('amendments take effect with the k-th registrar, at that entry', async () => {
  const world = await withLab();
  const amend = async (
    registrar: string,
    terms: Terms,
    amends = termsDigest(world.terms),
  ): Promise<UnsignedStatement> =>
    buildCharterAmendment({ ...(await world.common(registrar)), amends, terms });
  const next = worldTerms({ anchorInterval: 60, anchorKey: publicHex('anchor-2') });
  assert.equal(
    await ask(world, await amend('registrar-a', worldTerms({ origin: 'other.example' })), 'registrar-a'),
    'wrong_origin',
  );
  assert.equal(
    await ask(
      world,
      await amend('registrar-a', worldTerms({ predecessor: { origin: 'a', size: 1, rootHash: idOf('x') } })),
      'registrar-a',
    ),
    'amendment_predecessor',
  );
  assert.equal(
    await ask(
      world,
      await amend('registrar-a', worldTerms({ anchorKey: publicHex('example-lab') })),
      'registrar-a',
    ),
    'key_known',
  );
  assert.equal(
    await ask(
      world,
      await amend(
        'registrar-a',
        worldTerms({ operator: { participant: 'example-lab', name: 'X', key: publicHex('new') } }),
      ),
      'registrar-a',
    ),
    'participant_known',
  );
  assert.equal(
    await ask(world, await amend('registrar-a', worldTerms({ sizeLimit: 1024 })), 'registrar-a'),
    'policy_does_not_fit',
  );
  await world.logSigned(await amend('registrar-a', next), 'registrar-a');
  await world.logSigned(await amend('registrar-a', next, termsDigest(next)), 'registrar-a'); // stale: not in force
  assert.equal((await termsInForce(world.store))?.digest, termsDigest(world.terms));
  assert.equal(await codeOf(world, world.anchorOf(world.checkpoint())), 'admitted');
  await world.logSigned(await amend('registrar-c', next), 'registrar-c');
  assert.equal((await termsInForce(world.store))?.digest, termsDigest(next));
  // The old anchor key has ended, and cannot come back.
  assert.equal(await codeOf(world, world.anchorOf(world.checkpoint())), 'key_not_in_force');
  assert.equal(
    await ask(world, await amend('registrar-a', worldTerms(), termsDigest(next)), 'registrar-a'),
    'key_known',
  );
  const ledger = await replay(world.leaves);
  assert.deepEqual(
    ledger.findings.map(({ code }) => code),
    ['amendment-stale'],
  );
  assert.deepEqual(ledger.refused, []);
});

test('an ML-DSA-44 key of the log that has ended is not taken up again', async () => {
  const world = await withLab();
  const withKeys = (anchorInterval: number, ...labels: string[]): Terms => {
    const logKeys = labels.map((label) => {
      const { vkey } = newSigningKey(ORIGIN, COSIGNATURE_MLDSA44, seed(label));
      return formatVkey(vkey);
    });
    const policy = [...logKeys.map((vkey) => `log ${vkey}\n`), policyText()].join('');
    return worldTerms({ anchorInterval, logKeys: [...worldTerms().logKeys, ...logKeys], policy });
  };
  let current = worldTerms();
  const amend = async (registrar: string, terms: Terms): Promise<[UnsignedStatement, string]> => [
    buildCharterAmendment({ ...(await world.common(registrar)), amends: termsDigest(current), terms }),
    registrar,
  ];
  const [one, both, two, again] = [
    withKeys(600, 'pq-1'),
    withKeys(600, 'pq-1', 'pq-2'),
    withKeys(600, 'pq-2'),
    withKeys(60, 'pq-1', 'pq-2'),
  ];
  for (const next of [one, both, two]) {
    for (const registrar of ['registrar-a', 'registrar-b'])
      await world.logSigned(...(await amend(registrar, next)));
    current = next;
  }
  assert.equal((await termsInForce(world.store))?.digest, termsDigest(two));
  assert.equal(await ask(world, ...(await amend('registrar-a', again))), 'key_known');
  assert.equal(await ask(world, ...(await amend('registrar-a', withKeys(60, 'pq-2', 'pq-3')))), 'admitted');
  assert.deepEqual((await replay(world.leaves)).refused, []);
});

test('one registrar who signs one amendment twice is one registrar', async () => {
  const world = await withLab();
  const next = worldTerms({ anchorInterval: 60 });
  const amend = async (issuedAt: number): Promise<UnsignedStatement> =>
    buildCharterAmendment({
      ...(await world.common('registrar-a')),
      issuedAt,
      amends: termsDigest(world.terms),
      terms: next,
    });
  await world.logSigned(await amend(1), 'registrar-a');
  await world.logSigned(await amend(2), 'registrar-a');
  assert.equal((await termsInForce(world.store))?.digest, termsDigest(world.terms));
});

test('the key for a signature is found before admission, and a verified one is not verified again', async () => {
  const world = await withLab();
  const envelope = sign(
    buildRunIntent(SPECIFICATION, await intent(world, 'example-lab', 'run-1')),
    seed('example-lab'),
  );
  const entry = prepareEntry(formatEnvelope(envelope));
  const known = await signerOf(world.store, entry);
  assert.equal(known?.key, encodeHex(publicKeyFromSeed(seed('example-lab'))));
  assert.equal(known.participant, 'example-lab');
  assert.equal(
    await signerOf(world.store, prepareEntry(sign(await world.participant('x'), seed('stranger')))),
    undefined,
  );
  const broken = { ...envelope, signature: new Uint8Array(64) };
  assert.equal(await codeOf(world, broken), 'bad_signature');
});

test('participant-key needs its parts', async () => {
  const world = await withLab();
  const lab = 'example-lab';
  const base = { ...(await world.common(lab)), origin: ORIGIN, about: lab, reason: 'routine' as const };
  const consent = (
    use: 'signing' | 'recovery' = 'signing',
    key = 'k2',
    participant = lab,
  ): ReturnType<typeof buildKeyStatement> =>
    buildKeyStatement({ participant, issuedAt: 1, origin: ORIGIN, roles: ['lab'], use }, seed(key));
  const oldKey = idOf(lab);
  const of = (change: Partial<Parameters<typeof buildParticipantKey>[0]>, key = lab): Promise<string> =>
    ask(world, buildParticipantKey({ ...base, action: 'rotate', oldKey, ...change }), key);
  assert.equal(await of({ newKey: consent() }), 'admitted');
  assert.equal(await of({}), 'bad_key_change');
  assert.equal(await of({ action: 'revoke', newKey: consent() }), 'bad_key_change');
  assert.equal(await of({ newKey: consent(), request: idOf('x') }), 'bad_key_change');
  assert.equal(await of({ newKey: consent(), oldKey: idOf('nobody') }), 'bad_key_change');
  assert.equal(await of({ newKey: consent(), oldKey: idOf('operator') }), 'bad_key_change');
  assert.equal(await of({ newKey: consent('recovery') }), 'bad_key_statement');
  assert.equal(await of({ newKey: consent('signing', 'k2', 'other') }), 'bad_key_statement');
  assert.equal(await of({ newKey: consent('signing', 'registrar-a') }), 'key_known');
  assert.equal(await of({ newKey: consent('recovery'), oldKey: idOf(`${lab}-recovery`) }), 'not_entitled');
  assert.equal(
    await of({ newKey: consent('recovery'), oldKey: idOf(`${lab}-recovery`) }, `${lab}-recovery`),
    'admitted',
  );
  assert.equal(await of({ action: 'object' }), 'bad_key_change');
  assert.equal(await of({ about: 'nobody', newKey: consent() }), 'unknown_participant');
  assert.equal(await of({ about: 'registrar-a', newKey: consent() }), 'unknown_participant');
  assert.equal(await of({ origin: 'other.example', newKey: consent() }), 'wrong_origin');
  await world.introduce('other-lab');
  assert.equal(
    await of({
      about: 'other-lab',
      oldKey: idOf('other-lab'),
      newKey: consent('signing', 'k2', 'other-lab'),
    }),
    'not_entitled',
  );
});
