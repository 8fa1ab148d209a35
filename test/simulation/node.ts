// An honest witness: the real core, clock guard and gossip engine on a machine that crashes and whose clock
// is set back and forth.
import { SigningPool } from '../../system/index.js';
import { formatVkey, type SigningKey } from '../../tlog/index.js';
import { parseAddCheckpoint } from '../../witness/add-checkpoint.js';
import { ClockGuard, type ClockLeap } from '../../witness/clock-guard.js';
import type { Owed } from '../../witness/gossip/ports.js';
import { originHash } from '../../witness/state-store.js';
import { Witness, type Outcome } from '../../witness/witness.js';
import type { Random } from '../random.js';
import { Disk, DiskStates } from './disk.js';
import type { Judge } from './judge.js';
import { VirtualClock, type Loop } from './loop.js';
import { Unreachable } from './network.js';
import type { WitnessParty } from './party.js';
import { LOG_KEY, ORIGIN, type OperatorPlan } from './plan.js';
import type { Trace } from './trace.js';
import { bytesOf, never, type Neighbours } from './wire.js';

/** What a witness is put into. */
export interface Surroundings {
  readonly loop: Loop;
  readonly random: Random;
  readonly trace: Trace;
  readonly judge: Judge;
  readonly out: Neighbours;
}

/** One start of the program, until it crashes. */
interface Running {
  readonly witness: Witness;
  alive: boolean;
}

export class HonestWitness implements WitnessParty {
  readonly name: string;
  readonly clock: VirtualClock;
  readonly #keys: readonly SigningKey[];
  readonly #in: Surroundings;
  readonly #disk: Disk;
  /** Undefined while the machine is down. */
  #running: Running | undefined;
  /** How long requests are held up between one step and the next, in virtual milliseconds. */
  stall = 0;

  constructor({ name, keys }: OperatorPlan, surroundings: Surroundings) {
    this.name = name;
    this.#keys = keys;
    this.#in = surroundings;
    this.clock = new VirtualClock(surroundings.loop);
    this.#disk = new Disk(surroundings.loop, surroundings.random);
  }

  async start(): Promise<void> {
    const { loop, random, trace } = this.#in;
    const guard = await ClockGuard.open(this.clock, {
      read: () => Promise.resolve(readLeap(this.#disk.read('clock-leap'))),
      write: (leap) => this.#disk.write('clock-leap', bytesOf(JSON.stringify(leap))),
    });
    const store = new DiskStates(this.#disk, [ORIGIN]);
    const step = async (): Promise<void> => {
      if (this.stall > 0) await loop.sleep(random.below(this.stall));
      if (!running.alive) await never();
    };
    // Without ML-DSA keys it signs in this thread, at once.
    const signer = new SigningPool(this.#keys, { clock: this.clock });
    const witness = new Witness(signer, store, guard, step);
    witness.setLogs([{ origin: ORIGIN, keys: [LOG_KEY.vkey] }]);
    const running: Running = { witness, alive: true };
    this.#running = running;
    trace.event(this.name, 'starts');
  }

  get up(): boolean {
    return this.#running !== undefined;
  }

  /** Power off: nothing of the program goes on, and of what it was writing anything may have landed. */
  crash(): void {
    if (this.#running === undefined) return;
    this.#in.trace.event(this.name, 'crashes');
    this.#running.alive = false;
    this.#running = undefined;
    this.#disk.crash();
  }

  /** The operator has set the clock right, and says so. */
  async confirmClock(): Promise<void> {
    this.clock.offset = 0;
    if (this.#disk.read('clock-leap') !== undefined) await this.#disk.write('clock-leap', undefined);
  }

  addCheckpoint(body: Uint8Array): Promise<Outcome> {
    return this.#answer(async ({ witness }) => {
      const outcome = await witness.addCheckpoint(body);
      const { judge, trace } = this.#in;
      if (outcome.kind !== 'cosigned') trace.event(this.name, `answers ${outcome.kind}`);
      else if (this.up) judge.cosigns(this.name, parseAddCheckpoint(body).checkpoint, outcome.lines);
      return outcome;
    });
  }

  latest(): Promise<Uint8Array | undefined> {
    return this.#answer(({ witness }) => {
      const note = witness.latest(originHash(ORIGIN));
      return Promise.resolve(note === undefined ? undefined : bytesOf(note));
    });
  }

  report(): Promise<void> {
    return this.#answer(() => Promise.resolve());
  }

  owed(): Promise<Owed | undefined> {
    return this.#answer(() => Promise.resolve(undefined));
  }

  evidenceList(): Promise<readonly string[]> {
    return this.#answer(() => Promise.resolve([]));
  }

  evidence(): Promise<Uint8Array | undefined> {
    return this.#answer(() => Promise.resolve(undefined));
  }

  reportEvidence(): Promise<void> {
    return this.#answer(() => Promise.resolve());
  }

  /** Does something in the program that runs now. Who asks never hears of it if that crashes meanwhile. */
  async #answer<T>(work: (running: Running) => Promise<T>): Promise<T> {
    const running = this.#running;
    if (running === undefined) throw new Unreachable(`${this.name} is down`);
    const value = await work(running);
    return running.alive ? value : never<T>();
  }
}

function readLeap(bytes: Uint8Array | undefined): ClockLeap | undefined {
  return bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as ClockLeap);
}

/** Verifier keys as evidence names them. */
export const vkeysOf = ({ keys }: OperatorPlan): string[] => keys.map(({ vkey }) => formatVkey(vkey));
