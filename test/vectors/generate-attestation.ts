// spec/vectors/canonical-json.json, envelopes.json, disclosures.json, statements.json, time-bounds.json.
import { referenceEnvelope, referenceLeaf, referencePublic, sha256 } from '../reference/attestation.js';
import type { ReferenceEnvelope } from '../reference/attestation.js';
import { referenceCanonical } from '../reference/json.js';
import { referenceAnchorTimes } from '../reference/time.js';
import {
  ExampleLog,
  digest,
  finalStatement,
  idOf,
  intentStatement,
  keyOf,
  progressStatement,
  schemaDigests,
  seedOf,
  terms,
} from './example-log.js';
import type { Fields } from './example-log.js';
import { hex, utf8, type Vector } from './vector.js';

/** JSON in bytes, since half of what is wrong is wrong below the level of text. */
export function canonicalJson(): Vector[] {
  const good = (desc: string, text: string): Vector => ({
    desc,
    input: hex(utf8(text)),
    canonical: hex(utf8(referenceCanonical(JSON.parse(text)))),
    want: 'ok',
  });
  const bad = (desc: string, input: string | number[]): Vector => ({
    desc,
    input: hex(typeof input === 'string' ? utf8(input) : Uint8Array.from(input)),
    want: 'bad_json',
  });
  return [
    good('an empty object', '{}'),
    good('white space of all four kinds', ' \t\r\n{ "a" : [ 1 , 2 ] }\n'),
    good('literals', '[null,true,false]'),
    good('integers to the limits', '[0,-1,9007199254740991,-9007199254740991]'),
    good('keys out of order', '{"b":1,"a":2,"":3,"A":4}'),
    good(
      'keys sorted by code units, not code points (RFC 8785 \u00a73.2.3)',
      '{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7}',
    ),
    good('a key that begins another', '{"aa":1,"a":2}'),
    good('escapes that are not needed', '"\\u0041\\/\\u00f6\\u2028\\u007f"'),
    good('escapes that are', '"\\u0000\\u0008\\u0009\\u000a\\u000b\\u000c\\u000d\\u001f\\"\\\\"'),
    good('capitals in an escape', '"\\u000A\\u00F6\\u001F"'),
    good('a pair of surrogates, escaped and not', '["\\ud83d\\ude00","\ud83d\ude00"]'),
    good('a byte order mark inside a string', '"\ufeff"'),
    good('keys that are names of methods', '{"constructor":1,"toString":2,"__proto__":3}'),
    good('32 levels', `${'['.repeat(32)}${']'.repeat(32)}`),
    bad('nothing', ''),
    bad('two values', '1 2'),
    bad('a comma at the end of an array', '[1,]'),
    bad('a comma at the end of an object', '{"a":1,}'),
    bad('single quotes', "{'a':1}"),
    bad('a comment', '/**/{}'),
    bad('a key twice', '{"a":1,"a":1}'),
    bad('a key twice, spelled differently', '{"a":1,"\\u0061":1}'),
    bad('a fraction', '1.5'),
    bad('an integer with a fraction', '1.0'),
    bad('an exponent', '1e2'),
    bad('minus zero', '-0'),
    bad('a leading zero', '01'),
    bad('a plus sign', '+1'),
    bad('2^53', '9007199254740992'),
    bad('-2^53', '-9007199254740992'),
    bad('2^53 + 1, which rounds', '9007199254740993'),
    bad('NaN', 'NaN'),
    bad('a high surrogate alone', '"\\ud800"'),
    bad('a low surrogate alone', '"\\udc00"'),
    bad('surrogates in the wrong order', '"\\udc00\\ud800"'),
    bad('a surrogate alone in a key', '{"\\ud800":1}'),
    bad('an escape JSON does not have', '"\\x41"'),
    bad('a raw line end in a string', '"a\nb"'),
    bad('a raw NUL in a string', '"a\u0000"'),
    bad('a string without end', '"a'),
    bad('a no-break space between values', '[1,\u00a02]'),
    bad('33 levels', `${'['.repeat(33)}${']'.repeat(33)}`),
    bad('a byte order mark first', [0xef, 0xbb, 0xbf, 0x7b, 0x7d]),
    bad('bytes that are not UTF-8', [0x22, 0xff, 0x22]),
    bad('an overlong NUL', [0x22, 0xc0, 0x80, 0x22]),
    bad('a surrogate in UTF-8', [0x22, 0xed, 0xa0, 0x80, 0x22]),
    bad('a code point above U+10FFFF', [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]),
    bad('UTF-16', [0x7b, 0x00, 0x7d, 0x00]),
  ];
}

