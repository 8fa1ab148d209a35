// spec/vectors/hashes.json, inclusion.json, consistency.json.
import { createHash } from 'node:crypto';
import { ReferenceTree, numberedEntries } from '../reference/merkle.js';
import { flipBit, hex, utf8, type Vector } from './vector.js';

const sha256 = (...parts: Uint8Array[]): Uint8Array =>
  new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest());

const tree = new ReferenceTree(numberedEntries(300));
const TOO_LARGE = 2 ** 53;

/** Claims about hashes, false ones being the classic mistakes. */
export function hashes(): Vector[] {
  const leaf = (desc: string, entry: Uint8Array, hash: Uint8Array, want: string): Vector => ({
    desc,
    of: 'leaf',
    entry: hex(entry),
    hash: hex(hash),
    want,
  });
  const node = (
    desc: string,
    left: Uint8Array,
    right: Uint8Array,
    hash: Uint8Array,
    want: string,
  ): Vector => ({
    desc,
    of: 'node',
    left: hex(left),
    right: hex(right),
    hash: hex(hash),
    want,
  });
  const root = (desc: string, size: number, hash: Uint8Array, want: string): Vector => ({
    desc,
    of: 'root',
    size,
    hash: hex(hash),
    want,
  });
  const [zero, one] = [Uint8Array.of(0), Uint8Array.of(1)];
  const [a, b] = [tree.leafHash(0), tree.leafHash(1)];
  const entry = utf8('entry 0');
  const twoLeaves = Uint8Array.from([...a, ...b]);
  const sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 100, 255, 256, 257, 300];
  // Pairing the odd one out with itself, as Bitcoin does.
  const doubled = sha256(one, tree.mth(0, 2), sha256(one, tree.leafHash(2), tree.leafHash(2)));
  return [
    leaf('the empty entry', new Uint8Array(0), sha256(zero), 'ok'),
    leaf('a short entry', entry, sha256(zero, entry), 'ok'),
    leaf('an entry of 64 bytes that looks like two hashes', twoLeaves, sha256(zero, twoLeaves), 'ok'),
    leaf('no prefix byte', entry, sha256(entry), 'mismatch'),
    leaf('the prefix of a node', entry, sha256(one, entry), 'mismatch'),
    leaf('an entry passed off as a node', twoLeaves, sha256(one, a, b), 'mismatch'),
    leaf('a line end added to the entry', entry, sha256(zero, entry, utf8('\n')), 'mismatch'),
    leaf('the hash of the empty tree for the empty entry', new Uint8Array(0), sha256(), 'mismatch'),
    node('two leaves', a, b, sha256(one, a, b), 'ok'),
    node('a leaf and itself', a, a, sha256(one, a, a), 'ok'),
    node('children swapped', a, b, sha256(one, b, a), 'mismatch'),
    node('the prefix of a leaf', a, b, sha256(zero, a, b), 'mismatch'),
    node('no prefix byte', a, b, sha256(a, b), 'mismatch'),
    node('a left child of 31 bytes', a.slice(1), b, sha256(one, a.slice(1), b), 'bad_hash'),
    node('a right child of 33 bytes', a, Uint8Array.from([...b, 0]), sha256(one, a, b, zero), 'bad_hash'),
    node('no right child', a, new Uint8Array(0), sha256(one, a), 'bad_hash'),
    root('the empty tree', 0, sha256(), 'ok'),
    ...sizes.map((size) => root(`${size} entries`, size, tree.root(size), 'ok')),
    root('the empty tree as 32 zero bytes', 0, new Uint8Array(32), 'mismatch'),
    root('the odd leaf paired with itself', 3, doubled, 'mismatch'),
    ...sizes.map((size) =>
      root(
        `the root of ${size + 1} entries`,
        size,
        new ReferenceTree(numberedEntries(size + 1)).root(size + 1),
        'mismatch',
      ),
    ),
  ];
}

interface Inclusion {
  index: number;
  treeSize: number;
  leafHash: Uint8Array;
  proof: Uint8Array[];
  rootHash: Uint8Array;
}

