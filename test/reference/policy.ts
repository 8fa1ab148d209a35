// What a policy means, by trying everything, to judge tlog/policy*.ts by. Exponential on purpose: for a
// dozen witnesses at most.

export interface ReferenceWitness {
  readonly name: string;
  readonly operator: string;
}
export interface ReferenceGroup {
  readonly name: string;
  readonly threshold: number;
  readonly members: readonly string[];
}
export interface ReferencePolicy {
  readonly witnesses: readonly ReferenceWitness[];
  /** Each after those it names. */
  readonly groups: readonly ReferenceGroup[];
  readonly quorum: string;
}

/** C2SP tlog-policy "Defining a witness group", top down. */
export function referenceMet(
  policy: ReferencePolicy,
  signed: ReadonlySet<string>,
  name: string = policy.quorum,
): boolean {
  if (name === 'none') return true;
  const group = policy.groups.find((candidate) => candidate.name === name);
  if (group === undefined) return signed.has(name);
  return group.members.filter((member) => referenceMet(policy, signed, member)).length >= group.threshold;
}

function* subsets<T>(list: readonly T[]): Generator<T[]> {
  for (let mask = 0; mask < 2 ** list.length; mask++) {
    yield list.filter((_, i) => Math.floor(mask / 2 ** i) % 2 === 1);
  }
}

/** All sets of witnesses that are quorums, each as the set of the operators that sign in it. */
function quorums(policy: ReferencePolicy): ReadonlySet<string>[] {
  const found = new Map<string, ReadonlySet<string>>();
  for (const signing of subsets(policy.witnesses)) {
    if (!referenceMet(policy, new Set(signing.map(({ name }) => name)))) continue;
    const operators = new Set(signing.map(({ operator }) => operator));
    found.set([...operators].sort().join(), operators);
  }
  return [...found.values()];
}

/** The smallest number of operators that any two quorums share, less one. */
export function referenceFaults(policy: ReferencePolicy): number {
  let fewest = Infinity;
  const all = quorums(policy);
  for (const a of all) {
    for (const b of all) fewest = Math.min(fewest, [...a].filter((operator) => b.has(operator)).length);
  }
  return fewest - 1;
}

/**
 * The fewest operators with a witness among `candidates` whose witnesses, with those `given`, are a
 * quorum; Infinity if all of them are none.
 */
export function referenceOperatorsToQuorum(
  policy: ReferencePolicy,
  given: ReadonlySet<string>,
  candidates: ReadonlySet<string>,
): number {
  const operators = policy.witnesses
    .filter(({ name }) => candidates.has(name))
    .map(({ operator }) => operator);
  let fewest = Infinity;
  for (const liars of subsets([...new Set(operators)])) {
    const theirs = policy.witnesses
      .filter(({ operator }) => liars.includes(operator))
      .map(({ name }) => name);
    if (referenceMet(policy, new Set([...given, ...theirs]))) fewest = Math.min(fewest, liars.length);
  }
  return fewest;
}

/** The policy as a file, `vkeys` having one for each witness. Operators stand in comment lines. */
export function referencePolicyText(policy: ReferencePolicy, vkeys: readonly string[]): string {
  const operators = [...new Set(policy.witnesses.map(({ operator }) => operator))];
  return [
    ...policy.witnesses.map(({ name }, i) => `witness ${name} ${vkeys[i] ?? ''}`),
    ...operators.map((operator) => {
      const theirs = policy.witnesses.filter((witness) => witness.operator === operator);
      return `# operator ${operator} ${theirs.map(({ name }) => name).join(' ')}`;
    }),
    ...policy.groups.map(({ name, threshold, members }) => `group ${name} ${threshold} ${members.join(' ')}`),
    `quorum ${policy.quorum}`,
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** The fewest operators that a quorum of `a` and a quorum of `b` share; equal names are one operator. */
export function referenceOverlap(a: ReferencePolicy, b: ReferencePolicy): number {
  let fewest = Infinity;
  const others = quorums(b);
  for (const one of quorums(a)) {
    for (const other of others)
      fewest = Math.min(fewest, [...one].filter((operator) => other.has(operator)).length);
  }
  return fewest;
}

/** The fewest operators without whose witnesses there is no quorum; Infinity if there always is. */
export function referenceOperatorsToBlock(policy: ReferencePolicy): number {
  let fewest = Infinity;
  for (const silent of subsets([...new Set(policy.witnesses.map(({ operator }) => operator))])) {
    const left = policy.witnesses.filter(({ operator }) => !silent.includes(operator));
    if (!referenceMet(policy, new Set(left.map(({ name }) => name))))
      fewest = Math.min(fewest, silent.length);
  }
  return fewest;
}
