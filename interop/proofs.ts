/**
 * Our Merkle proofs, judged by github.com/transparency-dev/merkle:
 * `node dist/interop/proofs.js`, after `interop/install`.
 */
import {
  TlogError,
  encodeHex,
  encodeUtf8,
  proveConsistency,
  proveInclusion,
  sha256,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from '../tlog/index.js';
import { ask, check, same } from './peer.js';
import { LARGE, treeReader } from './tree.js';
import type { Tree } from './tree.js';

interface Inclusion {
  kind: 'inclusion';
  index: number;
  treeSize: number;
  leafHash: Uint8Array;
  proof: Uint8Array[];
  rootHash: Uint8Array;
}
interface Consistency {
  kind: 'consistency';
  oldSize: number;
  oldRoot: Uint8Array;
  newSize: number;
  newRoot: Uint8Array;
  proof: Uint8Array[];
}
type Claim = Inclusion | Consistency;

const hex = (claim: Claim): object =>
  JSON.parse(
    JSON.stringify(claim, (_, value: unknown) => (value instanceof Uint8Array ? encodeHex(value) : value)),
  ) as object;

/** Our verdict. An argument that no proof could have counts as a refusal, as it does for the peer. */
function ours(claim: Claim): boolean {
  try {
    if (claim.kind === 'inclusion') verifyInclusion(claim);
    else verifyConsistency(claim);
    return true;
  } catch (error) {
    if (error instanceof TlogError) return false;
    throw error;
  }
}

/** Wrong in one place each. Some stay true: a changed size may not matter to a proof. */
function spoiled(claim: Claim): Claim[] {
  const flipped = (hash: Uint8Array): Uint8Array => hash.map((byte, i) => (i === 7 ? byte ^ 1 : byte));
  const { proof } = claim;
  const list: Claim[] = [
    { ...claim, proof: proof.slice(1) },
    { ...claim, proof: [...proof, sha256(encodeUtf8('more'))] },
    { ...claim, proof: proof.toReversed() },
    { ...claim, proof: proof.map((hash, i) => (i === proof.length - 1 ? flipped(hash) : hash)) },
  ];
  if (claim.kind === 'inclusion') {
    list.push(
      { ...claim, index: claim.index + 1 },
      { ...claim, index: claim.index ^ 1 },
      { ...claim, treeSize: claim.treeSize + 1 },
      { ...claim, leafHash: flipped(claim.leafHash) },
      { ...claim, rootHash: flipped(claim.rootHash) },
    );
  } else {
    list.push(
      { ...claim, oldSize: claim.oldSize + 1 },
      { ...claim, newSize: claim.newSize + 1 },
      { ...claim, oldRoot: flipped(claim.oldRoot) },
      { ...claim, newRoot: flipped(claim.newRoot) },
    );
  }
  return list;
}

async function inclusion(tree: Tree, index: number, treeSize: number): Promise<Inclusion> {
  const proof = await proveInclusion(index, treeSize, tree.read);
  const rootHash = await treeRoot(treeSize, tree.read);
  return { kind: 'inclusion', index, treeSize, leafHash: tree.leaf(index), proof, rootHash };
}

async function consistency(tree: Tree, oldSize: number, newSize: number): Promise<Consistency> {
  const proof = await proveConsistency(oldSize, newSize, tree.read);
  const [oldRoot, newRoot] = [await treeRoot(oldSize, tree.read), await treeRoot(newSize, tree.read)];
  return { kind: 'consistency', oldSize, oldRoot, newSize, newRoot, proof };
}

const tree = treeReader(LARGE);
const claims: Claim[] = [];
for (let size = 1; size <= 33; size++) {
  for (let i = 0; i < size; i++) {
    claims.push(await inclusion(tree, i, size), await consistency(tree, i + 1, size));
  }
}
for (let i = 0; i < 500; i++) {
  const at = (i * 7_919) % LARGE;
  claims.push(await inclusion(tree, at, LARGE), await consistency(tree, at + 1, LARGE));
}

await check('merkle verifies our proofs', () => {
  ask('merklecheck', claims.map(hex)).forEach((answer, i) =>
    same(answer.ok ? 'verified' : answer.error, 'verified', JSON.stringify(claims[i] && hex(claims[i]))),
  );
  return `${claims.length} proofs, trees of 1 to 33 and of ${LARGE} entries`;
});

await check('merkle and we refuse the same proofs', () => {
  const wrong = claims.flatMap((claim, i) => (i % 3 === 0 ? spoiled(claim) : []));
  let refused = 0;
  ask('merklecheck', wrong.map(hex)).forEach((answer, i) => {
    const claim = wrong[i];
    if (!claim) return;
    same(ours(claim), answer.ok, `our verdict on ${JSON.stringify(hex(claim))}`);
    if (!answer.ok) refused++;
  });
  return `${refused} refused of ${wrong.length} changed`;
});
