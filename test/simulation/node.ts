// An honest witness: the real core, clock guard and gossip engine on a machine that crashes and whose clock
// is set back and forth.
import { SigningPool } from '../../system/index.js';
import { formatVkey, parseCheckpoint, parseNote, type SigningKey } from '../../tlog/index.js';
import { parseAddCheckpoint } from '../../witness/add-checkpoint.js';
import { ClockGuard, type ClockLeap } from '../../witness/clock-guard.js';
import { Gossip } from '../../witness/gossip/engine.js';
import type { GossipStatus, Owed } from '../../witness/gossip/ports.js';
import { originHash } from '../../witness/state-store.js';
import { Witness, type Outcome } from '../../witness/witness.js';
import type { Random } from '../random.js';
import { Disk, DiskStates } from './disk.js';
import type { Head } from './history.js';
import type { Judge } from './judge.js';
import { VirtualClock, type Loop } from './loop.js';
import { Unreachable } from './network.js';
import type { WitnessParty } from './party.js';
import { LOG_KEY, ORIGIN, type OperatorPlan } from './plan.js';
import type { Trace } from './trace.js';
import { bytesOf, DiskGossip, never, WireNetwork, type Neighbours } from './wire.js';

/** Mean virtual milliseconds between rounds of gossip. */
export const ROUND_MS = 20_000;

/** What a witness is put into. */
export interface Surroundings {
  readonly loop: Loop;
  readonly random: Random;
  readonly trace: Trace;
  readonly judge: Judge;
  readonly out: Neighbours;
  /** Of whom it is a peer, by name. */
  readonly peers: (name: string) => readonly OperatorPlan[];
}

/** One start of the program, until it crashes. */
interface Running {
  readonly witness: Witness;
  readonly gossip: Gossip;
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

  /** `firstRound`: virtual milliseconds until it first looks at its peers. */
  async start({ firstRound }: { firstRound?: number } = {}): Promise<void> {
    const { loop, random, trace, judge, out } = this.#in;
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
    // As in a witness that serves: gossip comes after the answer.
    const later = (what: () => void): void => loop.after(1, () => running.alive && what());
    const witness = new Witness(signer, store, guard, step, {
      convictedKeys: (origin) => gossip.convictedKeys(origin),
      cosigned: (origin) => later(() => gossip.cosigned(origin)),
      notCosigned: (note) => later(() => loop.spawn(() => gossip.observe(note, { kind: 'stranger' }))),
    });
    witness.setLogs([{ origin: ORIGIN, keys: [LOG_KEY.vkey] }]);
    const alive = (): boolean => running.alive;
    const gossip = new Gossip({
      network: new WireNetwork(this.name, out, alive),
      store: new DiskGossip(this.#disk, alive, (sha256, bytes) => judge.keeps(this.name, sha256, bytes)),
      clock: this.clock,
      random: () => random.below(2 ** 32) / 2 ** 32,
      own: (origin) => store.get(origin)?.note,
      ownKeys: this.#keys.map(({ vkey }) => vkey),
      log: (level, event, fields) => {
        trace.event(this.name, `${event} ${JSON.stringify(fields)}`);
        judge.require(
          level !== 'error' || event === 'evidence',
          `${this.name}: ${event} ${JSON.stringify(fields)}`,
        );
      },
    });
    const running: Running = { witness, gossip, alive: true };
    gossip.setPeers(
      this.#in.peers(this.name).map(({ name, keys }) => {
        return { name, vkeys: keys.map(({ vkey }) => vkey), url: name, gossip: true };
      }),
    );
    await gossip.setLogs([{ origin: ORIGIN, keys: [LOG_KEY.vkey], url: ORIGIN }]);
    this.#running = running;
    trace.event(this.name, 'starts');
    loop.spawn(async () => {
      await loop.sleep(firstRound ?? random.below(ROUND_MS));
      while (running.alive) {
        const rest = loop.sleep(0.9 * ROUND_MS + random.below(0.2 * ROUND_MS));
        await gossip.round();
        await rest;
      }
    });
  }

  /** What the running program says of itself; undefined while the machine is down. */
  status(): GossipStatus | undefined {
    return this.#running?.gossip.status();
  }

  /** Whether it has evidence against the log's key. */
  convicts(): boolean {
    return this.#running?.gossip.convictedKeys(ORIGIN).has(formatVkey(LOG_KEY.vkey)) === true;
  }

  /** Whether it has the tiles of what it last cosigned, as far as it knows. */
  keepsTiles(): boolean {
    const [log] = this.status()?.logs ?? [];
    return log !== undefined && !log.alarms.some(({ kind }) => kind === 'no-tiles');
  }

  /** Size of the largest tree that it takes for the log's. */
  largestKnown(): number {
    return this.status()?.logs[0]?.largestKnown ?? 0;
  }

  /** What it last cosigned. */
  head(): Head | undefined {
    const note = this.#running?.witness.latest(originHash(ORIGIN));
    return note === undefined ? undefined : parseCheckpoint(parseNote(bytesOf(note)).text);
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
    return this.#answer(async (running) => {
      const outcome = await running.witness.addCheckpoint(body);
      if (!running.alive) return outcome;
      if (outcome.kind === 'cosigned')
        this.#in.judge.cosigns(this.name, parseAddCheckpoint(body).checkpoint, outcome.lines);
      else this.#in.trace.event(this.name, `answers ${outcome.kind}`);
      return outcome;
    });
  }

  latest(): Promise<Uint8Array | undefined> {
    return this.#answer(({ witness }) => {
      const note = witness.latest(originHash(ORIGIN));
      return Promise.resolve(note === undefined ? undefined : bytesOf(note));
    });
  }

  report(from: string, note: Uint8Array): Promise<void> {
    return this.#answer(async ({ gossip }) => {
      const { now } = await gossip.take(note, { kind: 'stranger' });
      this.#in.trace.event(this.name, `takes a report by ${from}: ${now?.kind ?? 'looks into it'}`);
    });
  }

  owed(_from: string, oldSize: number, newSize: number): Promise<Owed | undefined> {
    return this.#answer(({ gossip }) => gossip.consistency(ORIGIN, oldSize, newSize));
  }

  evidenceList(): Promise<readonly string[]> {
    return this.#answer(({ gossip }) => Promise.resolve(gossip.evidenceList().map(({ sha256 }) => sha256)));
  }

  evidence(_from: string, sha256: string): Promise<Uint8Array | undefined> {
    return this.#answer(({ gossip }) => Promise.resolve(gossip.evidenceFile(sha256)));
  }

  reportEvidence(from: string, bytes: Uint8Array): Promise<void> {
    return this.#answer(async ({ gossip }) => {
      const { kind } = await gossip.takeEvidence(bytes);
      this.#in.trace.event(this.name, `is sent evidence by ${from}: ${kind}`);
      if (kind === 'refused') this.#in.judge.rubbish++;
    });
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
