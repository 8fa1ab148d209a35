// A lying witness. It cosigns whatever it is given, at any time; shows everybody another latest note; owes
// proofs and does not give them; spreads rubbish, old notes and false evidence; and sometimes does nothing.
// It knows everything that was ever sent to a liar, and has no key but its own.
import { formatEvidence, type Claim } from '../../evidence/index.js';
import {
  formatCheckpoint,
  formatNote,
  parseCheckpoint,
  parseNote,
  signNoteLine,
  SteleError,
  type NoteSignature,
  type SigningKey,
} from '../../tlog/index.js';
import { parseAddCheckpoint } from '../../witness/add-checkpoint.js';
import type { Owed } from '../../witness/gossip/ports.js';
import type { Outcome } from '../../witness/witness.js';
import type { Random } from '../random.js';
import type { History } from './history.js';
import type { Loop } from './loop.js';
import { Unreachable, type Network } from './network.js';
import type { WitnessParty } from './party.js';
import { ORIGIN, type OperatorPlan } from './plan.js';
import { never } from './wire.js';

/** Notes that the liars remember together, and what they know of the world. */
export class Conspiracy {
  readonly notes: Uint8Array[] = [];
  readonly histories: readonly History[];
  readonly random: Random;
  readonly loop: Loop;
  readonly network: Network;
  /** A lying log signs anything for them. */
  readonly sign: (text: string) => string | undefined;
  readonly targets: readonly WitnessParty[];
  /** While their attack is under way they sign, and otherwise say nothing that could give it away. */
  quiet = false;

  constructor(
    world: { random: Random; loop: Loop; network: Network; histories: readonly History[] },
    targets: readonly WitnessParty[],
    sign: (text: string) => string | undefined,
  ) {
    ({ random: this.random, loop: this.loop, network: this.network, histories: this.histories } = world);
    this.targets = targets;
    this.sign = sign;
  }

  learn(note: Uint8Array): void {
    if (this.notes.length < 200) this.notes.push(note);
  }

  /** Something that looks like a note. */
  note(keys: readonly SigningKey[]): Uint8Array {
    const { random } = this;
    const known = this.notes.length > 0 ? random.pick(this.notes) : random.bytes(60);
    switch (random.below(6)) {
      case 0:
        return random.bytes(random.below(300));
      case 1:
        return this.#forged(keys);
      case 2:
        return this.#transplanted();
      case 3: {
        const bent = Uint8Array.from(known);
        bent[random.below(bent.length)] = 32 + random.below(90);
        return bent;
      }
      default:
        return known;
    }
  }

  /** A tree that does not exist, signed by a liar and, if it lies too, by the log. */
  #forged(keys: readonly SigningKey[]): Uint8Array {
    const { random } = this;
    const size = random.below(random.chance(0.2) ? 2 ** 31 : 400);
    const text = formatCheckpoint({ origin: ORIGIN, size, rootHash: random.bytes(32), extensions: [] });
    const lines = keys.map((key) => signNoteLine(text, key, this.#time()));
    const log = random.chance(0.5) ? this.sign(text) : undefined;
    return formatNote({
      text,
      signatures: [...(log === undefined ? [] : [log]), ...lines].map((line) => ({ line })),
    });
  }

  /** One honest note's lines under another's text. */
  #transplanted(): Uint8Array {
    const { random } = this;
    const known = this.notes.filter((note) => readable(note));
    if (known.length === 0) return random.bytes(40);
    const { text } = parseNote(random.pick(known));
    return formatNote({ text, signatures: parseNote(random.pick(known)).signatures });
  }

  /** A file that accuses somebody, out of what there is. */
  evidence(): Uint8Array {
    const { random } = this;
    const known = this.notes.filter((note) => readable(note));
    if (known.length === 0 || random.chance(0.1)) return random.bytes(100);
    const accused = (): { text: string; signature: NoteSignature } => {
      const { text, signatures } = parseNote(random.pick(known));
      const signature = random.pick(signatures);
      // Now and then under what it was not made for.
      return { text: random.chance(0.3) ? parseNote(random.pick(known)).text : text, signature };
    };
    const pair = [accused(), accused()].sort(
      (a, b) => parseCheckpoint(a.text).size - parseCheckpoint(b.text).size,
    );
    const claim: Claim = random.chance(0.4)
      ? { kind: 'same-size' }
      : random.chance(0.8)
        ? { kind: 'not-a-prefix', oldRoot: random.bytes(32), proof: [random.bytes(32), random.bytes(32)] }
        : { kind: 'empty-tree' };
    return formatEvidence({ claim, notes: claim.kind === 'empty-tree' ? pair.slice(0, 1) : pair });
  }

