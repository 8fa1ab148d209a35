// Builders: a statement of each type, its subject and common fields filled in. Each takes what the type
// itself says and answers a statement, still unsigned; sign() checks and signs it. So a program can show
// what it is about to sign, and a test can make a wrong one.
import { encodeHex, encodeUtf8, publicKeyFromSeed } from '../tlog/index.js';
import { digestOf } from './commitment.js';
import { envelopeToJson, keyId, signEnvelope } from './envelope.js';
import type { Envelope } from './envelope.js';
import { AttestationError } from './errors.js';
import type {
  Charter,
  CharterAmendment,
  CharterAmendmentPredicate,
  CharterPredicate,
  EmbeddedEnvelope,
  Freeze,
  FreezePredicate,
  KeyStatement,
  KeyStatementPredicate,
  Participant,
  ParticipantKey,
  ParticipantKeyPredicate,
  ParticipantPredicate,
  RunFinal,
  RunFinalPredicate,
  RunIntent,
  RunIntentPredicate,
  RunProgress,
  RunProgressPredicate,
  Terms,
} from './generated/types.js';
import {
  STATEMENT_TYPE,
  checkStatement,
  knownType,
  parseAnyStatement,
  participantDigest,
  termsDigest,
  typeUri,
} from './statement.js';
import type { AnyStatement, KnownStatement } from './statement.js';
import { canonicalJson } from './json.js';
import { ADMISSION_VERSION, currentSchemas } from './terms.js';

/** What a caller gives: all but the signer, which the signing key decides. */
type Unsigned<Predicate> = Omit<Predicate, 'signer'>;

/** Seconds between anchors where a charter does not say otherwise. */
const DEFAULT_ANCHOR_INTERVAL = 600;
/** Seconds that a registrar's change of a participant's key waits by default: two weeks. */
const DEFAULT_KEY_WAIT: number = 14 * 24 * 60 * 60;

/**
 * Terms with the defaults of this release: its admission rules and schemas, anchors every 10 minutes.
 * Types without a schema are refused: nothing would keep free text out of them, and a log cannot forget.
 */
export function buildTerms(
  given: Pick<Terms, 'origin' | 'operator' | 'anchorKey' | 'logKeys' | 'policy' | 'registrars'> &
    Partial<Terms>,
): Terms {
  return {
    admission: { version: ADMISSION_VERSION, schemas: currentSchemas(), unknownTypes: 'refuse' },
    anchorInterval: DEFAULT_ANCHOR_INTERVAL,
    sizeLimit: 65535,
    keyWait: DEFAULT_KEY_WAIT,
    predecessor: null,
    ...given,
  };
}

/**
 * Signs a statement whose `signer` is filled in from the key. Checks it first as the log will: a wrong
 * one is never signed. `seed` is 32 bytes. Throws AttestationError as checkStatement and signEnvelope do.
 */
export function sign(
  statement: AnyStatement | KnownStatement | UnsignedStatement,
  seed: Uint8Array,
): Envelope {
  const signer = keyId(publicKeyFromSeed(seed));
  const predicate: Record<string, unknown> = { ...statement.predicate, signer };
  const complete = { ...statement, predicate };
  // By way of bytes, so that what is checked is what is signed: no undefined, no inherited field.
  const read = parseAnyStatement(canonicalJson(complete));
  if (knownType(read.predicateType) !== undefined) checkStatement(read);
  return signEnvelope(read, seed);
}

/** A statement without `signer`. */
export interface UnsignedStatement {
  readonly _type: typeof STATEMENT_TYPE;
  readonly subject: readonly { readonly name: string; readonly digest: { readonly sha256: string } }[];
  readonly predicateType: KnownStatement['predicateType'];
  readonly predicate: object;
}

/** Entry 0. The operator signs it. */
export function buildCharter(terms: Terms, issuedAt: number): UnsignedOf<Charter, CharterPredicate> {
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: terms.origin, digest: { sha256: termsDigest(terms) } }],
    predicateType: typeUri('charter'),
    predicate: { participant: terms.operator.participant, issuedAt, terms },
  };
}

type UnsignedOf<Statement extends KnownStatement, Predicate> = Omit<Statement, 'predicate'> & {
  readonly predicate: Unsigned<Predicate>;
};

/** One registrar's consent to new terms in place of `amends`, the digest of those in force. */
export function buildCharterAmendment(
  predicate: Unsigned<CharterAmendmentPredicate>,
): UnsignedOf<CharterAmendment, CharterAmendmentPredicate> {
  const { terms } = predicate;
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: terms.origin, digest: { sha256: termsDigest(terms) } }],
    predicateType: typeUri('charter-amendment'),
    predicate,
  };
}