export function envelopes(): Vector[] {
  const seed = seedOf('envelope');
  const payload = referenceCanonical({ hello: 'w\u00f6rld', n: 1 });
  const envelope = referenceEnvelope(payload, seed);
  const publicKey = referencePublic(seed);
  const leafHash = (of: ReferenceEnvelope): string => sha256(Uint8Array.of(0), referenceLeaf(of));
  const good = (desc: string, envelopeText: string, more: Fields = {}): Vector => ({
    desc,
    envelope: envelopeText,
    publicKey,
    leafHash: leafHash(envelope),
    id: sha256(payload),
    want: 'ok',
    ...more,
  });
  const bad = (desc: string, value: unknown, want = 'bad_envelope'): Vector => ({
    desc,
    envelope: typeof value === 'string' ? value : JSON.stringify(value),
    publicKey,
    want,
  });
  const [signature = { keyid: '', sig: '' }] = envelope.signatures;
  const canonical = referenceCanonical(envelope);
  const urlSafe = (text: string): string => text.replaceAll('+', '-').replaceAll('/', '_');
  const without = (object: object, key: string): object =>
    Object.fromEntries(Object.entries(object).filter(([each]) => each !== key));
  const flipped = `${signature.sig.startsWith('A') ? 'B' : 'A'}${signature.sig.slice(1)}`;
  const sized = (bytes: number): ReferenceEnvelope => ({
    ...envelope,
    payload: Buffer.alloc(bytes, 'a').toString('base64'),
  });
  const overhead = referenceLeaf({ ...envelope, payload: '' }).length;
  const most = Math.floor((65535 - overhead) / 4) * 3;
  return [
    good('canonical', canonical),
    good(
      'another order of fields, white space',
      JSON.stringify(
        { signatures: envelope.signatures, payloadType: envelope.payloadType, payload: envelope.payload },
        null,
        2,
      ),
    ),
    good(
      'URL-safe base64',
      JSON.stringify({
        ...envelope,
        payload: urlSafe(envelope.payload),
        signatures: [{ ...signature, sig: urlSafe(signature.sig) }],
      }),
    ),
    good('escapes in strings', canonical.replaceAll('/', '\\/').replace('"payload"', '"p\\u0061yload"')),
    bad(
      'a signature that does not verify',
      { ...envelope, signatures: [{ ...signature, sig: flipped }] },
      'bad_signature',
    ),
    bad(
      'the signature of another payload type',
      { ...envelope, signatures: referenceEnvelope(`${payload} `, seed).signatures },
      'bad_signature',
    ),
    good(
      'as large as an entry can be; what is signed does not matter for the leaf',
      JSON.stringify(sized(most)),
      {
        leafHash: leafHash(sized(most)),
        id: sha256(Buffer.alloc(most, 'a')),
        publicKey: undefined,
      },
    ),
    bad('one byte too large', sized(most + 1), 'entry_too_large'),
    bad('an array', []),
    bad('no payload', without(envelope, 'payload')),
    bad('an empty payload', { ...envelope, payload: '' }),
    bad('no payloadType', without(envelope, 'payloadType')),
    bad('another payloadType', { ...envelope, payloadType: 'application/json' }),
    bad('no signatures', { ...envelope, signatures: [] }),
    bad('two signatures', { ...envelope, signatures: [signature, signature] }),
    bad('a field nobody signed', { ...envelope, note: 'x' }),
    bad('a field beside the signature', { ...envelope, signatures: [{ ...signature, cert: 'x' }] }),
    bad('no keyid', { ...envelope, signatures: [without(signature, 'keyid')] }),
    bad('a keyid in capitals', {
      ...envelope,
      signatures: [{ ...signature, keyid: signature.keyid.toUpperCase() }],
    }),
    bad('a signature of 63 bytes', { ...envelope, signatures: [{ ...signature, sig: 'A'.repeat(84) }] }),
    bad('base64 without padding', {
      ...envelope,
      signatures: [{ ...signature, sig: signature.sig.replaceAll('=', '') }],
    }),
    bad('base64 with unused bits', { ...envelope, payload: 'eyJ9eR==' }),
    bad('base64 with a line end', {
      ...envelope,
      payload: `${envelope.payload.slice(0, 4)}\n${envelope.payload.slice(4)}`,
    }),
    bad('both alphabets in one string', { ...envelope, payload: '+-++' }),
    bad('a key twice', canonical.replace('{"payload"', '{"payload":"","payload"'), 'bad_json'),
    bad('no JSON', 'payload=1', 'bad_json'),
  ].map(
    (vector) =>
      Object.fromEntries(
        Object.entries(vector).filter(([, value]) => value !== undefined),
      ) as unknown as Vector,
  );
}