  /** Seconds near the beginning of the simulation, or far from it. */
  #time(): number {
    const off = this.random.chance(0.1) ? this.random.below(10 ** 9) : this.random.below(7200);
    return 1_700_000_000 + Math.floor(this.loop.now / 1000) + (this.random.chance(0.5) ? off : -off);
  }

  cosign(body: Uint8Array, keys: readonly SigningKey[]): Outcome {
    const { checkpoint, note } = parseAddCheckpoint(body);
    const lines = keys.map((key) => signNoteLine(note.text, key, this.#time()));
    this.learn(
      formatNote({ text: note.text, signatures: [...note.signatures, ...lines.map((line) => ({ line }))] }),
    );
    return { kind: 'cosigned', origin: checkpoint.origin, size: checkpoint.size, lines: lines.join('') };
  }

  owed(oldSize: number, newSize: number): Owed | undefined {
    const { random } = this;
    if (random.chance(0.5)) return undefined;
    const history = random.pick(this.histories);
    const proof = Array.from({ length: random.below(12) }, () => random.bytes(32));
    return { oldRoot: oldSize < 5000 && newSize < 5000 ? history.root(oldSize) : random.bytes(32), proof };
  }
}

export class LyingWitness implements WitnessParty {
  readonly name: string;
  readonly #keys: readonly SigningKey[];
  readonly #friends: () => Conspiracy;
  /** What it shows to each peer, until it shows something else. */
  readonly #shown = new Map<string, Uint8Array>();

  /** `friends` are there before anybody asks it anything. */
  constructor({ name, keys }: OperatorPlan, friends: () => Conspiracy) {
    this.name = name;
    this.#keys = keys;
    this.#friends = friends;
  }

  addCheckpoint(body: Uint8Array): Promise<Outcome> {
    return Promise.resolve(this.#friends().cosign(body, this.#keys));
  }

  latest(from: string): Promise<Uint8Array | undefined> {
    const friends = this.#friends();
    if (friends.quiet) return Promise.resolve(undefined);
    if (friends.random.chance(0.1)) return never();
    if (friends.random.chance(0.1)) return Promise.resolve(undefined);
    if (friends.random.chance(0.3) || !this.#shown.has(from)) this.#shown.set(from, friends.note(this.#keys));
    return Promise.resolve(this.#shown.get(from));
  }

  report(from: string, note: Uint8Array): Promise<void> {
    this.#friends().learn(note);
    this.#shown.delete(from);
    return Promise.resolve();
  }

  owed(from: string, oldSize: number, newSize: number): Promise<Owed | undefined> {
    const friends = this.#friends();
    if (friends.random.chance(0.2))
      return Promise.reject(new Unreachable(`${this.name} does not answer ${from}`));
    return Promise.resolve(friends.owed(oldSize, newSize));
  }

  evidenceList(): Promise<readonly string[]> {
    const { random } = this.#friends();
    const hash = (): string => Array.from({ length: 64 }, () => random.below(16).toString(16)).join('');
    return Promise.resolve(Array.from({ length: random.below(3) }, hash));
  }

  evidence(): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#friends().evidence());
  }

  reportEvidence(): Promise<void> {
    return Promise.resolve();
  }

  /** Now and then, something for an honest witness, unasked. */
  async run(going: () => boolean): Promise<void> {
    const friends = this.#friends();
    const { loop, random, network, targets } = friends;
    while (going()) {
      await loop.sleep(1000 + random.below(40_000));
      if (targets.length === 0) return;
      if (friends.quiet) continue;
      const to = random.pick(targets);
      const send = random.chance(0.7)
        ? (): Promise<void> => to.report(this.name, friends.note(this.#keys))
        : (): Promise<void> => to.reportEvidence(this.name, friends.evidence());
      await network.call(this.name, to.name, send).catch(() => undefined);
    }
  }
}

function readable(note: Uint8Array): boolean {
  try {
    parseCheckpoint(parseNote(note).text);
    return true;
  } catch (error) {
    if (!(error instanceof SteleError)) throw error;
    return false;
  }
}