/** Good proofs of assorted shapes, and of each what must be refused. */
export function inclusion(): Vector[] {
  const write = (desc: string, claim: Inclusion, want: string): Vector => ({
    desc,
    index: claim.index,
    treeSize: claim.treeSize,
    leafHash: hex(claim.leafHash),
    proof: claim.proof.map(hex),
    rootHash: hex(claim.rootHash),
    want,
  });
  const good = (index: number, treeSize: number): Inclusion => ({
    index,
    treeSize,
    leafHash: tree.leafHash(index),
    proof: tree.path(index, treeSize),
    rootHash: tree.root(treeSize),
  });
  const places: [number, number][] = [
    [0, 1],
    [0, 2],
    [1, 2],
    [2, 3],
    [3, 7],
    [6, 7],
    [5, 8],
    [64, 65],
    [199, 200],
    [0, 256],
    [256, 257],
    [255, 300],
  ];
  const bad = ([index, treeSize]: [number, number]): Vector[] => {
    const claim = good(index, treeSize);
    const at = `leaf ${index} of ${treeSize}`;
    const { proof } = claim;
    const first = proof[0] ?? claim.rootHash;
    const out = [
      write(`${at}: another leaf`, { ...claim, leafHash: tree.leafHash(299 - index) }, 'root_mismatch'),
      write(
        `${at}: one bit of the root`,
        { ...claim, rootHash: flipBit(claim.rootHash, 255) },
        'root_mismatch',
      ),
      write(`${at}: one hash too many`, { ...claim, proof: [...proof, claim.rootHash] }, 'bad_proof'),
    ];
    if (proof.length === 0) return out;
    out.push(
      write(
        `${at}: one bit of the proof`,
        { ...claim, proof: [flipBit(first, 0), ...proof.slice(1)] },
        'root_mismatch',
      ),
      write(`${at}: the first hash missing`, { ...claim, proof: proof.slice(1) }, 'bad_proof'),
      write(`${at}: no proof`, { ...claim, proof: [] }, 'bad_proof'),
      write(
        `${at}: a hash of 31 bytes`,
        { ...claim, proof: [first.slice(1), ...proof.slice(1)] },
        'bad_hash',
      ),
    );
    if (proof.length > 1) {
      out.push(
        write(`${at}: the proof backwards`, { ...claim, proof: [...proof].reverse() }, 'root_mismatch'),
      );
    }
    return out;
  };
  const base = good(5, 8);
  const one = good(0, 1);
  return [
    ...places.map(([index, treeSize]) => write(`leaf ${index} of ${treeSize}`, good(index, treeSize), 'ok')),
    ...places.flatMap(bad),
    write(
      'an inner node passed off as a leaf',
      { ...base, leafHash: tree.mth(4, 6), proof: base.proof.slice(1) },
      'bad_proof',
    ),
    write(
      'an inner node passed off as a leaf of a smaller tree',
      {
        index: 2,
        treeSize: 4,
        leafHash: tree.mth(4, 6),
        proof: base.proof.slice(1),
        rootHash: base.rootHash,
      },
      'ok',
    ),
    write('the proof for the next leaf', { ...base, proof: tree.path(6, 8) }, 'root_mismatch'),
    write('the index of the next leaf', { ...base, index: 4 }, 'root_mismatch'),
    write('the size of the next tree', { ...base, treeSize: 9 }, 'bad_proof'),
    write('an index equal to the size', { ...base, index: 8 }, 'bad_index'),
    write('an index far beyond the size', { ...base, index: 2 ** 40 }, 'bad_index'),
    write('any index in the empty tree', { ...one, treeSize: 0 }, 'bad_index'),
    write('a leaf hash of 31 bytes', { ...base, leafHash: base.leafHash.slice(1) }, 'bad_hash'),
    write('an empty leaf hash', { ...one, leafHash: new Uint8Array(0) }, 'bad_hash'),
    write('an empty root hash', { ...one, rootHash: new Uint8Array(0) }, 'bad_hash'),
    write('a size of 2^53', { ...base, treeSize: TOO_LARGE }, 'unsafe_integer'),
    write('an index of 2^53', { ...base, index: TOO_LARGE }, 'unsafe_integer'),
    write('a negative index', { ...base, index: -1 }, 'unsafe_integer'),
  ];
}

interface Consistency {
  oldSize: number;
  oldRoot: Uint8Array;
  newSize: number;
  newRoot: Uint8Array;
  proof: Uint8Array[];
}

