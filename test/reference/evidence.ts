// Files of evidence written down and judged as spec/evidence.md has them: the file taken apart by one
// regular expression, the proofs checked by the recursions of RFC 6962, signatures by plain integers.
import { createHash } from 'node:crypto';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { referenceVerify } from './ed25519.js';
import {
  referenceEd25519Message,
  referenceKeyId,
  referenceSubtreeMessage,
  referenceVkeyOf,
  u64,
} from './notes.js';

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const unbase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A root or an entry, with the proof that leads from it. */
export interface ReferenceProof {
  readonly hash: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** The header's lines after the second. */
export const proofLines = (keyword: string, { hash, proof }: ReferenceProof): string[] => [
  `${keyword} ${base64(hash)}`,
  ...proof.map(base64),
];

/** The file, right or wrong: each note is text, blank line and lines, as it is given. */
export const referenceEvidence = (kind: string, lines: readonly string[], notes: readonly string[]): string =>
  [['stele-log/evidence@v1', kind, ...lines].map((line) => `${line}\n`).join(''), ...notes].join('\n');

/** Who is guilty of what; trees are `size root`, the root in hex, and keys vkeys. */
export interface ReferenceVerdict {
  readonly kind: string;
  readonly role: string;
  readonly origin: string;
  readonly convicted: readonly string[];
  readonly trees: readonly string[];
}

interface ReaderKey {
  readonly role: 'log' | 'witness';
  readonly name: string;
  readonly type: number;
  readonly publicKey: Uint8Array;
}
interface SignedTree {
  readonly text: string;
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  readonly extensions: string;
  readonly name: string;
  readonly keyId: Uint8Array;
  readonly signature: Uint8Array;
}

const LINE = '[^\\x00-\\x1f]+\\n';
const NUMBER = '(0|[1-9][0-9]{0,15})';
const HASH = '([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)';
const HASHES = `((?:${HASH}\\n){0,64})`;
const NOTE = `\\n([^\\x00-\\x1f]+)\\n${NUMBER}\\n${HASH}\\n((?:${LINE})*)\\n\u2014 ([^ \\n]+) ([A-Za-z0-9+/]+=?=?)\\n`;
const FORMS: readonly (readonly [kind: string, form: RegExp])[] = [
  ['same-size', new RegExp(`^stele-log/evidence@v1\\nsame-size\\n${NOTE}${NOTE}$`)],
  ['empty-tree', new RegExp(`^stele-log/evidence@v1\\nempty-tree\\n${NOTE}$`)],
  [
    'not-a-prefix',
    new RegExp(`^stele-log/evidence@v1\\nnot-a-prefix\\nroot ${HASH}\\n${HASHES}${NOTE}${NOTE}$`),
  ],
  [
    'two-entries',
    new RegExp(
      `^stele-log/evidence@v1\\ntwo-entries\\nindex ${NUMBER}\\nentry ${HASH}\\n${HASHES}entry ${HASH}\\n${HASHES}${NOTE}${NOTE}$`,
    ),
  ],
];

/** The verdict by the keys of a policy in text form, or undefined: it convicts nobody. */
export function referenceVerdict(file: Uint8Array, policy: string): ReferenceVerdict | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(file);
  } catch {
    return undefined;
  }
  for (const [kind, form] of FORMS) {
    const found = form.exec(text);
    if (found !== null)
      return judge(
        kind,
        found.slice(1).map((group) => group),
        readKeys(policy),
      );
  }
  return undefined;
}

function readKeys(policy: string): ReaderKey[] {
  return policy.split('\n').flatMap((line): ReaderKey[] => {
    const words = line.split(' ');
    const role = words[0];
    if (role !== 'log' && role !== 'witness') return [];
    const [name = '', , ...rest] = (words[role === 'log' ? 1 : 2] ?? '').split('+');
    const [type = 0, ...publicKey] = unbase64(rest.join('+'));
    return [{ role, name, type, publicKey: Uint8Array.from(publicKey) }];
  });
}

