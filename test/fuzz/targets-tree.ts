import assert from 'node:assert/strict';
import {
  bundleLeafHashes,
  bytesUint,
  CompactRange,
  TlogError,
  decodeBase64,
  decodeHex,
  decodeUtf8,
  encodeBase64,
  encodeHex,
  encodeUtf8,
  entriesPath,
  formatBundle,
  formatTile,
  leafHash,
  parseBundle,
  parseDecimal,
  parseTile,
  parseTilePath,
  sliceBundle,
  tilePath,
  verifyConsistency,
  verifyEd25519,
  verifyInclusion,
} from '../../tlog/index.js';
import { referenceSign, referenceVerify, expandSeed } from '../reference/ed25519.js';
import { ReferenceTree, numberedEntries } from '../reference/merkle.js';
import { referenceBundle } from '../reference/tiles.js';
import type { FuzzTarget } from './target.js';

const texts = (...list: readonly string[]): Uint8Array[] =>
  list.map((text) => new TextEncoder().encode(text));

/** A parser of text that has one spelling for each value. */
function text(name: string, seeds: readonly string[], again: (text: string) => string): FuzzTarget {
  return {
    name: `tlog: ${name}`,
    seeds: texts(...seeds),
    run(bytes) {
      // As a program that reads Latin-1 would hand it on, every byte a character, and as UTF-8.
      const latin1 = Buffer.from(bytes).toString('latin1');
      const utf8 = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
      if (utf8 !== latin1) assert.throws(() => again(utf8), TlogError);
      assert.equal(again(latin1), latin1);
    },
  };
}

const tree = new ReferenceTree(numberedEntries(40));

/** Two sizes of a byte each, two hashes, and a proof: enough to try every shape of small proof. */
function claim(first: number, second: number, ...hashes: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat([Uint8Array.of(first, second), ...hashes]));
}
function readClaim(bytes: Uint8Array): { first: number; second: number; hashes: Uint8Array[] } {
  const hashes: Uint8Array[] = [];
  for (let at = 2; at < bytes.length; at += 32) hashes.push(bytes.slice(at, at + 32));
  return { first: bytes[0] ?? 0, second: bytes[1] ?? 0, hashes };
}

const seed = new Uint8Array(32).fill(3);
const key = expandSeed(seed).publicKey;

/** The parts of tlog/ that know nothing of notes: encodings, tiles, bundles, proofs, signatures. */
export const treeTargets: readonly FuzzTarget[] = [
  text('decimals', ['0', '1', '10', '9007199254740991', '01', '-1'], (given) => String(parseDecimal(given))),
  text('base64', ['', 'AA==', 'AAA=', 'AAAA', 'q83vASM='], (given) => encodeBase64(decodeBase64(given))),
  text('hex', ['', '00', 'abcdef0123'], (given) => encodeHex(decodeHex(given))),
  text(
    'tile paths',
    [
      'tile/0/000',
      'tile/1/x001/x234/067.p/3',
      'tile/entries/999.p/255',
      'tile/63/x009/x007/x199/x254/x740/991',
    ],
    (given) => {
      const parsed = parseTilePath(given);
      return parsed.kind === 'tile' ? tilePath(parsed) : entriesPath(parsed.index, parsed.width);
    },
  ),
  {
    name: 'tlog: UTF-8',
    seeds: texts('a', '\ufeffä€😀', '\u0000\u007f\u0080\u07ff\u0800\uffff'),
    run: (bytes) => assert.deepEqual(encodeUtf8(decodeUtf8(bytes)), bytes),
  },
  {
    name: 'tlog: entry bundles',
    seeds: [1, 2, 255, 256].map((count) => referenceBundle(numberedEntries(count))),
    iterations: 1000,
    run(bytes) {
      const entries = parseBundle(bytes);
      assert.deepEqual(formatBundle(entries), bytes);
      assert.deepEqual(parseBundle(sliceBundle(bytes, 1)), entries.slice(0, 1));
      assert.deepEqual(bundleLeafHashes(bytes), formatTile(entries.map(leafHash)));
    },
  },
  {
    name: 'tlog: tiles',
    seeds: [1, 2, 40].map((width) => tree.tile(0, 0, width)),
    iterations: 1000,
    run(bytes) {
      const width = Math.floor(bytes.length / 32);
      assert.deepEqual(formatTile(parseTile(bytes, width)), bytes);
    },
  },
  {
    name: 'tlog: inclusion proofs',
    seeds: (
      [
        [0, 1],
        [6, 7],
        [21, 40],
      ] as const
    ).map(([index, size]) =>
      claim(index, size, tree.root(size), tree.leafHash(index), ...tree.path(index, size)),
    ),
    run(bytes) {
      const { first: index, second: treeSize, hashes } = readClaim(bytes);
      const [rootHash = new Uint8Array(0), leafHash = new Uint8Array(0), ...proof] = hashes;
      verifyInclusion({ index, treeSize, leafHash, proof, rootHash });
      if (treeSize > 40 || Buffer.compare(rootHash, tree.root(treeSize)) !== 0) return;
      assert.deepEqual([leafHash, ...proof], [tree.leafHash(index), ...tree.path(index, treeSize)]);
    },
  },
  {
    name: 'tlog: consistency proofs',
    seeds: (
      [
        [1, 1],
        [6, 7],
        [8, 40],
        [21, 40],
      ] as const
    ).map(([old, size]) => claim(old, size, tree.root(size), tree.root(old), ...tree.proof(old, size))),
    run(bytes) {
      const { first: oldSize, second: newSize, hashes } = readClaim(bytes);
      const [newRoot = new Uint8Array(0), oldRoot = new Uint8Array(0), ...proof] = hashes;
      verifyConsistency({ oldSize, oldRoot, newSize, newRoot, proof });
      if (newSize > 40 || Buffer.compare(newRoot, tree.root(newSize)) !== 0) return;
      assert.deepEqual([oldRoot, ...proof], [tree.root(oldSize), ...tree.proof(oldSize, newSize)]);
    },
  },
  {
    name: 'tlog: right edges',
    seeds: [claim(0, 0), claim(0, 3, tree.mth(0, 2), tree.leafHash(2))],
    run(bytes) {
      const { hashes } = readClaim(bytes);
      const range = new CompactRange(bytesUint(bytes.slice(0, 2)), hashes);
      range.append(tree.leafHash(0));
      assert.equal(range.root().length, 32);
    },
  },
  {
    name: 'tlog: Ed25519',
    seeds: [
      new Uint8Array(Buffer.concat([referenceSign(Uint8Array.of(1), seed), key, Uint8Array.of(1)])),
      new Uint8Array(97),
    ],
    // The reference takes milliseconds.
    iterations: 150,
    run(bytes) {
      const parts = [bytes.slice(0, 64), bytes.slice(96), bytes.slice(64, 96)] as const;
      assert.equal(verifyEd25519(...parts), referenceVerify(...parts));
    },
  },
];
