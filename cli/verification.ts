// Checks a record offline, with the reader's policy and nothing else. One line per check; each says what
// it rests on, and one that cannot be made says what is missing.
import {
  anchorTimes,
  checkStatement,
  knownType,
  parseAnyStatement,
  timesFromTimestamps,
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
  openCheckpoint,
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
export function verifyEvidence(report: Report, evidence: Evidence, policy: Policy): Verified {
  const { envelope } = evidence;
  const leaf = formatEnvelope(envelope);
  report.check(
    'envelope',
    'pass',
    `one DSSE envelope; its canonical form, the leaf, has ${leaf.length} bytes`,
  );
  const statement = attempt(report, 'statement', () => parseAnyStatement(envelope.payload));
  if (statement !== undefined) checkKnownStatement(report, statement);
  const placed = checkPlace(report, evidence, policy);
  const directory = placed && readRelated(report, evidence.related, policy, placed);
  const unknown = whySignerIsUnknown(evidence, placed);
  checkSigner(report, envelope, statement, placed?.index, directory, unknown);
  checkTime(report, statement, placed, evidence.related, policy);
  return { ...(statement && { statement }), ...(placed && { index: placed.index }) };
}

function attempt<T>(report: Report, name: string, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    report.check(name, 'fail', `${error.message} (${error.code})`);
    return undefined;
  }
}

function checkKnownStatement(report: Report, statement: AnyStatement): void {
  const type = knownType(statement.predicateType);
  if (type === undefined) {
    report.check(
      'statement',
      'not-checkable',
      `type ${statement.predicateType} is not known to this version`,
    );
    return;
  }
  attempt(report, 'statement', () => {
    checkStatement(statement);
    report.check(
      'statement',
      'pass',
      `${type} v1 by participant ${statement.predicate.participant}, as its schema says`,
    );
  });
}

/** A record's proven place. */
interface Place {
  readonly index: number;
  readonly proof: TlogProof;
  readonly evaluation: PolicyEvaluation;
}

function checkPlace(report: Report, { envelope, proof: bytes }: Evidence, policy: Policy): Place | undefined {
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

function readRelated(
  report: Report,
  related: readonly ProvenEntry[],
  policy: Policy,
  { evaluation }: Place,
): Directory | undefined {
  const { origin } = evaluation.checkpoint;
  return attempt(report, 'related', () => {
    const placed: PlacedEntry[] = related
      .map(({ envelope, proof }) => {
        const verified = verifyTlogProof({ proof, leafHash: leafHashOf(envelope), policy });
        return { index: verified.index, envelope, origin: verified.checkpoint.origin };
      })
      .filter((entry) => entry.origin === origin);
    return buildDirectory(origin, placed);
  });
}

/** Why no key is known for a record, should that be so. */
function whySignerIsUnknown({ related }: Evidence, placed: Place | undefined): string {
  if (related.length > 0 && placed === undefined)
    return 'whose key it is follows from a place in the log, and the record has no proven one';
  return 'the entry that introduces the signing key is not in the file: "stele prove" fetches it';
}

function checkSigner(
  report: Report,
  envelope: Envelope,
  statement: AnyStatement | undefined,
  index: number | undefined,
  directory: Directory | undefined,
  unknown: string,
): void {
  const id = statement?.predicate.signer;
  const key = statement && (directory?.keys.get(statement.predicate.signer) ?? ownKey(statement, envelope));
  if (statement === undefined || id === undefined || key === undefined) {
    report.check('signature', 'not-checkable', unknown);
    report.check('signer', 'not-checkable', unknown);
    return;
  }
  if (envelope.keyid !== id || !verifyEnvelopeSignature(envelope, key.publicKey)) {
    report.check('signature', 'fail', `not a signature by key ${id}, which the statement names`);
    return;
  }
  report.check('signature', 'pass', `Ed25519 by key ${id}`);
  checkBinding(report, statement, key, index, directory);
}

/** The charter is signed by a key that stands in it. */
function ownKey(statement: AnyStatement, envelope: Envelope): KnownKey | undefined {
  if (statement.predicateType !== 'https://stele-log/charter/v1') return undefined;
  const { origin } = (statement.predicate as unknown as { terms: { origin: string } }).terms;
  return buildDirectory(origin, [{ index: 0, envelope }]).keys.get(statement.predicate.signer);
}

function checkBinding(
  report: Report,
  statement: AnyStatement,
  key: KnownKey,
  index: number | undefined,
  directory: Directory | undefined,
): void {
  const { participant } = statement.predicate;
  for (const fault of directory?.faults ?? []) report.check('signer', 'fail', `in the file, ${fault}`);
  if (key.participant !== participant) {
    report.check(
      'signer',
      'fail',
      `the key is ${key.participant}'s, the statement speaks for ${participant}`,
    );
  } else if (key.use === 'recovery') {
    report.check(
      'signer',
      'fail',
      `the key is ${participant}'s recovery key, which signs no statements but changes of keys`,
    );
  } else if (
    index !== undefined &&
    ((index <= key.from && index !== 0) || (key.until !== undefined && index > key.until))
  ) {
    report.check(
      'signer',
      'fail',
      `the key was in force from entry ${key.from} to ${key.until ?? 'now'}, the record is entry ${index}`,
    );
  } else {
    report.check('signer', 'pass', `${participant} ("${key.name}"), says ${key.by}`);
    report.check(
      'key in force',
      'not-checkable',
      `the file shows no revocation before entry ${index ?? '?'}; that there is none takes a replay of the log`,
    );
  }
}

function checkTime(
  report: Report,
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

function anchorTime(envelope: Envelope, policy: Policy, faults: number): number | undefined {
  const statement = parseAnyStatement(envelope.payload);
  if (knownType(statement.predicateType) !== 'anchor') return undefined;
  const { checkpoint } = statement.predicate as unknown as { checkpoint: string };
  const note = new TextEncoder().encode(checkpoint);
  openCheckpoint(
    note,
    policy.logs.map(({ vkey }) => vkey),
  );
  return anchorTimes(policy, note, faults)?.lower;
}
