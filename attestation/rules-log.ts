// Admission of what makes the log itself: its charter, the amendments, the anchors, the freeze.
// spec/attestations.md, rules 10 to 13.
import {
  COSIGNATURE_MLDSA44,
  TlogError,
  decodeHex,
  encodeBase64,
  encodeHex,
  encodeUtf8,
  equalBytes,
  evaluatePolicy,
  parseNote,
  quote,
} from '../tlog/index.js';
import type { PolicyEvaluation } from '../tlog/index.js';
import type { AdmissionContext, Candidate, PreparedEntry } from './candidate.js';
import { isCanonicalNote } from './anchor.js';
import { keyId, verifyEnvelopeSignature } from './envelope.js';
import { AttestationError } from './errors.js';
import type { Anchor, Charter, CharterAmendment, Freeze, Terms } from './generated/types.js';
import { KEYS } from './ledger.js';
import type { AnchorRecord, Head, KeyRecord, LedgerView, ParticipantRecord } from './ledger.js';
import { settleRequests } from './rules-participant.js';
import { effective } from './rules-natural.js';
import { termsDigest } from './statement.js';
import { checkTermsOnce } from './terms.js';
import type { CheckedTerms } from './terms.js';
import { timesFromTimestamps } from './time.js';

/** Rule 10: the charter names this log and is signed by the operator key it names. */
export function admitCharter(
  view: LedgerView,
  entry: PreparedEntry,
  { predicate }: Charter,
  context: AdmissionContext,
): void {
  const { terms, signer, participant } = predicate;
  checkOrigin(context.origin, terms.origin);
  const { operator } = terms;
  const raw = decodeHex(operator.key);
  if (signer !== keyId(raw) || participant !== operator.participant)
    throw new AttestationError(
      'charter_signer',
      `charter: expected to be signed by the operator key it names, ${keyId(raw)}, found ${signer}`,
      'sign the charter with the operator key',
    );
  if (context.signatureVerified !== operator.key && !verifyEnvelopeSignature(entry.envelope, raw))
    throw new AttestationError(
      'bad_signature',
      `charter: expected a signature by the operator key ${signer}, found one that does not verify`,
      'entry 0 must be signed by the key that it names as the operator’s',
    );
  if (entry.leaf.length > terms.sizeLimit)
    throw new AttestationError(
      'entry_too_large',
      `charter: expected at most ${terms.sizeLimit} bytes, its own limit, found ${entry.leaf.length}`,
      'raise the size limit, or shorten the terms',
    );
  const digest = termsDigest(terms);
  const checked = checkTermsOnce(digest, terms);
  view.put(KEYS.pending, { requests: [] });
  putTerms(view, terms, digest, checked, { frozenAt: null, anchors: 0, anchorSize: 0, anchorIndex: null });
  for (const [id, { key, participant: holder, uses }] of checked.keys) {
    const record: KeyRecord = { key, participant: holder, uses, roles: [], from: 0, until: null };
    view.put(KEYS.key(id), record);
  }
  for (const [id, name] of checked.officers) view.put(KEYS.participant(id), officerRecord(0, name));
}

/**
 * Rule 11: an amendment is one registrar's consent to new terms. It is in force from the entry with which
 * as many registrars have signed the same change to the terms in force as those terms ask for.
 */
export async function admitAmendment(candidate: Candidate<CharterAmendment>): Promise<void> {
  const { view, head, index, statement } = candidate;
  const { terms, amends, participant } = statement.predicate;
  const digest = termsDigest(terms);
  const current = await view.terms();
  checkOrigin(current.origin, terms.origin);
  if (JSON.stringify(terms.predecessor) !== JSON.stringify(current.predecessor))
    throw new AttestationError(
      'amendment_predecessor',
      'charter-amendment: expected the predecessor that the charter names, found another',
      'what a log continues is fixed when it begins',
    );
  const checked = checkTermsOnce(digest, terms);
  await checkKeysFree(view, checked);
  if (amends !== head.terms) {
    view.find('amendment-stale');
    return;
  }
  if ((await effective(candidate, [amends, digest])) === undefined) return;
  const votes = (await view.get<Votes>(KEYS.votes(amends, digest))) ?? { registrars: [] };
  const registrars = [...new Set([...votes.registrars, participant])].sort();
  if (registrars.length < current.registrars.threshold) {
    view.put(KEYS.votes(amends, digest), { registrars });
    return;
  }
  view.delete(KEYS.votes(amends, digest));
  await replaceTerms(view, index, terms, digest, checked, head);
}

