import assert from 'node:assert/strict';
import {
  AttestationError,
  Replay,
  canonicalJson,
  encodeLedgerLine,
  formatEnvelope,
  keyId,
  ledgerDigest,
  parseAnyStatement,
  parseCanonicalJson,
  parseDisclosure,
  parseEnvelope,
  parseJson,
  parseStatement,
  prepareEntry,
} from '../../attestation/index.js';
import type { Envelope, PreparedEntry } from '../../attestation/index.js';
import { decodeUtf8, encodeUtf8, publicKeyFromSeed } from '../../tlog/index.js';
import { examples } from '../attestation/examples.js';
import { World, fixedCommitment, publicHex, seed } from '../attestation/world.js';
import type { FuzzTarget } from './target.js';

const world = await new World().begin();
await world.introduce('example-lab');
await world.anchor();
const statements = (await examples()).map(([, statement]) => canonicalJson(statement));
const checkpoint = world.checkpoint();
const anchor = world.anchorOf(checkpoint);
const publicKeys = new Map(
  ['operator', 'anchor', 'registrar-a', 'example-lab', 'example-lab-recovery'].map((label) => [
    keyId(publicKeyFromSeed(seed(label))),
    publicHex(label),
  ]),
);

/**
 * Asks for admission as if the signature had verified: nobody can guess one, and what lies behind it is
 * to be reached. What is admitted must replay to the same line.
 */
async function admitted(entry: PreparedEntry): Promise<void> {
  const signatureVerified = publicKeys.get(entry.statement.predicate.signer);
  const answer = await world.ask(entry, signatureVerified);
  if (!answer.ok) throw new AttestationError(answer.code, answer.message, answer.hint);
  for (const [key, value] of answer.changes)
    if (value !== null) assert.deepEqual(canonicalJson(parseCanonicalJson(value)), value, key);
}

function envelopeOf(payload: Uint8Array): Envelope {
  const { signer } = parseAnyStatement(payload).predicate;
  return {
    payload,
    payloadType: 'application/vnd.in-toto+json',
    keyid: signer,
    signature: new Uint8Array(64),
  };
}

/** What labs send. */
export const attestationTargets: readonly FuzzTarget[] = [
  {
    name: 'attestation: JSON',
    seeds: [...statements, encodeUtf8('{"a":[1,-2,null,true],"\\u00e4":"\\ud83d\\ude00\\n"}')],
    run(bytes) {
      const value = parseJson(bytes);
      const canonical = canonicalJson(value);
      assert.deepEqual(canonicalJson(parseCanonicalJson(canonical)), canonical);
      // Node's own parser agrees about what was said.
      assert.deepEqual(JSON.parse(decodeUtf8(canonical)), JSON.parse(decodeUtf8(bytes)));
    },
  },
  {
    name: 'attestation: canonical JSON',
    seeds: statements,
    run(bytes) {
      assert.deepEqual(canonicalJson(parseCanonicalJson(bytes)), bytes);
    },
  },
  {
    name: 'attestation: envelopes',
    seeds: world.leaves,
    run(bytes) {
      const envelope = parseEnvelope(bytes);
      assert.deepEqual(parseEnvelope(formatEnvelope(envelope)), envelope);
    },
  },
  {
    name: 'attestation: statements',
    seeds: statements,
    run(bytes) {
      const parsed = parseStatement(bytes);
      assert.deepEqual(canonicalJson(parsed.statement), bytes);
    },
  },
  {
    name: 'attestation: disclosures',
    seeds: [fixedCommitment('seed', '42'), fixedCommitment('facilities', ['a'])].map(({ disclosure }) =>
      encodeUtf8(disclosure),
    ),
    run(bytes) {
      parseDisclosure(decodeUtf8(bytes));
    },
  },
  {
    name: 'attestation: admission of any payload',
    seeds: [...statements, anchor.payload],
    run: (bytes) => admitted(prepareEntry(envelopeOf(bytes))),
    iterations: 1000,
  },
  {
    // Each costs a replay of the log before it.
    name: 'attestation: replay of any leaf',
    seeds: [...world.leaves, formatEnvelope(anchor)],
    async run(bytes) {
      const state = new Replay();
      for (const leaf of world.leaves) await state.push(leaf);
      assert.equal(encodeLedgerLine(await state.ledger()), encodeLedgerLine(await ledgerDigest(world.store)));
      await state.push(bytes);
      const [refused] = (await state.ledger()).refused;
      if (refused !== undefined) throw new AttestationError(refused.code, refused.message);
    },
    iterations: 150,
  },
];
