// Checks a record offline, with the reader's policy and nothing else. One line per check; each says what
// it rests on, and one that cannot be made says what is missing.
import {
  AttestationError,
  checkStatement,
  knownType,
  parseAnyStatement,
  parseStatement,
  timesFromTimestamps,
  usesThatSign,
  verifyEnvelopeSignature,
  formatEnvelope,
  type AnyStatement,
  type Envelope,
} from '../attestation/index.js';
import {
  encodeBase64,
  encodeHex,
  evaluatePolicy,
  formatKeyId,
  openNote,
  parseTlogProof,
  policyFaults,
  SteleError,
  verifyInclusion,
  verifyTlogProof,
  type Policy,
  type PolicyEvaluation,
  type TlogProof,
} from '../tlog/index.js';
import { leafHashOf, type ProvenEntry } from './bundle.js';
import { buildDirectory, type Directory, type KnownKey, type PlacedEntry } from './identity.js';
import type { Report } from './report.js';
import type { CheckStatus } from '../system/index.js';

/** Where checks are told. */
type Checks = Pick<Report, 'check'>;

/** What is to be checked: a record, as much of its proof as there is, and the entries that came with it. */
export interface Evidence {
  readonly envelope: Envelope;
  readonly proof?: Uint8Array;
  readonly related: readonly ProvenEntry[];
}

/** What the checks found out, for checks that build on them. */
export interface Verified {
  readonly statement?: AnyStatement;
  readonly index?: number;
}

/** `2026-11-21T19:48:45Z`; what a Date cannot hold, as a witness may state it, by its seconds. */
export function showTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} s after 1970` : date.toISOString().replace('.000', '');
}

/** Makes every check and reports it; never throws for what the evidence says. */
export function verifyEvidence(report: Checks, evidence: Evidence, policy: Policy): Verified {
  const { envelope } = evidence;
  const leaf = formatEnvelope(envelope);
  report.check(
    'envelope',
    'pass',
    `one DSSE envelope; its canonical form, the leaf, has ${leaf.length} bytes`,
  );
  const statement = attempt(report, 'statement', () => parseAnyStatement(envelope.payload));
  const wellFormed = statement !== undefined && checkKnownStatement(report, statement);
  const place = checkPlace(report, evidence, policy);
  const placed = wellFormed ? place : undefined;
  checkSigner(report, evidence, statement, placed, policy);
  checkTime(report, statement, placed, evidence.related, policy);
  return { ...(statement && { statement }), ...(place && { index: place.index }) };
}

/**
 * Whether the signature on an envelope is its signer's, as far as the log itself says whose key it is. False also
 * where that cannot be told.
 */
export function signedBySigner(evidence: Evidence, policy: Policy): boolean {
  const found = new Map<string, CheckStatus>();
  verifyEvidence({ check: (name, status) => void found.set(name, status) }, evidence, policy);
  return found.get('signature') === 'pass';
}

function attempt<T>(report: Checks, name: string, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    report.check(name, 'fail', `${error.message} (${error.code})`);
    return undefined;
  }
}

/** False where the statement is not as its schema says. */
function checkKnownStatement(report: Checks, statement: AnyStatement): boolean {
  const type = knownType(statement.predicateType);
  if (type === undefined) {
    report.check(
      'statement',
      'not-checkable',
      `type ${statement.predicateType} is not known to this version`,
    );
    return true;
  }
  const checked = attempt(report, 'statement', () => {
    checkStatement(statement);
    report.check(
      'statement',
      'pass',
      `${type} v1 by participant ${statement.predicate.participant}, as its schema says`,
    );
    return true;
  });
  return checked === true;
}

/** A record's proven place. */
interface Place {
  readonly index: number;
  readonly proof: TlogProof;
  readonly evaluation: PolicyEvaluation;
}

function checkPlace(report: Checks, { envelope, proof: bytes }: Evidence, policy: Policy): Place | undefined {
  if (bytes === undefined) {
    for (const name of ['inclusion', 'log signature', 'quorum']) {
      report.check(
        name,
        'not-checkable',
        'there is no proof: "stele submit" leaves one, "stele prove" fetches one',
      );
    }
    return undefined;
  }
  const opened = attempt(report, 'log signature', () => {
    const proof = parseTlogProof(bytes);
    return { proof, evaluation: evaluatePolicy(policy, proof.checkpoint) };
  });
  if (opened === undefined) {
    report.check('inclusion', 'not-checkable', 'the checkpoint is not one that the policy accepts');
    report.check('quorum', 'not-checkable', 'the checkpoint is not one that the policy accepts');
    return undefined;
  }
  const { proof, evaluation } = opened;
  const { checkpoint } = evaluation;
  const included = attempt(report, 'inclusion', () => {
    verifyInclusion({
      index: proof.index,
      treeSize: checkpoint.size,
      leafHash: leafHashOf(envelope),
      proof: proof.proof,
      rootHash: checkpoint.rootHash,
    });
    report.check(
      'inclusion',
      'pass',
      `entry ${proof.index} of ${checkpoint.size} under root ${encodeBase64(checkpoint.rootHash)}`,
    );
    return true;
  });
  report.check(
    'log signature',
    'pass',
    `${checkpoint.origin}, key ${formatKeyId(evaluation.log.keyId)}, which the policy lists`,
  );
  const witnesses = evaluation.cosignatures.map(
    ({ witness, timestamp }) => `${witness.name} ${showTime(timestamp)}`,
  );
  const cosigned = `cosigned by ${witnesses.length} of the policy's ${policy.witnesses.length} ${policy.witnesses.length === 1 ? 'witness' : 'witnesses'}${witnesses.length > 0 ? `: ${witnesses.join(', ')}` : ''}`;
  if (policy.quorum === undefined)
    report.check('quorum', 'not-checkable', `the policy asks for none; ${cosigned}`);
  else report.check('quorum', evaluation.met ? 'pass' : 'fail', cosigned);
  return included && evaluation.met ? { index: proof.index, proof, evaluation } : undefined;
}

