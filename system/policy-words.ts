// What a policy is worth, in words.
import {
  MAX_NOTE_SIGNATURES,
  formatKeyId,
  operatorsToBlock,
  policyFaults,
  type Policy,
  type Vkey,
} from '../tlog/index.js';

/** The figures behind the words. */
export interface Strength {
  readonly witnesses: number;
  readonly operators: number;
  /** How many operators may lie; -1: two quorums exist that share nobody. */
  readonly faults: number;
  /** How many operators may be silent while a quorum is left; null: no cosignature is asked for. */
  readonly silent: number | null;
  /** The fewest signature lines, the log's own included, that a checkpoint which meets the quorum has. */
  readonly lines: number;
}

/** Throws TlogError "policy_too_complex". */
export function strengthOf(policy: Policy): Strength {
  const block = operatorsToBlock(policy);
  return {
    witnesses: policy.witnesses.length,
    operators: policy.operators.length,
    faults: policyFaults(policy),
    silent: block === Infinity ? null : block - 1,
    lines: 1 + fewestWitnesses(policy),
  };
}

/** Whether a note can hold enough lines for a quorum at all. */
export const fitsNote = ({ lines }: Strength): boolean => lines <= MAX_NOTE_SIGNATURES;

/** What so many lying operators can and cannot do. */
export function lyingInWords(policy: Policy, { faults }: Strength): string {
  if (policy.quorum === undefined)
    return 'no cosignature is asked for: the log alone decides what it shows to whom, and no time in it is worth anything';
  if (faults < 0)
    return 'two quorums exist that share no operator: two readers can be shown different histories though no witness lies';
  if (faults === 0)
    return 'survives no lying operator: two quorums can share a single one, and if it lies two readers can be shown different histories';
  return `survives ${count(faults, 'lying operator')}: any two quorums share at least ${faults + 1}, so while no more than ${faults} lie${faults === 1 ? 's' : ''}, no two readers accept different histories`;
}

/** What so many silent operators do. */
export function silenceInWords({ silent }: Strength): string {
  if (silent === null) return 'needs no witness';
  if (silent === 0) return 'the silence of one operator can be enough to stop the log';
  return `${count(silent, 'operator')} may be silent, whichever, and the log goes on`;
}

/** How far two policies keep their readers together; `shared` is policyOverlap's answer. */
export function overlapInWords(shared: number): string {
  if (shared === 0)
    return 'the two can be met by quorums that share no operator: their readers can be shown different histories though no witness lies';
  const liars =
    shared === 1
      ? 'if that one lies, their readers can be shown different histories'
      : `while no more than ${shared - 1} of them lie${shared === 2 ? 's' : ''}, no reader of the one accepts another history than a reader of the other`;
  return `a quorum of the one and a quorum of the other share at least ${count(shared, 'operator')}: ${liars}`;
}

/** Witness lines that no quorum counts. */
export function unusedWitnesses(policy: Policy): string[] {
  const used = new Set(usedNames(policy));
  return policy.witnesses.map(({ name }) => name).filter((name) => !used.has(name));
}

/** Operators with several witnesses, and these. */
export function sharedOperators(policy: Policy): { operator: string; witnesses: string[] }[] {
  return policy.operators
    .map((operator) => ({
      operator,
      witnesses: policy.witnesses.filter((witness) => witness.operator === operator).map(({ name }) => name),
    }))
    .filter(({ witnesses }) => witnesses.length > 1);
}

/** The quorum as indented lines, groups before their members. */
export function quorumLines(policy: Policy): string[] {
  if (policy.quorum === undefined) return ['none: no cosignature is asked for'];
  const lines: string[] = [];
  const visit = (name: string, depth: number): void => {
    const indent = '  '.repeat(depth);
    const group = policy.groups.find((candidate) => candidate.name === name);
    if (group !== undefined) {
      const { threshold, members } = group;
      const all = threshold === members.length && threshold > 1;
      lines.push(`${indent}${name}: ${all ? `all ${threshold} of` : `${threshold} of ${members.length} of`}`);
      for (const member of members) visit(member, depth + 1);
      return;
    }
    const witness = policy.witnesses.find((candidate) => candidate.name === name);
    if (witness === undefined) return;
    const { vkey, operator, url } = witness;
    lines.push(
      `${indent}${name}  ${keyInWords(vkey)}  run by ${operator}${url === undefined ? '' : `  ${url}`}`,
    );
  };
  visit(policy.quorum, 0);
  return lines;
}

/** Key name, ID and algorithm. */
export function keyInWords({ name, keyId, type }: Vkey): string {
  return `${name}+${formatKeyId(keyId)} (${type === 6 ? 'ML-DSA-44' : 'Ed25519'})`;
}

/** `1 operator`, `2 operators`. */
export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : number > 1 && what.endsWith('witness') ? 'es' : 's'}`;
}

function usedNames(policy: Policy, name: string | undefined = policy.quorum): string[] {
  if (name === undefined) return [];
  const group = policy.groups.find((candidate) => candidate.name === name);
  return group === undefined ? [name] : group.members.flatMap((member) => usedNames(policy, member));
}

/** Each name is a member of one group only, so the fewest of a group are the sum of its members' fewest. */
function fewestWitnesses(policy: Policy, name: string | undefined = policy.quorum): number {
  if (name === undefined) return 0;
  const group = policy.groups.find((candidate) => candidate.name === name);
  if (group === undefined) return 1;
  return group.members
    .map((member) => fewestWitnesses(policy, member))
    .sort((a, b) => a - b)
    .slice(0, group.threshold)
    .reduce((sum, needed) => sum + needed, 0);
}
