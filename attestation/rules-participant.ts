// Admission of participants and of changes to their keys. spec/attestations.md, rules 14 and 15.
import { decodeHex, isAcceptableKey, quote } from '../tlog/index.js';
import type { Candidate } from './candidate.js';
import { envelopeFromJson, keyId, verifyEnvelopeSignature } from './envelope.js';
import { AttestationError } from './errors.js';
import type {
  EmbeddedEnvelope,
  KeyStatement,
  Participant,
  ParticipantKey,
  Roles,
} from './generated/types.js';
import type { Json } from './json.js';
import { KEYS } from './ledger.js';
import type { AnchorRecord, KeyRecord, LedgerView, ParticipantRecord, PendingRequest } from './ledger.js';
import { effective } from './rules-natural.js';
import { parseStatement } from './statement.js';

/** Rule 14: a registrar introduces somebody new, every key consenting. */
export async function admitParticipant(candidate: Candidate<Participant>): Promise<void> {
  const { view, head, index, statement } = candidate;
  const { origin, about, name, roles } = statement.predicate;
  checkLog(head.origin, origin);
  if ((await view.get(KEYS.participant(about))) !== undefined)
    throw new AttestationError(
      'participant_known',
      `participant: expected a new participant, found ${quote(about)}, who is known`,
      'keys change by participant-key; another participant needs another identifier',
    );
  const consents = statement.predicate.keys.map((embedded) => openKeyStatement(embedded));
  const ids: string[] = [];
  for (const consent of consents) {
    checkConsent(consent, origin, about, roles);
    const id = consent.predicate.signer;
    await checkNewKey(view, id);
    if (ids.includes(id)) throw badConsent(`expected different keys, found ${id} twice`);
    ids.push(id);
  }
  const recovery = consents.filter(({ predicate }) => predicate.use === 'recovery').length;
  if (recovery !== 1) throw badConsent(`expected exactly one recovery key, found ${recovery}`);
  await effective(candidate, [about]);
  for (const { predicate } of consents) putKey(view, predicate.key, about, predicate.use, roles, index);
  const record: ParticipantRecord = { officer: false, index, name, roles, keys: ids.sort(), pending: null };
  view.put(KEYS.participant(about), record);
}

/**
 * Rule 15: a participant's keys change by the key concerned, by its recovery key at once, by a registrar
 * after a waiting time in which any of its keys may object.
 */
export async function admitParticipantKey(candidate: Candidate<ParticipantKey>): Promise<void> {
  const { view, head, statement, key } = candidate;
  const { predicate } = statement;
  checkLog(head.origin, predicate.origin);
  const known = await view.get<ParticipantRecord>(KEYS.participant(predicate.about));
  if (known === undefined || known.officer)
    throw new AttestationError(
      'unknown_participant',
      `participant-key: expected a participant of this log, found ${quote(predicate.about)}`,
      known?.officer
        ? "an officer's key changes by charter-amendment"
        : 'a registrar introduces participants',
    );
  const own = key.participant === predicate.about;
  if (!own && !key.uses.includes('registrar'))
    throw new AttestationError(
      'not_entitled',
      `participant-key: expected a key of ${quote(predicate.about)} or a registrar's, found one of ${quote(key.participant)}`,
      'have the participant or a registrar sign it',
    );
  if (predicate.action === 'object') {
    await object(candidate, known, own);
    return;
  }
  const change = await readChange(candidate, known);
  if (own) {
    checkOwnChange(candidate, change);
    await applyChange(candidate.view, candidate.index, predicate.about, change);
    return;
  }
  await request(candidate, known, change);
}

/** A change that is well formed: an old key in force and, for a rotation, a new one that consents. */
interface Change {
  readonly oldKey: string;
  readonly old: KeyRecord;
  /** Hex, raw; null for a revocation. */
  readonly newKey: string | null;
}

