// One simulation, from its seed to what it came to.
import { Random } from '../random.js';
import { Client } from './client.js';
import { History, Truth } from './history.js';
import { Judge } from './judge.js';
import { expectFound, type Findable } from './found.js';
import { Conspiracy, LyingWitness } from './liar.js';
import { SimulatedLog } from './log.js';
import { Loop } from './loop.js';
import { Network, TIMEOUT_MS, Unreachable } from './network.js';
import { HonestWitness } from './node.js';
import type { WitnessParty } from './party.js';
import { makePlan, type Mode, type OperatorPlan, type Plan } from './plan.js';
import { Trace } from './trace.js';
import type { Neighbours } from './wire.js';

/** Virtual milliseconds of trouble, and at most so many until an attack that must succeed has. */
const TROUBLE_MS = 180_000;
const ATTACK_MS = 1_200_000;
/** Virtual milliseconds of gossip after everybody reaches everybody again. */
const CALM_MS = 200_000;
/** Between a client's attempts to tell a witness that does not answer, longer than it waits for one; and how many it makes. */
const TELLING_MS = 11_000;
const TELLINGS = 10;
/** Above every size that a log reaches. */
const SIZES = 5000;

export interface Result {
  readonly plan: Plan;
  /** What did not hold. */
  readonly violations: readonly string[];
  /** The last events, for whoever looks at a failure. */
  readonly tail: readonly string[];
  /** Hex SHA-256 of everything that happened. */
  readonly digest: string;
  readonly events: number;
  readonly messages: number;
  readonly accepted: number;
  readonly cosignatures: number;
  /** Whether two clients took different histories for the log's. */
  readonly deceived: boolean;
  /** Keys that some honest party's evidence convicted. */
  readonly convicted: number;
  /** What honest parties had in hand in the end. */
  readonly findable: Findable;
  /** Files offered as evidence that honest parties refused. */
  readonly rubbish: number;
}

export interface SimulationOptions {
  readonly mode?: Mode;
  /** Told each event as it happens. */
  readonly print?: (line: string) => void;
}

/** Runs the simulation that a seed stands for. Throws what the code under test was not meant to throw. */
export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Result> {
  return new World(makePlan(seed, options.mode), options.print).run();
}

class World implements Neighbours {
  readonly plan: Plan;
  readonly loop = new Loop();
  readonly random: Random;
  readonly trace: Trace;
  readonly network: Network;
  readonly judge: Judge;
  readonly truth: Truth;
  readonly honest: HonestWitness[] = [];
  readonly liars: LyingWitness[] = [];
  readonly log: SimulatedLog;
  readonly clients: readonly Client[];
  readonly #witnesses = new Map<string, WitnessParty>();
  readonly #conspiracy: Conspiracy;
  #troubled = true;
  #over = false;

  constructor(plan: Plan, print: ((line: string) => void) | undefined) {
    this.plan = plan;
    const { loop } = this;
    // Another stream than the plan's, or what happens would echo what was chosen.
    this.random = new Random(plan.seed ^ 0x5bd1e995);
    const { random } = this;
    const trace = (this.trace = new Trace(loop, print));
    const network = (this.network = new Network(loop, random, plan.conditions));
    const histories = [new History('entry', SIZES), new History('other', plan.fork)] as const;
    const first = histories[0];
    const two = [
      first,
      plan.behaviour === 'honest' || plan.behaviour === 'freeze' ? first : histories[1],
    ] as const;
    const truth = (this.truth = new Truth(two, SIZES));
    const judge = (this.judge = new Judge(plan, truth, trace));
    const peers = (name: string): OperatorPlan[] => plan.operators.filter((other) => other.name !== name);
    for (const operator of plan.operators) {
      const party = operator.lies
        ? new LyingWitness(operator, () => friends)
        : new HonestWitness(operator, { loop, random, trace, judge, out: this, peers });
      if (party instanceof LyingWitness) this.liars.push(party);
      else this.honest.push(party);
      this.#witnesses.set(party.name, party);
    }
    const everybody = [...this.#witnesses.values()];
    const log = (this.log = new SimulatedLog(plan, { loop, random, network }, two, everybody));
    const friends = (this.#conspiracy = new Conspiracy(
      { random, loop, network, histories: two },
      this.honest,
      (text) => log.sign(text),
    ));
    this.clients = plan.clients.map(
      (client) => new Client(client, { loop, random, trace, judge, network, log, witnesses: everybody }),
    );
  }

