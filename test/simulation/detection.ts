// How fast a fork is found: many honest witnesses, each with a few peers, of which one part has cosigned one
// history and the rest another while neither heard of the other. Then everybody reaches everybody.
import { formatAddCheckpoint } from '../../client/index.js';
import { formatCheckpoint, formatVkey, signNote } from '../../tlog/index.js';
import { Random } from '../random.js';
import { History, Truth } from './history.js';
import { Judge } from './judge.js';
import { SimulatedLog } from './log.js';
import { Loop } from './loop.js';
import { Network } from './network.js';
import { HonestWitness, ROUND_MS } from './node.js';
import { LOG_KEY, ORIGIN, shuffled, witnessKey, type OperatorPlan, type Plan } from './plan.js';
import { Trace } from './trace.js';

export interface DetectionCase {
  readonly witnesses: number;
  /** Peers that each witness reads and tells, chosen at random. */
  readonly peers: number;
  /** Probability that a message is lost; a question and its answer are two. */
  readonly loss: number;
  /** How many witnesses were shown the other history. */
  readonly deceived: number;
}

export interface Detection {
  /** The round, from 1, in which the first witness had evidence; Infinity if none had. */
  readonly first: number;
  /** The round by which all had. */
  readonly all: number;
  /** Per witness, until all had evidence. */
  readonly messages: number;
  readonly digest: string;
}

const FORK = 100;
/** Sizes that differ, so that the proof needs tiles. */
const SIZES = [130, 117] as const;
/** Virtual milliseconds in which everybody keeps the tiles of what he cosigned. */
const APART_MS = 20_000;
const MAX_ROUNDS = 40;

/** One fork, until everybody has evidence or MAX_ROUNDS have passed. */
export async function detect(what: DetectionCase, seed: number): Promise<Detection> {
  const loop = new Loop();
  const random = new Random(seed);
  const trace = new Trace(loop);
  const conditions = { loss: 0, repeat: 0, delay: 200 };
  const network = new Network(loop, random, conditions);
  const histories = [new History('entry', FORK), new History('other', FORK)] as const;
  const truth = new Truth(histories, 1000);
  const deceived = new Set(
    shuffled(
      Array.from({ length: what.witnesses }, (_, i) => i),
      random,
    ).slice(0, what.deceived),
  );
  const operators = Array.from({ length: what.witnesses }, (_, i): OperatorPlan => {
    const key = witnessKey(i, 0);
    return { name: key.name, keys: [key], lies: false, offered: deceived.has(i) ? 1 : 0 };
  });
  const plan: Plan = {
    seed,
    mode: 'beyond',
    behaviour: 'fork',
    operators,
    clients: [],
    policies: [],
    overlap: 0,
    fork: FORK,
    start: FORK,
    tiles: ['always', 'always'],
    after: 'split',
    conditions,
    crashEvery: 0,
    stepEvery: 0,
    quiet: false,
  };
  const judge = new Judge(plan, truth, trace);
  const peersOf = new Map(operators.map(({ name }, i) => [name, peers(operators, i, what.peers, random)]));
  const witnesses = new Map<string, HonestWitness>();
  const out = {
    network,
    witness: (name: string): HonestWitness => {
      const found = witnesses.get(name);
      if (found === undefined) throw new Error(`${name} is nobody`);
      return found;
    },
    source: (viewer: string) => log.source(viewer),
  };
  for (const operator of operators) {
    const of = (name: string): readonly OperatorPlan[] => peersOf.get(name) ?? [];
    witnesses.set(operator.name, new HonestWitness(operator, { loop, random, trace, judge, out, peers: of }));
  }
  const log = new SimulatedLog(plan, { loop, random, network }, histories, [...witnesses.values()]);
  log.grow(SIZES);

  network.partition(new Map(operators.map(({ name, offered }) => [name, offered === 1 ? 1 : 0])));
  const bodies = histories.map((history, side) => {
    const size = SIZES[side] ?? 0;
    const text = formatCheckpoint({ origin: ORIGIN, size, rootHash: history.root(size), extensions: [] });
    return formatAddCheckpoint({ oldSize: 0, proof: [], note: signNote(text, [LOG_KEY]) });
  });
  for (const { name, offered } of operators) {
    const witness = out.witness(name);
    await witness.start({ firstRound: APART_MS + random.below(ROUND_MS) });
    loop.spawn(() => witness.addCheckpoint(bodies[offered === 1 ? 1 : 0] ?? new Uint8Array()));
  }
  await loop.run(APART_MS);
  network.heal();
  network.conditions = { ...conditions, loss: what.loss };
  const before = network.messages;
  const known = (): number => judge.accusers(formatVkey(LOG_KEY.vkey)).size;
  await loop.run(APART_MS + MAX_ROUNDS * ROUND_MS, () => known() === what.witnesses);
  if (judge.violations.length > 0) throw new Error(judge.violations.join('\n'));
  const times = [...judge.accusers(formatVkey(LOG_KEY.vkey)).values()];
  const round = (time: number): number => Math.ceil((time - APART_MS) / ROUND_MS);
  return {
    first: times.length === 0 ? Infinity : round(Math.min(...times)),
    all: times.length < what.witnesses ? Infinity : round(Math.max(...times)),
    messages: (network.messages - before) / what.witnesses,
    digest: trace.digest(),
  };
}

/** Others at random, the next one among them, so that all hang together. */
function peers(operators: readonly OperatorPlan[], i: number, count: number, random: Random): OperatorPlan[] {
  const n = operators.length;
  const chosen = new Set([(i + 1) % n]);
  while (chosen.size < Math.min(count, n - 1)) {
    const other = random.below(n);
    if (other !== i) chosen.add(other);
  }
  return [...chosen].flatMap((index) => operators[index] ?? []);
}
