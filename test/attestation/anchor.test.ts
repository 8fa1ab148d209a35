// Which lines an anchor carries, and which policies leave room for one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttestationError, buildAnchor, buildCharter, checkTerms, sign } from '../../attestation/index.js';
import type { Anchor, Envelope, Terms } from '../../attestation/index.js';
import {
  COSIGNATURE_ED25519,
  COSIGNATURE_MLDSA44,
  NOTE_ED25519,
  formatVkey,
  newSigningKey,
  parseNote,
  signNote,
  signNoteLine,
  encodeUtf8,
} from '../../tlog/index.js';
import type { SigningKey } from '../../tlog/index.js';
import { ORIGIN, World, seed, worldTerms } from './world.js';

const log = newSigningKey(ORIGIN, NOTE_ED25519, seed('log'));
const ed = (name: string): SigningKey => newSigningKey(name, COSIGNATURE_ED25519, seed(`ed ${name}`));
const ml = (name: string): SigningKey => newSigningKey(name, COSIGNATURE_MLDSA44, seed(`ml ${name}`));

function policyOf(witnesses: readonly (readonly [string, SigningKey])[], rest: string): string {
  const lines = witnesses.map(([name, key]) => `witness ${name} ${formatVkey(key.vkey)}\n`);
  return `log ${formatVkey(log.vkey)}\n${lines.join('')}${rest}`;
}

/** A log of one entry, its checkpoint cosigned by these, and the names of the lines of its anchor. */
async function anchorLines(
  policy: string,
  cosigners: readonly (readonly [SigningKey, number])[],
): Promise<string[]> {
  const world = new World(worldTerms({ policy }));
  await world.logSigned(buildCharter(world.terms, world.now), 'operator');
  const bare = new TextDecoder().decode(world.checkpoint([]));
  const text = bare.slice(0, bare.lastIndexOf('\n\n') + 1);
  const note = encodeUtf8(bare + cosigners.map(([key, time]) => signNoteLine(text, key, time)).join(''));
  const envelope = world.anchorOf(note);
  assert.ok((await world.ask(envelope)).ok, 'what is built is admitted');
  const statement = JSON.parse(new TextDecoder().decode(envelope.payload)) as Anchor;
  return parseNote(encodeUtf8(statement.predicate.checkpoint)).signatures.map(
    ({ name, signature }) => `${name} ${signature.length}`,
  );
}

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof AttestationError, String(error));
    return error.code;
  }
  return 'ok';
}

test('one line per operator, Ed25519 where there is one', async () => {
  const [a, aMl, b, cMl] = [ed('a.example'), ml('a.example'), ed('b.example'), ml('c.example')] as const;
  const policy = policyOf(
    [
      ['a', a],
      ['a2', aMl],
      ['b', b],
      ['c', cMl],
    ],
    'group g 2 a b c\nquorum g\n',
  );
  assert.deepEqual(
    await anchorLines(policy, [
      [aMl, 5],
      [a, 5],
      [b, 6],
      [cMl, 7],
    ]),
    [`${ORIGIN} 64`, 'a.example 72', 'b.example 72', 'c.example 2428'],
  );
  // Where the Ed25519 line is missing the operator's other one is taken; where both are, neither.
  assert.deepEqual(
    await anchorLines(policy, [
      [b, 6],
      [cMl, 7],
      [aMl, 5],
    ]),
    [`${ORIGIN} 64`, 'b.example 72', 'c.example 2428', 'a.example 2428'],
  );
});

test('more lines of one operator only where the quorum wants them', async () => {
  const [a1, a2, b] = [ed('a1.example'), ed('a2.example'), ed('b.example')] as const;
  const witnesses = [
    ['a1', a1],
    ['a2', a2],
    ['b', b],
  ] as const;
  const all = policyOf(
    witnesses,
    '# operator acme a1 a2\ngroup both all a1 a2\ngroup g all both b\nquorum g\n',
  );
  assert.equal(
    (
      await anchorLines(all, [
        [a1, 1],
        [a2, 2],
        [b, 3],
      ])
    ).length,
    4,
  );
  const two = policyOf(witnesses, '# operator acme a1 a2\ngroup one any a1 a2\ngroup g 2 one b\nquorum g\n');
  assert.deepEqual(
    await anchorLines(two, [
      [a2, 2],
      [a1, 1],
      [b, 3],
    ]),
    [`${ORIGIN} 64`, 'a1.example 72', 'b.example 72'],
  );
});