/** As for inclusion; the sizes where the old tree is a power of two are the ones without a seed. */
export function consistency(): Vector[] {
  const write = (desc: string, claim: Consistency, want: string): Vector => ({
    desc,
    oldSize: claim.oldSize,
    oldRoot: hex(claim.oldRoot),
    newSize: claim.newSize,
    newRoot: hex(claim.newRoot),
    proof: claim.proof.map(hex),
    want,
  });
  const good = (oldSize: number, newSize: number): Consistency => ({
    oldSize,
    oldRoot: tree.root(oldSize),
    newSize,
    newRoot: tree.root(newSize),
    proof: tree.proof(oldSize, newSize),
  });
  const places: [number, number][] = [
    [1, 1],
    [1, 2],
    [2, 3],
    [3, 4],
    [4, 7],
    [6, 7],
    [6, 8],
    [8, 8],
    [64, 200],
    [200, 256],
    [256, 257],
    [255, 300],
  ];
  const bad = ([oldSize, newSize]: [number, number]): Vector[] => {
    const claim = good(oldSize, newSize);
    const at = `${oldSize} to ${newSize}`;
    const { proof } = claim;
    const first = proof[0] ?? claim.newRoot;
    const out = [
      write(
        `${at}: one bit of the old root`,
        { ...claim, oldRoot: flipBit(claim.oldRoot, 3) },
        'root_mismatch',
      ),
      write(
        `${at}: one bit of the new root`,
        { ...claim, newRoot: flipBit(claim.newRoot, 200) },
        'root_mismatch',
      ),
      write(`${at}: one hash too many`, { ...claim, proof: [...proof, claim.newRoot] }, 'bad_proof'),
    ];
    if (proof.length === 0) return out;
    out.push(
      write(
        `${at}: roots swapped`,
        { ...claim, oldRoot: claim.newRoot, newRoot: claim.oldRoot },
        'root_mismatch',
      ),
      write(
        `${at}: one bit of the proof`,
        { ...claim, proof: [flipBit(first, 77), ...proof.slice(1)] },
        'root_mismatch',
      ),
      write(`${at}: the last hash missing`, { ...claim, proof: proof.slice(0, -1) }, 'bad_proof'),
      write(
        `${at}: a hash of 33 bytes`,
        { ...claim, proof: [Uint8Array.from([...first, 0]), ...proof.slice(1)] },
        'bad_hash',
      ),
    );
    return out;
  };
  const base = good(6, 8);
  const empty = tree.root(0);
  return [
    ...places.map(([oldSize, newSize]) => write(`${oldSize} to ${newSize}`, good(oldSize, newSize), 'ok')),
    ...places.flatMap(bad),
    write('one size, two roots', { ...good(8, 8), newRoot: tree.root(7) }, 'root_mismatch'),
    write(
      'a history rewritten: the old tree has another last entry',
      { ...base, oldRoot: new ReferenceTree([...numberedEntries(5), utf8('another')]).root(6) },
      'root_mismatch',
    ),
    write('the proof of another old size', { ...base, proof: tree.proof(5, 8) }, 'bad_proof'),
    write(
      'the old root given as the first hash too',
      { ...good(4, 7), proof: [tree.root(4), ...tree.proof(4, 7)] },
      'bad_proof',
    ),
    write('an empty old tree, no proof', { ...base, oldSize: 0, oldRoot: empty, proof: [] }, 'bad_size'),
    write('an empty old tree, some proof', { ...base, oldSize: 0, oldRoot: empty }, 'bad_size'),
    write(
      'two empty trees',
      { oldSize: 0, oldRoot: empty, newSize: 0, newRoot: empty, proof: [] },
      'bad_size',
    ),
    write('an old tree larger than the new one', { ...base, oldSize: 8, newSize: 6 }, 'bad_size'),
    write(
      'an old root of 12 bytes, sizes equal',
      { ...good(1, 1), oldRoot: new Uint8Array(12), newRoot: new Uint8Array(12) },
      'bad_hash',
    ),
    write('an empty new root', { ...base, newRoot: new Uint8Array(0) }, 'bad_hash'),
    write('a new size of 2^53', { ...base, newSize: TOO_LARGE }, 'unsafe_integer'),
    write('an old size of 2^53', { ...base, oldSize: TOO_LARGE, newSize: TOO_LARGE }, 'unsafe_integer'),
  ];
}
