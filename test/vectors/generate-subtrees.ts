// spec/vectors/subtree-consistency.json.
import { ReferenceTree, numberedEntries } from '../reference/merkle.js';
import { referenceSubtreeProof } from '../reference/subtree.js';
import { flipBit, hex, utf8, type Vector } from './vector.js';

const tree = new ReferenceTree(numberedEntries(300));
const TOO_LARGE = 2 ** 53;

interface Claim {
  start: number;
  end: number;
  treeSize: number;
  subtreeHash: Uint8Array;
  rootHash: Uint8Array;
  proof: Uint8Array[];
}

const write = (desc: string, claim: Claim, want: string): Vector => ({
  desc,
  start: claim.start,
  end: claim.end,
  treeSize: claim.treeSize,
  subtreeHash: hex(claim.subtreeHash),
  rootHash: hex(claim.rootHash),
  proof: claim.proof.map(hex),
  want,
});

const good = (start: number, end: number, treeSize: number): Claim => ({
  start,
  end,
  treeSize,
  subtreeHash: tree.mth(start, end),
  rootHash: tree.root(treeSize),
  proof: referenceSubtreeProof(tree, start, end, treeSize),
});

/** Good proofs of assorted shapes, and of each what must be refused. */
export function subtreeConsistency(): Vector[] {
  const places: [number, number, number][] = [
    [0, 1, 1],
    [0, 8, 8],
    [0, 6, 8],
    [4, 6, 7],
    [4, 8, 14],
    [8, 13, 13],
    [8, 13, 14],
    [12, 13, 13],
    [64, 100, 100],
    [64, 100, 200],
    [64, 128, 200],
    [128, 200, 256],
    [256, 299, 300],
    [0, 255, 300],
    [17, 18, 300],
  ];
  const bad = ([start, end, treeSize]: [number, number, number]): Vector[] => {
    const claim = good(start, end, treeSize);
    const at = `[${start}, ${end}) of ${treeSize}`;
    const { proof } = claim;
    const [first] = proof;
    const out = [
      write(
        `${at}: one bit of the subtree's hash`,
        { ...claim, subtreeHash: flipBit(claim.subtreeHash, 9) },
        'root_mismatch',
      ),
      write(
        `${at}: one bit of the root`,
        { ...claim, rootHash: flipBit(claim.rootHash, 200) },
        'root_mismatch',
      ),
      write(`${at}: one hash too many`, { ...claim, proof: [...proof, claim.rootHash] }, 'bad_proof'),
    ];
    if (!first) return out;
    out.push(
      write(
        `${at}: one bit of the proof`,
        { ...claim, proof: [flipBit(first, 77), ...proof.slice(1)] },
        'root_mismatch',
      ),
      write(`${at}: the first hash missing`, { ...claim, proof: proof.slice(1) }, 'bad_proof'),
      write(
        `${at}: a hash of 33 bytes`,
        { ...claim, proof: [Uint8Array.from([...first, 0]), ...proof.slice(1)] },
        'bad_hash',
      ),
    );
    if (proof.length > 1)
      out.push(
        write(
          `${at}: the hashes in the other order`,
          { ...claim, proof: proof.toReversed() },
          'root_mismatch',
        ),
      );
    return out;
  };
  const base = good(8, 13, 14);
  const empty = tree.root(0);
  const forged = new ReferenceTree([...numberedEntries(12), utf8('another')]);
  return [
    ...places.map((place) => write(`[${place[0]}, ${place[1]}) of ${place[2]}`, good(...place), 'ok')),
    ...places.flatMap(bad),
    write('another last entry in the subtree', { ...base, subtreeHash: forged.mth(8, 13) }, 'root_mismatch'),
    write(
      'the leaves to the left hashed into the subtree too',
      { ...base, subtreeHash: tree.mth(0, 13) },
      'root_mismatch',
    ),
    write('the subtree beside it', { ...base, start: 0, end: 5 }, 'bad_proof'),
    write(
      'the hash of a full subtree given as the first hash too',
      { ...good(4, 8, 14), proof: [tree.mth(4, 8), ...good(4, 8, 14).proof] },
      'bad_proof',
    ),
    write('a start that is not a multiple of the size', { ...base, start: 2, end: 6 }, 'bad_subtree'),
    write('a start below the next power of two', { ...base, start: 4, end: 9 }, 'bad_subtree'),
    write('a subtree that ends behind the tree', { ...base, end: 15 }, 'bad_subtree'),
    write('end before start', { ...base, start: 8, end: 7 }, 'bad_subtree'),
    write('an empty subtree', { ...base, start: 8, end: 8, subtreeHash: empty, proof: [] }, 'bad_subtree'),
    write(
      'the empty tree of the empty tree',
      { start: 0, end: 0, treeSize: 0, subtreeHash: empty, rootHash: empty, proof: [] },
      'bad_subtree',
    ),
    write('a negative start', { ...base, start: -8, end: -4 }, 'bad_subtree'),
    write("a subtree's hash of 31 bytes", { ...base, subtreeHash: base.subtreeHash.slice(1) }, 'bad_hash'),
    write('an empty root', { ...base, rootHash: new Uint8Array(0) }, 'bad_hash'),
    write('a tree size of 2^53', { ...base, treeSize: TOO_LARGE }, 'unsafe_integer'),
    write('an end of 2^53', { ...base, start: 0, end: TOO_LARGE }, 'bad_subtree'),
  ];
}
