// f of a policy and the question the gate at start asks, judged by trying everything.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  TlogError,
  couldFormQuorumWithFaults,
  encodeUtf8,
  formatVkey,
  newVkey,
  operatorsInSeveralPlaces,
  operatorsToQuorum,
  parsePolicy,
  policyFaults,
  quorumMet,
} from '../tlog/index.js';
import type { Policy } from '../tlog/index.js';
import { Random } from './random.js';
import {
  referenceFaults,
  referenceMet,
  referenceOperatorsToQuorum,
  referencePolicyText,
} from './reference/policy.js';
import type { ReferenceGroup, ReferencePolicy } from './reference/policy.js';

/** Public keys need not be points to be told apart. */
const VKEYS = Array.from({ length: 128 }, (_, i) =>
  formatVkey(
    newVkey(
      `key${i}`,
      4,
      Uint8Array.from({ length: 32 }, (__, at) => (at === 0 ? i : 7)),
    ),
  ),
);
const read = (policy: ReferencePolicy): Policy => parsePolicy(encodeUtf8(referencePolicyText(policy, VKEYS)));

/** Groups over a shuffled list of names, joined until one is left or chance says so. */
function randomPolicy(random: Random, witnessCount: number, operatorCount: number): ReferencePolicy {
  const witnesses = Array.from({ length: witnessCount }, (_, i) => ({
    name: `W${i}`,
    operator: operatorCount < witnessCount ? `O${random.below(operatorCount)}` : `O${i}`,
  }));
  let open = witnesses.map(({ name }) => name);
  const groups: ReferenceGroup[] = [];
  while (open.length > 1 && !random.chance(0.05)) {
    const members: string[] = [];
    for (let count = 1 + random.below(open.length); count > 0; count--) {
      members.push(...open.splice(random.below(open.length), 1));
    }
    const name = `G${groups.length}`;
    groups.push({ name, threshold: 1 + random.below(members.length), members });
    open = [...open, name];
    if (groups.length > 12) break;
  }
  return { witnesses, groups, quorum: open.at(-1) ?? 'none' };
}

const someOf = (random: Random, names: readonly string[], probability: number): string[] =>
  names.filter(() => random.chance(probability));

test('f of 6,000 random policies, operators appearing once and more often', () => {
  const random = new Random(1);
  const seen = new Map<number, number>();
  for (let i = 0; i < 6000; i++) {
    const count = 1 + random.below(8);
    const policy = randomPolicy(random, count, random.chance(0.4) ? count : 1 + random.below(count));
    const faults = referenceFaults(policy);
    assert.equal(policyFaults(read(policy)), faults, referencePolicyText(policy, []));
    seen.set(faults, (seen.get(faults) ?? 0) + 1);
  }
  for (const faults of [-1, 0, 1, 2])
    assert.ok((seen.get(faults) ?? 0) > 50, `few policies with f = ${faults}`);
});

/** spec/formats.md, "f", where no operator stands in two places; undefined where one does. */
function sumOfPlaces(policy: ReferencePolicy): number | undefined {
  const operatorOf = new Map(policy.witnesses.map(({ name, operator }) => [name, operator]));
  const places: string[] = [];
  const below = (name: string): string[] => {
    const group = policy.groups.find((each) => each.name === name);
    return group?.members.flatMap(below) ?? [operatorOf.get(name) ?? name];
  };
  const fewest = (name: string): number => {
    const group = policy.groups.find((each) => each.name === name);
    const operators = below(name);
    if (group === undefined || new Set(operators).size === 1) {
      places.push(operators[0] ?? '');
      return 1;
    }
    const costs = group.members.map(fewest).sort((a, b) => a - b);
    const both = Math.max(0, 2 * group.threshold - costs.length);
    return costs.slice(0, both).reduce((sum, cost) => sum + cost, 0);
  };
  if (policy.quorum === 'none') return 0 - 1;
  const faults = fewest(policy.quorum) - 1;
  return new Set(places).size === places.length ? faults : undefined;
}

