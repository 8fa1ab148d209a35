// What the fast code makes of each file of evidence, and whether it is what the slow reference makes of it.
import { encodeHex, encodeUtf8, formatVkey, parsePolicy } from '../../tlog/index.js';
import { formatEvidence, parseEvidence, verifyEvidence } from '../../evidence/index.js';
import { referenceVerdict } from '../reference/evidence.js';
import type { Checker } from './check-tree.js';
import { unhex, type Vector } from './vector.js';

function checkEvidence(vector: Vector): string {
  const { evidence, evidenceHex } = vector as Vector & { evidence: string; evidenceHex?: string };
  const file = evidenceHex === undefined ? encodeUtf8(evidence) : unhex(evidenceHex);
  const policy = String(vector['policy']);
  const slow = referenceVerdict(file, policy);
  if ((slow !== undefined) !== (vector.want === 'ok')) return 'the reference says otherwise';
  const verdict = verifyEvidence(file, parsePolicy(encodeUtf8(policy)));
  if (Buffer.compare(formatEvidence(parseEvidence(file)), file) !== 0) return 'spelt otherwise';
  const { kind, role, origin } = verdict;
  const convicted = verdict.convicted.map((vkey) => formatVkey(vkey));
  const trees = verdict.trees.map(({ size, rootHash }) => ({ size, rootHash: encodeHex(rootHash) }));
  const found = { kind, role, origin, convicted, trees };
  const spelt = { ...found, trees: trees.map(({ size, rootHash }) => `${size} ${rootHash}`) };
  if (JSON.stringify(spelt) !== JSON.stringify(slow)) return 'the reference convicts otherwise';
  const expected = Object.fromEntries(Object.keys(found).map((field) => [field, vector[field]]));
  return JSON.stringify(found) === JSON.stringify(expected) ? 'ok' : 'mismatch';
}

/** By file name. */
export const evidenceCheckers: Readonly<Record<string, Checker>> = { 'evidence.json': checkEvidence };