/** What the entries that came with the record say about keys; undefined, and why, where one does not hold. */
function readRelated(
  report: Checks,
  { envelope, related }: Evidence,
  statement: AnyStatement,
  { index, evaluation }: Place,
  policy: Policy,
): Directory | undefined {
  const { origin } = evaluation.checkpoint;
  const placed = related.map((entry) => attempt(report, 'related', () => place(entry, origin, policy)));
  const entries = placed.filter((entry) => entry !== undefined);
  if (entries.length < placed.length) return undefined;
  // The charter is signed by a key that stands in it.
  if (knownType(statement.predicateType) === 'charter') entries.push({ index, envelope });
  const directory = attempt(report, 'related', () => buildDirectory(origin, entries));
  const [fault] = directory?.faults ?? [];
  if (fault === undefined) return directory;
  // What follows in the log may only follow from the first.
  report.check('related', 'fail', `in the file, ${fault}`);
  return undefined;
}

/** Checks that an entry that came with the record is well formed and in the record's log. */
function place({ envelope, proof }: ProvenEntry, origin: string, policy: Policy): PlacedEntry {
  parseStatement(envelope.payload);
  const verified = verifyTlogProof({ proof, leafHash: leafHashOf(envelope), policy });
  if (verified.checkpoint.origin !== origin)
    throw new AttestationError(
      'wrong_origin',
      `entry ${verified.index}: expected an entry of ${origin}, the record's log, found one of ${verified.checkpoint.origin}`,
      'a bundle holds entries of one log',
    );
  return { index: verified.index, envelope };
}

function checkSigner(
  report: Checks,
  evidence: Evidence,
  statement: AnyStatement | undefined,
  placed: Place | undefined,
  policy: Policy,
): void {
  const unknown = (why: string): void => {
    report.check('signature', 'not-checkable', why);
    report.check('signer', 'not-checkable', why);
  };
  const { envelope, related } = evidence;
  if (statement === undefined || placed === undefined) {
    unknown(
      'whose key it is follows from a place in the log and a well-formed statement, and the record does not have both',
    );
    return;
  }
  const directory = readRelated(report, evidence, statement, placed, policy);
  const id = statement.predicate.signer;
  const key = directory?.keys.get(id);
  if (directory === undefined) {
    unknown('an entry that came with the record does not hold, see "related": none of them was relied on');
  } else if (key === undefined) {
    const charter = directory.keys.size > 0;
    unknown(
      related.length > 0 && !charter
        ? 'the charter, entry 0, is not in the file, so no entry in it says whose key it is: "stele prove" fetches it'
        : `no entry in the file introduces key ${id}: "stele prove" fetches what does`,
    );
  } else if (envelope.keyid !== id || !verifyEnvelopeSignature(envelope, key.publicKey)) {
    report.check('signature', 'fail', `not a signature by key ${id}, which the statement names`);
    checkBinding(report, statement, key, placed.index);
  } else {
    report.check('signature', 'pass', `Ed25519 by key ${id}`);
    checkBinding(report, statement, key, placed.index);
  }
}