export function disclosures(): Vector[] {
  const salt = Buffer.from(seedOf('salt').slice(0, 16)).toString('base64url');
  const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64url');
  const make = (value: unknown): string => encode(referenceCanonical(value));
  const seed = make([salt, 'seed', '42']);
  const committed = { code: sha256(make([salt, 'code', digest('code')])), seed: sha256(seed) };
  const good = (desc: string, disclosure: string, field: string, value: unknown): Vector => ({
    desc,
    disclosure,
    committed: { ...committed, [field]: sha256(disclosure) },
    field,
    value,
    want: 'ok',
  });
  const bad = (desc: string, disclosure: string, want = 'bad_disclosure'): Vector => ({
    desc,
    disclosure,
    committed,
    want,
  });
  return [
    good('a string', seed, 'seed', '42'),
    good('a list', make([salt, 'facilities', ['hall-1', 'hall-2']]), 'facilities', ['hall-1', 'hall-2']),
    good('an object', make([salt, 'inputs', { tokens: '5', activeParameters: '3' }]), 'inputs', {
      activeParameters: '3',
      tokens: '5',
    }),
    good(
      'the example of RFC 9901, with its spaces',
      'WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0',
      'family_name',
      'M\u00f6bius',
    ),
    bad('another value', make([salt, 'seed', '43']), 'no_such_commitment'),
    bad(
      'another salt',
      make([Buffer.alloc(16, 1).toString('base64url'), 'seed', '42']),
      'no_such_commitment',
    ),
    bad('the value of one field under the name of another', make([salt, 'code', '42']), 'no_such_commitment'),
    bad(
      'the same JSON spelled differently: the digest covers the string',
      encode(`[ "${salt}", "seed", "42" ]`),
      'no_such_commitment',
    ),
    bad('a field that is not committed', make([salt, 'parents', []]), 'no_such_commitment'),
    bad('a field named as a method', make([salt, 'toString', '1']), 'no_such_commitment'),
    bad('padding', `${seed}=`),
    bad('standard base64', '+/+/'),
    bad('a salt of 15 bytes', make([Buffer.alloc(15).toString('base64url'), 'seed', '42'])),
    bad('no salt', make(['seed', '42'])),
    bad('an array element\u2019s disclosure, without a name', make([salt, '42'])),
    bad('four elements', make([salt, 'seed', '42', 1])),
    bad('an object instead of an array', make({ salt, seed: '42' })),
  ];
}

/** [schema name, what is good about it, statement]. */
function goodStatements(): [string, string, Fields][] {
  const log = new ExampleLog();
  const open = (envelope: ReferenceEnvelope): Fields =>
    JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')) as Fields;
  const common = { ...log.common('example-lab'), signer: idOf('example-lab') };
  return [
    ['charter', 'a charter', open(log.charter())],
    [
      'charter-amendment',
      'an amendment',
      open(log.amendment('registrar-a', terms({ anchorInterval: 60 }), digest('terms in force'))),
    ],
    ['anchor', 'an anchor of a tree of size 1', open(log.anchor(log.note([1, 2, 3, 4], 1, seedOf('root'))))],
    ['freeze', 'a freeze', open(log.freeze())],
    ['key-statement', 'a signing key', open(log.consent('example-lab', 'example-lab'))],
    ['participant', 'a lab', open(log.participant('example-lab'))],
    [
      'participant-key',
      'a rotation',
      open(
        log.key('example-lab', 'example-lab', {
          action: 'rotate',
          oldKey: idOf('example-lab'),
          newKey: log.consent('example-lab', 'k2'),
        }),
      ),
    ],
    [
      'participant-key',
      'an objection',
      open(log.key('example-lab', 'example-lab', { action: 'object', request: digest('request') })),
    ],
    ['run-intent', 'an intent, most of it committed', intentStatement(common, 'run-1')],
    ['run-progress', 'a window', progressStatement(common, 'run-1', 0)],
    ['run-final', 'a final statement by two methods', finalStatement(common, 'run-1')],
    [
      'run-final',
      'an aborted run without weights',
      finalStatement(common, 'run-1', {
        outcome: 'aborted',
        flop: [],
        weights: { unknown: 'not-recorded' },
      }),
    ],
  ];
}

