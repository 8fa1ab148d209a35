// What a seed stands for: who takes part, who lies, by which policies clients read, and how bad the world is.
import {
  COSIGNATURE_ED25519,
  NOTE_ED25519,
  concatBytes,
  encodeUtf8,
  formatVkey,
  newSigningKey,
  parsePolicy,
  sha256,
  type Policy,
  type SigningKey,
} from '../../tlog/index.js';
import {
  referenceMet,
  referencePolicyText,
  type ReferenceGroup,
  type ReferencePolicy,
} from '../reference/policy.js';
import { Random } from '../random.js';
import type { Conditions } from './network.js';

export const ORIGIN = 'log.example/simulated';

/** The log's key, which a lying log uses for all its histories. */
export const LOG_KEY: SigningKey = newSigningKey(ORIGIN, NOTE_ED25519, sha256(encodeUtf8(ORIGIN)));

const pool = new Map<string, SigningKey>();

/** A witness's key, the same in every simulation. Operators may have several, all of one name. */
export function witnessKey(operator: number, number: number): SigningKey {
  const name = `w${operator}.example`;
  const id = `${name} ${number}`;
  let key = pool.get(id);
  if (key === undefined) {
    key = newSigningKey(name, COSIGNATURE_ED25519, sha256(concatBytes(encodeUtf8(id))));
    pool.set(id, key);
  }
  return key;
}

/**
 * `honest`: the log is; witnesses may lie. `within`: the log lies, and too few witnesses to be believed.
 * `beyond`: one witness more lies, and the attack must succeed.
 */
export type Mode = 'honest' | 'within' | 'beyond';

/** What a lying log does. All but `freeze` sign two histories. */
export type Behaviour = 'honest' | 'fork' | 'hide' | 'roll-back' | 'freeze';

export interface OperatorPlan {
  readonly name: string;
  readonly keys: readonly SigningKey[];
  readonly lies: boolean;
  /** Which history a lying log offers it: 0, 1, both at once, or nothing. */
  readonly offered: 0 | 1 | 'both' | 'none';
}

export interface ClientPlan {
  readonly name: string;
  readonly policy: number;
  /** Which history a lying log shows it. */
  readonly shown: 0 | 1;
  /** Whether it tells a witness what it accepts. */
  readonly reports: boolean;
}

export interface Plan {
  readonly seed: number;
  readonly mode: Mode;
  readonly behaviour: Behaviour;
  readonly operators: readonly OperatorPlan[];
  readonly clients: readonly ClientPlan[];
  readonly policies: readonly Policy[];
  /** The fewest operators that a quorum of the first policy and one of the second share, by trying all. */
  readonly overlap: number;
  /** Size up to which the two histories are one. */
  readonly fork: number;
  /** Size of the log when the simulation begins. */
  readonly start: number;
  /** Which histories' tiles are served: always, until the partition heals, or to no witness ever. */
  readonly tiles: readonly ['always' | 'until-healed' | 'never', 'always' | 'until-healed' | 'never'];
  /** What the log shows once the partition has healed: to each what it saw before, or one history to all. */
  readonly after: 'split' | 0 | 1;
  readonly conditions: Conditions;
  /** Mean virtual milliseconds between crashes of one witness; 0 for none. */
  readonly crashEvery: number;
  /** Mean virtual milliseconds between steps of one witness's clock; 0 for none. */
  readonly stepEvery: number;
  /** Whether liars go on showing nothing once the attack has worked, or else give themselves away. */
  readonly quiet: boolean;
}

/** Two sets of operators, as bits, that are quorums and share the fewest. */
export interface Attack {
  readonly sides: readonly [number, number];
  /** Operators on both. */
  readonly shared: number;
}

/** The operators' names that a reference policy uses. */
const operatorName = (i: number): string => `w${i}.example`;

export function makePlan(seed: number, wanted?: Mode): Plan {
  const random = new Random(seed);
  const count = 3 + random.below(5);
  const keyCounts = Array.from({ length: count }, () => (random.chance(0.2) ? 2 : 1));
  const policies = Array.from({ length: random.chance(0.3) ? 2 : 1 }, () => randomPolicy(random, keyCounts));
  const [first = { witnesses: [], groups: [], quorum: 'none' }, second = first] = policies;
  const attack = bestAttack(first, second, count, random);
  let mode: Mode = wanted ?? random.pick(['honest', 'within', 'within', 'beyond', 'beyond'] as const);
  // Nobody need lie to break a policy with two quorums that share nobody.
  if (mode === 'within' && attack.shared === 0) mode = 'beyond';

  const shared = bits(attack.sides[0] & attack.sides[1], count);
  const liars = new Set<number>(mode === 'beyond' ? shared : []);
  if (mode === 'within')
    for (const i of shuffled(shared, random).slice(1)) if (random.chance(0.9)) liars.add(i);
  if (mode === 'honest') for (let i = 0; i < count; i++) if (random.chance(0.3)) liars.add(i);
  const everybody = mode === 'within' && random.chance(0.3);
  const operators = keyCounts.map((keys, i): OperatorPlan => {
    const on = ([0, 1] as const).filter((side) => (attack.sides[side] >> i) & 1);
    const offered = everybody || on.length === 2 ? 'both' : (on[0] ?? random.pick([0, 1] as const));
    return {
      name: operatorName(i),
      keys: Array.from({ length: keys }, (_, k) => witnessKey(i, k)),
      lies: liars.has(i),
      offered,
    };
  });

  const behaviour: Behaviour =
    mode === 'honest'
      ? 'honest'
      : random.pick(
          mode === 'beyond' ? ['fork', 'hide', 'roll-back'] : ['fork', 'fork', 'hide', 'roll-back', 'freeze'],
        );
  const clients: ClientPlan[] = [0, 1].map((i) => ({
    name: `c${i}`,
    policy: i % policies.length,
    shown: i === 0 ? 0 : 1,
    reports: random.chance(0.5),
  }));
  for (let i = 2; i < 2 + random.below(3); i++) {
    const policy = random.below(policies.length);
    clients.push({ name: `c${i}`, policy, shown: random.pick([0, 1] as const), reports: random.chance(0.3) });
  }

  const start = random.pick([0, 1, 5, 120, 250, 255, 256, 300]) + random.below(4);
  const serving = (): Plan['tiles'][0] =>
    behaviour === 'hide' ? random.pick(['always', 'until-healed', 'never'] as const) : 'always';
  // An attack that must succeed is not spoilt by a network on which nothing arrives.
  const rough = mode === 'beyond' ? 0.5 : 1;
  const plan: Plan = {
    seed,
    mode,
    behaviour,
    operators,
    clients,
    policies: policies.map((policy) => readPolicy(policy)),
    overlap: attack.shared,
    fork: start + random.below(20),
    start,
    tiles: [serving(), serving()],
    after: random.pick(['split', 0, 1] as const),
    conditions: {
      loss: random.pick([0, 0.02, 0.1, 0.3]) * rough,
      repeat: random.pick([0, 0.1, 0.3]),
      delay: random.pick([50, 500, 5000]) * rough,
    },
    crashEvery: random.pick([0, 0, 300_000, 60_000]),
    stepEvery: random.pick([0, 0, 120_000, 30_000]),
    quiet: false,
  };
  return mode === 'beyond' && random.chance(0.2) ? withBystander(plan) : plan;
}