/** The end of the log. The operator signs it. */
export function buildFreeze(predicate: Unsigned<FreezePredicate>): UnsignedOf<Freeze, FreezePredicate> {
  const { origin } = predicate;
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: origin, digest: { sha256: digestOf(encodeUtf8(origin)) } }],
    predicateType: typeUri('freeze'),
    predicate,
  };
}

/** A key's consent, signed by the key itself and ready to be embedded. `seed` is 32 bytes. */
export function buildKeyStatement(
  given: Omit<KeyStatementPredicate, 'signer' | 'key'>,
  seed: Uint8Array,
): EmbeddedEnvelope {
  const publicKey = publicKeyFromSeed(seed);
  const statement: UnsignedOf<KeyStatement, KeyStatementPredicate> = {
    _type: STATEMENT_TYPE,
    subject: [{ name: given.participant, digest: { sha256: digestOf(publicKey) } }],
    predicateType: typeUri('key-statement'),
    predicate: { ...given, roles: sorted(given.roles), key: encodeHex(publicKey) },
  };
  return envelopeToJson(sign(statement, seed));
}

/** Introduces `about`. A registrar signs it; `participant` is the registrar's identifier. */
export function buildParticipant(
  predicate: Unsigned<ParticipantPredicate>,
): UnsignedOf<Participant, ParticipantPredicate> {
  return {
    _type: STATEMENT_TYPE,
    subject: [
      { name: predicate.about, digest: { sha256: participantDigest(predicate.origin, predicate.about) } },
    ],
    predicateType: typeUri('participant'),
    predicate: { ...predicate, roles: sorted(predicate.roles) },
  };
}

/** Rotates or revokes a key of `about`, or objects to a registrar's request to. */
export function buildParticipantKey(
  predicate: Unsigned<ParticipantKeyPredicate>,
): UnsignedOf<ParticipantKey, ParticipantKeyPredicate> {
  return {
    _type: STATEMENT_TYPE,
    subject: [
      { name: predicate.about, digest: { sha256: participantDigest(predicate.origin, predicate.about) } },
    ],
    predicateType: typeUri('participant-key'),
    predicate,
  };
}

/** Declares a run. `specification` is the hex SHA-256 of the document that describes it. */
export function buildRunIntent(
  specification: string,
  predicate: Unsigned<RunIntentPredicate>,
): UnsignedOf<RunIntent, RunIntentPredicate> {
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: predicate.run, digest: { sha256: specification } }],
    predicateType: typeUri('run-intent'),
    predicate,
  };
}

/** A window of a run. */
export function buildRunProgress(
  specification: string,
  predicate: Unsigned<RunProgressPredicate>,
): UnsignedOf<RunProgress, RunProgressPredicate> {
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: predicate.run, digest: { sha256: specification } }],
    predicateType: typeUri('run-progress'),
    predicate,
  };
}

/** The end of a run; where its weights are stated in clear they are its second subject. */
export function buildRunFinal(
  specification: string,
  predicate: Unsigned<RunFinalPredicate>,
): UnsignedOf<RunFinal, RunFinalPredicate> {
  const { weights } = predicate;
  return {
    _type: STATEMENT_TYPE,
    subject: [
      { name: predicate.run, digest: { sha256: specification } },
      ...(weights !== undefined && 'root' in weights
        ? [{ name: 'weights', digest: { sha256: weights.root } }]
        : []),
    ],
    predicateType: typeUri('run-final'),
    predicate,
  };
}

/** Roles are a set: one order, so that equal sets have equal bytes. */
function sorted<Role extends string>(roles: readonly Role[]): Role[] {
  return [...roles].sort();
}

/**
 * A statement of any type from its predicate alone, for programs that read predicates from files: the
 * subject is derived. `specification` is needed for the run types. Throws AttestationError
 * "unknown_type" for a type that has no builder, "bad_statement" when signed.
 */
export function statementFromPredicate(
  type: string,
  predicate: Readonly<Record<string, unknown>>,
  specification?: string,
): UnsignedStatement {
  const given = predicate as never;
  const run = (make: (specification: string, predicate: never) => UnsignedStatement): UnsignedStatement => {
    if (specification === undefined)
      throw new AttestationError(
        'bad_subject',
        `${type}: expected the digest of the run's specification, found none`,
        'give the document that describes the run, or its SHA-256',
      );
    return make(specification, given);
  };
  switch (type) {
    case 'charter-amendment':
      return buildCharterAmendment(given);
    case 'freeze':
      return buildFreeze(given);
    case 'participant':
      return buildParticipant(given);
    case 'participant-key':
      return buildParticipantKey(given);
    case 'run-intent':
      return run(buildRunIntent);
    case 'run-progress':
      return run(buildRunProgress);
    case 'run-final':
      return run(buildRunFinal);
    default:
      throw new AttestationError(
        'unknown_type',
        `expected charter-amendment, freeze, participant, participant-key, run-intent, run-progress or run-final, found ${JSON.stringify(type)}`,
        'name one of them',
      );
  }
}