/** `votes/<amended terms>/<new terms>`. */
interface Votes {
  readonly registrars: readonly string[];
}

/** A key that is another's or has ended cannot come back: entries would change their signer. */
async function checkKeysFree(view: LedgerView, checked: CheckedTerms): Promise<void> {
  for (const [id, { participant, uses }] of checked.keys) {
    const known = await view.get<KeyRecord>(KEYS.key(id));
    if (known === undefined) continue;
    const server = uses.some((use) => use === 'anchor' || use === 'log');
    const wasServer = known.uses.some((use) => use === 'anchor' || use === 'log');
    // A key the server signs with stays what it is; an officer's may gain and lose functions.
    const same = server || wasServer ? uses.join() === known.uses.join() : !known.uses.includes('signing');
    if (
      known.until !== null ||
      known.uses.includes('recovery') ||
      !same ||
      (!server && known.participant !== participant)
    )
      throw new AttestationError(
        'key_known',
        `charter-amendment: expected keys that are new or keep their holder, found ${id} of ${quote(known.participant)}`,
        'make a new key',
      );
  }
  for (const id of mlDsaKeys(checked)) {
    if ((await view.get(KEYS.endedLogKey(id))) !== undefined)
      throw new AttestationError(
        'key_known',
        `charter-amendment: expected log keys that are new or in force, found the ML-DSA-44 key ${id}, which has ended`,
        'make a new key',
      );
  }
  for (const id of checked.officers.keys()) {
    const known = await view.get<ParticipantRecord>(KEYS.participant(id));
    if (known !== undefined && !known.officer)
      throw new AttestationError(
        'participant_known',
        `charter-amendment: expected officers under identifiers of their own, found ${quote(id)}, a participant`,
        'give the officer another identifier',
      );
  }
}

/** IDs of log keys that sign no entry, of which there is no `key/`: those that have ended are remembered apart. */
function mlDsaKeys({ logKeys }: CheckedTerms): string[] {
  return logKeys.filter(({ type }) => type === COSIGNATURE_MLDSA44).map(({ publicKey }) => keyId(publicKey));
}

async function replaceTerms(
  view: LedgerView,
  index: number,
  terms: Terms,
  digest: string,
  checked: CheckedTerms,
  head: Head,
): Promise<void> {
  const old = checkTermsOnce(head.terms, await view.terms());
  putTerms(view, terms, digest, checked, head);
  for (const id of old.keys.keys()) {
    const record = await view.get<KeyRecord>(KEYS.key(id));
    if (record !== undefined && !checked.keys.has(id)) view.put(KEYS.key(id), { ...record, until: index });
  }
  const stays = mlDsaKeys(checked);
  for (const id of mlDsaKeys(old)) if (!stays.includes(id)) view.put(KEYS.endedLogKey(id), { until: index });
  for (const [id, { key, participant, uses }] of checked.keys) {
    const known = await view.get<KeyRecord>(KEYS.key(id));
    const record: KeyRecord = {
      key,
      participant,
      uses,
      roles: [],
      from: known?.from ?? index,
      until: null,
    };
    view.put(KEYS.key(id), record);
  }
  for (const [id, name] of checked.officers) {
    const known = await view.get<ParticipantRecord>(KEYS.participant(id));
    view.put(KEYS.participant(id), officerRecord(known?.index ?? index, name));
  }
}

function officerRecord(index: number, name: string): ParticipantRecord {
  return { officer: true, index, name, roles: [], keys: [], pending: null };
}

function putTerms(
  view: LedgerView,
  terms: Terms,
  digest: string,
  checked: CheckedTerms,
  rest: Pick<Head, 'frozenAt' | 'anchors' | 'anchorSize' | 'anchorIndex'>,
): void {
  const head: Head = {
    terms: digest,
    types: Object.keys(terms.admission.schemas).sort(),
    unknownTypes: terms.admission.unknownTypes,
    sizeLimit: terms.sizeLimit,
    origin: terms.origin,
    frozenAt: rest.frozenAt,
    anchors: rest.anchors,
    anchorSize: rest.anchorSize,
    anchorIndex: rest.anchorIndex,
    faults: checked.faults,
  };
  view.put(KEYS.head, head);
  view.put(KEYS.terms, terms);
}

