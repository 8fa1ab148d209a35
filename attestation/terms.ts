// What a charter or an amendment fixes, and what must hold among it. spec/attestations.md "The charter and its terms".
import {
  COSIGNATURE_ED25519,
  COSIGNATURE_MLDSA44,
  MAX_NOTE_SIGNATURES,
  TlogError,
  decodeHex,
  encodeHex,
  encodeUtf8,
  formatCheckpoint,
  formatVkey,
  isAcceptableKey,
  NOTE_ED25519,
  operatorsInSeveralPlaces,
  parsePolicy,
  parseVkey,
  policyFaults,
  quorumMet,
  quote,
  signatureLine,
} from '../tlog/index.js';
import type { Policy, PolicyWitness, Vkey } from '../tlog/index.js';
import { PAYLOAD_TYPE, formatEnvelope, keyId } from './envelope.js';
import { AttestationError } from './errors.js';
import { schemaDigests } from './generated/schemas.js';
import type { Terms } from './generated/types.js';
import { canonicalJson } from './json.js';
import type { KeyUse } from './ledger.js';
import { anchorStatement, typeUri } from './statement.js';
import type { TypeName } from './statement.js';

/** The version of the admission rules that this code applies. */
export const ADMISSION_VERSION = 1;

/** Types without which a log cannot run; every charter pins them. */
const ESSENTIAL: readonly TypeName[] = [
  'anchor',
  'charter',
  'charter-amendment',
  'freeze',
  'key-statement',
  'participant',
  'participant-key',
];

/** The schemas that this code applies, as `terms.admission.schemas` pins them. */
export function currentSchemas(): Record<string, string> {
  return { ...schemaDigests };
}

/** Terms, looked into. */
export interface CheckedTerms {
  readonly policy: Policy;
  readonly logKeys: readonly Vkey[];
  /** f of the policy; -1 where two disjoint quorums exist. */
  readonly faults: number;
  /** Every key the terms name, by key ID. */
  readonly keys: ReadonlyMap<string, { key: string; participant: string; uses: readonly KeyUse[] }>;
  /** Identifier to name of every officer. */
  readonly officers: ReadonlyMap<string, string>;
}

/**
 * Checks terms that are well formed by their schema. Throws AttestationError "terms_version",
 * "terms_schemas", "terms_log_keys", "terms_keys", "terms_registrars", "terms_policy",
 * "policy_does_not_fit".
 */
export function checkTerms(terms: Terms): CheckedTerms {
  checkRules(terms);
  const logKeys = readLogKeys(terms);
  const { keys, officers } = collectKeys(terms, logKeys);
  const policy = readPolicy(terms, logKeys);
  const faults = guard('terms_policy', 'policy', () => policyFaults(policy));
  checkPolicyFits(terms.origin, policy, terms.sizeLimit);
  return { policy, logKeys, faults, keys, officers };
}

function checkRules(terms: Terms): void {
  const { version, schemas } = terms.admission;
  if (version !== ADMISSION_VERSION)
    throw new AttestationError(
      'terms_version',
      `terms: expected admission rules of version ${ADMISSION_VERSION}, found ${version}`,
      'use a release that knows that version',
    );
  for (const name of ESSENTIAL)
    if (schemas[typeUri(name)] === undefined) throw badSchema(typeUri(name), 'none');
  // The definitions that the others refer to are pinned with them, or a change there would go unseen.
  for (const name of ['common', 'statement'])
    if (schemas[`https://stele-log/${name}/v1`] === undefined)
      throw badSchema(`https://stele-log/${name}/v1`, 'none');
  for (const [uri, digest] of Object.entries(schemas))
    if (schemaDigests[uri] !== digest) throw badSchema(uri, digest);
}

function badSchema(uri: string, found: string): AttestationError {
  return new AttestationError(
    'terms_schemas',
    `terms: expected schema ${uri} pinned as ${schemaDigests[uri] ?? 'nothing, for this code has no such schema'}, found ${found}`,
    'pin the digests that this release prints, or use a release that has these schemas',
  );
}

