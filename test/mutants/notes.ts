import type { Mutant } from './mutant.js';

const vectors = (file: string): { test: string; name: string } => ({
  test: 'test/vectors.test.ts',
  name: file,
});
const faults = 'test/policy-faults.test.ts';

/** Keys, notes, cosignatures, policies and proofs. */
export const noteMutants: readonly Mutant[] = [
  {
    desc: "the check of a vkey's ID",
    file: 'tlog/vkey.ts',
    find: 'if (formatKeyId(found) === stated) return;',
    replace: 'if (formatKeyId(found) !== "") return;',
    ...vectors('vkeys.json'),
  },
  {
    desc: 'the refusal of two keys of one name and ID',
    file: 'tlog/vkey.ts',
    find: 'if (seen.has(id)) {',
    replace: 'if (seen.has("")) {',
    ...vectors('notes.json'),
  },
  {
    desc: "Go's idea of spaces in key names, for JavaScript's",
    file: 'tlog/vkey.ts',
    find: 'GO_SPACES.has(point)',
    replace: '/\\s/u.test(character)',
    ...vectors('vkeys.json'),
  },
  {
    desc: 'the last blank line, for the first',
    file: 'tlog/note.ts',
    find: "note.lastIndexOf('\\n\\n')",
    replace: "note.indexOf('\\n\\n')",
    ...vectors('notes.json'),
  },
  {
    desc: 'the rejection of a note for one bad signature',
    file: 'tlog/note.ts',
    find: '    keepLatest(latest, { ...signature, vkey, ...verifyNoteSignature(vkey, note.text, signature.signature) });',
    replace:
      '    try {\n      keepLatest(latest, { ...signature, vkey, ...verifyNoteSignature(vkey, note.text, signature.signature) });\n    } catch {\n      unknown++;\n    }',
    ...vectors('notes.json'),
  },
  {
    desc: 'the refusal of control characters in a note',
    file: 'tlog/note.ts',
    find: 'if (code < 0x20 && code !== 0x0a) {',
    replace: 'if (code === 0) {',
    ...vectors('notes.json'),
  },
  {
    desc: 'the later cosignature by one key, for the earlier',
    file: 'tlog/note.ts',
    find: '(signature.timestamp ?? 0) > (held.timestamp ?? 0)',
    replace: '(signature.timestamp ?? 0) < (held.timestamp ?? 0)',
    test: 'tlog/note.test.ts',
    name: 'merging: verified alone',
  },
  {
    desc: 'the verification of a line before it is merged',
    file: 'tlog/note.ts',
    find: 'return { ...signature, vkey, ...verifyNoteSignature(vkey, text, signature.signature) };',
    replace: 'return { ...signature, vkey, timestamp: 50 };',
    test: 'tlog/note.test.ts',
    name: 'merging: verified alone',
  },
  {
    desc: 'the refusal of a time on a subtree',
    file: 'tlog/cosignature.ts',
    find: 'if (start !== 0 && timestamp !== 0) {',
    replace: 'if (start < 0) {',
    ...vectors('subtrees.json'),
  },
  {
    desc: 'the bound on timestamps',
    file: 'tlog/cosignature.ts',
    find: 'if (value > BigInt(Number.MAX_SAFE_INTEGER)) {',
    replace: 'if (value < 0n) {',
    test: 'tlog/cosignature.test.ts',
    name: 'timestamps above 2^53 - 1',
  },
  {
    desc: 'the rule that a log key speaks for its own origin only',
    file: 'tlog/signed-checkpoint.ts',
    find: '(origin ?? vkey.name) === checkpoint.origin',
    replace: '(origin ?? checkpoint.origin) === checkpoint.origin',
    ...vectors('tlog-proofs.json'),
  },
  {
    desc: 'the refusal of one public key under two names in a policy',
    file: 'tlog/policy-file.ts',
    find: 'samePublicKey(witness.vkey, vkey)',
    replace: 'witness.vkey === vkey',
    ...vectors('policies.json'),
  },
  {
    desc: 'the rule of each name in one group only',
    file: 'tlog/policy-file.ts',
    find: 'if (this.#members.has(member))',
    replace: "if (this.#members.has(''))",
    ...vectors('policies.json'),
  },
  {
    desc: 'the counting of operators, for that of witnesses',
    file: 'tlog/policy-operators.ts',
    find: 'operator: find(witness.vkey.name) }',
    replace: 'operator: witness.name }',
    ...vectors('policies.json'),
  },
  {
    desc: 'the search where an operator stands in several places',
    file: 'tlog/policy-faults.ts',
    find: '.filter(([, where]) => where.length > 1)',
    replace: '.filter(([, where]) => where.length > 99)',
    test: faults,
    name: 'f of 6,000 random policies',
  },
  {
    desc: 'the f of those in step at the gate',
    file: 'tlog/policy-faults.ts',
    find: 'operatorsToQuorum(policy, silent, inStep) <= Math.max(0, faults)',
    replace: 'operatorsToQuorum(policy, silent, inStep) <= 0',
    test: faults,
    name: 'with 3 of 4 the gate opens',
  },
  {
    desc: 'the quorum of a tlog-proof',
    file: 'tlog/tlog-proof.ts',
    find: 'if (!evaluation.met) {',
    replace: 'if (index < 0) {',
    ...vectors('tlog-proofs.json'),
  },
  {
    desc: 'the inclusion proof of a tlog-proof',
    file: 'tlog/tlog-proof.ts',
    find: '  verifyInclusion({',
    replace: '  ((_: unknown): void => undefined)({',
    ...vectors('tlog-proofs.json'),
  },
];
