// spec/vectors/evidence.json: two histories under one key, and what can and cannot be held against it.
import { proofLines, referenceEvidence, type ReferenceProof } from '../reference/evidence.js';
import { ReferenceTree, numberedEntries } from '../reference/merkle.js';
import {
  referenceCheckpoint,
  referenceCosignatureLine,
  referenceLineWith,
  referenceNoteLine,
  referenceSign,
  referenceVkey,
  type ReferenceKey,
} from '../reference/notes.js';
import { edit } from './generate-keys.js';
import { hex, utf8, type Vector } from './vector.js';

const key = (name: string, type: 1 | 4 | 6, fill: number): ReferenceKey => ({
  name,
  type,
  seed: new Uint8Array(32).fill(fill),
});
const LOG = key('log.example', 1, 1);
/** The key that the log is changing to. */
const NEXT = key('log.example', 1, 2);
const LOG_PQ = key('log.example', 6, 3);
const OTHER = key('other.example', 1, 4);
const W0 = key('w0.example', 4, 10);
const W1 = key('w1.example', 4, 11);
const W_PQ = key('w2.example', 6, 12);
const TIME = 1_679_315_147;

const policyOf = (logs: readonly ReferenceKey[], witnesses: readonly ReferenceKey[]): string =>
  [
    ...logs.map((log) => `log ${referenceVkey(log)}\n`),
    ...witnesses.map((witness, i) => `witness W${i} ${referenceVkey(witness)}\n`),
    'quorum none\n',
  ].join('');
const POLICY = policyOf([LOG, NEXT, LOG_PQ, OTHER], [W0, W1, W_PQ]);

const honest = new ReferenceTree(numberedEntries(11));
/** The same log from entry 3 on as somebody else was shown it. */
const forked = new ReferenceTree(
  numberedEntries(11).map((entry, i) => (i < 3 ? entry : utf8(`other entry ${i}`))),
);

const line = (who: ReferenceKey, text: string, time = TIME): string =>
  who.type === 1 ? referenceNoteLine(who, text) : referenceCosignatureLine(who, text, time);
const note = (who: ReferenceKey, text: string, time = TIME): string => `${text}\n${line(who, text, time)}`;
const head = (
  tree: ReferenceTree,
  size: number,
  origin = 'log.example',
  extensions: readonly string[] = [],
): string => referenceCheckpoint(origin, size, tree.root(size), extensions);

interface Claimed {
  readonly role: 'log' | 'witness';
  readonly convicted: readonly ReferenceKey[];
  readonly trees: readonly (readonly [tree: ReferenceTree, size: number])[];
}

/** The two trees of this size, the smaller root first. */
function ordered(size: number): [ReferenceTree, ReferenceTree] {
  return hex(honest.root(size)) < hex(forked.root(size)) ? [honest, forked] : [forked, honest];
}

/** The root that `larger` had at the smaller size. */
const prefix = (larger: ReferenceTree, oldSize: number, newSize: number): ReferenceProof => ({
  hash: larger.root(oldSize),
  proof: larger.proof(oldSize, newSize),
});
const entry = (tree: ReferenceTree, index: number, size: number): ReferenceProof => ({
  hash: tree.leafHash(index),
  proof: tree.path(index, size),
});
const inTwo = (index: number, a: ReferenceProof, b: ReferenceProof): string[] => [
  `index ${index}`,
  ...proofLines('entry', a),
  ...proofLines('entry', b),
];