/** Rule 12: an anchor holds a checkpoint of this very log, newer than the last one, with its quorum. */
export async function admitAnchor(candidate: Candidate<Anchor>): Promise<void> {
  const { view, head, index, entry, statement, context } = candidate;
  const terms = await view.terms();
  const checked = checkTermsOnce(head.terms, terms);
  const { checkpoint, cosignatures } = openAnchor(statement.predicate.checkpoint, checked);
  // That the origin is the log's is settled: its keys are named as the origin, and speak for that alone.
  const { size } = checkpoint;
  const least = head.frozenAt === null ? head.anchorSize + 1 : index;
  if (size < least || size > index)
    throw new AttestationError(
      'anchor_size',
      `anchor: expected a checkpoint of size ${least} to ${index}, found ${size}`,
      'anchor a checkpoint newer than the last anchored one; after a freeze, one that covers it',
    );
  const root = await context.treeRoot(size);
  if (!equalBytes(root, checkpoint.rootHash))
    throw new AttestationError(
      'anchor_root',
      `anchor: expected root ${encodeBase64(root)} at size ${size}, the log's own, found ${encodeBase64(checkpoint.rootHash)}`,
      'this checkpoint is of another history: keep it, it is evidence',
    );
  const times = timesFromTimestamps(
    cosignatures.map(({ witness, timestamp }) => [witness.operator, timestamp] as const),
    head.faults,
  );
  const record: AnchorRecord = {
    index,
    size,
    leafHash: encodeHex(entry.leafHash),
    lower: times?.lower ?? null,
    upper: times?.upper ?? null,
  };
  view.put(KEYS.anchor(head.anchors), record);
  view.put(KEYS.anchorAt(index), { ordinal: head.anchors });
  const next: Head = { ...head, anchors: head.anchors + 1, anchorSize: size, anchorIndex: index };
  view.put(KEYS.head, next);
  await settleRequests(view, record);
}

function openAnchor(note: string, { policy, logKeys }: CheckedTerms): PolicyEvaluation {
  const bad = (code: string, message: string, cause?: unknown): AttestationError =>
    new AttestationError(code, `anchor: ${message}`, 'anchor published checkpoints only', { cause });
  let evaluation: PolicyEvaluation;
  try {
    if (!isCanonicalNote(note))
      throw bad('anchor_lines', 'expected a signed note, found another spelling of one');
    // A line nobody can check would be free text, and one key's two lines two times.
    const known = new Set(
      [...logKeys, ...policy.witnesses.map(({ vkey }) => vkey)].map((k) => `${k.name}+${k.keyId}`),
    );
    for (const { name, keyId: id } of parseNote(encodeUtf8(note)).signatures)
      if (!known.delete(`${name}+${id}`))
        throw bad(
          'anchor_lines',
          `expected one line by each key of the charter's log and witnesses at most, found another by ${quote(name)}`,
        );
    evaluation = evaluatePolicy(policy, encodeUtf8(note));
  } catch (cause) {
    if (!(cause instanceof TlogError)) throw cause;
    throw bad('anchor_note', cause.message, cause);
  }
  if (!evaluation.met)
    throw bad('anchor_quorum', `expected cosignatures by a quorum, found ${evaluation.cosignatures.length}`);
  if (evaluation.checkpoint.extensions.length > 0)
    throw bad('anchor_lines', 'expected a checkpoint without extension lines, found some');
  return evaluation;
}

/** Rule 13: the operator ends the log. */
export function admitFreeze({ view, head, index, statement }: Candidate<Freeze>): void {
  checkOrigin(head.origin, statement.predicate.origin);
  const next: Head = { ...head, frozenAt: index };
  view.put(KEYS.head, next);
}

/** A statement about another log is refused wherever acting on it here would be an attack. */
export function checkOrigin(expected: string, found: string): void {
  if (expected === found) return;
  throw new AttestationError(
    'wrong_origin',
    `expected a statement for the log ${quote(expected)}, found one for ${quote(found)}`,
    'submit it to the log that it names',
  );
}
