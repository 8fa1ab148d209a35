// spec/vectors/ledger.json: a small log whole, with entries that may not follow where they stand.
import { referenceEnvelope, referenceLeaf, referenceSigned, sha256 } from '../reference/attestation.js';
import type { ReferenceEnvelope } from '../reference/attestation.js';
import { referenceCanonical } from '../reference/json.js';
import { referenceCosignatureLine, referenceNoteLine, referenceVkey } from '../reference/notes.js';
import {
  ExampleLog,
  ORIGIN,
  digest,
  idOf,
  keyOf,
  logKey,
  logKeyPq,
  policy,
  seedOf,
  statement,
  terms,
  termsDigest,
} from './example-log.js';
import type { Vector } from './vector.js';

const ascii = (leaf: Uint8Array): string => Buffer.from(leaf).toString('latin1');

export function ledger(): Vector[] {
  const log = new ExampleLog();
  const cases: Vector[] = [];
  const good = (desc: string, envelope: ReferenceEnvelope): string => {
    const index = log.leaves.length;
    const leaf = log.push(envelope);
    const prefix = `finding/${String(index).padStart(16, '0')}/`;
    const findings = [...log.ledger.values]
      .filter(([key]) => key.startsWith(prefix))
      .map(([, value]) => value);
    cases.push({
      desc: `entry ${index}: ${desc}`,
      leaf: ascii(leaf),
      line: log.ledger.line(),
      findings,
      want: 'ok',
    });
    return sha256(Buffer.from(envelope.payload, 'base64'));
  };
  const bad = (want: string, desc: string, envelope: ReferenceEnvelope): void => {
    cases.push({
      desc: `as entry ${log.leaves.length}: ${desc}`,
      leaf: ascii(referenceLeaf(envelope)),
      want,
    });
  };
  const anchor = (...times: number[]): void => {
    log.now += 600;
    good('an anchor', log.anchor(log.note(times.length > 0 ? times : [0, 1, 2, 3].map((i) => log.now + i))));
  };
  const broken = (envelope: ReferenceEnvelope): ReferenceEnvelope => ({
    ...envelope,
    signatures: [{ keyid: envelope.signatures[0]?.keyid ?? '', sig: Buffer.alloc(64).toString('base64') }],
  });

  bad('not_charter', 'a participant before there is a log', log.participant('example-lab'));
  bad('bad_signature', 'a charter whose signature does not verify', broken(log.charter()));
  bad('wrong_origin', 'the charter of another log', charterOf(log, terms({ origin: 'other.example' })));
  bad(
    'terms_keys',
    'a charter whose anchor key is the operator\u2019s',
    charterOf(log, terms({ anchorKey: keyOf('operator') })),
  );
  bad(
    'terms_registrars',
    'a charter that wants three of two registrars',
    charterOf(
      log,
      terms({
        registrars: {
          threshold: 3,
          members: (terms()['registrars'] as { members: unknown[] }).members.slice(1),
        },
      }),
    ),
  );
  bad(
    'terms_policy',
    'a policy with prose in it',
    charterOf(log, terms({ policy: `# our friends\n${policy}` })),
  );
  bad(
    'terms_policy',
    'a policy without the log\u2019s key',
    charterOf(log, terms({ policy: policy.split('\n').slice(1).join('\n') })),
  );
  const scattered = (text: string): ReferenceEnvelope =>
    charterOf(
      log,
      terms({ policy: `# operator one w1 w2\n${policy.split('\n').slice(0, 6).join('\n')}\n${text}` }),
    );
  bad(
    'terms_policy',
    'a policy with two lines of one operator in one group',
    scattered('group three-of-four 3 w1 w2 w3 w4\nquorum three-of-four\n'),
  );
  bad(
    'terms_policy',
    'a policy with an operator in two groups',
    scattered('group a any w1 w3\ngroup b any w2 w4\ngroup top all a b\nquorum top\n'),
  );
  bad(
    'terms_policy',
    'a policy with an operator in a group of its own and beside it',
    scattered('group a any w1 w3\ngroup b any w2\ngroup top all a b w4\nquorum top\n'),
  );
  bad(
    'terms_version',
    'admission rules of another version',
    charterOf(log, terms({ admission: { ...(terms()['admission'] as object), version: 2 } })),
  );
  bad(
    'terms_schemas',
    'a schema that nobody has',
    charterOf(
      log,
      terms({
        admission: {
          ...(terms()['admission'] as object),
          schemas: {
            ...(terms()['admission'] as { schemas: object }).schemas,
            'https://stele-log/anchor/v1': digest('x'),
          },
        },
      }),
    ),
  );
  good('the charter', log.charter());
  bad('not_charter', 'a second charter', log.charter(terms({ anchorInterval: 60 })));
  bad('not_first_anchor', 'a participant before the first anchor', log.participant('example-lab'));
  bad('anchor_quorum', 'an anchor with two of four cosignatures', log.anchor(log.note([1, 2])));
  bad('anchor_root', 'an anchor of another history', log.anchor(log.note([1, 2, 3], 1, seedOf('root'))));
  bad(
    'anchor_size',
    'an anchor of a tree that is larger than the log',
    log.anchor(log.note([1, 2, 3], 2, seedOf('root'))),
  );
  const pqLine = (text: string): string => referenceCosignatureLine(logKeyPq, text, 0);
  const bothLines = (text: string): string => `${referenceNoteLine(logKey, text)}${pqLine(text)}`;
  const noteBy = (own: (text: string) => string, times = [1, 2, 3], size = log.leaves.length): string =>
    log.note(times, size, log.tree().root(size), own);
  bad(
    'anchor_note',
    'an anchor whose ML-DSA-44 line by the log does not verify, though its Ed25519 line does',
    log.anchor(noteBy((text) => `${referenceNoteLine(logKey, text)}${pqLine(text.replace('1', '2'))}`)),
  );
  bad(
    'anchor_lines',
    'an anchor with two lines by one key of the log',
    log.anchor(noteBy((text) => `${bothLines(text)}${pqLine(text)}`)),
  );
  bad('anchor_note', 'an anchor without a line by the log', log.anchor(noteBy(() => '')));
  good('the first anchor, of size 1', log.anchor());

  bad(
    'wrong_participant',
    'a lab that introduces itself in a registrar\u2019s name',
    withSigner(log.participant('example-lab', {}, 'registrar-a'), 'registrar-b'),
  );
  bad(
    'unknown_key',
    'a participant introduced by a stranger',
    withSigner(log.participant('example-lab'), 'stranger'),
  );
  bad(
    'bad_key_statement',
    'a key that consents for somebody else',
    log.participant('example-lab', {
      keys: [
        log.consent('example-lab', 'k1', { participant: 'other-lab' }),
        log.consent('example-lab', 'r1', { use: 'recovery' }),
      ],
    }),
  );
  bad(
    'bad_key_statement',
    'no recovery key',
    log.participant('example-lab', {
      keys: [log.consent('example-lab', 'k1'), log.consent('example-lab', 'k2')],
    }),
  );
  bad(
    'wrong_origin',
    'a key that consents for another log',
    log.participant('example-lab', {
      keys: [
        log.consent('example-lab', 'k1', { origin: 'other.example' }),
        log.consent('example-lab', 'r1', { use: 'recovery' }),
      ],
    }),
  );
  bad(
    'key_known',
    'the operator\u2019s key as a lab\u2019s',
    log.participant('example-lab', {
      keys: [log.consent('example-lab', 'operator'), log.consent('example-lab', 'r1', { use: 'recovery' })],
    }),
  );
  good('a lab', log.participant('example-lab'));
  bad('duplicate', 'the same payload again', log.participant('example-lab'));
  bad('participant_known', 'the lab a second time', log.participant('example-lab', { jurisdiction: 'FR' }));
  bad(
    'participant_known',
    'a participant with a registrar\u2019s identifier',
    log.participant('registrar-c', {
      keys: [log.consent('registrar-c', 'k1'), log.consent('registrar-c', 'k2', { use: 'recovery' })],
    }),
  );
  bad('not_an_entry', 'a key-statement by itself', log.consent('example-lab', 'example-lab'));
  bad('anchor_size', 'an anchor no newer than the last', log.anchor(log.note([1, 2, 3], 1)));
  bad(
    'not_entitled',
    'a run declared by the recovery key',
    log.intent('example-lab', 'run-1', {}, 'example-lab-recovery'),
  );
  bad('bad_statement', 'an intent with a remark', log.intent('example-lab', 'run-1', { remark: 'x' }));
  bad('keyid_mismatch', 'a keyid that is not the signer', {
    ...log.intent('example-lab', 'run-1'),
    signatures: [
      { keyid: idOf('operator'), sig: log.intent('example-lab', 'run-1').signatures[0]?.sig ?? '' },
    ],
  });
  bad(
    'not_canonical',
    'a payload with white space',
    referenceEnvelope(
      ` ${Buffer.from(log.intent('example-lab', 'run-1').payload, 'base64').toString('utf8')}`,
      seedOf('example-lab'),
    ),
  );
  const intent = good('an intent', log.intent('example-lab', 'run-1'));
  good(
    'another intent for the same run: no effect, a finding',
    log.intent('example-lab', 'run-1', { parents: [digest('parent')] }),
  );
  good(
    'a correction of the first',
    log.intent('example-lab', 'run-1', { parents: [digest('parent')], supersedes: intent }),
  );
  const unlisted = statement('inventory-of-stars', [['stars', digest('stars')]], {
    ...log.common('example-lab'),
    any: ['thing'],
  });
  good('a type that the terms do not list', referenceSigned(unlisted, seedOf('example-lab')));
  bad(
    'not_entitled',
    'a type that the terms do not list, by the recovery key',
    referenceSigned(unlisted, seedOf('example-lab-recovery')),
  );
  anchor();
  good(
    'a window whose chain is broken: a finding',
    log.progress('example-lab', 'run-1', 0, { previous: intent }),
  );
  const other = good('a window of an undeclared run: a finding', log.progress('example-lab', 'run-2', 0));
  good('an intent that comes late: a finding', log.intent('example-lab', 'run-2'));
  const final = good(
    'a retrospective final of a third run',
    log.final('example-lab', 'run-3', { retrospective: true }),
  );
  good(
    'a window after it that claims to correct what there is not: two findings',
    log.progress('example-lab', 'run-3', 0, {
      retrospective: true,
      previous: final,
      supersedes: digest('nothing'),
    }),
  );
  good(
    'a statement that names another log\u2019s anchor: a finding',
    log.intent('example-lab', 'run-4', {
      recentAnchor: { index: 1, leafHash: digest('elsewhere') },
      supersedes: other,
    }),
  );

  good(
    'a rotation',
    log.key('example-lab', 'example-lab', {
      action: 'rotate',
      oldKey: idOf('example-lab'),
      newKey: log.consent('example-lab', 'k2'),
    }),
  );
  bad(
    'key_not_in_force',
    'a window signed by the key that has ended',
    log.progress('example-lab', 'run-1', 1),
  );
  bad(
    'key_known',
    'the ended key comes back',
    log.key(
      'example-lab',
      'example-lab',
      { action: 'rotate', oldKey: idOf('k2'), newKey: log.consent('example-lab', 'example-lab') },
      'k2',
    ),
  );
  bad(
    'not_entitled',
    'a signing key replaces the recovery key',
    log.key(
      'example-lab',
      'example-lab',
      {
        action: 'rotate',
        oldKey: idOf('example-lab-recovery'),
        newKey: log.consent('example-lab', 'r2', { use: 'recovery' }),
      },
      'k2',
    ),
  );
  bad(
    'bad_key_change',
    'a rotation without a new key',
    log.key('example-lab', 'example-lab', { action: 'rotate', oldKey: idOf('k2') }, 'k2'),
  );
  bad(
    'unknown_participant',
    'a registrar\u2019s key, which changes by amendment',
    log.key('registrar-a', 'registrar-b', { action: 'revoke', oldKey: idOf('registrar-b') }),
  );
  const request = good(
    'a registrar asks for a rotation',
    log.key('registrar-b', 'example-lab', {
      action: 'rotate',
      reason: 'lost',
      oldKey: idOf('k2'),
      newKey: log.consent('example-lab', 'k3'),
    }),
  );
  good('another lab', log.participant('other-lab'));
  good(
    'a request for the other lab meanwhile: it waits too',
    log.key('registrar-b', 'other-lab', { action: 'revoke', reason: 'lost', oldKey: idOf('other-lab') }),
  );
  good(
    'another request for the first lab meanwhile: no effect, a finding',
    log.key('registrar-c', 'example-lab', { action: 'revoke', reason: 'lost', oldKey: idOf('k2') }),
  );
  good(
    'the lab objects',
    log.key('example-lab', 'example-lab', { action: 'object', reason: 'unauthorised', request }, 'k2'),
  );
  good(
    'and objects again: no effect, a finding',
    log.key(
      'example-lab',
      'example-lab',
      { action: 'object', reason: 'unauthorised', request },
      'example-lab-recovery',
    ),
  );
  good(
    'a registrar asks again',
    log.key('registrar-c', 'example-lab', {
      action: 'rotate',
      reason: 'lost',
      oldKey: idOf('k2'),
      newKey: log.consent('example-lab', 'k4'),
    }),
  );
  anchor();
  const logged = log.now + 1;
  bad(
    'unknown_key',
    'a window signed by the key that waits',
    log.progress('example-lab', 'run-1', 1, {}, 'k4'),
  );
  log.now = logged + 1200 - 600;
  anchor(log.now + 600 - 1, log.now + 600 - 1, log.now + 600 - 1, log.now + 600 + 5000);
  bad(
    'unknown_key',
    'still: one witness that lies does not shorten the wait',
    log.progress('example-lab', 'run-1', 1, {}, 'k4'),
  );
  anchor();
  good('a window signed by the new key: the wait is over', log.progress('example-lab', 'run-1', 1, {}, 'k4'));

  // Both operators have two witnesses in a group of their own, which is one place.
  const pairs = [
    '# operator one w1 w2',
    '# operator two w3 w4',
    ...policy.split('\n').slice(0, 6),
    'group a any w1 w2',
    'group b all w3 w4',
    'group top all a b',
    'quorum top',
    '',
  ].join('\n');
  const next = terms({ anchorInterval: 300, anchorKey: keyOf('anchor-2'), policy: pairs });
  bad(
    'amendment_predecessor',
    'an amendment that gives the log a past',
    log.amendment(
      'registrar-a',
      terms({ predecessor: { origin: 'old.example', size: 1, rootHash: digest('root') } }),
      termsDigest(terms()),
    ),
  );
  bad(
    'policy_does_not_fit',
    'an amendment under which no anchor fits',
    log.amendment('registrar-a', terms({ sizeLimit: 1024 }), termsDigest(terms())),
  );
  bad(
    'not_entitled',
    'an amendment by the operator',
    withSigner(log.amendment('registrar-a', next, termsDigest(terms())), 'operator', {
      participant: 'example-operator',
    }),
  );
  good('one registrar amends', log.amendment('registrar-a', next, termsDigest(terms())));
  log.now++;
  good('and once more: no effect, a finding', log.amendment('registrar-a', next, termsDigest(terms())));
  good(
    'a second registrar: the amendment is in force',
    log.amendment('registrar-c', next, termsDigest(terms())),
  );
  bad('key_not_in_force', 'an anchor under the old anchor key', log.anchor());
  good(
    'an amendment of terms that are no longer in force: no effect, a finding',
    log.amendment('registrar-b', next, termsDigest(terms())),
  );
  log.now++;
  good(
    'one that is a second statement too: the same finding and no other',
    log.amendment('registrar-a', next, termsDigest(terms())),
  );
  // Terms that were in force may be again, but not with a log key that has ended since.
  const third = referenceVkey({ name: ORIGIN, type: 6, seed: seedOf('log ML-DSA-44, the second') });
  const three = terms({
    ...next,
    logKeys: [...(next['logKeys'] as string[]), third],
    policy: pairs.replace('\nwitness', `\nlog ${third}\nwitness`),
  });
  for (const [from, to] of [
    [next, three],
    [three, next],
  ] as const) {
    const what = to === three ? 'a second ML-DSA-44 key for the log' : 'which is named no more';
    good(`${what}: one registrar`, log.amendment('registrar-a', to, termsDigest(from)));
    good(`${what}: another`, log.amendment('registrar-c', to, termsDigest(from)));
  }
  bad(
    'key_known',
    'and is named again',
    log.amendment('registrar-b', { ...three, anchorInterval: 600 }, termsDigest(next)),
  );
  log.now += 600;
  const four = (): number[] => [log.now, log.now, log.now, log.now];
  good(
    'an anchor under the new key, with a line by each key of the log',
    log.anchor(noteBy(bothLines, four()), 'anchor-2'),
  );
  bad(
    'wrong_origin',
    'a freeze of another log',
    withSigner(log.freeze(), 'operator', { origin: 'other.example' }, [
      ['other.example', sha256('other.example')],
    ]),
  );
  good('the freeze', log.freeze());
  bad('frozen', 'a window after the freeze', log.progress('example-lab', 'run-1', 2, {}, 'k4'));
  bad(
    'anchor_size',
    'an anchor that does not cover the freeze',
    log.anchor(log.note([1, 2, 3, 4], log.leaves.length - 1), 'anchor-2'),
  );
  log.now += 600;
  good(
    'the last anchor, with the log\u2019s ML-DSA-44 line alone',
    log.anchor(noteBy(pqLine, four()), 'anchor-2'),
  );
  bad('frozen', 'another anchor', log.anchor(log.note(four()), 'anchor-2'));
  return cases;
}

function charterOf(log: ExampleLog, value: Record<string, unknown>): ReferenceEnvelope {
  const envelope = log.charter(value);
  return String(value['origin']) === ORIGIN
    ? envelope
    : withSigner(envelope, 'operator', {}, [[String(value['origin']), termsDigest(value)]]);
}

/** The same statement changed and signed by somebody else. */
function withSigner(
  envelope: ReferenceEnvelope,
  label: string,
  change: object = {},
  subject?: [string, string][],
): ReferenceEnvelope {
  const value = JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')) as { predicate: object };
  return referenceEnvelope(
    referenceCanonical({
      ...value,
      ...(subject === undefined
        ? {}
        : { subject: subject.map(([name, sha]) => ({ name, digest: { sha256: sha } })) }),
      predicate: { ...value.predicate, signer: idOf(label), ...change },
    }),
    seedOf(label),
  );
}