function readLogKeys(terms: Terms): Vkey[] {
  return terms.logKeys.map((text) => {
    const vkey = guard('terms_log_keys', 'logKeys', () => parseVkey(text));
    if (vkey.name !== terms.origin)
      throw new AttestationError(
        'terms_log_keys',
        `terms: expected log keys named ${quote(terms.origin)}, the origin, found ${quote(vkey.name)}`,
        'a log signs under its origin (C2SP tlog-checkpoint)',
      );
    if (vkey.type !== NOTE_ED25519 && vkey.type !== COSIGNATURE_MLDSA44)
      throw new AttestationError(
        'terms_log_keys',
        `terms: expected log keys of type ${NOTE_ED25519} or ${COSIGNATURE_MLDSA44}, found ${vkey.type}`,
        'give the keys that the log signs its checkpoints with',
      );
    return vkey;
  });
}

function collectKeys(terms: Terms, logKeys: readonly Vkey[]): Pick<CheckedTerms, 'keys' | 'officers'> {
  const keys = new Map<string, { key: string; participant: string; uses: KeyUse[] }>();
  const officers = new Map<string, string>();
  const bad = (message: string): AttestationError =>
    new AttestationError('terms_keys', `terms: ${message}`, 'give each function a key of its own');
  const add = (key: string, participant: string, use: KeyUse): void => {
    const raw = decodeHex(key);
    if (!isAcceptableKey(raw)) throw bad(`expected an Ed25519 key for ${use}, found ${key}`);
    const id = keyId(raw);
    const known = keys.get(id);
    if (known === undefined) {
      keys.set(id, { key, participant, uses: [use] });
      return;
    }
    // One person may be operator and registrar. The keys that a server holds sign nothing else.
    const server = [...known.uses, use].some((each) => each === 'anchor' || each === 'log');
    if (server || known.participant !== participant || known.uses.includes(use))
      throw bad(`expected different keys for ${known.uses.join(', ')} and ${use}, found one`);
    known.uses.push(use);
  };
  const officer = ({ participant, name, key }: Terms['operator'], use: KeyUse): void => {
    if ((officers.get(participant) ?? name) !== name)
      throw bad(`expected one name for ${participant}, found two`);
    officers.set(participant, name);
    add(key, participant, use);
  };
  officer(terms.operator, 'operator');
  add(terms.anchorKey, terms.operator.participant, 'anchor');
  for (const vkey of logKeys)
    if (vkey.type === NOTE_ED25519) add(encodeHex(vkey.publicKey), terms.operator.participant, 'log');
  const { threshold, members } = terms.registrars;
  if (
    new Set(members.map(({ participant }) => participant)).size !== members.length ||
    threshold > members.length
  )
    throw new AttestationError(
      'terms_registrars',
      `terms: expected a threshold of at most the number of different registrars, found ${threshold} of ${members.length}`,
      'lower the threshold, or name more registrars',
    );
  for (const member of members) officer(member, 'registrar');
  return { keys, officers };
}