function judge(kind: string, groups: string[], keys: readonly ReaderKey[]): ReferenceVerdict | undefined {
  const take = (count: number): string[] => groups.splice(0, count);
  const hash = (): Uint8Array => unbase64(take(1)[0] ?? '');
  const hashes = (): Uint8Array[] => (take(2)[0] ?? '').split('\n').slice(0, -1).map(unbase64);
  const number = (): number => Number(take(1)[0]);
  const proven: { root?: Uint8Array; index?: number; proofs: ReferenceProof[] } = { proofs: [] };
  if (kind === 'not-a-prefix') {
    proven.proofs.push({ hash: hash(), proof: hashes() });
  } else if (kind === 'two-entries') {
    proven.index = number();
    proven.proofs.push({ hash: hash(), proof: hashes() }, { hash: hash(), proof: hashes() });
  }
  const trees: SignedTree[] = [];
  while (groups.length > 0) {
    const [origin = '', size = '', root = '', extensions = '', name = '', signature = ''] = take(6);
    const bytes = unbase64(signature);
    if (base64(bytes) !== signature || !Number.isSafeInteger(Number(size))) return undefined;
    const text = `${origin}\n${size}\n${root}\n${extensions}`;
    const [keyId, rest] = [bytes.slice(0, 4), bytes.slice(4)];
    trees.push({
      text,
      origin,
      size: Number(size),
      root: unbase64(root),
      extensions,
      name,
      keyId,
      signature: rest,
    });
  }
  const signers = trees.map((tree) =>
    keys.find(
      (key) =>
        key.name === tree.name &&
        same(referenceKeyId(key.name, key.type, key.publicKey), tree.keyId) &&
        (key.role === 'witness' || key.name === tree.origin) &&
        verifies(tree, key),
    ),
  );
  const [a, b = a] = trees;
  const [by, also = by] = signers;
  if (a === undefined || b === undefined || by === undefined || also === undefined) return undefined;
  if (signers.includes(undefined) || a.origin !== b.origin) return undefined;
  if (by !== also && (by.role !== 'log' || also.role !== 'log')) return undefined;
  if (!lied(kind, a, b, by.role, proven)) return undefined;
  return {
    kind,
    role: by.role,
    origin: a.origin,
    convicted: [...new Set([by, also])].map(({ name, type, publicKey }) =>
      referenceVkeyOf(name, type, publicKey),
    ),
    trees: trees.map(({ size, root }) => `${size} ${Buffer.from(root).toString('hex')}`),
  };
}

function lied(
  kind: string,
  a: SignedTree,
  b: SignedTree,
  role: string,
  { index = 0, proofs }: { index?: number; proofs: readonly ReferenceProof[] },
): boolean {
  const [first, second] = proofs;
  switch (kind) {
    case 'empty-tree':
      return role === 'log' && a.size === 0 && !same(a.root, createHash('sha256').digest());
    case 'same-size':
      return a.size > 0 && a.size === b.size && Buffer.compare(a.root, b.root) < 0;
    case 'not-a-prefix': {
      if (first === undefined || a.size === 0 || a.size >= b.size || same(first.hash, a.root)) return false;
      const roots = consistent(a.size, b.size, true, first.hash, [...first.proof]);
      return roots !== undefined && same(roots.old, first.hash) && same(roots.new, b.root);
    }
    default: {
      if (first === undefined || second === undefined) return false;
      if (a.size >= b.size || index >= a.size || same(first.hash, second.hash)) return false;
      const [at, bt] = [
        included(index, a.size, first.hash, [...first.proof]),
        included(index, b.size, second.hash, [...second.proof]),
      ];
      return at !== undefined && bt !== undefined && same(at, a.root) && same(bt, b.root);
    }
  }
}

function verifies({ text, origin, size, root, extensions, signature }: SignedTree, key: ReaderKey): boolean {
  if (key.type === 1) return signature.length === 64 && referenceVerify(signature, utf8(text), key.publicKey);
  const time = Buffer.from(signature.slice(0, 8)).readBigUInt64BE();
  const rest = signature.slice(8);
  if (time >= 2n ** 53n || !same(u64(time), signature.slice(0, 8))) return false;
  if (key.type === 4)
    return rest.length === 64 && referenceVerify(rest, referenceEd25519Message(text, time), key.publicKey);
  if (rest.length !== 2420 || extensions !== '') return false;
  return ml_dsa44.verify(rest, referenceSubtreeMessage(key.name, time, origin, 0, size, root), key.publicKey);
}

const node = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(Uint8Array.of(1)).update(left).update(right).digest());

/** The largest power of two smaller than n, n > 1. */
function splitPoint(n: number): number {
  let k = 1;
  while (2 * k < n) k = 2 * k;
  return k;
}

/** The root that PATH(m, D[n]) leads to. RFC 6962 §2.1.1, read backwards. */
function included(m: number, n: number, leaf: Uint8Array, path: Uint8Array[]): Uint8Array | undefined {
  if (n === 1) return path.length === 0 ? leaf : undefined;
  const k = splitPoint(n);
  const last = path.pop();
  const below = m < k ? included(m, k, leaf, path) : included(m - k, n - k, leaf, path);
  if (last === undefined || below === undefined) return undefined;
  return m < k ? node(below, last) : node(last, below);
}

/** The roots that SUBPROOF(m, D[n], b) leads to. RFC 6962 §2.1.2, read backwards. */
function consistent(
  m: number,
  n: number,
  b: boolean,
  old: Uint8Array,
  proof: Uint8Array[],
): { old: Uint8Array; new: Uint8Array } | undefined {
  const last = m === n && b ? old : proof.pop();
  if (last === undefined) return undefined;
  if (m === n) return proof.length === 0 ? { old: last, new: last } : undefined;
  const k = splitPoint(n);
  const below = m <= k ? consistent(m, k, b, old, proof) : consistent(m - k, n - k, false, old, proof);
  if (below === undefined) return undefined;
  return m <= k
    ? { old: below.old, new: node(below.new, last) }
    : { old: node(last, below.old), new: node(last, below.new) };
}
