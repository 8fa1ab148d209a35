import type { Mutant } from './mutant.js';

const adversary = (kind: string): { file: string; test: string; name: string } => ({
  file: 'evidence/verify.ts',
  test: 'test/evidence-adversary.test.ts',
  name: `${kind}: no recombination`,
});
const vectors = (file: string): { file: string; test: string; name: string } => ({
  file,
  test: 'test/vectors.test.ts',
  name: 'evidence.json',
});
const maker = (name: string): { file: string; test: string; name: string } => ({
  file: 'evidence/make.ts',
  test: 'evidence/make.test.ts',
  name,
});

/**
 * Each check of a verdict, without which somebody honest is convicted; and the one spelling of a file. Three turn
 * only vectors red, since without them nobody honest is convicted, but one proof has several files: the order of two
 * trees of one size and the order of two sizes (spelling), and the extension lines that ML-DSA-44 does not cover
 * (malleability: anybody could change them in a good file).
 */
export const evidenceMutants: readonly Mutant[] = [
  {
    desc: 'the verification of the signatures',
    find: 'verifySignatureLine(signature, text, [vkey]);',
    replace: '',
    ...adversary('same-size'),
  },
  {
    desc: "the rule that a log's key speaks for its own origin only",
    find: '(origin ?? vkey.name) === checkpoint.origin',
    replace: 'origin === undefined && vkey.name !== undefined',
    ...adversary('same-size'),
  },
  {
    desc: 'the rule that both trees are of one origin',
    find: 'if (a.origin !== b.origin)',
    replace: 'if (a.origin === undefined)',
    ...adversary('same-size'),
  },
  {
    desc: 'the rule that one party signed both',
    find: 'if (signer.vkey !== other.vkey && !oneLog)',
    replace: 'if (signer.role !== other.role)',
    ...adversary('same-size'),
  },
  {
    desc: 'the rule that a rotation is two keys of a log',
    find: "signer.role === 'log' && other.role === 'log'",
    replace: "signer.role === 'log' || other.role === 'log'",
    ...adversary('same-size'),
  },
  {
    desc: 'the rule that an empty tree contradicts no other',
    find: 'if (a.size === 0)',
    replace: 'if (a.size < 0)',
    ...adversary('same-size'),
  },
  {
    desc: 'the comparison of the two sizes',
    find: 'if (a.size !== b.size)',
    replace: 'if (a.size < 0)',
    ...adversary('same-size'),
  },
  {
    desc: 'the comparison of the two roots',
    find: 'if (equalBytes(a.rootHash, b.rootHash))',
    replace: 'if (a.size < 0)',
    ...adversary('same-size'),
  },
  {
    desc: 'the rule that the larger tree contains another root',
    find: 'if (equalBytes(oldRoot, a.rootHash))',
    replace: 'if (a.size < 0)',
    ...adversary('not-a-prefix'),
  },
  {
    desc: 'the rule that the consistency proof holds',
    find: 'verifyConsistency({ oldSize',
    replace: 'void ({ oldSize',
    ...adversary('not-a-prefix'),
  },
  {
    desc: 'the comparison of the two entries',
    find: 'if (equalBytes(first.leafHash, second.leafHash))',
    replace: 'if (a.size < 0)',
    ...adversary('two-entries'),
  },
  {
    desc: 'the inclusion proof of the first entry',
    find: 'verifyInclusion({ index, treeSize: a.size',
    replace: 'void ({ index, treeSize: a.size',
    ...adversary('two-entries'),
  },
  {
    desc: 'the inclusion proof of the second entry',
    find: 'verifyInclusion({ index, treeSize: b.size',
    replace: 'void ({ index, treeSize: b.size',
    ...adversary('two-entries'),
  },
  {
    desc: 'the rule that an empty tree convicts a log only',
    find: "if (role !== 'log')",
    replace: 'if (size < 0)',
    ...adversary('empty-tree'),
  },
  {
    desc: 'the rule that an empty tree is empty',
    find: 'if (size !== 0)',
    replace: 'if (size < 0)',
    ...adversary('empty-tree'),
  },
  {
    desc: 'the comparison with the root of nothing',
    find: 'if (equalBytes(rootHash, emptyRoot()))',
    replace: 'if (size < 0)',
    ...adversary('empty-tree'),
  },
  {
    desc: 'the order of two trees of one size',
    find: 'if (encodeHex(a.rootHash) > encodeHex(b.rootHash))',
    replace: 'if (a.size < 0)',
    ...vectors('evidence/verify.ts'),
  },
  {
    desc: 'the order of two sizes',
    find: 'if (a.size >= b.size)',
    replace: 'if (a.size > b.size)',
    ...vectors('evidence/verify.ts'),
  },
  {
    desc: 'the refusal of what an ML-DSA-44 signature does not cover',
    find: 'if (vkey.type === COSIGNATURE_MLDSA44 && checkpoint.extensions.length > 0)',
    replace: 'if (checkpoint.size < 0)',
    ...vectors('evidence/verify.ts'),
  },
  {
    desc: 'the verification of each line before evidence is made of it',
    find: 'if (line.name !== vkey.name || line.keyId !== vkey.keyId) return false;',
    replace: 'return line.name === vkey.name && line.keyId === vkey.keyId;',
    ...maker('a bad line spoils no evidence'),
  },
  {
    desc: 'the check of what a peer says about the larger tree',
    find: 'verifyConsistency({ oldSize: a.size',
    replace: 'void ({ oldSize: a.size',
    ...maker('a proof that a peer owes'),
  },
  {
    desc: 'the two keys of a rotation',
    find: 'for (const one of first.logs) {\n    for (const other of second.logs) {',
    replace: 'for (const one of first.logs.slice(0, 0)) {\n    for (const other of second.logs) {',
    ...maker('every key that signed both'),
  },
  {
    desc: 'the evidence in a checkpoint that has no quorum',
    file: 'cli/evidence.ts',
    find: 'if (error instanceof RefusedCheckpointError) {',
    replace: 'if (context === undefined) {',
    test: 'test/cli-evidence.test.ts',
    name: 'a second history without a quorum',
  },
  {
    desc: 'the rule that only what the policy lists is proven by a contradiction',
    file: 'cli/evidence.ts',
    find: 'if (comparison.evidence.length > 0) return keep(context, log, {',
    replace: 'return keep(context, log, {',
    test: 'test/cli-evidence.test.ts',
    name: 'a contradiction across a change of policy',
  },
  {
    desc: 'the lines that a note can hold, in policy lint',
    file: 'system/policy-words.ts',
    find: 'lines <= MAX_NOTE_SIGNATURES',
    replace: 'lines > 0',
    test: 'test/cli-evidence.test.ts',
    name: 'a policy that no checkpoint can meet',
  },
];