function readPolicy(terms: Terms, logKeys: readonly Vkey[]): Policy {
  const bad = (message: string): AttestationError =>
    new AttestationError(
      'terms_policy',
      `terms: policy: ${message}`,
      'see "The charter and its terms" in spec/attestations.md',
    );
  const policy = guard('terms_policy', 'policy', () => parsePolicy(encodeUtf8(terms.policy)));
  // A log cannot forget: comments may say who runs what, as C2SP leaves room for, and nothing else.
  for (const line of terms.policy.split('\n'))
    if (/^[ \t]*#/.test(line) && !/^# operator( [!-~]+){2,}$/.test(line))
      throw bad(`expected no comments but "# operator NAME WITNESS...", found ${quote(line)}`);
  const listed = policy.logs.map(({ vkey }) => formatVkey(vkey)).sort();
  const keys = logKeys.map(formatVkey).sort();
  if (listed.length !== keys.length || listed.some((vkey, i) => vkey !== keys[i]))
    throw bad('expected log lines for exactly the keys in logKeys');
  // SPEC: "no operator stands in more than one place". What is admitted must not depend on how far an
  // implementation searches for f.
  const [scattered] = operatorsInSeveralPlaces(policy);
  if (scattered !== undefined)
    throw new AttestationError(
      'terms_policy',
      `terms: policy: expected each operator in one place of the quorum, found ${quote(scattered)} in several`,
      "put the witnesses of one operator into a group of their own, for example 'group NAME any WITNESS...', and that group where they stood",
    );
  return policy;
}

/** Which witnesses an anchor prefers: of each operator the first with an Ed25519 key, else its first. */
export function preferredWitnesses(policy: Policy): PolicyWitness[] {
  return policy.operators.flatMap((operator) => {
    const own = policy.witnesses.filter((witness) => witness.operator === operator);
    return own.find(({ vkey }) => vkey.type === COSIGNATURE_ED25519) ?? own[0] ?? [];
  });
}

/**
 * Refuses a policy under which an anchor with all its cosignatures could not be an entry: one line of
 * each operator must fit and form a quorum, or else the lines of all witnesses must fit. `sizeLimit` in
 * bytes. Throws AttestationError "policy_does_not_fit".
 */
export function checkPolicyFits(origin: string, policy: Policy, sizeLimit: number): void {
  const preferred = preferredWitnesses(policy);
  const suffices = quorumMet(policy, new Set(preferred.map(({ name }) => name)));
  const lines = policy.logs.length + policy.witnesses.length;
  if (lines > MAX_NOTE_SIGNATURES)
    throw new AttestationError(
      'policy_does_not_fit',
      `policy: expected at most ${MAX_NOTE_SIGNATURES} keys of logs and witnesses, found ${lines}`,
      'a note with more signatures is read by nobody',
    );
  const size = anchorSize(origin, policy, suffices ? preferred : policy.witnesses);
  if (size <= sizeLimit) return;
  throw new AttestationError(
    'policy_does_not_fit',
    `policy: expected an anchor with its cosignatures to fit an entry of ${sizeLimit} bytes, found ${size}`,
    'name fewer witnesses, or Ed25519 keys instead of ML-DSA-44 ones',
  );
}

/** Bytes of the largest anchor that carries these witnesses' lines. */
function anchorSize(origin: string, policy: Policy, witnesses: readonly PolicyWitness[]): number {
  const keys = [...policy.logs, ...witnesses].map(({ vkey }) => vkey);
  const text = formatCheckpoint({
    origin,
    size: Number.MAX_SAFE_INTEGER,
    // All ones is "////" in base64, which no JSON escapes: the length is what counts.
    rootHash: new Uint8Array(32),
    extensions: [],
  });
  const lines = keys.map(({ name, keyId: id, type }) => ({
    line: signatureLine(name, id, new Uint8Array(SIGNATURE_BYTES[type] ?? 0)),
  }));
  const note = formatNoteUnbounded(text, lines);
  const statement = anchorStatement('o'.repeat(64), '0'.repeat(64), note);
  const payload = canonicalJson(statement);
  // formatEnvelope refuses what is too large; its overhead does not depend on the payload.
  const overhead = formatEnvelope({
    payload: new Uint8Array(3),
    payloadType: PAYLOAD_TYPE,
    keyid: '0'.repeat(64),
    signature: new Uint8Array(64),
  }).length;
  return overhead - 4 + 4 * Math.ceil(payload.length / 3);
}

function formatNoteUnbounded(text: string, lines: readonly { line: string }[]): string {
  return `${text}\n${lines.map(({ line }) => line).join('')}`;
}

/** What follows the key ID: a signature, or an 8-byte timestamp and one. C2SP tlog-cosignature. */
const SIGNATURE_BYTES: Readonly<Record<number, number>> = {
  [NOTE_ED25519]: 64,
  [COSIGNATURE_ED25519]: 8 + 64,
  [COSIGNATURE_MLDSA44]: 8 + 2420,
};

function guard<Value>(code: string, what: string, read: () => Value): Value {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof TlogError)) throw cause;
    throw new AttestationError(code, `terms: ${what}: ${cause.message}`, cause.hint, { cause });
  }
}

// Parsing a policy and counting its f costs far more than an anchor's signatures; terms change rarely.
const cache = new Map<string, CheckedTerms>();
const CACHE_SIZE = 4;

/** checkTerms, remembered by digest. */
export function checkTermsOnce(digest: string, terms: Terms): CheckedTerms {
  const known = cache.get(digest);
  if (known !== undefined) return known;
  const checked = checkTerms(terms);
  const [oldest] = cache.keys();
  if (cache.size >= CACHE_SIZE && oldest !== undefined) cache.delete(oldest);
  cache.set(digest, checked);
  return checked;
}
