// How many operators two policies' quorums share, and how many silent ones stop one, judged by trying everything.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  TlogError,
  encodeUtf8,
  formatVkey,
  newVkey,
  operatorsToBlock,
  parsePolicy,
  policyFaults,
  policyOverlap,
  type Policy,
} from '../tlog/index.js';
import { Random } from './random.js';
import {
  referenceOperatorsToBlock,
  referenceOverlap,
  referencePolicyText,
  type ReferenceGroup,
  type ReferencePolicy,
} from './reference/policy.js';

/** A key for each place of each policy, its name the operator's: public keys need not be points. */
let keys = 0;
function vkey(name: string): string {
  const number = ++keys;
  return formatVkey(
    newVkey(
      name,
      4,
      Uint8Array.from({ length: 32 }, (_, i) => (i < 3 ? Math.floor(number / 256 ** i) % 256 : 7)),
    ),
  );
}
const text = (policy: ReferencePolicy): string =>
  referencePolicyText(
    policy,
    policy.witnesses.map(({ operator }) => vkey(operator)),
  );
const read = (policy: ReferencePolicy): Policy => parsePolicy(encodeUtf8(text(policy)));

/** Groups over these operators, at random. */
function randomPolicy(random: Random, operators: readonly string[]): ReferencePolicy {
  const witnesses = operators.map((operator, i) => ({ name: `W${i}`, operator }));
  let open = witnesses.map(({ name }) => name);
  const groups: ReferenceGroup[] = [];
  while (open.length > 1 && !random.chance(0.05)) {
    const members: string[] = [];
    for (let count = 1 + random.below(open.length); count > 0; count--)
      members.push(...open.splice(random.below(open.length), 1));
    const name = `G${groups.length}`;
    groups.push({ name, threshold: 1 + random.below(members.length), members });
    open = [...open, name];
    if (groups.length > 12) break;
  }
  return { witnesses, groups, quorum: open.at(-1) ?? 'none' };
}
const someOperators = (random: Random, among: number): string[] =>
  Array.from({ length: 1 + random.below(7) }, () => `O${random.below(among)}`);

test('4,000 pairs of random policies', () => {
  const random = new Random(21);
  const seen = new Map<number, number>();
  for (let i = 0; i < 4000; i++) {
    const among = 3 + random.below(6);
    const [a, b] = [
      randomPolicy(random, someOperators(random, among)),
      randomPolicy(random, someOperators(random, among)),
    ];
    const found = policyOverlap(read(a), read(b));
    assert.equal(found, referenceOverlap(a, b), `${text(a)}\n${text(b)}`);
    seen.set(found, (seen.get(found) ?? 0) + 1);
  }
  for (const count of [0, 1, 2]) assert.ok((seen.get(count) ?? 0) > 50, `few that share ${count}`);
});

test('the same operators in two arrangements of alike groups', () => {
  const random = new Random(22);
  for (let i = 0; i < 1500; i++) {
    const operators = Array.from({ length: 2 + random.below(6) }, (_, at) => `O${at}`);
    const a = randomPolicy(random, operators);
    const b = {
      ...a,
      groups: a.groups.map((group) => ({ ...group, threshold: 1 + random.below(group.members.length) })),
    };
    const [one, other] = [read(a), read(b)];
    assert.equal(policyOverlap(one, other), referenceOverlap(a, b), `${text(a)}\n${text(b)}`);
    assert.equal(policyOverlap(other, one), policyOverlap(one, other));
  }
});

test('a policy with itself: its faults and one', () => {
  const random = new Random(23);
  for (let i = 0; i < 1500; i++) {
    const policy = read(randomPolicy(random, someOperators(random, 3 + random.below(6))));
    assert.equal(policyOverlap(policy, policy), policyFaults(policy) + 1, String(i));
  }
});

test('how many silent operators stop 4,000 random policies', () => {
  const random = new Random(24);
  for (let i = 0; i < 4000; i++) {
    const policy = randomPolicy(random, someOperators(random, 3 + random.below(6)));
    assert.equal(operatorsToBlock(read(policy)), referenceOperatorsToBlock(policy), text(policy));
  }
  assert.equal(operatorsToBlock(parsePolicy(encodeUtf8('quorum none\n'))), Infinity);
});

