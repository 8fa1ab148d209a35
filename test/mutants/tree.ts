import type { Mutant } from './mutant.js';

const vectors = (file: string): { test: string; name: string } => ({
  test: 'test/vectors.test.ts',
  name: file,
});
const verdicts = { test: 'test/vectors.test.ts', name: 'every platform gives the same verdicts' };

/** Trees, tiles, encodings and signatures. */
export const treeMutants: readonly Mutant[] = [
  {
    desc: 'the bound on S, which noble alone does not answer with false',
    file: 'tlog/ed25519.ts',
    find: 'if (!isBelowOrder(signature.subarray(32))) return false;',
    replace: '',
    ...verdicts,
  },
  {
    desc: 'the refusal of keys of small order',
    file: 'tlog/ed25519.ts',
    find: ' && !isSmallOrder(publicKey);',
    replace: ';',
    ...verdicts,
  },
  {
    desc: 'the refusal of keys that are not canonical',
    file: 'tlog/ed25519.ts',
    find: 'isBelowPrime(publicKey) &&',
    replace: '',
    ...verdicts,
  },
  {
    desc: 'the byte-by-byte comparison of R in browsers',
    file: 'tlog/platform-browser.ts',
    find: 'return computed.every((byte, i) => byte === r[i]);',
    replace: 'return Point.fromBytes(computed).subtract(Point.fromBytes(r, true)).clearCofactor().is0();',
    ...verdicts,
  },
  {
    desc: 'the prefix of leaves',
    file: 'tlog/merkle.ts',
    find: 'input.set(entry, 1);',
    replace: 'input.set(entry, 1); input[0] = 1;',
    ...vectors('hashes.json'),
  },
  {
    desc: 'the length of hashes',
    file: 'tlog/merkle.ts',
    find: 'if (hash.length !== HASH_SIZE) {',
    replace: 'if (hash.length > HASH_SIZE) {',
    ...vectors('hashes.json'),
  },
  {
    desc: 'the number of hashes in a proof',
    file: 'tlog/proof.ts',
    find: 'if (proof.length !== expected) {',
    replace: 'if (proof.length < expected) {',
    ...vectors('inclusion.json'),
  },
  {
    desc: 'the old root in a consistency proof',
    file: 'tlog/proof.ts',
    find: "checkRoot(oldHash, claim.oldRoot, 'consistency proof, old tree');",
    replace: '',
    ...vectors('consistency.json'),
  },
  {
    desc: 'the new root in a consistency proof',
    file: 'tlog/proof.ts',
    find: "checkRoot(newHash, claim.newRoot, 'consistency proof, new tree');",
    replace: '',
    ...vectors('consistency.json'),
  },
  {
    desc: 'the refusal of an empty old tree',
    file: 'tlog/proof.ts',
    find: "if (safeInteger(oldSize, 'old size') === 0 || oldSize > newSize) {",
    replace: "if (safeInteger(oldSize, 'old size') > newSize) {",
    ...vectors('consistency.json'),
  },
  {
    desc: 'the other spellings of the path of a bundle',
    file: 'tlog/tiles.ts',
    find: 'if (entriesPath(index, width) !== path) throw bad();',
    replace: '',
    test: 'tlog/tiles.test.ts',
    name: 'every other spelling',
  },
  {
    desc: 'the other spellings of the path of a tile',
    file: 'tlog/tiles.ts',
    find: ' || tilePath(tile) !== path) throw bad();',
    replace: ') throw bad();',
    ...vectors('tile-paths.json'),
  },
  {
    desc: 'the number of entries in a bundle',
    file: 'tlog/bundles.ts',
    find: 'if (expectedCount !== undefined && entries.length !== expectedCount) {',
    replace: 'if (entries.length === 0) {',
    ...vectors('bundles.json'),
  },
  {
    desc: 'the unused bits of base64',
    file: 'tlog/encoding.ts',
    find: '} else if ((b & 15) !== 0) {',
    replace: '} else if (b < 0) {',
    ...vectors('encodings.json'),
  },
  {
    desc: 'the byte order mark',
    file: 'tlog/encoding.ts',
    find: 'fatal: true, ignoreBOM: true',
    replace: 'fatal: true',
    ...vectors('encodings.json'),
  },
  {
    desc: 'the bound of decimals',
    file: 'tlog/encoding.ts',
    find: 'if (!Number.isSafeInteger(value)) {\n    throw',
    replace: 'if (value < 0) {\n    throw',
    ...vectors('encodings.json'),
  },
];
