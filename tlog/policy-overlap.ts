// How far two parties, each with a policy of his own, are kept from accepting different histories.
//
// A quorum of the one and a quorum of the other that vouch for different histories need every operator they
// share to have lied. So the two withstand (fewest operators that a quorum of either share) - 1 liars. This
// is policy-faults.ts with two trees in place of one: operators that stand in one policy only cost nothing;
// where the groups of both policies are made of the same operators the answer is a sum over them; otherwise
// the operators that stand in both are decided one by one.
import { encodeHex } from './encoding.js';
import { Search, quorumTree, sumOfSmallest, type Group, type Tree } from './policy-search.js';
import type { Policy } from './policy.js';

/**
 * The fewest operators that a quorum of `a` and a quorum of `b` share; 0 reads "a quorum of each exists that
 * has nothing to do with the other", and so does `quorum none`. The two withstand one liar less.
 * With one policy twice it is policyFaults plus one.
 *
 * An operator of the one is an operator of the other if they have a key or a key name in common. A declared
 * name alone, `# operator NAME`, joins nobody across policies: two parties may use it for different people,
 * and to take two for one would promise too much. Throws TlogError "policy_too_complex".
 */
export function policyOverlap(a: Policy, b: Policy): number {
  const [one, other] = joinOperators(a, b);
  const whole = (policy: Policy): Part => ({
    policy,
    tree: quorumTree(policy, new Set(), new Set(policy.witnesses.map(({ name }) => name))),
  });
  let [first, second] = [whole(one), whole(other)];
  // What only one side needs signs for nothing; that may meet groups, and free more.
  for (;;) {
    const shared = new Set(operatorsOf(first.tree).filter((name) => operatorsOf(second.tree).includes(name)));
    const reduced = [reduce(first, shared), reduce(second, shared)] as const;
    const done = reduced.every(({ tree }) => operatorsOf(tree).every((operator) => shared.has(operator)));
    const settled =
      operatorsOf(reduced[0].tree).length === operatorsOf(first.tree).length &&
      operatorsOf(reduced[1].tree).length === operatorsOf(second.tree).length;
    [first, second] = reduced;
    if (done && settled) break;
  }
  if (typeof first.tree === 'boolean' || typeof second.tree === 'boolean') return 0;
  return overlap(first.tree, second.tree);
}

interface Part {
  readonly policy: Policy;
  readonly tree: Tree | boolean;
}

/** The policy's tree in which all operators but these have signed. */
function reduce({ policy }: Part, shared: ReadonlySet<string>): Part {
  const names = (wanted: boolean): Set<string> =>
    new Set(
      policy.witnesses.flatMap(({ name, operator }) => (shared.has(operator) === wanted ? [name] : [])),
    );
  return { policy, tree: quorumTree(policy, names(false), names(true)) };
}

/** The distinct operators of a tree. */
function operatorsOf(tree: Tree | boolean): string[] {
  if (typeof tree === 'boolean') return [];
  if ('operator' in tree) return [tree.operator];
  return [...new Set(tree.members.flatMap(operatorsOf))];
}

/** Both trees are over the same operators. */
function overlap(a: Tree, b: Tree): number {
  if ('operator' in a && 'operator' in b) return 1;
  const pairs = 'operator' in a || 'operator' in b ? undefined : pairMembers(a, b);
  if (pairs === undefined || 'operator' in a || 'operator' in b) return new PairSearch(a, b).run();
  // Each pair can be given to one side for nothing; a.threshold + b.threshold - n of them are on both.
  return sumOfSmallest(
    pairs.map(([one, other]) => overlap(one, other)),
    a.threshold + b.threshold - pairs.length,
  );
}

/** The members of both groups, side by side, if each is over the same operators as its partner and no other. */
function pairMembers(a: Group, b: Group): [Tree, Tree][] | undefined {
  if (a.members.length !== b.members.length) return undefined;
  const names = (tree: Tree): string => JSON.stringify(operatorsOf(tree).sort());
  const partners = new Map(b.members.map((member) => [names(member), member]));
  const seen = new Set<string>();
  const pairs: [Tree, Tree][] = [];
  for (const member of a.members) {
    const operators = operatorsOf(member);
    const partner = partners.get(names(member));
    if (partner === undefined || operators.some((operator) => seen.has(operator))) return undefined;
    for (const operator of operators) seen.add(operator);
    pairs.push([member, partner]);
  }
  return pairs;
}

/** The fewest operators on both sides. Choices: on the first side, on the second, on both. */
class PairSearch extends Search {
  readonly #sides: readonly [Tree, Tree];
  /** What a leaf of an undecided operator is worth at least, on each side. */
  readonly #shares: readonly [ReadonlyMap<string, number>, ReadonlyMap<string, number>];

  constructor(a: Tree, b: Tree) {
    // Every operator stands in both trees, and so in two places of this one.
    super({ threshold: 2, members: [a, b] }, 3);
    this.#sides = [a, b];
    this.#shares = [leafShares(a), leafShares(b)];
  }

  /** Of n undecided operators, those on the first side and those on the second are together at most n + both. */
  protected bound(): number {
    const undecided = this.repeated.length - this.chosen.size;
    const [a, b] = [0, 1].map((side) => Math.ceil(this.#cost(this.#sides[side === 0 ? 0 : 1], side) - 1e-6));
    return Math.max(0, (a ?? 0) + (b ?? 0) - undecided);
  }

  /** The fewest undecided operators that meet this tree on one side. */
  #cost(node: Tree, side: number): number {
    if ('operator' in node) {
      const choice = this.chosen.get(node.operator);
      if (choice === undefined) return this.#shares[side === 0 ? 0 : 1].get(node.operator) ?? 0;
      return choice === 2 || choice === side ? 0 : Infinity;
    }
    this.step(node.members.length);
    return sumOfSmallest(
      node.members.map((member) => this.#cost(member, side)),
      node.threshold,
    );
  }
}

function leafShares(tree: Tree): Map<string, number> {
  const leaves = new Map<string, number>();
  const visit = (node: Tree): void => {
    if ('operator' in node) leaves.set(node.operator, (leaves.get(node.operator) ?? 0) + 1);
    else node.members.forEach(visit);
  };
  visit(tree);
  return new Map([...leaves].map(([operator, count]) => [operator, 1 / count]));
}

/** Both policies with their operators named alike where they are the same. */
function joinOperators(a: Policy, b: Policy): [Policy, Policy] {
  const parent = new Map<string, string>();
  const find = (label: string): string => {
    let root = label;
    for (let up = parent.get(root); up !== undefined; up = parent.get(root)) root = up;
    return root;
  };
  const labelled = [a, b].map((policy, i) => ({ policy, label: (operator: string) => `${i} ${operator}` }));
  for (const { policy, label } of labelled) {
    for (const { operator, vkey } of policy.witnesses) {
      for (const mark of [`name ${vkey.name}`, `key ${encodeHex(vkey.publicKey)}`]) {
        const [from, to] = [find(label(operator)), find(mark)];
        if (from !== to) parent.set(to, from);
      }
    }
  }
  const [one = a, other = b] = labelled.map(({ policy, label }) => ({
    ...policy,
    witnesses: policy.witnesses.map((witness) => ({ ...witness, operator: find(label(witness.operator)) })),
  }));
  return [one, other];
}
