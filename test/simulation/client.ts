// Somebody who relies on the log: reads it with the real reader, by a policy, and remembers what it saw.
import { InconsistentError, LogReader } from '../../client/index.js';
import { evidenceOf } from '../../evidence/index.js';
import { encodeHex, sha256, SteleError } from '../../tlog/index.js';
import type { Random } from '../random.js';
import type { Head } from './history.js';
import type { Judge } from './judge.js';
import type { SimulatedLog } from './log.js';
import type { Loop } from './loop.js';
import { Unreachable, type Network } from './network.js';
import type { WitnessParty } from './party.js';
import type { ClientPlan } from './plan.js';
import type { Trace } from './trace.js';

/** Virtual milliseconds between looks at the log. */
const LOOK_MS = 30_000;

export interface ClientWorld {
  readonly loop: Loop;
  readonly random: Random;
  readonly trace: Trace;
  readonly judge: Judge;
  readonly network: Network;
  readonly log: SimulatedLog;
  /** Whom a report goes to. */
  readonly witnesses: readonly WitnessParty[];
}

export class Client {
  readonly plan: ClientPlan;
  readonly #world: ClientWorld;
  /** The last checkpoint accepted. */
  note: Uint8Array | undefined;
  head: Head | undefined;
  /** What it told every honest witness. */
  told: Head | undefined;

  constructor(plan: ClientPlan, world: ClientWorld) {
    this.plan = plan;
    this.#world = world;
  }

  async run(going: () => boolean): Promise<void> {
    const { loop, random, log, judge, trace } = this.#world;
    const { name, policy } = this.plan;
    const rules = judge.policies[policy];
    if (rules === undefined) throw new Error(`${name}: no policy`);
    const reader = new LogReader(log.source(name), rules);
    while (going()) {
      await loop.sleep(LOOK_MS / 2 + random.below(LOOK_MS));
      try {
        const { size, rootHash, note } = await reader.checkpoint();
        judge.accepts({ client: name, policy, size, rootHash });
        [this.note, this.head] = [note, { size, rootHash }];
        if (this.plan.reports) await this.report(note);
      } catch (error) {
        if (error instanceof InconsistentError) {
          await this.#accuse(error);
          return;
        }
        if (!(error instanceof SteleError || error instanceof Unreachable)) throw error;
        trace.event(name, error instanceof SteleError ? `does not accept: ${error.code}` : 'gets no answer');
      }
    }
  }

  /** Tells a witness what the log showed. */
  async report(note: Uint8Array): Promise<void> {
    const { random, network, witnesses } = this.#world;
    const to = random.pick(witnesses);
    await network.call(this.plan.name, to.name, () => to.report(this.plan.name, note)).catch(() => undefined);
  }

  /** The log showed this client two histories. */
  async #accuse(error: InconsistentError): Promise<void> {
    const { judge, network, witnesses } = this.#world;
    const { evidence } = await evidenceOf(error, judge.keys);
    judge.require(evidence.length > 0, `${this.plan.name} saw two histories and has no evidence`);
    for (const { bytes } of evidence) {
      judge.keeps(this.plan.name, encodeHex(sha256(bytes)), bytes);
      for (const to of witnesses)
        await network
          .call(this.plan.name, to.name, () => to.reportEvidence(this.plan.name, bytes))
          .catch(() => undefined);
    }
  }
}