/**
 * Nobody whom clients ask for cosignatures is honest any more. One witness is, whom neither they nor the log
 * ask: it has nothing but what it reads and is told.
 */
function withBystander(plan: Plan): Plan {
  const { operators, clients } = plan;
  const keys = [witnessKey(operators.length, 0)];
  const bystander: OperatorPlan = {
    name: operatorName(operators.length),
    keys,
    lies: false,
    offered: 'none',
  };
  return {
    ...plan,
    operators: [...operators.map((operator) => ({ ...operator, lies: true })), bystander],
    clients: clients.map((client) => ({ ...client, reports: true })),
    quiet: true,
  };
}

/** Groups over the witnesses: k of n, or a random tree. */
function randomPolicy(random: Random, keyCounts: readonly number[]): ReferencePolicy {
  const witnesses = keyCounts.flatMap((keys, i) =>
    Array.from({ length: keys }, (_, k) => ({ name: `W${i}_${k}`, operator: operatorName(i) })),
  );
  const names = witnesses.map(({ name }) => name);
  if (random.chance(0.5)) {
    const members = names.filter((name) => name.endsWith('_0'));
    const threshold = Math.min(members.length, Math.floor(members.length / 2) + 1 + random.below(2));
    return { witnesses, groups: [{ name: 'Q', threshold, members }], quorum: 'Q' };
  }
  let open = [...names];
  const groups: ReferenceGroup[] = [];
  while (open.length > 1) {
    const members: string[] = [];
    for (let count = Math.min(open.length, 2 + random.below(4)); count > 0; count--)
      members.push(...open.splice(random.below(open.length), 1));
    const name = `G${groups.length}`;
    const half = Math.floor(members.length / 2);
    const threshold = random.chance(0.7) ? half + 1 : Math.max(1, half + random.below(2));
    groups.push({ name, threshold: Math.min(members.length, threshold), members });
    open = [...open, name];
  }
  return { witnesses, groups, quorum: open[0] ?? 'none' };
}

function readPolicy(policy: ReferencePolicy): Policy {
  const vkeys = policy.witnesses.map(({ name }) => {
    const [operator = 0, number = 0] = name.slice(1).split('_').map(Number);
    return formatVkey(witnessKey(operator, number).vkey);
  });
  // Operators follow from the key names; the comment lines of the reference would say it once more.
  const text = referencePolicyText(policy, vkeys).replace(/^#.*\n/gm, '');
  return parsePolicy(encodeUtf8(`log ${formatVkey(LOG_KEY.vkey)}\n${text}`));
}

/** By trying everything, a quorum of each policy that share the fewest operators. At most 10 operators. */
export function bestAttack(a: ReferencePolicy, b: ReferencePolicy, count: number, random: Random): Attack {
  const [one, other] = [a, b].map((policy) => minimal(quorums(policy, count)));
  let best: Attack[] = [];
  for (const x of one ?? []) {
    for (const y of other ?? []) {
      const shared = bits(x & y, count).length;
      if (best[0] !== undefined && shared > best[0].shared) continue;
      if (best[0] !== undefined && shared < best[0].shared) best = [];
      best.push({ sides: [x, y], shared });
    }
  }
  return random.pick(best);
}

function quorums(policy: ReferencePolicy, count: number): number[] {
  return Array.from({ length: 2 ** count }, (_, mask) => mask).filter((mask) => {
    const signing = new Set(bits(mask, count).map(operatorName));
    return referenceMet(
      policy,
      new Set(policy.witnesses.filter(({ operator }) => signing.has(operator)).map(({ name }) => name)),
    );
  });
}

function minimal(masks: readonly number[]): number[] {
  return masks.filter((mask) => !masks.some((other) => other !== mask && (other & mask) === other));
}

function bits(mask: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => i).filter((i) => (mask >> i) & 1);
}

export function shuffled<T>(list: readonly T[], random: Random): T[] {
  const rest = [...list];
  return list.flatMap(() => rest.splice(random.below(rest.length), 1));
}