  witness(name: string): WitnessParty {
    const found = this.#witnesses.get(name);
    if (found === undefined) throw new Error(`${name} is nobody`);
    return found;
  }

  source(viewer: string): ReturnType<SimulatedLog['source']> {
    return this.log.source(viewer);
  }

  async run(): Promise<Result> {
    const { loop, plan, judge, trace } = this;
    trace.event('plan', describe(plan));
    for (const witness of this.honest) await witness.start();
    this.#divide();
    const going = (): boolean => !this.#over;
    loop.spawn(() => this.log.run(() => !this.log.healed));
    for (const client of this.clients) loop.spawn(() => client.run(going));
    for (const liar of this.liars) loop.spawn(() => liar.run(going));
    for (const witness of this.honest) this.#trouble(witness);
    if (plan.crashEvery > 0) loop.spawn(() => this.#crashLog());
    loop.spawn(() => this.#replay());
    if (plan.behaviour === 'freeze') loop.after(TROUBLE_MS / 3, () => (this.log.frozen = true));

    if (plan.mode === 'beyond') {
      this.#conspiracy.quiet = true;
      await loop.run(ATTACK_MS, () => judge.deceived());
      this.#conspiracy.quiet = plan.quiet;
      judge.require(
        judge.deceived(),
        'one witness more lied than the policies withstand, and the attack failed',
      );
    }
    await loop.run(loop.now + TROUBLE_MS);
    this.#calm();
    await loop.run(loop.now + CALM_MS);
    this.#over = true;
    const findable = this.log.twoFaced ? expectFound(this) : 'nothing';
    for (const witness of this.honest.filter((each) => each.convicts())) {
      loop.spawn(async () => {
        const { kind } = await witness.addCheckpoint(await this.log.next(witness.head()));
        judge.require(kind === 'untrusted', `${witness.name} answers ${kind} to a key that it has convicted`);
      });
    }
    await loop.run(loop.now + 2 * TIMEOUT_MS);
    return {
      plan,
      violations: judge.violations,
      tail: trace.tail(),
      digest: trace.digest(),
      events: trace.events,
      messages: this.network.messages,
      accepted: judge.accepted.length,
      cosignatures: judge.cosignatures,
      deceived: judge.deceived(),
      convicted: judge.convicted.size,
      findable,
      rubbish: judge.rubbish,
    };
  }

  /** Parts the witnesses by the history that they are to believe. Liars, and whoever is offered both, hear all. */
  #divide(): void {
    const { plan, random } = this;
    if (plan.mode === 'honest') {
      this.loop.spawn(async () => {
        while (this.#troubled) {
          this.network.partition(new Map(this.honest.map(({ name }) => [name, random.below(2)])));
          await this.loop.sleep(random.below(60_000));
          this.network.heal();
          await this.loop.sleep(random.below(60_000));
        }
      });
      return;
    }
    const parts = plan.operators.flatMap(({ name, offered, lies }): [string, number][] =>
      lies || offered === 'both' || offered === 'none' ? [] : [[name, offered]],
    );
    this.network.partition(
      new Map([...parts, ...plan.clients.map(({ name, shown }): [string, number] => [name, shown])]),
    );
  }

  /** Crashes, and a clock that is set. */
  #trouble(witness: HonestWitness): void {
    const { loop, plan, random, trace } = this;
    witness.stall = random.pick([0, 0, 50, 2000]);
    const every = (mean: number, happens: () => Promise<void>): void => {
      if (mean === 0) return;
      loop.spawn(async () => {
        for (;;) {
          await loop.sleep(random.below(2 * mean));
          if (!this.#troubled) return;
          await happens();
        }
      });
    };
    every(plan.crashEvery, async () => {
      witness.crash();
      await loop.sleep(random.below(20_000));
      await witness.start();
    });
    every(plan.stepEvery, async () => {
      const leap = random.chance(0.1) && plan.mode !== 'beyond';
      const step = leap
        ? 7_200_000
        : (random.chance(0.5) ? 1 : -1) * random.below(random.pick([2000, 30_000]));
      witness.clock.offset += step;
      trace.event(witness.name, `clock set by ${step} ms`);
      if (!leap) return;
      await loop.sleep(random.below(60_000));
      await witness.confirmClock();
    });
  }

  /** The log's machine crashes as often as its witnesses' do. */
  async #crashLog(): Promise<void> {
    const { loop, random, trace, log, plan } = this;
    for (;;) {
      await loop.sleep(random.below(2 * plan.crashEvery));
      if (!this.#troubled) return;
      trace.event('log', 'crashes');
      log.crash();
      await loop.sleep(random.below(20_000));
      log.start();
      trace.event('log', 'starts');
    }
  }

  /** Somebody who sends the log's old requests to witnesses again. */
  async #replay(): Promise<void> {
    const { loop, random, network, log } = this;
    while (this.#troubled) {
      await loop.sleep(random.below(30_000));
      if (log.requests.length === 0) continue;
      const request = random.pick(log.requests);
      const { body } = request;
      // To whomever; but an attack that must succeed is not spoilt by its own requests.
      const to =
        this.plan.mode === 'beyond' ? request.to : this.witness(random.pick(this.plan.operators).name);
      await network
        .call('stranger', to.name, () => to.addCheckpoint(body))
        .catch((error: unknown) => {
          if (!(error instanceof Unreachable)) throw error;
        });
    }
  }

