// The log of a simulation. An honest one has one history; a lying one has two under one key, and shows each
// party the one it is meant to believe. Its machine crashes: what it has signed and published stays, what it
// was collecting and what it knew of its witnesses is gone.
import { ClientError, formatAddCheckpoint, type TileSource } from '../../client/index.js';
import {
  equalBytes,
  formatCheckpoint,
  mergeCosignatures,
  parseSignatureLines,
  proveConsistency,
  signNote,
  signNoteLine,
  type Vkey,
} from '../../tlog/index.js';
import type { Random } from '../random.js';
import type { Head, History } from './history.js';
import type { Loop } from './loop.js';
import type { Network } from './network.js';
import { LOG_KEY, ORIGIN, type Plan } from './plan.js';
import { never } from './wire.js';
import type { WitnessParty } from './party.js';

/** Virtual milliseconds between checkpoints. */
export const PUBLISH_MS = 20_000;
/** Times that a checkpoint is offered to a witness which has not cosigned it, before the log grows on. */
const PATIENCE = 4;

interface Branch {
  readonly history: History;
  size: number;
  /** Who is asked to cosign it. */
  readonly witnesses: readonly WitnessParty[];
  /** The size that each witness is believed to hold. */
  readonly held: Map<string, number>;
  /** Of the checkpoint of `size`, by witness. */
  lines: Map<string, string>;
  offers: number;
  /** Latest last. */
  readonly published: Uint8Array[];
}

export class SimulatedLog {
  readonly #plan: Plan;
  readonly #loop: Loop;
  readonly #random: Random;
  readonly #network: Network;
  readonly branches: readonly [Branch, Branch];
  /** Which branch a party is shown. Nobody else's business is the first one. */
  readonly #shown: ReadonlyMap<string, 0 | 1>;
  readonly #clients: ReadonlySet<string>;
  readonly #cosigners: readonly Vkey[];
  /** Every request sent, for whoever likes to send it again. */
  readonly requests: { readonly to: WitnessParty; readonly body: Uint8Array }[] = [];
  healed = false;
  #up = true;
  /** One for each start of its machine. */
  #boots = 0;
  /** A frozen log has stopped the second branch. */
  frozen = false;