async function readChange(
  { view, statement }: Candidate<ParticipantKey>,
  known: ParticipantRecord,
): Promise<Change> {
  const { action, oldKey, newKey, about, origin, request: requested } = statement.predicate;
  if (oldKey === undefined || (newKey !== undefined) !== (action === 'rotate') || requested !== undefined)
    throw badChange(`expected oldKey${action === 'rotate' ? ' and newKey' : ''} and no more to ${action}`);
  const old = await view.get<KeyRecord>(KEYS.key(oldKey));
  if (old === undefined || !known.keys.includes(oldKey))
    throw badChange(`expected a key of ${quote(about)} in force, found ${oldKey}`);
  if (newKey === undefined) return { oldKey, old, newKey: null };
  const consent = openKeyStatement(newKey);
  checkConsent(consent, origin, about, known.roles);
  if (!old.uses.some((use) => use === consent.predicate.use))
    throw badConsent(
      `expected a ${old.uses.join()} key in place of one, found a ${consent.predicate.use} key`,
    );
  await checkNewKey(view, consent.predicate.signer);
  return { oldKey, old, newKey: consent.predicate.key };
}

/** A signing key changes itself alone; the recovery key changes any key of its participant. */
function checkOwnChange({ key, statement }: Candidate<ParticipantKey>, { oldKey }: Change): void {
  if (key.uses.includes('recovery') || statement.predicate.signer === oldKey) return;
  throw new AttestationError(
    'not_entitled',
    `participant-key: expected the key concerned or the recovery key to sign, found ${statement.predicate.signer}`,
    'use the recovery key',
  );
}

async function request(
  candidate: Candidate<ParticipantKey>,
  known: ParticipantRecord,
  { oldKey, old, newKey }: Change,
): Promise<void> {
  const { view, index, id, statement } = candidate;
  const { about } = statement.predicate;
  if (known.pending !== null) {
    view.find('request-void');
    return;
  }
  const { keyWait } = await view.terms();
  if (keyWait === 0) {
    await applyChange(view, index, about, { oldKey, old, newKey });
    return;
  }
  const item: PendingRequest = { about, statement: id, index, wait: keyWait, loggedBy: null, oldKey, newKey };
  const waiting = await requests(view);
  view.put(KEYS.pending, { requests: [...waiting, item] });
  view.put(KEYS.participant(about), { ...known, pending: id });
}

async function object(
  candidate: Candidate<ParticipantKey>,
  known: ParticipantRecord,
  own: boolean,
): Promise<void> {
  const { view, statement } = candidate;
  const { about, oldKey, newKey, request: requested } = statement.predicate;
  if (requested === undefined || oldKey !== undefined || newKey !== undefined)
    throw badChange('expected request and neither oldKey nor newKey to object');
  if (!own)
    throw new AttestationError(
      'not_entitled',
      `participant-key: expected a key of ${quote(about)} to object, found a registrar's`,
      'the participant whose key is to change objects with a key of its own',
    );
  if (known.pending !== requested) {
    view.find('objection-void');
    return;
  }
  const waiting = await requests(view);
  view.put(KEYS.pending, { requests: waiting.filter((item) => item.statement !== requested) });
  view.put(KEYS.participant(about), { ...known, pending: null });
}

/**
 * After an anchor: requests that it covers get the time by which they were logged, and those whose wait
 * is over by the anchor's own time take effect, at the anchor's index.
 */
export async function settleRequests(view: LedgerView, anchor: AnchorRecord): Promise<void> {
  const waiting = await requests(view);
  if (waiting.length === 0) return;
  const left: PendingRequest[] = [];
  for (const item of waiting) {
    if (item.loggedBy === null) {
      left.push(
        anchor.size > item.index && anchor.upper !== null ? { ...item, loggedBy: anchor.upper } : item,
      );
    } else if (anchor.lower === null || anchor.lower < item.loggedBy + item.wait) {
      left.push(item);
    } else {
      await settle(view, anchor.index, item);
    }
  }
  view.put(KEYS.pending, { requests: left });
}

async function settle(view: LedgerView, index: number, item: PendingRequest): Promise<void> {
  const known = await view.get<ParticipantRecord>(KEYS.participant(item.about));
  if (known === undefined) throw new RangeError(`ledger without ${item.about}`);
  view.put(KEYS.participant(item.about), { ...known, pending: null });
  const old = await view.get<KeyRecord>(KEYS.key(item.oldKey));
  const taken =
    item.newKey !== null && (await view.get(KEYS.key(keyId(decodeHex(item.newKey))))) !== undefined;
  // Meanwhile the participant may have changed the key itself, or somebody else brought the new one.
  if (old === undefined || !known.keys.includes(item.oldKey) || taken) {
    view.find('request-void', item.index);
    return;
  }
  await applyChange(view, index, item.about, { oldKey: item.oldKey, old, newKey: item.newKey });
}