test('of the log\u2019s own lines the Ed25519 one, or what there is', async () => {
  const other = newSigningKey(ORIGIN, COSIGNATURE_MLDSA44, seed('log ML-DSA-44'));
  const line = (key: SigningKey): string => `log ${formatVkey(key.vkey)}\n`;
  const terms = worldTerms({
    logKeys: [log, other].map(({ vkey }) => formatVkey(vkey)),
    policy: `${line(log)}${line(other)}quorum none\n`,
  });
  const world = new World(terms);
  await world.logSigned(buildCharter(terms, world.now), 'operator');
  const bare = new TextDecoder().decode(world.checkpoint([]));
  const text = bare.slice(0, bare.lastIndexOf('\n\n') + 1);
  const linesOf = (envelope: Envelope): number[] => {
    const { predicate } = JSON.parse(new TextDecoder().decode(envelope.payload)) as Anchor;
    return parseNote(encodeUtf8(predicate.checkpoint)).signatures.map(({ signature }) => signature.length);
  };
  const both = world.anchorOf(signNote(text, [log, other], 0));
  assert.deepEqual(linesOf(both), [64]);
  assert.ok((await world.ask(both)).ok);
  const alone = world.anchorOf(signNote(text, [other], 0));
  assert.deepEqual(linesOf(alone), [2428]);
  assert.ok((await world.ask(alone)).ok);
});

test('without a quorum of witnesses the log\u2019s own line is enough', async () => {
  assert.deepEqual(await anchorLines(policyOf([], 'quorum none\n'), []), [`${ORIGIN} 64`]);
});

test('no anchor of a checkpoint that is not published, nor under another key', async () => {
  const world = await new World().begin();
  const build = (note: Uint8Array, anchorSeed = seed('anchor'), terms: Terms = world.terms): Envelope =>
    buildAnchor({ note, terms, anchorSeed });
  assert.equal(
    code(() => build(world.checkpoint([1, 2]))),
    'anchor_quorum',
  );
  assert.equal(
    code(() => build(world.checkpoint(), seed('operator'))),
    'anchor_key',
  );
  assert.deepEqual(build(world.checkpoint()).payload, build(world.checkpoint()).payload);
});

test('a policy whose anchors would not fit an entry is refused', () => {
  const many = (
    count: number,
    key: (name: string) => SigningKey,
    rest: (names: string[]) => string,
  ): string => {
    const list = Array.from({ length: count }, (_, i) => [`w${i}`, key(`w${i}.example`)] as const);
    return policyOf(list, rest(list.map(([name]) => name)));
  };
  const any = (names: string[]): string => `group g any ${names.join(' ')}\nquorum g\n`;
  const of = (policy: string, sizeLimit = 65535): string =>
    code(() => checkTerms(worldTerms({ policy, sizeLimit })));
  assert.equal(of(many(14, ml, any)), 'ok');
  assert.equal(of(many(16, ml, any)), 'policy_does_not_fit');
  assert.equal(of(many(60, ed, any)), 'ok');
  assert.equal(of(many(60, ed, any), 4096), 'policy_does_not_fit');
  // Sixteen operators with both kinds of key fit, since their Ed25519 lines alone form a quorum...
  const both = Array.from({ length: 16 }, (_, i) => [
    [`e${i}`, ed(`w${i}.example`)] as const,
    [`m${i}`, ml(`w${i}.example`)] as const,
  ]).flat();
  const names = (letter: string): string => Array.from({ length: 16 }, (_, i) => `${letter}${i}`).join(' ');
  assert.equal(of(policyOf(both, `group g 9 ${names('e')}\nquorum g\n`)), 'ok');
  // ...and do not where the quorum asks for the others.
  assert.equal(of(policyOf(both, `group g 9 ${names('m')}\nquorum g\n`)), 'policy_does_not_fit');
});

test('the size that is reckoned for an anchor is the size that it has', () => {
  const world = new World(worldTerms());
  const rootHash = seed('root');
  const note = world.checkpoint([1, 2, 3, 4], { size: Number.MAX_SAFE_INTEGER, rootHash });
  const { leaf } = { leaf: world.anchorOf(note) };
  const payload = JSON.parse(new TextDecoder().decode(leaf.payload)) as Anchor;
  // The reckoning takes the longest identifier; everything else is as long as it is.
  const longest = 64 - payload.predicate.participant.length;
  const bytes = 4 * Math.ceil((leaf.payload.length + longest) / 3);
  const overhead = JSON.stringify({
    payload: '',
    payloadType: 'application/vnd.in-toto+json',
    signatures: [{ keyid: 'x'.repeat(64), sig: 'x'.repeat(88) }],
  }).length;
  const size = bytes + overhead;
  assert.equal(
    code(() => checkTerms(worldTerms({ sizeLimit: size }))),
    'ok',
  );
  assert.equal(
    code(() => checkTerms(worldTerms({ sizeLimit: size - 1 }))),
    'policy_does_not_fit',
  );
  assert.ok(sign(buildCharter(worldTerms(), 1), seed('operator')));
});
