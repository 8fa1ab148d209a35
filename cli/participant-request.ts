// What a lab gives to a registrar: who it says it is, and its keys' own consent. Nothing in it is secret.
import {
  buildKeyStatement,
  envelopeFromJson,
  parseJson,
  parseStatement,
  verifyEnvelopeSignature,
  type EmbeddedEnvelope,
  type Json,
  type ParticipantPredicate,
} from '../attestation/index.js';
import { decodeHex, type SigningKey } from '../tlog/index.js';
import { CliError, EXIT } from './errors.js';
import { checkIdentifier } from './identifiers.js';

const REQUEST_SCHEMA = 'https://stele-log/participant-request/v1';

/** The fields of a `participant` statement that the participant itself provides. */
export type ParticipantRequest = Pick<
  ParticipantPredicate,
  'origin' | 'about' | 'name' | 'jurisdiction' | 'controlledBy' | 'roles' | 'keys'
>;

/** A key's consent to act for a participant of one log, ready to be embedded. */
export function consentOf(
  key: SigningKey,
  request: Pick<ParticipantRequest, 'origin' | 'about' | 'roles'>,
  use: 'signing' | 'recovery',
  issuedAt: number,
): EmbeddedEnvelope {
  const { origin, about: participant, roles } = request;
  return buildKeyStatement({ participant, issuedAt, origin, roles, use }, key.secret);
}

export function formatRequest(request: ParticipantRequest): string {
  return `${JSON.stringify({ schema: REQUEST_SCHEMA, ...request }, null, 1)}\n`;
}

const FIELDS = ['origin', 'about', 'name', 'jurisdiction', 'controlledBy', 'roles', 'keys'] as const;

/**
 * Reads a request and checks what a registrar cannot see by eye: that every key consents to just this
 * participant, log and roles, of which there is at least one. The other fields are checked as the statement that they become. Throws
 * CliError "bad_request", and what the parsers throw.
 */
export function parseRequest(bytes: Uint8Array): ParticipantRequest {
  const value = parseJson(bytes) as Record<string, Json> | null;
  if (typeof value !== 'object' || value === null || value['schema'] !== REQUEST_SCHEMA) {
    throw bad(`expected schema ${REQUEST_SCHEMA}, found something else`);
  }
  for (const field of FIELDS) if (!(field in value)) throw bad(`expected ${field}, found none`);
  const { keys, about } = value;
  // It becomes part of a file's name before the statement is held against its schema.
  if (typeof about !== 'string') throw bad('expected about to be an identifier');
  checkIdentifier(about, 'participant request: about');
  if (!Array.isArray(keys) || keys.length === 0) throw bad('expected a list of one key or more');
  for (const [i, key] of (keys as readonly Json[]).entries()) {
    const envelope = envelopeFromJson(key);
    const parsed = parseStatement(envelope.payload);
    if (!parsed.known || parsed.statement.predicateType !== 'https://stele-log/key-statement/v1') {
      throw bad(`expected key ${i} to be a key-statement`);
    }
    const { participant, origin, key: publicKey } = parsed.statement.predicate;
    if (participant !== about || origin !== value['origin']) {
      throw bad(
        `expected key ${i} to consent for ${JSON.stringify(about)} in ${JSON.stringify(value['origin'])}, found ${participant} in ${origin}`,
      );
    }
    if (!verifyEnvelopeSignature(envelope, decodeHex(publicKey, 'key'))) {
      throw bad(`expected key ${i} to have signed its own statement, found another signature`);
    }
  }
  return Object.fromEntries(FIELDS.map((field) => [field, value[field]])) as unknown as ParticipantRequest;
}

function bad(message: string): CliError {
  return new CliError(
    EXIT.usage,
    'bad_request',
    `participant request: ${message}`,
    'ask for the file that "stele init" wrote',
  );
}