const kOfN = (k: number, operators: readonly string[]): ReferencePolicy => {
  const witnesses = operators.map((operator, i) => ({ name: `W${i}`, operator }));
  return {
    witnesses,
    groups: [{ name: 'all', threshold: k, members: witnesses.map(({ name }) => name) }],
    quorum: 'all',
  };
};
const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `O${from + i}`);

test('3 of 4 and 3 of 4, of which some are the same', () => {
  const a = kOfN(3, numbered(0, 4));
  for (const [same, shared] of [
    [4, 2],
    [3, 1],
    [2, 0],
    [0, 0],
  ] as const) {
    assert.equal(
      policyOverlap(read(a), read(kOfN(3, numbered(4 - same, 8 - same)))),
      shared,
      `${same} the same`,
    );
  }
  assert.equal(policyOverlap(read(a), parsePolicy(encodeUtf8('quorum none\n'))), 0);
});

test('an operator is known by key or key name, not by what somebody calls it', () => {
  const one = vkey('w.example');
  const policy = (declared: string, key: string): Policy =>
    parsePolicy(encodeUtf8(`witness W ${key}\n# operator ${declared} W\nquorum W\n`));
  const renamed = formatVkey({
    ...newVkey('x.example', 4, Buffer.from(one.split('+').at(-1) ?? '', 'base64').subarray(1)),
  });
  assert.equal(policyOverlap(policy('A', one), policy('B', one)), 1);
  assert.equal(policyOverlap(policy('A', one), policy('B', vkey('w.example'))), 1);
  assert.equal(policyOverlap(policy('A', one), policy('B', renamed)), 1);
  assert.equal(policyOverlap(policy('A', one), policy('A', vkey('y.example'))), 0);
});

test('what one party declares joins the operators of both', () => {
  const [x, y] = [vkey('x.example'), vkey('y.example')];
  const a = parsePolicy(
    encodeUtf8(`witness X ${x}\nwitness Y ${y}\n# operator Acme X Y\ngroup g any X Y\nquorum g\n`),
  );
  const b = parsePolicy(encodeUtf8(`witness X ${x}\nwitness Y ${y}\ngroup g all X Y\nquorum g\n`));
  assert.equal(policyOverlap(a, b), 1);
  assert.equal(policyOverlap(b, b), 2);
});

test('policies of the size that people write are judged, others refused', () => {
  const operators = numbered(0, 25);
  const nested = (k: number, of: number, size: number): ReferencePolicy => {
    const witnesses = operators.map((operator, i) => ({ name: `W${i}`, operator }));
    const groups: ReferenceGroup[] = [];
    for (let i = 0; i < witnesses.length; i += size)
      groups.push({
        name: `G${groups.length}`,
        threshold: of,
        members: witnesses.slice(i, i + size).map(({ name }) => name),
      });
    const top = { name: 'top', threshold: k, members: groups.map(({ name }) => name) };
    return { witnesses, groups: [...groups, top], quorum: 'top' };
  };
  assert.equal(policyOverlap(read(nested(3, 3, 5)), read(nested(4, 4, 5))), 2 * 2);
  assert.equal(policyOverlap(read(nested(4, 4, 5)), read(kOfN(17, operators))), 16 + 17 - 25);
  assert.equal(policyOverlap(read(kOfN(20, operators)), read(kOfN(10, operators))), 5);
  // Operators with several witnesses each, scattered over groups differently in either policy.
  const random = new Random(5);
  const scattered = (): ReferencePolicy => {
    const witnesses = Array.from({ length: 126 }, (_, i) => ({ name: `W${i}`, operator: `O${i % 42}` }));
    const names = witnesses.map(({ name }) => name);
    const groups: ReferenceGroup[] = [];
    while (names.length > 0) {
      const members = Array.from({ length: 7 }, () => names.splice(random.below(names.length), 1)).flat();
      groups.push({ name: `G${groups.length}`, threshold: 5, members });
    }
    groups.push({ name: 'top', threshold: 10, members: groups.map(({ name }) => name) });
    return { witnesses, groups, quorum: 'top' };
  };
  assert.throws(
    () => policyOverlap(read(scattered()), read(scattered())),
    (error) => error instanceof TlogError && error.code === 'policy_too_complex' && error.hint !== '',
  );
});
