// What the fast code makes of each vector about keys, notes, policies and proofs.
import {
  couldFormQuorumWithFaults,
  ed25519CosignedMessage,
  encodeHex,
  encodeUtf8,
  formatCheckpoint,
  formatKeyId,
  formatSigningKey,
  formatVkey,
  mldsa44CosignedMessage,
  openNote,
  operatorsToQuorum,
  parseCheckpoint,
  parsePolicy,
  parseSigningKey,
  parseVkey,
  policyFaults,
  quorumMet,
  verifySignatureLine,
  verifySubtree,
  verifyTlogProof,
} from '../../tlog/index.js';
import type { Policy, Vkey } from '../../tlog/index.js';
import type { Checker } from './check-tree.js';
import { unhex, type Vector } from './vector.js';

const text = (vector: Vector, field: string): string => String(vector[field]);
/** Text stands in `field`, what is not UTF-8 in hex in `fieldHex`. */
const octets = (vector: Vector, field: string): Uint8Array =>
  vector[`${field}Hex`] === undefined ? encodeUtf8(text(vector, field)) : unhex(text(vector, `${field}Hex`));
const same = (found: unknown, expected: unknown): string =>
  JSON.stringify(found) === JSON.stringify(expected) ? 'ok' : 'mismatch';

function checkNote(vector: Vector): string {
  const opened = openNote(octets(vector, 'note'), (vector['vkeys'] as string[]).map(parseVkey));
  const found = [opened.text, opened.verified.map(({ name }) => name), opened.unknown];
  return same(found, [vector['text'], vector['verified'], vector['unknown']]);
}

function checkCheckpoint(vector: Vector): string {
  const checkpoint = parseCheckpoint(text(vector, 'text'));
  const { origin, size, rootHash, extensions } = checkpoint;
  const { origin: o, size: s, rootHash: r, extensions: e } = vector;
  if (formatCheckpoint(checkpoint) !== vector['text']) return 'spelt otherwise';
  return same([origin, size, encodeHex(rootHash), extensions], [o, s, r, e]);
}

function cosignedMessage(vkey: Vkey, note: string, timestamp: number): Uint8Array {
  if (vkey.type === 4) return ed25519CosignedMessage(note, timestamp);
  const { origin, size, rootHash } = parseCheckpoint(note);
  return mldsa44CosignedMessage(vkey.name, timestamp, { origin, start: 0, end: size, hash: rootHash });
}

function checkCosignature(vector: Vector): string {
  const vkey = parseVkey(text(vector, 'vkey'));
  const { timestamp } = verifySignatureLine(text(vector, 'line'), text(vector, 'text'), [vkey]);
  const message = cosignedMessage(vkey, text(vector, 'text'), timestamp ?? 0);
  return same([timestamp, encodeHex(message)], [vector['timestamp'], vector['message']]);
}

function checkSubtree(vector: Vector): string {
  verifySubtree(
    parseVkey(text(vector, 'vkey')),
    {
      origin: text(vector, 'origin'),
      start: Number(vector['start']),
      end: Number(vector['end']),
      hash: unhex(text(vector, 'hash')),
    },
    unhex(text(vector, 'signature')),
  );
  return 'ok';
}

interface Gate {
  silent: string[];
  inStep: string[];
  operatorsNeeded: number | null;
}

function checkGate(policy: Policy, { silent, inStep, operatorsNeeded }: Gate): boolean {
  const [quiet, others] = [new Set(silent), new Set(inStep)];
  const needed = operatorsNeeded ?? Infinity;
  if (operatorsToQuorum(policy, quiet, others) !== needed) return false;
  return [0, 1, 2, 3].every(
    (faults) => couldFormQuorumWithFaults(policy, quiet, others, faults) === needed <= faults,
  );
}

function checkPolicy(vector: Vector): string {
  const policy = parsePolicy(octets(vector, 'policy'));
  const quorums = (vector['quorums'] ?? []) as { by: string[]; met: boolean }[];
  for (const { by, met } of quorums) {
    if (quorumMet(policy, new Set(by)) !== met) return `quorum of ${by.join()}`;
  }
  for (const gate of (vector['gate'] ?? []) as Gate[]) {
    if (!checkGate(policy, gate)) return `gate with ${gate.silent.join()} silent`;
  }
  return same([policy.operators.length, policyFaults(policy)], [vector['operators'], vector['faults']]);
}

function checkTlogProof(vector: Vector): string {
  const policy = parsePolicy(octets(vector, 'policy'));
  const leafHash = unhex(text(vector, 'leafHash'));
  const { index } = verifyTlogProof({ proof: octets(vector, 'proof'), leafHash, policy });
  return same(index, vector['index']);
}

/** By file name. */
export const noteCheckers: Readonly<Record<string, Checker>> = {
  'vkeys.json': (vector) => {
    const vkey = parseVkey(text(vector, 'vkey'));
    if (formatVkey(vkey) !== vector['vkey']) return 'spelt otherwise';
    const found = [vkey.name, formatKeyId(vkey.keyId), vkey.type, encodeHex(vkey.publicKey)];
    return same(found, [vector['name'], vector['keyId'], vector['type'], vector['publicKey']]);
  },
  'signing-keys.json': (vector) => {
    const key = parseSigningKey(text(vector, 'signingKey'));
    return same([formatSigningKey(key), formatVkey(key.vkey)], [vector['signingKey'], vector['vkey']]);
  },
  'notes.json': checkNote,
  'checkpoints.json': checkCheckpoint,
  'cosignatures.json': checkCosignature,
  'subtrees.json': checkSubtree,
  'policies.json': checkPolicy,
  'tlog-proofs.json': checkTlogProof,
};