/** A deep copy with the value at a path replaced, or removed where the new value is undefined. */
function change(value: unknown, path: string, to: unknown): Fields {
  const copy = JSON.parse(JSON.stringify(value)) as Fields;
  const steps = path.split('/');
  const last = steps.pop() ?? '';
  let node: Fields = copy;
  for (const step of steps) node = node[step] as Fields;
  if (to === undefined) Reflect.deleteProperty(node, last);
  else node[last] = to;
  return copy;
}

export function statements(): Vector[] {
  const list = goodStatements();
  const of = (type: string): Fields => list.find(([name]) => name === type)?.[2] ?? {};
  const cases: Vector[] = list.map(([type, desc, value]) => ({
    desc: `${type}: ${desc}`,
    statement: referenceCanonical(value),
    want: 'ok',
  }));
  const bad = (type: string, desc: string, path: string, to: unknown, want = 'bad_statement'): void => {
    cases.push({ desc: `${type}: ${desc}`, statement: referenceCanonical(change(of(type), path, to)), want });
  };
  for (const [type] of list.filter(([name], i) => list.findIndex(([each]) => each === name) === i)) {
    bad(type, 'no _type', '_type', undefined);
    bad(type, 'the Statement of another version', '_type', 'https://in-toto.io/Statement/v0.1');
    bad(type, 'no participant', 'predicate/participant', undefined);
    bad(type, 'no signer', 'predicate/signer', undefined);
    bad(type, 'a field that does not exist', 'predicate/remark', 'free text');
    bad(type, 'no subject', 'subject', []);
    bad(type, 'a subject of another name', 'subject/0/name', 'something-else', 'bad_subject');
  }
  for (const type of [
    'charter',
    'charter-amendment',
    'anchor',
    'freeze',
    'key-statement',
    'participant',
    'participant-key',
  ])
    bad(type, 'a subject of another digest', 'subject/0/digest/sha256', digest('x'), 'bad_subject');
  bad('charter', 'a limit above what a bundle can hold', 'predicate/terms/sizeLimit', 65536);
  bad('charter', 'terms without a policy', 'predicate/terms/policy', undefined);
  bad('charter', 'an origin with a space', 'predicate/terms/origin', 'log example');
  bad('charter', 'an anchor interval of 0', 'predicate/terms/anchorInterval', 0);
  bad('charter', 'a schema digest in base64', 'predicate/terms/admission/schemas', {
    ...schemaDigests,
    'https://stele-log/anchor/v1': 'x',
  });
  bad('charter-amendment', 'no amends', 'predicate/amends', undefined);
  bad('anchor', 'a time of its own', 'predicate/issuedAt', 1);
  bad('anchor', 'a control character in the note', 'predicate/checkpoint', 'a\tb');
  bad('freeze', 'a reason that is not a code', 'predicate/reason', 'We ran out of money');
  bad('key-statement', 'a key that is too short', 'predicate/key', keyOf('x').slice(2));
  bad('key-statement', 'a use that does not exist', 'predicate/use', 'encryption');
  bad('key-statement', 'a role that does not exist', 'predicate/roles', ['king']);
  bad('key-statement', 'a role twice', 'predicate/roles', ['lab', 'lab']);
  bad('key-statement', 'roles that do not ascend', 'predicate/roles', ['lab', 'auditor']);
  bad('participant', 'roles that do not ascend', 'predicate/roles', ['lab', 'auditor']);
  bad('participant', 'one key', 'predicate/keys', [new ExampleLog().consent('example-lab', 'example-lab')]);
  bad('participant', 'an identifier in capitals', 'predicate/about', 'Example');
  bad('participant', 'an empty name', 'predicate/name', '');
  bad('participant', 'a name that is not in Normalization Form C', 'predicate/name', 'o\u0308');
  bad('participant', 'a name that turns round', 'predicate/name', 'lab\u202egro.elpmaxe');
  bad('participant', 'a name with an escape sequence', 'predicate/name', 'lab\u001b[2J');
  bad('participant', 'a name of 202 bytes', 'predicate/name', '\u00f6'.repeat(101));
  bad('participant', 'a country in three letters', 'predicate/jurisdiction', 'DEU');
  bad('participant', 'unknown for a reason that does not exist', 'predicate/jurisdiction', {
    unknown: 'secret',
  });
  bad('participant-key', 'an action that does not exist', 'predicate/action', 'delete');
  bad('run-intent', 'no run', 'predicate/run', undefined);
  bad('run-intent', 'FLOP as a number', 'predicate/plannedFlopBand/below', 1e13);
  bad('run-intent', 'FLOP with a leading zero', 'predicate/plannedFlopBand/below', '01');
  bad('run-intent', 'FLOP with an exponent', 'predicate/plannedFlopBand/below', '1e13');
  bad('run-intent', 'a time as text', 'predicate/plannedStart', '2027-01-15T08:00:00Z');
  bad('run-intent', 'a required field neither in clear nor committed', 'predicate/committed/seed', undefined);
  bad('run-intent', 'a commitment to a field that does not exist', 'predicate/committed/decoy', digest('x'));
  bad('run-intent', 'no commitments at all', 'predicate/committed', {});
  bad('run-intent', 'in clear and committed at once', 'predicate/seed', '42', 'stated_and_committed');
  bad(
    'run-intent',
    'unknown and committed at once',
    'predicate/code',
    { unknown: 'withheld' },
    'stated_and_committed',
  );
  bad('run-intent', 'a parent twice', 'predicate/parents', [digest('p'), digest('p')]);
  bad('run-intent', 'an anchor without its leaf hash', 'predicate/recentAnchor', { index: 1 });
  bad('run-intent', 'two subjects', 'subject/1', { name: 'weights', digest: { sha256: digest('w') } });
  bad('run-progress', 'a negative window', 'predicate/window', -1);
  bad('run-progress', 'no word on whether it is retrospective', 'predicate/retrospective', undefined);
  bad('run-progress', 'a checkpoint without its manifest', 'predicate/checkpoints/0/weights', {
    root: digest('w'),
    files: 1,
  });
  bad(
    'run-progress',
    '65 checkpoints',
    'predicate/checkpoints',
    Array(65).fill({
      step: 1,
      weights: { root: digest('a'), manifestDigest: digest('b'), files: 1 },
      folder: { unknown: 'not-recorded' },
    }),
  );
  bad('run-final', 'an outcome that does not exist', 'predicate/outcome', 'success');
  bad('run-final', 'a figure without its uncertainty', 'predicate/flop/0/relativeUncertainty', undefined);
  bad(
    'run-final',
    'a figure whose inputs are in clear and committed',
    'predicate/flop/1/inputs',
    { tokens: '1' },
    'stated_and_committed',
  );
  bad(
    'run-final',
    'weights in clear that are no subject',
    'subject',
    [{ name: 'run-1', digest: { sha256: digest('s') } }],
    'bad_subject',
  );
  bad(
    'run-final',
    'weights as a subject that are another model',
    'subject/1/digest/sha256',
    digest('other'),
    'bad_subject',
  );
  return cases;
}