export function evidence(): Vector[] {
  const good = (
    desc: string,
    file: string,
    kind: string,
    { role, convicted, trees }: Claimed,
    policy = POLICY,
  ): Vector => ({
    desc,
    evidence: file,
    policy,
    kind,
    role,
    origin: 'log.example',
    convicted: convicted.map(referenceVkey),
    trees: trees.map(([tree, size]) => ({ size, rootHash: hex(tree.root(size)) })),
    want: 'ok',
  });
  const bad = (desc: string, file: string | Uint8Array, want = 'bad_evidence', policy = POLICY): Vector => ({
    desc,
    ...(typeof file === 'string' ? { evidence: file } : { evidenceHex: hex(file) }),
    policy,
    want,
  });

  const [low, high] = ordered(5);
  const sameSize = (a = LOG, b = a, time = TIME): string =>
    referenceEvidence('same-size', [], [note(a, head(low, 5)), note(b, head(high, 5), time)]);
  const notPrefix = (
    oldSize: number,
    newSize: number,
    a = LOG,
    b = a,
    shown = prefix(forked, oldSize, newSize),
  ): string =>
    referenceEvidence('not-a-prefix', proofLines('root', shown), [
      note(a, head(honest, oldSize)),
      note(b, head(forked, newSize)),
    ]);
  const twoEntries = (index: number, oldSize: number, newSize: number, a = LOG, b = a): string =>
    referenceEvidence(
      'two-entries',
      inTwo(index, entry(honest, index, oldSize), entry(forked, index, newSize)),
      [note(a, head(honest, oldSize)), note(b, head(forked, newSize))],
    );
  const zero = (root: Uint8Array, extensions: string[] = []): string =>
    referenceCheckpoint('log.example', 0, root, extensions);
  const emptyTree = (who: ReferenceKey, root = honest.root(5)): string =>
    referenceEvidence('empty-tree', [], [note(who, zero(root))]);
  const empty = new ReferenceTree([]);
  const pairOf5: Claimed['trees'] = [
    [low, 5],
    [high, 5],
  ];
  const pair = (a: number, b: number): Claimed['trees'] => [
    [honest, a],
    [forked, b],
  ];
  const log = { role: 'log', convicted: [LOG] } as const;
  const plain = notPrefix(5, 8);
  const [plainRoot = ''] = proofLines('root', prefix(forked, 5, 8));
  const small = sameSize();
  const entries = twoEntries(4, 5, 8);
  const secondLine = line(LOG, head(forked, 8));
  const shuffled = (a: string, b: string): string => referenceEvidence('same-size', [], [a, b]);
  const extended = (which: ReferenceTree, who: ReferenceKey): string =>
    note(who, head(which, 5, 'log.example', ['an extension']));

  return [
    // What convicts.
    good('one size, two roots', small, 'same-size', { ...log, trees: pairOf5 }),
    good('under extension lines', shuffled(extended(low, LOG), note(LOG, head(high, 5))), 'same-size', {
      ...log,
      trees: pairOf5,
    }),
    good('a witness that cosigned both', sameSize(W0), 'same-size', {
      role: 'witness',
      convicted: [W0],
      trees: pairOf5,
    }),
    good('a witness with times running backwards', sameSize(W0, W0, TIME - 5), 'same-size', {
      role: 'witness',
      convicted: [W0],
      trees: pairOf5,
    }),
    good('a witness that signs with ML-DSA-44', sameSize(W_PQ), 'same-size', {
      role: 'witness',
      convicted: [W_PQ],
      trees: pairOf5,
    }),
    good('a log that signs with ML-DSA-44', sameSize(LOG_PQ), 'same-size', {
      role: 'log',
      convicted: [LOG_PQ],
      trees: pairOf5,
    }),
    good('two keys of one log', sameSize(LOG, NEXT), 'same-size', {
      role: 'log',
      convicted: [LOG, NEXT],
      trees: pairOf5,
    }),
    good(
      "a witness of a log that is not the reader's",
      sameSize(W0),
      'same-size',
      { role: 'witness', convicted: [W0], trees: pairOf5 },
      policyOf([OTHER], [W0]),
    ),
    good('5 is not a prefix of 8', plain, 'not-a-prefix', { ...log, trees: pair(5, 8) }),
    good('4 is not a prefix of 8: the proof leaves the root out', notPrefix(4, 8), 'not-a-prefix', {
      ...log,
      trees: pair(4, 8),
    }),
    good('8 is not a prefix of 11', notPrefix(8, 11), 'not-a-prefix', { ...log, trees: pair(8, 11) }),
    good('a witness that cosigned 6 and another 11', notPrefix(6, 11, W1), 'not-a-prefix', {
      role: 'witness',
      convicted: [W1],
      trees: pair(6, 11),
    }),
    good('two keys of one log, the new one first', notPrefix(5, 8, NEXT, LOG), 'not-a-prefix', {
      role: 'log',
      convicted: [NEXT, LOG],
      trees: pair(5, 8),
    }),
    good('two entries at index 4', entries, 'two-entries', { ...log, trees: pair(5, 8) }),
    good('two entries, the last and the first of their trees', twoEntries(3, 4, 11), 'two-entries', {
      ...log,
      trees: pair(4, 11),
    }),
    good('two entries before a witness', twoEntries(6, 7, 8, W_PQ), 'two-entries', {
      role: 'witness',
      convicted: [W_PQ],
      trees: pair(7, 8),
    }),
    {
      ...good('an empty tree that is not empty', emptyTree(LOG), 'empty-tree', { ...log, trees: [] }),
      trees: [{ size: 0, rootHash: hex(honest.root(5)) }],
    },

    // What shows no misbehaviour.
    bad('one tree twice', shuffled(note(LOG, head(low, 5)), note(LOG, head(low, 5))), 'not_proven'),
    bad(
      'one tree at two times',
      shuffled(note(W0, head(low, 5)), note(W0, head(low, 5), TIME + 60)),
      'not_proven',
    ),
    bad(
      'one tree with another extension',
      shuffled(note(LOG, head(low, 5)), extended(low, LOG)),
      'not_proven',
    ),
    bad(
      'two sizes said to be one',
      shuffled(note(LOG, head(honest, 5)), note(LOG, head(honest, 6))),
      'not_proven',
    ),
    bad(
      'two logs that one witness cosigned',
      shuffled(note(W0, head(low, 5)), note(W0, head(high, 5, 'other.example'))),
      'not_proven',
    ),
    bad('two witnesses, one each', sameSize(W0, W1), 'not_proven'),
    bad('the log and a witness, one each', sameSize(LOG, W0), 'not_proven'),
    bad(
      'a smaller size at a later time',
      notPrefix(5, 8, W0, W0, prefix(honest, 5, 8)).replace(
        note(W0, head(forked, 8)),
        note(W0, head(honest, 8), TIME - 60),
      ),
      'not_proven',
    ),
    bad(
      'a prefix, with the proof of it',
      referenceEvidence('not-a-prefix', proofLines('root', prefix(honest, 5, 8)), [
        note(LOG, head(honest, 5)),
        note(LOG, head(honest, 8)),
      ]),
      'not_proven',
    ),
    bad(
      'a prefix, with a proof that fails',
      referenceEvidence('not-a-prefix', proofLines('root', prefix(forked, 5, 8)), [
        note(LOG, head(honest, 5)),
        note(LOG, head(honest, 8)),
      ]),
      'not_proven',
    ),
    bad(
      'a proof with one hash changed',
      notPrefix(5, 8, LOG, LOG, {
        hash: forked.root(5),
        proof: [...forked.proof(5, 8).slice(0, -1), honest.root(1)],
      }),
      'not_proven',
    ),
    bad(
      'a proof with one hash missing',
      notPrefix(5, 8, LOG, LOG, {
        hash: forked.root(5),
        proof: forked.proof(5, 8).slice(1),
      }),
      'not_proven',
    ),
    bad(
      'a proof with one hash too many',
      notPrefix(5, 8, LOG, LOG, {
        hash: forked.root(5),
        proof: [...forked.proof(5, 8), honest.root(1)],
      }),
      'not_proven',
    ),
    bad('a proof of another size', notPrefix(5, 8, LOG, LOG, prefix(forked, 6, 8)), 'not_proven'),
    bad(
      'the empty tree is a prefix of every tree',
      referenceEvidence('not-a-prefix', proofLines('root', { hash: forked.root(8), proof: [] }), [
        note(LOG, zero(empty.root(0))),
        note(LOG, head(forked, 8)),
      ]),
      'not_proven',
    ),
    bad(
      'one entry twice',
      referenceEvidence('two-entries', inTwo(4, entry(honest, 4, 5), entry(honest, 4, 8)), [
        note(LOG, head(honest, 5)),
        note(LOG, head(honest, 8)),
      ]),
      'not_proven',
    ),
    bad(
      'the entries of two indexes',
      referenceEvidence('two-entries', inTwo(4, entry(honest, 4, 5), entry(honest, 5, 8)), [
        note(LOG, head(honest, 5)),
        note(LOG, head(honest, 8)),
      ]),
      'not_proven',
    ),
    bad(
      'an entry that is in neither tree, first',
      referenceEvidence(
        'two-entries',
        inTwo(4, { ...entry(honest, 4, 5), hash: forked.leafHash(4) }, entry(honest, 4, 8)),
        [note(LOG, head(honest, 5)), note(LOG, head(honest, 8))],
      ),
      'not_proven',
    ),
    bad(
      'an entry that is in neither tree, second',
      referenceEvidence(
        'two-entries',
        inTwo(4, entry(honest, 4, 5), { ...entry(honest, 4, 8), hash: forked.leafHash(4) }),
        [note(LOG, head(honest, 5)), note(LOG, head(honest, 8))],
      ),
      'not_proven',
    ),
    bad(
      'an index beyond the smaller tree',
      referenceEvidence('two-entries', inTwo(5, entry(honest, 4, 5), entry(forked, 5, 8)), [
        note(LOG, head(honest, 5)),
        note(LOG, head(forked, 8)),
      ]),
      'not_proven',
    ),
    bad('an empty tree that is empty', emptyTree(LOG, empty.root(0)), 'not_proven'),
    bad(
      'a tree of 5 said to be empty',
      edit(emptyTree(LOG), note(LOG, zero(honest.root(5))), note(LOG, head(honest, 5))),
      'not_proven',
    ),
    bad('an empty tree before a witness', emptyTree(W0), 'not_proven'),
    bad(
      'two empty trees before a witness',
      shuffled(
        ...([zero(honest.root(4)), zero(honest.root(5))].map((text) => note(W0, text)).sort() as [
          string,
          string,
        ]),
      ),
      'not_proven',
    ),

    // Whose word it is.
    bad('a key the reader does not know', small, 'unknown_key', policyOf([NEXT, OTHER], [W0, W1])),
    bad('another key of that name', sameSize(key('log.example', 1, 9)), 'unknown_key'),
    bad('one key known, the other not', sameSize(LOG, NEXT), 'unknown_key', policyOf([LOG], [])),
    bad(
      'the key of another log of the reader',
      shuffled(note(LOG, head(low, 5)), note(OTHER, head(high, 5))),
      'unknown_key',
    ),
    bad('a log key for another origin, twice', sameSize(OTHER), 'unknown_key'),
    bad(
      'the first signature over another text',
      edit(small, line(LOG, head(low, 5)), line(LOG, head(low, 6))),
      'bad_signature',
    ),
    bad(
      'the second signature over another text',
      edit(plain, secondLine, line(LOG, head(forked, 9))),
      'bad_signature',
    ),
    bad(
      'the lines exchanged',
      shuffled(
        `${head(low, 5)}\n${line(LOG, head(high, 5))}`,
        `${head(high, 5)}\n${line(LOG, head(low, 5))}`,
      ),
      'bad_signature',
    ),
    bad(
      'a cosignature with the key ID of the log',
      edit(small, line(LOG, head(low, 5)), referenceLineWith(LOG, referenceSign(W0, utf8(head(low, 5))))),
      'bad_signature',
    ),
    bad(
      'another size under the signature, for which the proof holds too',
      edit(plain, 'log.example\n8\n', 'log.example\n7\n'),
      'bad_signature',
    ),
    bad('an origin changed in both', small.replaceAll('\nlog.example\n', '\nother.example\n'), 'unknown_key'),

    // The one spelling.
    bad('the notes exchanged', shuffled(note(LOG, head(high, 5)), note(LOG, head(low, 5)))),
    bad(
      'the larger tree first',
      referenceEvidence('not-a-prefix', proofLines('root', prefix(forked, 5, 8)), [
        note(LOG, head(forked, 8)),
        note(LOG, head(honest, 5)),
      ]),
    ),
    bad(
      'two entries in trees of one size',
      referenceEvidence('two-entries', inTwo(4, entry(low, 4, 5), entry(high, 4, 5)), [
        note(LOG, head(low, 5)),
        note(LOG, head(high, 5)),
      ]),
    ),
    bad(
      'an extension that ML-DSA-44 does not cover',
      shuffled(extended(low, W_PQ), note(W_PQ, head(high, 5))),
    ),
    bad(
      'a second line, by the same key',
      shuffled(`${note(W0, head(low, 5))}${line(W0, head(low, 5), TIME + 1)}`, note(W0, head(high, 5))),
    ),
    bad('a second line, by a stranger', `${small}${line(key('x.example', 4, 20), head(high, 5))}`),
    bad('no signature line', edit(small, `\n${line(LOG, head(high, 5))}`, '')),
    bad('a third note', `${small}\n${note(LOG, head(honest, 6))}`),
    bad('one note only', referenceEvidence('same-size', [], [note(LOG, head(low, 5))])),
    bad(
      'two empty trees',
      referenceEvidence('empty-tree', [], [note(LOG, zero(honest.root(4))), note(LOG, zero(honest.root(5)))]),
    ),
    bad('nothing', ''),
    bad('a blank line at the end', `${small}\n`),
    bad('no newline at the end', small.slice(0, -1)),
    bad('carriage returns', small.replaceAll('\n', '\r\n')),
    bad('another version', edit(small, '@v1', '@v2')),
    bad('another kind', edit(small, 'same-size', 'rollback')),
    bad('a kind in capitals', edit(small, 'same-size', 'SAME-SIZE')),
    bad('no kind', edit(small, 'same-size\n', '')),
    bad('a proof that its kind does not have', edit(small, 'same-size\n', `same-size\n${plainRoot}\n`)),
    bad('a root that its kind lacks', edit(plain, `${plainRoot}\n`, '')),
    bad('an index that its kind does not have', edit(plain, 'not-a-prefix\n', 'not-a-prefix\nindex 4\n')),
    bad('no index', edit(entries, 'index 4\n', '')),
    bad('an index with a leading zero', edit(entries, 'index 4', 'index 04')),
    bad('an index of 2^53', edit(entries, 'index 4', 'index 9007199254740992')),
    bad(
      'an entry too many',
      edit(entries, 'index 4\n', `index 4\n${proofLines('entry', entry(honest, 0, 1))[0] ?? ''}\n`),
    ),
    bad(
      'one entry only',
      referenceEvidence(
        'two-entries',
        ['index 4', ...proofLines('entry', entry(honest, 4, 5))],
        [note(LOG, head(honest, 5)), note(LOG, head(forked, 8))],
      ),
    ),
    bad('a root that is not canonical base64', edit(plain, /(root .{42})./, '$1B')),
    bad('a root of 31 bytes', edit(plain, plainRoot, `root ${Buffer.alloc(31).toString('base64')}`)),
    bad(
      '65 hashes',
      notPrefix(5, 8, LOG, LOG, {
        hash: forked.root(5),
        proof: Array.from({ length: 65 }, () => honest.root(1)),
      }),
    ),
    bad('a leading zero in a size', edit(small, '\n5\n', '\n05\n')),
    bad('a size of 2^53', edit(small, '\n5\n', '\n9007199254740992\n')),
    bad(
      'a note that is no checkpoint',
      referenceEvidence('empty-tree', [], ['hello\n\n' + line(LOG, 'hello\n')]),
    ),
    bad('a byte order mark', `\ufeff${small}`),
    bad('invalid UTF-8', Uint8Array.from([0xff, ...utf8(small)])),
  ];
}
