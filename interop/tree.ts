/** A tree of made-up entries, all in memory, for our provers to read. */
import { encodeUtf8, leafHash, nodeHash } from '../tlog/index.js';
import type { HashReader } from '../tlog/index.js';

/** Size of the large tree that notes and proofs are made of. */
export const LARGE = 100_000;

/** Leaf hashes by index, and the reader that our provers want. */
export interface Tree {
  readonly leaf: (index: number) => Uint8Array;
  readonly read: HashReader;
}

/** Perfect subtrees of the first `size` entries, level by level; the reader that our provers want. */
export function treeReader(size: number, prefix = ''): Tree {
  const levels = [
    Array.from({ length: size }, (_, index) => leafHash(encodeUtf8(`${prefix}entry ${index}`))),
  ];
  for (let below = levels[0]; below && below.length > 1; below = levels.at(-1)) {
    const nodes = below;
    levels.push(
      Array.from({ length: Math.floor(nodes.length / 2) }, (_, i) =>
        nodeHash(nodes[2 * i] ?? new Uint8Array(), nodes[2 * i + 1] ?? new Uint8Array()),
      ),
    );
  }
  const node = (level: number, index: number): Uint8Array => {
    const hash = levels[level]?.[index];
    if (!hash) throw new Error(`no node ${level}/${index}`);
    return hash;
  };
  return {
    leaf: (index) => node(0, index),
    read: (nodes) => Promise.resolve(nodes.map(({ level, index }) => node(level, index))),
  };
}