export function timeBounds(): Vector[] {
  const stamp = (desc: string, faults: number, timestamps: [string, number][]): Vector => {
    const times = referenceAnchorTimes(timestamps, faults);
    return { desc, faults, timestamps, ...(times === null ? { want: 'no-time' } : { ...times, want: 'ok' }) };
  };
  const each = (...seconds: number[]): [string, number][] =>
    seconds.map((time, i) => [`operator-${i}`, time]);
  return [
    stamp('one liar ahead', 1, each(10, 20, 30, 999)),
    stamp('one liar behind', 1, each(1, 20, 30, 40)),
    stamp('nobody lies', 0, each(10, 20, 30)),
    stamp('two liars among five', 2, each(50, 10, 30, 20, 40)),
    stamp('all the same', 1, each(7, 7, 7, 7)),
    stamp('no more operators than the rule needs', 2, each(3, 1, 2)),
    stamp('a zero states no time', 1, each(0, 20, 30, 40)),
    stamp('two keys of one operator count once', 1, [
      ['a', 10],
      ['a', 999],
      ['b', 20],
      ['c', 30],
    ]),
    stamp('f below 0', -1, each(10, 20, 30, 999)),
    stamp('no timestamps', 0, []),
    stamp('only zeros', 0, each(0, 0, 0)),
    stamp('fewer operators than f + 1', 3, each(10, 20, 30)),
    stamp('enough lines but not operators', 1, [
      ['a', 10],
      ['a', 20],
      ['a', 30],
    ]),
    stamp('zeros leave too few', 1, each(0, 0, 30)),
    stamp('two keys of one operator, one without a time, and nobody else', 1, [
      ['a', 0],
      ['a', 20],
    ]),
    stamp('f as large as the number of operators', 4, each(1, 2, 3, 4)),
  ];
}
