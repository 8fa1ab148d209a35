/** What labs sign, and the ledger that a replay of the log yields. spec/attestations.md. */
export { AttestationError } from './errors.js';
export { MAX_DEPTH, canonicalJson, parseCanonicalJson, parseJson } from './json.js';
export type { Json } from './json.js';
export {
  MAX_ENTRY_BYTES,
  MAX_ENVELOPE_BYTES,
  PAYLOAD_TYPE,
  entryId,
  envelopeFromJson,
  envelopeToJson,
  formatEnvelope,
  keyId,
  pae,
  parseEnvelope,
  signEnvelope,
  verifyEnvelopeSignature,
} from './envelope.js';
export type { Envelope } from './envelope.js';
export {
  STATEMENT_TYPE,
  checkStatement,
  checkpointDigest,
  knownType,
  parseAnyStatement,
  parseStatement,
  participantDigest,
  termsDigest,
  typeUri,
} from './statement.js';
export type { AnyStatement, KnownStatement, ParsedStatement, TypeName } from './statement.js';
export type * from './generated/types.js';
export {
  SALT_BYTES,
  commit,
  committedOf,
  digestOf,
  disclosureDigest,
  openCommitment,
  parseDisclosure,
} from './commitment.js';
export type { Commitment, Opened } from './commitment.js';
export { checkSchema, compileSchema, hasSchema, schemaNames } from './schema.js';
export type { Problem } from './schema.js';
export { MAX_NAME_BYTES, isName } from './name.js';
export * from './build.js';
export { buildAnchor } from './anchor.js';
export { usesThatSign } from './entitlement.js';
export { ADMISSION_VERSION, checkPolicyFits, checkTerms, currentSchemas } from './terms.js';
export type { CheckedTerms } from './terms.js';
export { admit, prepareEntry, signerOf } from './admit.js';
export type { Admission } from './admit.js';
export type { AdmissionContext, PreparedEntry } from './candidate.js';
export { KEYS, MemoryStore, encodeLedgerLine, lastAnchor, ledgerDigest, termsInForce } from './ledger.js';
export type {
  AnchorRecord,
  Changes,
  EntryRef,
  Finding,
  FindingCode,
  Head,
  KeyRecord,
  KeyUse,
  KeyedStore,
  LedgerDigest,
  ParticipantRecord,
  PendingRequest,
  RunRecord,
} from './ledger.js';
export { anchorTimes, isAnchor, timeBounds, timesFromTimestamps } from './time.js';
export type { AnchorTimes, Bound, NoBound, TimeBounds } from './time.js';
export { factsFit, factsOf, factsOfStatement, shortType } from './facts.js';
export type { EntryFacts, FactsWanted } from './facts.js';
export { Replay, replay } from './replay.js';
export type { Ledger, Refused } from './replay.js';
export { checkPredecessor, predecessorOf } from './predecessor.js';
export type { EarlierTree, Predecessor } from './predecessor.js';
