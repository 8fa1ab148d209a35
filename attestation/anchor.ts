// Anchors: the last published checkpoint with its cosignatures, as an entry. The server makes one at
// the charter's interval; spec/attestations.md "The other types".
import {
  NOTE_ED25519,
  decodeHex,
  decodeUtf8,
  encodeUtf8,
  evaluatePolicy,
  formatNote,
  parseNote,
  publicKeyFromSeed,
  quorumMet,
} from '../tlog/index.js';
import type { Policy, PolicyEvaluation } from '../tlog/index.js';
import { MAX_ENTRY_BYTES, formatEnvelope, keyId, signEnvelope } from './envelope.js';
import type { Envelope } from './envelope.js';
import { AttestationError } from './errors.js';
import type { Terms } from './generated/types.js';
import { anchorStatement, termsDigest } from './statement.js';
import { checkTermsOnce, preferredWitnesses } from './terms.js';

/**
 * The anchor of a published checkpoint: of its lines one of the log's own and one cosignature per operator,
 * Ed25519 where there is one, more cosignatures only where the quorum wants them. The same note gives the same
 * payload. Throws AttestationError "anchor_quorum" where the note's cosignatures are no quorum,
 * "anchor_key" where the seed is not the charter's anchor key's, "entry_too_large"; TlogError where
 * the note does not verify.
 */
export function buildAnchor(options: {
  /** The published checkpoint, a signed note. */
  readonly note: Uint8Array;
  /** The terms in force. */
  readonly terms: Terms;
  /** The anchor key's 32-byte seed. */
  readonly anchorSeed: Uint8Array;
}): Envelope {
  const { note, terms, anchorSeed } = options;
  const { policy } = checkTermsOnce(termsDigest(terms), terms);
  const publicKey = publicKeyFromSeed(anchorSeed);
  const signer = keyId(publicKey);
  const wanted = keyId(decodeHex(terms.anchorKey));
  if (signer !== wanted)
    throw new AttestationError(
      'anchor_key',
      `anchor: expected to be signed by the charter's anchor key ${wanted}, found ${signer}`,
      'use the anchor key that the terms in force name',
    );
  const evaluation = evaluatePolicy(policy, note);
  if (!evaluation.met)
    throw new AttestationError(
      'anchor_quorum',
      `anchor: expected a checkpoint cosigned by a quorum, found ${evaluation.cosignatures.length} cosignatures that are none`,
      'anchor published checkpoints only',
    );
  const text = decodeUtf8(formatNote({ text: evaluation.text, signatures: chooseLines(policy, evaluation) }));
  const envelope = signEnvelope(anchorStatement(terms.operator.participant, signer, text), anchorSeed);
  const size = formatEnvelope(envelope).length;
  if (size > Math.min(terms.sizeLimit, MAX_ENTRY_BYTES))
    throw new AttestationError(
      'entry_too_large',
      `anchor: expected at most ${terms.sizeLimit} bytes, found ${size}`,
      'take a policy with fewer witnesses, or raise the size limit by an amendment',
    );
  return envelope;
}

/** The lines that an anchor carries, in the order of the note. */
function chooseLines(policy: Policy, { logSignatures, cosignatures }: PolicyEvaluation): { line: string }[] {
  const preferred = new Set(preferredWitnesses(policy).map(({ name }) => name));
  const chosen = new Map<string, string>();
  for (const wanted of [true, false])
    for (const { witness, line, timestamp } of cosignatures)
      // A line without a time serves the quorum but not the clock, so one with a time goes before it.
      if (
        timestamp > 0 &&
        preferred.has(witness.name) === wanted &&
        ![...chosen.keys()].some((name) => operatorOf(policy, name) === witness.operator)
      )
        chosen.set(witness.name, line);
  for (const { witness, line } of cosignatures) {
    if (quorumMet(policy, new Set(chosen.keys()))) break;
    chosen.set(witness.name, line);
  }
  const lines = new Set(chosen.values());
  const own = logSignatures.find(({ vkey }) => vkey.type === NOTE_ED25519);
  return [...(own ? [own] : logSignatures), ...cosignatures.filter(({ line }) => lines.has(line))];
}

function operatorOf(policy: Policy, name: string): string | undefined {
  return policy.witnesses.find((witness) => witness.name === name)?.operator;
}

/** Are these bytes a note spelled as formatNote spells it? An anchor carries no other spelling. */
export function isCanonicalNote(note: string): boolean {
  return decodeUtf8(formatNote(parseNote(encodeUtf8(note)))) === note;
}