  constructor(
    plan: Plan,
    { loop, random, network }: { loop: Loop; random: Random; network: Network },
    histories: readonly [History, History],
    witnesses: readonly WitnessParty[],
  ) {
    this.#plan = plan;
    this.#loop = loop;
    this.#random = random;
    this.#network = network;
    const branch = (side: 0 | 1): Branch => ({
      history: histories[side],
      size: plan.start,
      witnesses: witnesses.filter((_, i) => {
        const offered = plan.operators[i]?.offered;
        return this.#honest() ? side === 0 : offered === 'both' || offered === side;
      }),
      held: new Map(),
      lines: new Map(),
      offers: 0,
      published: [],
    });
    this.#clients = new Set(plan.clients.map(({ name }) => name));
    this.branches = [branch(0), branch(1)];
    const sides = plan.operators.map(({ name, offered }): [string, 0 | 1] => [
      name,
      offered === 'both' || offered === 'none' ? random.pick([0, 1] as const) : offered,
    ]);
    this.#shown = new Map(
      this.#honest()
        ? []
        : [...sides, ...plan.clients.map(({ name, shown }): [string, 0 | 1] => [name, shown])],
    );
    this.#cosigners = plan.operators.flatMap(({ keys }) => keys.map(({ vkey }) => vkey));
  }

  /** Whether it signs two histories. */
  get twoFaced(): boolean {
    return this.#plan.behaviour !== 'honest' && this.#plan.behaviour !== 'freeze';
  }

  /** Which history this party sees, once the partition has healed. */
  shows(viewer: string): 0 | 1 {
    return this.#side(viewer);
  }

  /** Power off: nothing that was asked is answered, nothing that is answered arrives. */
  crash(): void {
    this.#up = false;
    this.#boots++;
    for (const branch of this.branches) {
      branch.held.clear();
      branch.lines = new Map();
      branch.offers = 0;
    }
  }

  start(): void {
    this.#up = true;
  }

  /** Signs whatever a friend of a lying log asks for. */
  sign(text: string): string | undefined {
    return this.twoFaced ? signNoteLine(text, LOG_KEY) : undefined;
  }

  /** Has both histories at these sizes, without asking anybody. */
  grow(sizes: readonly [number, number]): void {
    for (const side of [0, 1] as const) this.branches[side].size = sizes[side];
  }

  /** A request that a witness which holds this head has no reason to refuse. */
  async next(head: Head | undefined): Promise<Uint8Array> {
    const oldSize = head?.size ?? 0;
    const onSecond = head !== undefined && equalBytes(this.branches[1].history.root(oldSize), head.rootHash);
    const { history } = this.branches[onSecond ? 1 : 0];
    const size = oldSize + 1;
    const text = formatCheckpoint({ origin: ORIGIN, size, rootHash: history.root(size), extensions: [] });
    const proof = oldSize === 0 ? [] : await proveConsistency(oldSize, size, history.read);
    return formatAddCheckpoint({ oldSize, proof, note: signNote(text, [LOG_KEY]) });
  }

  /** Publishes until told to stop. */
  async run(going: () => boolean): Promise<void> {
    while (going()) {
      const live = this.branches.filter(
        ({ witnesses }, side) => this.#up && witnesses.length > 0 && !(side === 1 && this.frozen),
      );
      // Side by side, so that whoever is offered both is offered them at once.
      await Promise.all([...live.map((branch) => this.#publish(branch)), this.#loop.sleep(PUBLISH_MS)]);
    }
  }

  /** What this party sees at the log's address. */
  source(viewer: string): TileSource {
    const ask = <T>(what: () => T | undefined): Promise<T> =>
      this.#network.call(viewer, ORIGIN, () => {
        if (!this.#up) return never<T>();
        const found = what();
        if (found === undefined)
          return Promise.reject(new ClientError('not_found', 'the log has no such thing'));
        return Promise.resolve(found);
      });
    return {
      checkpoint: () => ask(() => this.#note(viewer)),
      tile: (tile) =>
        ask(() => {
          const side = this.#side(viewer);
          const tiles = this.#plan.tiles[side];
          // Clients would accept nothing without tiles; it is witnesses that a log hides them from.
          const served =
            tiles === 'always' ||
            (tiles === 'until-healed' && !this.healed) ||
            (tiles === 'never' && this.#clients.has(viewer));
          const { history, size } = this.branches[side];
          return served ? history.tile(tile, size) : undefined;
        }),
      bundle: () =>
        Promise.reject(new ClientError('not_found', 'nobody asks a simulated log for its entries')),
    };
  }

  #honest(): boolean {
    return this.#plan.behaviour === 'honest';
  }

  #side(viewer: string): 0 | 1 {
    if (this.healed && this.#plan.after !== 'split') return this.#plan.after;
    return this.#shown.get(viewer) ?? 0;
  }

  #note(viewer: string): Uint8Array | undefined {
    const { published } = this.branches[this.#side(viewer)];
    if (this.#plan.behaviour === 'roll-back' && published.length > 0 && this.#random.chance(0.3))
      return this.#random.pick(published);
    return published.at(-1);
  }

  async #publish(branch: Branch): Promise<void> {
    if (branch.offers >= PATIENCE || branch.lines.size === branch.witnesses.length) {
      branch.size += 1 + this.#random.below(25);
      branch.lines = new Map();
      branch.offers = 0;
    }
    branch.offers++;
    const { history, size } = branch;
    const text = formatCheckpoint({ origin: ORIGIN, size, rootHash: history.root(size), extensions: [] });
    const note = signNote(text, [LOG_KEY]);
    const before = branch.lines.size;
    const boot = this.#boots;
    await Promise.all(
      branch.witnesses.map(async (witness) => {
        if (branch.lines.has(witness.name)) return;
        const lines = await this.#ask(branch, witness, note).catch(() => undefined);
        if (lines !== undefined && boot === this.#boots) branch.lines.set(witness.name, lines);
      }),
    );
    if (boot !== this.#boots) return;
    if (branch.published.length > 0 && branch.lines.size === before) return;
    const lines = [...branch.lines.values()].flatMap((each) =>
      parseSignatureLines(new TextEncoder().encode(each)),
    );
    branch.published.push(mergeCosignatures(note, lines, [LOG_KEY.vkey, ...this.#cosigners]).note);
  }

  /** The witness's lines over the branch's checkpoint; undefined if it does not sign. Rejects if it is not reached. */
  async #ask(branch: Branch, witness: WitnessParty, note: Uint8Array): Promise<string | undefined> {
    const { size, history } = branch;
    const boot = this.#boots;
    for (let attempt = 0; attempt < 3; attempt++) {
      const oldSize = branch.held.get(witness.name) ?? 0;
      if (oldSize > size) return undefined;
      const proof =
        oldSize === 0 || oldSize === size ? [] : await proveConsistency(oldSize, size, history.read);
      const body = formatAddCheckpoint({ oldSize, proof, note });
      this.requests.push({ to: witness, body });
      const outcome = await this.#network.call(ORIGIN, witness.name, () => witness.addCheckpoint(body));
      if (boot !== this.#boots) return undefined;
      if (outcome.kind === 'cosigned') {
        branch.held.set(witness.name, size);
        return outcome.lines;
      }
      if (outcome.kind !== 'conflict' || outcome.size === oldSize) return undefined;
      branch.held.set(witness.name, outcome.size);
    }
    return undefined;
  }
}
