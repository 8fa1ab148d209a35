// The file that `stele submit` leaves and `stele verify` reads: a record, its place in the log, and the
// entries that say who signed it. spec/bundle.md describes it for other programs.
import {
  AttestationError,
  entryId,
  envelopeFromJson,
  envelopeToJson,
  formatEnvelope,
  parseJson,
  type Envelope,
  type Json,
} from '../attestation/index.js';
import { decodeUtf8, encodeHex, encodeUtf8, leafHash, parseTlogProof } from '../tlog/index.js';
import { CliError, EXIT } from './errors.js';

const BUNDLE_SCHEMA = 'https://stele-log/bundle/v1';

/** An entry with its C2SP tlog-proof. Nothing in it is verified. */
export interface ProvenEntry {
  readonly envelope: Envelope;
  /** A tlog-proof file's bytes. */
  readonly proof: Uint8Array;
}

/** A record with what is needed to check it offline. */
export interface Bundle extends ProvenEntry {
  /** Entries that bind the record's key to its participant, and the anchor that it names. */
  readonly related: readonly ProvenEntry[];
}

/** The RFC 6962 leaf hash of an entry. */
export function leafHashOf(envelope: Envelope): Uint8Array {
  return leafHash(formatEnvelope(envelope));
}

/** Hex SHA-256 of the payload: an entry's name wherever statements refer to one another. */
export function idOf(envelope: Envelope): string {
  return encodeHex(entryId(envelope));
}

export function formatBundle(bundle: Bundle): string {
  const entry = ({ envelope, proof }: ProvenEntry): object => ({
    envelope: envelopeToJson(envelope),
    proof: decodeUtf8(proof, 'proof'),
  });
  return `${JSON.stringify({ schema: BUNDLE_SCHEMA, ...entry(bundle), related: bundle.related.map(entry) }, null, 1)}\n`;
}

/** The JSON of a record, a bundle or an envelope. Throws AttestationError "bad_json". */
export function parseRecordJson(bytes: Uint8Array): Json {
  try {
    return parseJson(bytes);
  } catch (cause) {
    if (!(cause instanceof AttestationError)) throw cause;
    throw new AttestationError(
      cause.code,
      cause.message,
      'name a file that "stele attest", "stele submit" or "stele prove" wrote, as it was written',
      { cause },
    );
  }
}

/** Whether the bytes say that they are a bundle, whatever else is wrong with them. */
export function looksLikeBundle(value: Json): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && 'schema' in value;
}

/** Throws CliError "bad_bundle", AttestationError "bad_json", "bad_envelope", TlogError "bad_tlog_proof". */
export function parseBundle(bytes: Uint8Array): Bundle {
  const fields = object(parseJson(bytes), ['schema', 'envelope', 'proof', 'related'], 'bundle');
  if (fields['schema'] !== BUNDLE_SCHEMA) {
    throw bad(`expected schema ${BUNDLE_SCHEMA}, found ${JSON.stringify(fields['schema'])}`);
  }
  const { related } = fields;
  if (!Array.isArray(related)) throw bad('expected related to be a list');
  return {
    ...provenEntry(fields, 'bundle'),
    related: (related as readonly Json[]).map((value, i) =>
      provenEntry(object(value, ['envelope', 'proof'], `related[${i}]`), `related[${i}]`),
    ),
  };
}

function provenEntry(fields: Record<string, Json>, where: string): ProvenEntry {
  const { envelope, proof } = fields;
  if (typeof proof !== 'string') throw bad(`expected a tlog-proof as text at ${where}`);
  const bytes = encodeUtf8(proof);
  parseTlogProof(bytes);
  return { envelope: envelopeFromJson(envelope ?? null), proof: bytes };
}

function object(value: Json, names: readonly string[], where: string): Record<string, Json> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(`expected an object at ${where}`);
  const found = Object.keys(value);
  for (const name of names) if (!found.includes(name)) throw bad(`expected ${name} at ${where}, found none`);
  for (const name of found) {
    if (!names.includes(name))
      throw bad(`expected ${names.join(', ')} at ${where}, found ${JSON.stringify(name)}`);
  }
  return value as Record<string, Json>;
}

function bad(message: string): CliError {
  return new CliError(
    EXIT.usage,
    'bad_bundle',
    `bundle: ${message}`,
    'name a file that "stele submit" or "stele prove" wrote',
  );
}