  /** Machines stay up, everybody reaches everybody, the log grows no more: what can be found is found now. */
  #calm(): void {
    const { network, loop, plan } = this;
    this.#troubled = false;
    this.log.start();
    network.heal();
    network.conditions = { ...plan.conditions, loss: Math.min(0.1, plan.conditions.loss) };
    this.log.healed = true;
    this.trace.event('network', 'healed');
    for (const client of this.clients) {
      const { note } = client;
      if (!client.plan.reports || note === undefined) continue;
      client.told = client.head;
      const told = new Set<HonestWitness>();
      const tell = (to: HonestWitness): Promise<unknown> =>
        network
          .call(client.plan.name, to.name, () => to.report(client.plan.name, note))
          .then(() => told.add(to))
          .catch(() => undefined);
      // Three times each, since some of it is lost; and on, where a machine is still starting.
      for (const to of [...this.honest, ...this.honest, ...this.honest]) loop.spawn(() => tell(to));
      for (const to of this.honest)
        loop.spawn(async () => {
          for (let tries = 0; tries < TELLINGS; tries++) {
            await loop.sleep(TELLING_MS);
            if (told.has(to)) return;
            await tell(to);
          }
        });
    }
  }
}

/** One line for a plan. */
export function describe(plan: Plan): string {
  const liars = plan.operators.filter(({ lies }) => lies).map(({ name }) => name);
  const quorums = plan.policies.map(({ groups, quorum }) =>
    [
      ...groups.map(({ name, threshold, members }) => `${name}=${threshold}:${members.join('+')}`),
      quorum ?? 'none',
    ].join(' '),
  );
  return `${plan.mode}, log ${plan.behaviour}, ${plan.operators.length} witnesses, liars ${liars.join() || 'none'}, fork ${plan.fork}, tiles ${plan.tiles.join()}, after ${plan.after}, loss ${plan.conditions.loss}, policies [${quorums.join('] [')}]`;
}