test('where no operator stands in two places f is the sum of the specification', () => {
  const random = new Random(11);
  let sums = 0;
  for (let i = 0; i < 3000; i++) {
    const count = 1 + random.below(8);
    const policy = randomPolicy(random, count, random.chance(0.4) ? count : 1 + random.below(count));
    const sum = sumOfPlaces(policy);
    const text = referencePolicyText(policy, []);
    assert.equal(operatorsInSeveralPlaces(read(policy)).length === 0, sum !== undefined, text);
    if (sum === undefined) continue;
    assert.equal(policyFaults(read(policy)), sum, text);
    sums++;
  }
  assert.ok(sums > 500, `only ${sums} such policies`);
});

test('the gate and the quorum of 6,000 random policies', () => {
  const random = new Random(2);
  const seen = new Map<number, number>();
  for (let i = 0; i < 6000; i++) {
    const count = 1 + random.below(8);
    const policy = randomPolicy(random, count, random.chance(0.4) ? count : 1 + random.below(count));
    const parsed = read(policy);
    const names = policy.witnesses.map(({ name }) => name);
    const signed = new Set(someOf(random, names, 0.6));
    assert.equal(quorumMet(parsed, signed), referenceMet(policy, signed));

    const silent = new Set(someOf(random, names, 0.3));
    const inStep = new Set(someOf(random, names, 0.8).filter((name) => !silent.has(name)));
    const needed = referenceOperatorsToQuorum(policy, silent, inStep);
    const context = `${referencePolicyText(policy, [])} ${[...silent].join()} / ${[...inStep].join()}`;
    assert.equal(operatorsToQuorum(parsed, silent, inStep), needed, context);
    for (const faults of [-1, 0, 1, 2, 3]) {
      assert.equal(
        couldFormQuorumWithFaults(parsed, silent, inStep, faults),
        needed <= Math.max(0, faults),
        context,
      );
    }
    seen.set(needed, (seen.get(needed) ?? 0) + 1);
  }
  for (const needed of [0, 1, 2, 3, Infinity])
    assert.ok((seen.get(needed) ?? 0) > 50, `few that need ${needed}`);
});

/** k of the given witnesses. */
function kOfN(k: number, operators: readonly string[]): ReferencePolicy {
  const witnesses = operators.map((operator, i) => ({ name: `W${i}`, operator }));
  return {
    witnesses,
    groups: [{ name: 'all', threshold: k, members: witnesses.map(({ name }) => name) }],
    quorum: 'all',
  };
}
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `O${i}`);

test('k of n operators survive 2k - n - 1 liars, and never fewer than -1', () => {
  for (let n = 1; n <= 40; n++) {
    for (let k = 1; k <= n; k++) {
      assert.equal(policyFaults(read(kOfN(k, numbered(n)))), Math.max(-1, 2 * k - n - 1), `${k} of ${n}`);
    }
  }
});

test('the examples of the design', () => {
  assert.equal(policyFaults(read(kOfN(2, numbered(3)))), 0);
  assert.equal(policyFaults(read(kOfN(3, numbered(4)))), 1);
  assert.equal(policyFaults(read(kOfN(5, numbered(7)))), 2);
  assert.equal(policyFaults(parsePolicy(encodeUtf8('quorum none\n'))), -1);
  // 3 of 4, two of them run by one operator: that operator and one more already make a fork.
  assert.equal(policyFaults(read(kOfN(3, ['A', 'A', 'B', 'C']))), 0);
  assert.equal(policyFaults(read(kOfN(2, ['A', 'A', 'B', 'C']))), -1);
});

test('with 3 of 4 the gate opens with at most one silent', () => {
  const policy = read(kOfN(3, numbered(4)));
  const gate = (...silent: string[]): boolean => {
    const inStep = ['W0', 'W1', 'W2', 'W3'].filter((name) => !silent.includes(name));
    return !couldFormQuorumWithFaults(policy, new Set(silent), new Set(inStep), policyFaults(policy));
  };
  assert.ok(gate());
  assert.ok(gate('W0'));
  assert.ok(!gate('W0', 'W1'));
  assert.ok(!gate('W0', 'W1', 'W2'));
  assert.ok(!gate('W0', 'W1', 'W2', 'W3'));
});

