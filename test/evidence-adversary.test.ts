// An adversary holds everything that honest parties ever signed, and the keys of a log and a witness that the
// reader knows too. It builds evidence of every kind out of it, in every way it can think of, and convicts
// nobody but itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyEvidence, type Verdict } from '../evidence/index.js';
import { SteleError, encodeUtf8, formatVkey, parsePolicy } from '../tlog/index.js';
import { EVIL, FAKE, HONEST, LIAR, POLICY, TRUTH, collect, type Material } from './evidence/material.js';
import { proofLines, referenceEvidence, referenceVerdict } from './reference/evidence.js';
import type { ReferenceTree } from './reference/merkle.js';
import { referenceVkey } from './reference/notes.js';

const material = collect();
const policy = parsePolicy(encodeUtf8(POLICY));
const kinds = ['empty-tree', 'same-size', 'not-a-prefix', 'two-entries'] as const;
type Kind = (typeof kinds)[number];

/** The headers of a kind over two trees that might convince somebody. */
function* headers(kind: Kind, a: Material, b: Material): Generator<string[]> {
  if (kind === 'same-size') yield [];
  if (a.size < 1 || a.size > b.size) {
    // No proof goes from nothing to something, nor backwards; so there is nothing to hold against it.
    if (kind === 'not-a-prefix') yield proofLines('root', { hash: b.root, proof: [] });
    return;
  }
  for (const tree of [TRUTH, FAKE]) {
    if (kind === 'not-a-prefix') {
      const proof = tree.proof(a.size, b.size);
      for (const hash of [tree.root(a.size), a.root, FAKE.root(a.size), b.root])
        yield proofLines('root', { hash, proof });
    }
  }
  if (kind !== 'two-entries') return;
  for (const index of new Set([0, a.size - 1])) {
    // Of each tree, the leaf with its proof; and the leaf of the other tree with the proof of the true one.
    const inA = [TRUTH, FAKE].flatMap((leaf) =>
      [leaf, TRUTH].map((path) => entry(leaf, path, index, a.size)),
    );
    const inB = [TRUTH, FAKE].flatMap((leaf) =>
      [leaf, TRUTH].map((path) => entry(leaf, path, index, b.size)),
    );
    const pairs = inA.flatMap((x) => inB.map((y) => [...proofLines('entry', x), ...proofLines('entry', y)]));
    for (const lines of new Set(pairs.map((pair) => pair.join())))
      yield [`index ${index}`, ...lines.split(',')];
  }
}

const entry = (
  leaf: ReferenceTree,
  path: ReferenceTree,
  index: number,
  size: number,
): { hash: Uint8Array; proof: Uint8Array[] } => ({
  hash: leaf.leafHash(index),
  proof: path.path(index, size),
});

/** Every file of a kind that the adversary makes. */
function* attempts(kind: Kind): Generator<string> {
  for (const a of material) {
    if (kind === 'empty-tree') {
      yield referenceEvidence(kind, [], [a.note]);
      continue;
    }
    for (const b of material) {
      for (const header of headers(kind, a, b)) yield referenceEvidence(kind, header, [a.note, b.note]);
    }
  }
}

function judge(file: string): Verdict | undefined {
  try {
    return verifyEvidence(encodeUtf8(file), policy);
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    return undefined;
  }
}

for (const kind of kinds) {
  test(`${kind}: no recombination convicts an honest party`, () => {
    const guilty = new Set<string>();
    let tried = 0;
    for (const file of attempts(kind)) {
      tried++;
      const verdict = judge(file);
      for (const vkey of verdict?.convicted ?? []) {
        guilty.add(formatVkey(vkey));
        assert.ok(!HONEST.has(formatVkey(vkey)), `${vkey.name} was convicted by\n${file}`);
      }
    }
    assert.ok(tried >= material.length, `${tried} files tried`);
    // The adversary knows its trade: it does convict those who did sign two histories.
    const expected = { 'empty-tree': [EVIL], 'two-entries': [LIAR] }[kind as string] ?? [EVIL, LIAR];
    if (kind === 'not-a-prefix') expected.splice(0, expected.length, LIAR);
    assert.deepEqual(guilty, new Set(expected.map(referenceVkey)));
  });
}

test('the slow reference convicts the same of every 293rd file', () => {
  for (const kind of kinds) {
    let i = 0;
    for (const file of attempts(kind)) {
      if (i++ % 293 !== 0) continue;
      const slow = referenceVerdict(encodeUtf8(file), POLICY);
      assert.deepEqual(
        judge(file)?.convicted.map((vkey) => formatVkey(vkey)),
        slow?.convicted,
        file,
      );
    }
  }
});
