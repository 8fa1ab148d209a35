// The two searches behind policy-faults.ts and policy-overlap.ts: a policy's quorum as a tree over
// operators, and branch and bound over those of them that stand in several places of it.
import { TlogError } from './errors.js';
import type { Policy } from './policy.js';

/** Steps of one search (one step looks at one member of one group, or one cell of a table) before it gives up. */
export const MAX_STEPS = 30_000_000;

/** The quorum as a tree over operators. */
export type Tree = Leaf | Group;
export interface Leaf {
  readonly operator: string;
}
export interface Group {
  readonly threshold: number;
  readonly members: readonly Tree[];
}
/** A quorum that is met already, or that cannot be met. */
export type Settled = boolean;

/**
 * The tree of the policy's quorum, in which the witnesses `given` have signed, those in `open` may sign
 * and all others will not. Groups of one operator's witnesses only are that operator: it signs with all
 * its keys or none.
 */
export function quorumTree(
  policy: Policy,
  given: ReadonlySet<string>,
  open: ReadonlySet<string>,
): Tree | Settled {
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
export interface Repeated {
  readonly operator: string;
  /** Number of its leaves. */
  readonly leaves: number;
  /** Equal for operators that stand in the same groups equally often. */
  readonly places: string;
}

/** The operators that stand in several places of a tree. */
export function repeatedOperators(tree: Tree): Repeated[] {
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
export abstract class Search {
  protected readonly repeated: readonly Repeated[];
  /** Choice by operator, for those decided so far. */
  protected readonly chosen: Map<string, number> = new Map<string, number>();
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
export class QuorumSearch extends Search {
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

/** The sum of the `count` smallest; 0 for a count of 0 or less. */
export function sumOfSmallest(costs: readonly number[], count: number): number {
  if (count <= 0) return 0;
  return costs
    .toSorted((a, b) => a - b)
    .slice(0, count)
    .reduce((sum, cost) => sum + cost, 0);
}