test('witnesses that are neither silent nor in step count only if their operator is', () => {
  const policy = read(kOfN(3, ['A', 'A', 'B', 'C']));
  assert.equal(operatorsToQuorum(policy, new Set(), new Set(['W2', 'W3'])), Infinity);
  // A brings both of its witnesses, though only one is in step.
  assert.equal(operatorsToQuorum(policy, new Set(), new Set(['W0', 'W2'])), 2);
  assert.equal(operatorsToQuorum(policy, new Set(['W3']), new Set(['W0'])), 1);
});

test('everybody with an Ed25519 and an ML-DSA-44 key, up to 32 operators', () => {
  for (const n of [4, 16, 32]) {
    const k = Math.ceil((3 * n) / 4);
    const twice = [...numbered(n), ...numbered(n)];
    // Each operator's two keys in a group of their own: as if each had one.
    const witnesses = twice.map((operator, i) => ({ name: `W${i}`, operator }));
    const pairs = numbered(n).map((operator, i) => ({
      name: `group-${operator}`,
      threshold: 1,
      members: [`W${i}`, `W${i + n}`],
    }));
    const top = { name: 'top', threshold: k, members: pairs.map(({ name }) => name) };
    const nested = read({ witnesses, groups: [...pairs, top], quorum: 'top' });
    assert.equal(policyFaults(nested), 2 * k - n - 1);
    // All keys in one group: an operator that lies with both keys counts twice.
    assert.equal(policyFaults(read(kOfN(2 * k, twice))), 2 * k - n - 1);
    // k Ed25519 keys and k ML-DSA-44 keys: each alone keeps the others apart.
    const half = (from: number): string[] => witnesses.slice(from, from + n).map(({ name }) => name);
    const both = {
      witnesses,
      groups: [
        { name: 'ed', threshold: k, members: half(0) },
        { name: 'ml', threshold: k, members: half(n) },
        { name: 'both', threshold: 2, members: ['ed', 'ml'] },
      ],
      quorum: 'both',
    };
    assert.equal(policyFaults(read(both)), 2 * k - n - 1);
    assert.equal(operatorsToQuorum(read(both), new Set(), new Set(half(0))), k);
  }
});

test('a policy too tangled to judge is refused, not guessed and not waited for', () => {
  // 42 operators with three witnesses each, scattered over groups of seven.
  const random = new Random(5);
  const witnesses = Array.from({ length: 126 }, (_, i) => ({ name: `W${i}`, operator: `O${i % 42}` }));
  const names = witnesses.map(({ name }) => name);
  const groups: ReferenceGroup[] = [];
  while (names.length > 0) {
    const members = Array.from({ length: 7 }, () => names.splice(random.below(names.length), 1)).flat();
    groups.push({ name: `G${groups.length}`, threshold: 5, members });
  }
  groups.push({ name: 'top', threshold: 13, members: groups.map(({ name }) => name) });
  const policy = read({ witnesses, groups, quorum: 'top' });
  assert.throws(
    () => policyFaults(policy),
    (error) => error instanceof TlogError && error.code === 'policy_too_complex' && error.hint !== '',
  );
});

test('names that are no witnesses are refused', () => {
  const policy = read(kOfN(3, numbered(4)));
  const refused = (error: unknown): boolean => error instanceof TlogError && error.code === 'unknown_witness';
  assert.throws(() => operatorsToQuorum(policy, new Set(['W9']), new Set()), refused);
  assert.throws(() => operatorsToQuorum(policy, new Set(), new Set(['all'])), refused);
  assert.throws(() => operatorsToQuorum(policy, new Set(['W0']), new Set(['W0'])), refused);
});
