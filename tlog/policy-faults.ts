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
import type { Policy } from './policy.js';

/** Steps of one search (one step looks at one member of one group, or one cell of a table) before it gives up. */
export const MAX_STEPS = 30_000_000;

/** The quorum as a tree over operators. */
type Tree = Leaf | Group;
interface Leaf {
  readonly operator: string;
}
interface Group {
  readonly threshold: number;
  readonly members: readonly Tree[];
}
/** A quorum that is met already, or that cannot be met. */
type Settled = boolean;

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
 * The tree of the policy's quorum, in which the witnesses `given` have signed, those in `open` may sign
 * and all others will not. Groups of one operator's witnesses only are that operator: it signs with all
 * its keys or none.
 */
function quorumTree(policy: Policy, given: ReadonlySet<string>, open: ReadonlySet<string>): Tree | Settled {
  if (policy.quorum === undefined) return true;
  const trees = new Map<string, Tree | Settled>();
  for (const { name, operator } of policy.witnesses) {
    trees.set(name, given.has(name) || (open.has(name) && { operator }));
  }
  for (const { name, threshold, members } of policy.groups) {
    const all = members.map((member) => trees.get(member) ?? false);
    const left = threshold - all.filter((tree) => tree === true).length;
    trees.set(
      name,
      simplify(
        left,
        all.filter((tree) => typeof tree !== 'boolean'),
      ),
    );
  }
  return trees.get(policy.quorum) ?? false;
}

function simplify(threshold: number, members: readonly Tree[]): Tree | Settled {
  if (threshold <= 0) return true;
  if (threshold > members.length) return false;
  const [first] = members;
  if (first !== undefined && members.length === 1) return first;
  if (first !== undefined && 'operator' in first) {
    const { operator } = first;
    if (members.every((member) => 'operator' in member && member.operator === operator)) return first;
  }
  return { threshold, members };
}

/** An operator with witnesses in several places of the tree. */
interface Repeated {
  readonly operator: string;
  /** Number of its leaves. */
  readonly leaves: number;
  /** Equal for operators that stand in the same groups equally often. */
  readonly places: string;
}

function repeatedOperators(tree: Tree): Repeated[] {
  const places = new Map<string, number[]>();
  let groups = 0;
  const visit = (node: Tree, group: number): void => {
    if ('operator' in node) {
      places.set(node.operator, [...(places.get(node.operator) ?? []), group]);
      return;
    }
    const here = ++groups;
    for (const member of node.members) visit(member, here);
  };
  visit(tree, 0);
  return [...places]
    .filter(([, where]) => where.length > 1)
    .map(([operator, where]) => ({ operator, leaves: where.length, places: where.join() }))
    .sort((a, b) => b.leaves - a.leaves || (a.places < b.places ? -1 : a.places > b.places ? 1 : 0));
}

/**
 * Branch and bound over the operators that have witnesses in several places. Each gets one of the
 * choices 0 to choices - 1, of which the last costs one operator. bound() may only err downwards, and
 * not at all once everybody is decided.
 */
abstract class Search {
  protected readonly repeated: readonly Repeated[];
  /** Choice by operator, for those decided so far. */
  protected readonly chosen = new Map<string, number>();
  /** What a leaf of an undecided operator is worth at least: its cost spread over its leaves. */
  protected readonly share: ReadonlyMap<string, number>;
  #best = Infinity;
  #steps = 0;

  constructor(
    protected readonly tree: Tree,
    private readonly choices: number,
  ) {
    this.repeated = repeatedOperators(tree);
    this.share = new Map(this.repeated.map(({ operator, leaves }) => [operator, 1 / leaves]));
  }

  /** The fewest operators for the tree, not counting those chosen already; or less, see above. */
  protected abstract bound(): number;

  run(): number {
    this.#descend(0, 0);
    return this.#best;
  }

  protected step(count: number): void {
    this.#steps += count;
    if (this.#steps <= MAX_STEPS) return;
    throw new TlogError(
      'policy_too_complex',
      `policy: expected its faults to be found within ${MAX_STEPS} steps, ${this.repeated.length} operators stand in several places`,
      'put the witnesses of one operator into one group of their own',
    );
  }

  #descend(depth: number, cost: number): void {
    // Sums of shares such as 1/3 come out a little above a whole number; rounding up must not add one.
    const least = cost + Math.ceil(this.bound() - 1e-6);
    if (least >= this.#best) return;
    const next = this.repeated[depth];
    if (next === undefined) {
      this.#best = least;
      return;
    }
    // Of interchangeable operators only one order of choices is tried.
    const before = this.repeated[depth - 1];
    const from = before?.places === next.places ? (this.chosen.get(before.operator) ?? 0) : 0;
    for (let choice = from; choice < this.choices; choice++) {
      this.chosen.set(next.operator, choice);
      this.#descend(depth + 1, cost + (choice === this.choices - 1 ? 1 : 0));
    }
    this.chosen.delete(next.operator);
  }
}

/** The fewest operators that sign, such that the tree is met. Choices: does not sign, signs. */
class QuorumSearch extends Search {
  constructor(tree: Tree) {
    super(tree, 2);
  }

  protected bound(): number {
    return this.#cost(this.tree);
  }

  #cost(node: Tree): number {
    if ('operator' in node) {
      const choice = this.chosen.get(node.operator);
      if (choice === undefined) return this.share.get(node.operator) ?? 1;
      return choice === 1 ? 0 : Infinity;
    }
    this.step(node.members.length);
    const costs = node.members.map((member) => this.#cost(member));
    return sumOfSmallest(costs, node.threshold);
  }
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

function sumOfSmallest(costs: readonly number[], count: number): number {
  if (count <= 0) return 0;
  return costs
    .toSorted((a, b) => a - b)
    .slice(0, count)
    .reduce((sum, cost) => sum + cost, 0);
}
