// What a policy is and how it judges: which logs one accepts, and which witnesses must have cosigned.
// The file it is written in: policy-file.ts. How many liars it survives: policy-faults.ts.
// Source: C2SP tlog-policy.
import { TlogError } from './errors.js';
import { openCheckpoint } from './signed-checkpoint.js';
import type { Cosignature, OpenedCheckpoint } from './signed-checkpoint.js';
import type { Vkey } from './vkey.js';

/** A log whose checkpoints are accepted. Its key name is its origin. */
export interface PolicyLog {
  readonly vkey: Vkey;
  readonly url?: string;
}

/** A witness line. */
export interface PolicyWitness {
  /** The policy's own name for it, which means nothing outside. See octetText for its form. */
  readonly name: string;
  readonly vkey: Vkey;
  readonly url?: string;
  /** Who runs it; lines with equal operators fall together when the operator lies. */
  readonly operator: string;
}

/** A group witnesses a checkpoint when at least `threshold` of its members do. */
export interface PolicyGroup {
  readonly name: string;
  /** 1 to the number of members. */
  readonly threshold: number;
  /** Names of witnesses and of earlier groups. No name is a member twice, in any group. */
  readonly members: readonly string[];
}

/** A parsed policy. */
export interface Policy {
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  readonly groups: readonly PolicyGroup[];
  /** Name of the witness or group that suffices; undefined for `quorum none`. */
  readonly quorum: string | undefined;
  /** The distinct operators, in the order of their first witness. */
  readonly operators: readonly string[];
  /** The file as it was read. */
  readonly text: Uint8Array;
}

/** What a policy says of one note. */
export interface PolicyEvaluation extends OpenedCheckpoint {
  /** The log of the policy that signed, the first if several keys did. */
  readonly log: Vkey;
  readonly cosignatures: readonly PolicyCosignature[];
  /** Whether the witnesses that cosigned are a quorum. */
  readonly met: boolean;
}

/** A verified cosignature by a witness of the policy. */
export interface PolicyCosignature extends Cosignature {
  readonly witness: PolicyWitness;
}

/**
 * Judges a signed checkpoint by a policy: it must be signed by one of the policy's logs whose key name
 * is its origin, and no line by a log or witness of the policy may be bad. Whether the quorum is met is
 * in the answer, not an error.
 * Throws TlogError "bad_note", "bad_signature", "no_known_signature", "bad_checkpoint", "unknown_log".
 */
export function evaluatePolicy(policy: Policy, note: Uint8Array): PolicyEvaluation {
  const opened = openCheckpoint(
    note,
    policy.logs.map(({ vkey }) => vkey),
    policy.witnesses.map(({ vkey }) => vkey),
  );
  const witnessOf = new Map(policy.witnesses.map((witness) => [witness.vkey, witness]));
  const cosignatures = opened.cosignatures.flatMap((cosignature) => {
    const witness = witnessOf.get(cosignature.vkey);
    return witness === undefined ? [] : [{ ...cosignature, witness }];
  });
  const [first] = opened.logSignatures;
  if (first === undefined)
    throw new TlogError(
      'unknown_log',
      'checkpoint: expected a signature by a log, found none',
      'is it the right log? The policy must have a line "log VKEY" with its key',
    );
  const met = quorumMet(policy, new Set(cosignatures.map(({ witness }) => witness.name)));
  return { ...opened, log: first.vkey, cosignatures, met };
}

/**
 * Whether these witnesses, by their names in the policy, are a quorum. Other names are ignored.
 * C2SP tlog-policy "Defining a witness group".
 */
export function quorumMet(policy: Policy, names: ReadonlySet<string>): boolean {
  // SPEC: "To not require any cosignatures at all, one can use the predefined name `none`".
  if (policy.quorum === undefined) return true;
  const witnessing = new Set(policy.witnesses.map(({ name }) => name).filter((name) => names.has(name)));
  // Members are defined on preceding lines, so one pass in order suffices.
  for (const { name, threshold, members } of policy.groups) {
    if (members.filter((member) => witnessing.has(member)).length >= threshold) witnessing.add(name);
  }
  return witnessing.has(policy.quorum);
}
