// Commitments: a field stated only as the digest of its disclosure.
//
//   disclosure = base64url(UTF-8 of JSON [salt, field name, value])      RFC 9901 §4.2.1
//   digest     = SHA-256 of the disclosure's ASCII bytes                  RFC 9901 §4.2.3, here in hex
//
// A lab is both issuer and adversary, so a field has exactly one commitment, found under its own name
// in `committed`; there are no anonymous digests and no decoys. The disclosure stays with the lab, which
// opens it to whom it likes.
import {
  TlogError,
  concatBytes,
  decodeBase64,
  encodeBase64,
  encodeHex,
  encodeUtf8,
  quote,
  sha256,
} from '../tlog/index.js';
import { AttestationError } from './errors.js';
import { canonicalJson, parseJson } from './json.js';
import type { Json } from './json.js';

/** Bytes of salt: 128 bits, so that a small value cannot be found by trying. RFC 9901 §9.3. */
export const SALT_BYTES = 16;

/** A field with what is needed to open it. */
export interface Opened {
  readonly field: string;
  readonly value: Json;
  /** base64url without padding, of at least 16 bytes. */
  readonly salt: string;
}

/** What goes into the statement, and what its maker keeps. */
export interface Commitment {
  readonly field: string;
  /** Hex, for `committed`. */
  readonly digest: string;
  /** The RFC 9901 disclosure string. */
  readonly disclosure: string;
}

/** Commits to a field's value. `salt` is 16 or more random bytes, used once. Throws AttestationError. */
export function commit(field: string, value: Json, salt: Uint8Array): Commitment {
  if (salt.length < SALT_BYTES)
    throw bad(`expected a salt of at least ${SALT_BYTES} bytes, found ${salt.length}`);
  const disclosure = toBase64Url(canonicalJson([toBase64Url(salt), field, value]));
  return { field, disclosure, digest: disclosureDigest(disclosure) };
}

/** Hex SHA-256 of a disclosure string's bytes. */
export function disclosureDigest(disclosure: string): string {
  return encodeHex(sha256(encodeUtf8(disclosure)));
}

/**
 * Opens a disclosure against the `committed` of the object it belongs to. Throws AttestationError
 * "bad_disclosure", or "no_such_commitment" where nothing committed matches.
 */
export function openCommitment(disclosure: string, committed: Readonly<Record<string, string>>): Opened {
  const opened = parseDisclosure(disclosure);
  const digest = disclosureDigest(disclosure);
  if (!Object.hasOwn(committed, opened.field) || committed[opened.field] !== digest) {
    throw new AttestationError(
      'no_such_commitment',
      `disclosure of ${quote(opened.field)}: expected its digest ${digest} under that name in committed, found ${
        Object.hasOwn(committed, opened.field) ? 'another' : 'none'
      }`,
      'a disclosure that matches nothing proves nothing: ask for the one that was committed to',
    );
  }
  return opened;
}

/** Parses a disclosure; any JSON spelling inside, since the digest covers the string. */
export function parseDisclosure(disclosure: string): Opened {
  const value = parseJson(fromBase64Url(disclosure));
  if (!Array.isArray(value) || value.length !== 3) throw bad('expected an array of salt, name and value');
  const [salt, field, content] = value as [Json, Json, Json];
  if (typeof salt !== 'string' || fromBase64Url(salt).length < SALT_BYTES)
    throw bad(`expected a salt of at least ${SALT_BYTES} bytes in base64url`);
  if (typeof field !== 'string') throw bad('expected a field name');
  return { field, value: content, salt };
}

function toBase64Url(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

function fromBase64Url(text: string): Uint8Array {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw bad(`expected base64url without padding, found ${quote(text)}`);
  try {
    return decodeBase64(
      text.replaceAll('-', '+').replaceAll('_', '/') + '='.repeat((4 - (text.length % 4)) % 4),
      'disclosure',
    );
  } catch (cause) {
    if (!(cause instanceof TlogError)) throw cause;
    throw bad(`expected base64url without padding, found ${quote(text)}`, { cause });
  }
}

function bad(message: string, options?: ErrorOptions): AttestationError {
  return new AttestationError(
    'bad_disclosure',
    `disclosure: ${message}`,
    'see RFC 9901 section 4.2.1',
    options,
  );
}

/** `committed` of several commitments. Throws AttestationError "bad_disclosure" for a name given twice. */
export function committedOf(commitments: readonly Commitment[]): Record<string, string> {
  const digests = new Map<string, string>();
  for (const { field, digest } of commitments) {
    if (digests.has(field)) throw bad(`expected one commitment per field, found two for ${quote(field)}`);
    digests.set(field, digest);
  }
  // Not by assignment, which would lose a field called __proto__.
  return Object.fromEntries(digests);
}

/** The SHA-256 in hex of a document's bytes, as subjects and digests of statements state it. */
export function digestOf(...parts: readonly Uint8Array[]): string {
  return encodeHex(sha256(concatBytes(...parts)));
}