async function applyChange(
  view: LedgerView,
  index: number,
  about: string,
  { oldKey, old, newKey }: Change,
): Promise<void> {
  const known = await view.get<ParticipantRecord>(KEYS.participant(about));
  if (known === undefined) throw new RangeError(`ledger without ${about}`);
  const ended: KeyRecord = { ...old, until: index };
  view.put(KEYS.key(oldKey), ended);
  const keys = known.keys.filter((id) => id !== oldKey);
  if (newKey !== null) {
    const [use = 'signing'] = old.uses;
    keys.push(putKey(view, newKey, about, use, known.roles, index));
  }
  view.put(KEYS.participant(about), { ...known, keys: keys.sort() });
}

async function requests(view: LedgerView): Promise<readonly PendingRequest[]> {
  return (await view.get<{ requests: PendingRequest[] }>(KEYS.pending))?.requests ?? [];
}

function putKey(
  view: LedgerView,
  key: string,
  participant: string,
  use: KeyRecord['uses'][number],
  roles: Roles | readonly [],
  from: number,
): string {
  const id = keyId(decodeHex(key));
  const record: KeyRecord = { key, participant, uses: [use], roles, from, until: null };
  view.put(KEYS.key(id), record);
  return id;
}

/** Reads a key-statement and verifies that the key it names signed it. */
function openKeyStatement(embedded: EmbeddedEnvelope): KeyStatement {
  const envelope = envelopeFromJson(embedded as unknown as Json);
  const parsed = parseStatement(envelope.payload);
  if (!parsed.known || parsed.statement.predicateType !== 'https://stele-log/key-statement/v1')
    throw badConsent(`expected a key-statement, found ${quote(parsed.statement.predicateType)}`);
  const { statement } = parsed;
  const { key, signer } = statement.predicate;
  const raw = decodeHex(key);
  if (!isAcceptableKey(raw)) throw badConsent(`expected an Ed25519 public key, found ${key}`);
  if (signer !== keyId(raw) || envelope.keyid !== signer)
    throw badConsent(
      `expected signer and keyid ${keyId(raw)}, the key's own, found ${signer} and ${envelope.keyid}`,
    );
  if (!verifyEnvelopeSignature(envelope, raw))
    throw badConsent(`expected a signature by the key itself, ${signer}, found one that does not verify`);
  return statement;
}

function checkConsent(consent: KeyStatement, origin: string, about: string, roles: readonly string[]): void {
  const { predicate } = consent;
  checkLog(origin, predicate.origin);
  if (predicate.participant !== about)
    throw badConsent(
      `expected the key to consent to act for ${quote(about)}, found ${quote(predicate.participant)}`,
    );
  if (predicate.roles.join() !== roles.join())
    throw badConsent(
      `expected the key to consent to roles ${roles.join(', ')}, found ${predicate.roles.join(', ')}`,
    );
}

async function checkNewKey(view: LedgerView, id: string): Promise<void> {
  const known = await view.get<KeyRecord>(KEYS.key(id));
  if (known === undefined) return;
  throw new AttestationError(
    'key_known',
    `expected a key that is new to the log, found ${id} of ${quote(known.participant)}`,
    'make a new key for each participant and purpose',
  );
}

function checkLog(expected: string, found: string): void {
  if (expected === found) return;
  throw new AttestationError(
    'wrong_origin',
    `expected a statement for the log ${quote(expected)}, found one for ${quote(found)}`,
    'submit it to the log that it names',
  );
}

function badConsent(message: string): AttestationError {
  return new AttestationError(
    'bad_key_statement',
    `key-statement: ${message}`,
    'let each key sign a key-statement for this log, participant, roles and use',
  );
}

function badChange(message: string): AttestationError {
  return new AttestationError(
    'bad_key_change',
    `participant-key: ${message}`,
    'see "The other types" in spec/attestations.md',
  );
}
