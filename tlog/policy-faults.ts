// How many lying witness operators a policy survives, and whether given witnesses could form a quorum.
//
// Two quorums that vouch for different histories need every operator they share to have lied: an honest
// one is on one side only, with all its keys. So the policy survives f = (fewest operators that any two
// quorums share) - 1 liars. For k of n different operators that is 2k - n - 1.
//
// Both questions ask for the fewest operators of a kind, and both have an easy and a hard case. Where no
// operator has witnesses in two places of the quorum's tree, the fewest for a group is a sum over its
// members' fewest. Where operators do, they are decided one by one by branch and bound, with the same
// sums as bound: exact, or "policy_too_complex" after MAX_STEPS steps, never a guess. Operators that stand
// in the same places are interchangeable and are tried in one order only, which makes the usual case
// (everybody has an Ed25519 and an ML-DSA-44 key) a matter of counting.
import { TlogError, quote } from './errors.js';
import {
  QuorumSearch,
  Search,
  quorumTree,
  repeatedOperators,
  sumOfSmallest,
  type Tree,
} from './policy-search.js';
import type { Policy } from './policy.js';

export { MAX_STEPS } from './policy-search.js';

/**
 * f: the number of lying witness operators with which no two quorums of this policy can vouch for
 * different histories. -1 reads "two disjoint quorums exist"; `quorum none` has -1.
 * Operators are counted once, however many witnesses they run.
 * Throws TlogError "policy_too_complex" if the search for it does not end within MAX_STEPS.
 */
export function policyFaults(policy: Policy): number {
  const tree = quorumTree(policy, new Set(), new Set(policy.witnesses.map(({ name }) => name)));
  if (typeof tree === 'boolean') return -1;
  return new OverlapSearch(tree).run() - 1;
}

/**
 * The operators that stand in more than one place of the quorum's tree, a group of one operator's
 * witnesses only being one place. Where there is none, f is a sum (spec/formats.md "f"): no search, and
 * nothing for two implementations to disagree on. Witnesses outside the quorum do not count.
 */
export function operatorsInSeveralPlaces(policy: Policy): string[] {
  const tree = quorumTree(policy, new Set(), new Set(policy.witnesses.map(({ name }) => name)));
  return typeof tree === 'boolean' ? [] : repeatedOperators(tree).map(({ operator }) => operator);
}

/**
 * The fewest operators, each with a witness among `candidates`, that together with the witnesses `given`
 * meet the quorum; Infinity where all of them do not. An operator that is counted brings all its
 * witnesses, candidates or not. Both sets hold the policy's names for witnesses and are disjoint.
 * Throws TlogError "unknown_witness" for other names, "policy_too_complex" as policyFaults does.
 */
export function operatorsToQuorum(
  policy: Policy,
  given: ReadonlySet<string>,
  candidates: ReadonlySet<string>,
): number {
  const known = new Set(policy.witnesses.map(({ name }) => name));
  for (const name of [...given, ...candidates]) {
    if (!known.has(name) || (given.has(name) && candidates.has(name))) {
      throw new TlogError(
        'unknown_witness',
        `expected each name of a witness of the policy in one set, found ${quote(name)}`,
        'give the names that the policy itself uses, each as silent or in step',
      );
    }
  }
  const liars = new Set(
    policy.witnesses.flatMap(({ name, operator }) => (candidates.has(name) ? [operator] : [])),
  );
  const usable = policy.witnesses.flatMap(({ name, operator }) => (liars.has(operator) ? [name] : []));
  const tree = quorumTree(policy, given, new Set(usable));
  if (typeof tree === 'boolean') return tree ? 0 : Infinity;
  return new QuorumSearch(tree).run();
}

/**
 * Whether the witnesses `silent`, plus some `faults` operators of those in `inStep`, could form a quorum:
 * while they could, a log at start cannot rule out that a quorum holds another history than its own.
 * `faults` below 0 counts as 0. Always true for `quorum none`. Exact. Throws as operatorsToQuorum does.
 */
export function couldFormQuorumWithFaults(
  policy: Policy,
  silent: ReadonlySet<string>,
  inStep: ReadonlySet<string>,
  faults: number,
): boolean {
  return operatorsToQuorum(policy, silent, inStep) <= Math.max(0, faults);
}

/**
 * The fewest operators whose silence leaves no quorum: one less may be away while the log goes on.
 * Infinity for `quorum none`. Throws TlogError "policy_too_complex" as policyFaults does.
 */
export function operatorsToBlock(policy: Policy): number {
  const tree = quorumTree(policy, new Set(), new Set(policy.witnesses.map(({ name }) => name)));
  return typeof tree === 'boolean' ? Infinity : new QuorumSearch(blocking(tree)).run();
}

/** The tree that is met by those who, when silent, leave the given one unmet. */
function blocking(tree: Tree): Tree {
  if ('operator' in tree) return tree;
  const { threshold, members } = tree;
  return { threshold: members.length - threshold + 1, members: members.map(blocking) };
}

/** Fewest operators on both sides such that a tree is met on the first side, on the second, on both. */
type Costs = readonly [first: number, second: number, both: number];

/** The fewest operators that two quorums share. Choices: on the first side, on the second, on both. */
class OverlapSearch extends Search {
  constructor(tree: Tree) {
    super(tree, 3);
  }

  protected bound(): number {
    return this.#costs(this.tree)[2];
  }

  #costs(node: Tree): Costs {
    if ('operator' in node) {
      const choice = this.chosen.get(node.operator);
      if (choice === undefined) return [0, 0, this.share.get(node.operator) ?? 1];
      return [choice === 1 ? Infinity : 0, choice === 0 ? Infinity : 0, choice === 2 ? 0 : Infinity];
    }
    this.step(node.members.length);
    const costs = node.members.map((member) => this.#costs(member));
    if (costs.every(([first, second]) => first === 0 && second === 0)) {
      // Each member can be given to one side for nothing; 2k - n of them have to be on both.
      const both = 2 * node.threshold - costs.length;
      return [
        0,
        0,
        sumOfSmallest(
          costs.map((cost) => cost[2]),
          both,
        ),
      ];
    }
    const table = this.#fill(costs, node.threshold);
    const k = node.threshold;
    const at = (first: number, second: number): number => table[first * (k + 1) + second] ?? Infinity;
    return [at(k, 0), at(0, k), at(k, k)];
  }

  /** table[i * (k + 1) + j]: the least cost of i members met on the first side and j on the second, up to k. */
  #fill(costs: readonly Costs[], k: number): Float64Array {
    const width = k + 1;
    let table = new Float64Array(width * width).fill(Infinity);
    table[0] = 0;
    for (const [first, second, both] of costs) {
      this.step(width * width);
      const next = Float64Array.from(table);
      for (let i = 0; i <= k; i++) {
        for (let j = 0; j <= k; j++) {
          const cost = table[i * width + j] ?? Infinity;
          if (cost === Infinity) continue;
          const [up, right] = [Math.min(i + 1, k), Math.min(j + 1, k)];
          lower(next, up * width + j, cost + first);
          lower(next, i * width + right, cost + second);
          lower(next, up * width + right, cost + both);
        }
      }
      table = next;
    }
    return table;
  }
}

function lower(table: Float64Array, at: number, cost: number): void {
  if (cost < (table[at] ?? Infinity)) table[at] = cost;
}
