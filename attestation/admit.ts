// Admission: a pure function of the ledger so far and one envelope. The server asks it before it gives
// an entry its index; whoever replays the log asks it again, and so checks the log's own admissions.
// It refuses what may not be an entry, with a stable code; what merely looks wrong is admitted and
// becomes a finding, since contradiction is evidence and not an error.
// The rules are numbered in spec/attestations.md "Admission"; the comments below give the numbers.
import { decodeHex, encodeHex, leafHash as hashLeaf, quote } from '../tlog/index.js';
import type { AdmissionContext, Candidate, PreparedEntry } from './candidate.js';
import { entryId, formatEnvelope, parseAnyEnvelope, parseLeaf, verifyEnvelopeSignature } from './envelope.js';
import type { Envelope } from './envelope.js';
import { usesThatSign } from './entitlement.js';
import { AttestationError } from './errors.js';
import type { Charter } from './generated/types.js';
import { KEYS, LedgerView, digestValue, ledgerDigest, nextDigest } from './ledger.js';
import type { Changes, KeyRecord, KeyUse, KeyedStore } from './ledger.js';
import { admitAnchor, admitCharter, admitAmendment, admitFreeze } from './rules-log.js';
import { admitParticipant, admitParticipantKey } from './rules-participant.js';
import { admitRun } from './rules-run.js';
import { checkStatement, knownType, parseAnyStatement } from './statement.js';
import type { ParsedStatement } from './statement.js';
import { findAnchor } from './time.js';

/** The answer. */
export type Admission =
  | {
      readonly ok: true;
      /** What the entry changes in the ledger, its digest included. */
      readonly changes: Changes;
      readonly statement: ParsedStatement;
    }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly hint: string };

/**
 * Parses one envelope's JSON and its payload. Throws AttestationError "bad_json", "bad_envelope",
 * "entry_too_large", "not_canonical", "bad_statement", "keyid_mismatch". Rules 1 and 2.
 */
export function prepareEntry(from: Uint8Array | Envelope): PreparedEntry {
  const spelled = from instanceof Uint8Array ? parseLeaf(from) : undefined;
  const envelope = spelled ?? (from instanceof Uint8Array ? parseAnyEnvelope(from) : from);
  const leaf = spelled !== undefined && from instanceof Uint8Array ? from : formatEnvelope(envelope);
  const statement = parseAnyStatement(envelope.payload);
  // Nothing signs keyid. Were it free, whoever carries an envelope could choose among leaves.
  if (envelope.keyid !== statement.predicate.signer)
    throw new AttestationError(
      'keyid_mismatch',
      `envelope: expected keyid ${statement.predicate.signer}, the signer that the payload names, found ${envelope.keyid}`,
      'keyid is the hex SHA-256 of the raw public key',
    );
  return { envelope, leaf, leafHash: hashLeaf(leaf), id: entryId(envelope), statement };
}

/**
 * What the ledger knows of the key under which an entry's signature must verify if it is to be admitted, or
 * undefined where its signer is not known. For verifying signatures in parallel before admission.
 */
export function signerOf(store: KeyedStore, entry: PreparedEntry): Promise<KeyRecord | undefined> {
  return new LedgerView(store, 0).get<KeyRecord>(KEYS.key(entry.statement.predicate.signer));
}

/**
 * May this entry be logged at `index`, and what would it change? Reads `store`, never writes. Requires
 * the store to hold the ledger of exactly `index` entries. Errors of the store and of treeRoot pass
 * through; anything about the entry is an answer.
 */
export async function admit(
  store: KeyedStore,
  index: number,
  entry: Envelope | PreparedEntry,
  context: AdmissionContext,
): Promise<Admission> {
  const digest = await ledgerDigest(store);
  if (digest.size !== index)
    throw new RangeError(`ledger of ${digest.size} entries: expected one of ${index}`);
  try {
    const prepared = 'envelope' in entry ? entry : prepareEntry(entry);
    const view = new LedgerView(store, index);
    const statement = await decide(view, index, prepared, context);
    view.changes.set(KEYS.digest, digestValue(nextDigest(digest, prepared.leafHash, view.changes)));
    return { ok: true, changes: view.changes, statement };
  } catch (error) {
    if (!(error instanceof AttestationError)) throw error;
    return { ok: false, code: error.code, message: error.message, hint: error.hint };
  }
}