function checkBinding(report: Checks, statement: AnyStatement, key: KnownKey, index: number): void {
  const { participant } = statement.predicate;
  const type = knownType(statement.predicateType);
  const uses = usesThatSign(type);
  const fail = (why: string): void => {
    report.check('signer', 'fail', why);
  };
  if (key.participant !== participant) {
    fail(`the key is ${key.participant}'s, the statement speaks for ${participant}`);
  } else if (!key.uses.some((use) => uses.includes(use))) {
    fail(
      `the key is ${participant}'s for ${key.uses.join(' and ')}, this takes one for ${uses.join(' or ')}`,
    );
  } else if (index <= key.from && !(index === 0 && type === 'charter')) {
    fail(`the key is introduced by entry ${key.from}, the record is entry ${index}`);
  } else if (key.restsOn !== undefined) {
    report.check(
      'signer',
      'not-checkable',
      `the key rests on a registrar's change of ${participant}'s keys, entry ${key.restsOn}: whether that took effect takes a replay of the log`,
    );
  } else {
    report.check('signer', 'pass', `${participant} ("${key.name}"), says ${key.by}`);
  }
  if (key.until !== undefined && index > key.until)
    report.check(
      'key in force',
      'fail',
      `the key ended with entry ${key.until}, the record is entry ${index}`,
    );
  else
    report.check(
      'key in force',
      'not-checkable',
      `the file shows no revocation before entry ${index}; that there is none takes a replay of the log`,
    );
}

function checkTime(
  report: Checks,
  statement: AnyStatement | undefined,
  place: Place | undefined,
  related: readonly ProvenEntry[],
  policy: Policy,
): void {
  if (place === undefined) return;
  const faults = policyFaults(policy);
  const upper = timesFromTimestamps(
    place.evaluation.cosignatures.map(({ witness, timestamp }) => [witness.operator, timestamp] as const),
    faults,
  )?.upper;
  if (upper === undefined) {
    report.check(
      'logged before',
      'not-checkable',
      'the policy survives no lying witness, so its cosignatures give no time',
    );
  } else {
    report.check(
      'logged before',
      'pass',
      `${showTime(upper)}, if ${faults === 0 ? 'no witness operator lies' : `at most ${faults} of the witness operators lie`}`,
    );
  }
  const named = statement?.predicate.recentAnchor;
  if (named === undefined) return;
  const entry = related.find(({ envelope }) => encodeHex(leafHashOf(envelope)) === named.leafHash);
  if (entry === undefined) {
    report.check(
      'made after',
      'not-checkable',
      `the anchor it names, entry ${named.index}, is not in the file`,
    );
    return;
  }
  attempt(report, 'made after', () => {
    const { index } = verifyTlogProof({ proof: entry.proof, leafHash: leafHashOf(entry.envelope), policy });
    const lower = index === named.index ? anchorTime(entry.envelope, policy, faults) : undefined;
    if (lower === undefined) {
      report.check('made after', 'not-checkable', `entry ${index} gives no time under this policy`);
    } else {
      report.check(
        'made after',
        'pass',
        `${showTime(lower)}, the time of the anchor it names, entry ${index}`,
      );
    }
  });
}

/**
 * The witnesses alone make the time, as in spec/bundle.md: an anchor may be of before a change of the log's keys, of which
 * the reader knows the new one only. Throws TlogError as openNote does.
 */
function anchorTime(envelope: Envelope, policy: Policy, faults: number): number | undefined {
  const statement = parseAnyStatement(envelope.payload);
  if (knownType(statement.predicateType) !== 'anchor') return undefined;
  const { checkpoint } = statement.predicate as unknown as { checkpoint: string };
  const known = [...policy.logs, ...policy.witnesses].map(({ vkey }) => vkey);
  const { verified } = openNote(new TextEncoder().encode(checkpoint), known);
  const times = verified.flatMap(({ vkey, timestamp }) => {
    const witness = policy.witnesses.find((each) => each.vkey === vkey);
    return witness && timestamp !== undefined ? [[witness.operator, timestamp] as const] : [];
  });
  return timesFromTimestamps(times, faults)?.lower;
}