async function decide(
  view: LedgerView,
  index: number,
  entry: PreparedEntry,
  context: AdmissionContext,
): Promise<ParsedStatement> {
  const { statement } = entry;
  const { participant, signer, recentAnchor } = statement.predicate;
  const name = knownType(statement.predicateType);
  // Rule 3: entry 0 is the charter, and the charter is entry 0.
  if ((index === 0) !== (name === 'charter'))
    throw new AttestationError(
      'not_charter',
      `entry ${index}: expected ${index === 0 ? 'the charter' : 'no charter but entry 0'}, found ${quote(statement.predicateType)}`,
      index === 0 ? 'log the charter first' : 'terms change by charter-amendment',
    );
  const [head, key, logged] = await Promise.all([
    view.head(),
    view.get<KeyRecord>(KEYS.key(signer)),
    context.lookup?.(entry.id),
  ]);
  if (name === 'charter') {
    const charter = checkStatement(statement) as Charter;
    admitCharter(view, entry, charter, context);
    return { known: true, statement: charter };
  }
  // Only in a replay: the log holds an entry 0 that is no charter of its own.
  if (head === undefined)
    throw new AttestationError(
      'no_charter',
      `entry ${index}: expected a log with a charter, found none at entry 0`,
      'without a charter nobody may write',
    );
  // Rule 4: the second entry is the first anchor.
  if (index === 1 && name !== 'anchor')
    throw new AttestationError(
      'not_first_anchor',
      `entry 1: expected the first anchor, found ${quote(statement.predicateType)}`,
      'wait until the log has anchored its charter',
    );
  // Rule 5: after a freeze one anchor, then nothing.
  if (head.frozenAt !== null && (name !== 'anchor' || index !== head.frozenAt + 1))
    throw new AttestationError(
      'frozen',
      `entry ${index}: expected nothing after the freeze at entry ${head.frozenAt} but one anchor`,
      'submit to the successor log',
    );
  // Rule 6: one payload, one entry.
  if (logged !== undefined)
    throw new AttestationError(
      'duplicate',
      `entry ${index}: expected a new payload, found that of entry ${logged}`,
      'it is logged already: use that entry',
    );
  // Rule 7: size.
  if (entry.leaf.length > head.sizeLimit)
    throw new AttestationError(
      'entry_too_large',
      `entry ${index}: expected at most ${head.sizeLimit} bytes, the charter's limit, found ${entry.leaf.length}`,
      'state long lists as a Merkle root',
    );
  // Rule 8: the type is one the terms know, and well formed.
  const known = name !== undefined && head.types.includes(statement.predicateType);
  if (!known && head.unknownTypes === 'refuse')
    throw new AttestationError(
      'type_not_admitted',
      `entry ${index}: expected a type that the charter lists, found ${quote(statement.predicateType)}`,
      'ask the registrars for an amendment',
    );
  const parsed: ParsedStatement = known
    ? { known: true, statement: checkStatement(statement) }
    : { known: false, statement };
  if (parsed.known && parsed.statement.predicateType === 'https://stele-log/key-statement/v1')
    throw new AttestationError(
      'not_an_entry',
      `entry ${index}: expected an entry, found a key-statement, which is only embedded in others`,
      'a registrar logs it inside a participant statement',
    );
  // Rule 9: the signer's key is in force, is the participant's, and signed this.
  checkKey(index, key, participant, signer);
  if (context.signatureVerified !== key.key && !verifyEnvelopeSignature(entry.envelope, decodeHex(key.key)))
    throw new AttestationError(
      'bad_signature',
      `entry ${index}: expected a signature by key ${signer}, found one that does not verify`,
      'sign the DSSE PAE of the payload with Ed25519',
    );
  const candidate: Candidate = {
    index,
    entry,
    statement,
    id: encodeHex(entry.id),
    view,
    head,
    key,
    context,
  };
  await applyRules(candidate, parsed);
  // An anchor this log does not have may be another log's: whoever relays a statement cannot change it.
  if (recentAnchor !== undefined && (await findAnchor(view, recentAnchor)) === undefined)
    view.find('anchor-unknown');
  return parsed;
}

function checkKey(
  index: number,
  key: KeyRecord | undefined,
  participant: string,
  signer: string,
): asserts key is KeyRecord {
  if (key === undefined)
    throw new AttestationError(
      'unknown_key',
      `entry ${index}: expected a key that the log knows, found ${signer}`,
      'a registrar introduces participants and their keys',
    );
  if (key.until !== null)
    throw new AttestationError(
      'key_not_in_force',
      `entry ${index}: expected a key in force, found ${signer}, which ended at entry ${key.until}`,
      'sign with the key that took its place',
    );
  if (key.participant !== participant)
    throw new AttestationError(
      'wrong_participant',
      `entry ${index}: expected participant ${quote(key.participant)}, whose key this is, found ${quote(participant)}`,
      'sign with a key of the participant that the statement names',
    );
}

/** Rules 10 and on: who may say what. */
async function applyRules(candidate: Candidate, parsed: ParsedStatement): Promise<void> {
  entitled(candidate, usesThatSign(parsed.known ? knownType(parsed.statement.predicateType) : undefined));
  if (!parsed.known) return;
  const { statement } = parsed;
  switch (statement.predicateType) {
    case 'https://stele-log/charter/v1':
    case 'https://stele-log/key-statement/v1':
      throw new RangeError('decided earlier');
    case 'https://stele-log/anchor/v1':
      await admitAnchor({ ...candidate, statement });
      return;
    case 'https://stele-log/charter-amendment/v1':
      await admitAmendment({ ...candidate, statement });
      return;
    case 'https://stele-log/freeze/v1':
      admitFreeze({ ...candidate, statement });
      return;
    case 'https://stele-log/participant/v1':
      await admitParticipant({ ...candidate, statement });
      return;
    case 'https://stele-log/participant-key/v1':
      await admitParticipantKey({ ...candidate, statement });
      return;
    case 'https://stele-log/run-intent/v1':
    case 'https://stele-log/run-progress/v1':
    case 'https://stele-log/run-final/v1':
      if (!candidate.key.roles.some((role) => role === 'lab'))
        throw notEntitled(candidate, 'the role lab', candidate.key.roles);
      await admitRun({ ...candidate, statement });
  }
}

function entitled(candidate: Candidate, uses: readonly KeyUse[]): void {
  if (!candidate.key.uses.some((use) => uses.includes(use)))
    throw notEntitled(candidate, `a key for ${uses.join(' or ')}`, candidate.key.uses);
}

function notEntitled(
  { index, statement }: Candidate,
  expected: string,
  found: readonly string[],
): AttestationError {
  return new AttestationError(
    'not_entitled',
    `entry ${index}: expected ${expected} to sign ${quote(statement.predicateType)}, found ${found.join(', ')}`,
    'see "Who signs what" in spec/attestations.md',
  );
}
