// A log in memory, small enough to read and whole enough to judge by: an operator, two of three
// registrars, four witnesses (3-of-4, so f = 1), a lab. Every key comes from a fixed seed and every time
// from a counter, so that the same calls give the same bytes.
import {
  CompactRange,
  COSIGNATURE_ED25519,
  NOTE_ED25519,
  encodeHex,
  encodeUtf8,
  formatCheckpoint,
  formatVkey,
  leafHash,
  newSigningKey,
  publicKeyFromSeed,
  sha256,
  signNote,
} from '../../tlog/index.js';
import type { SigningKey } from '../../tlog/index.js';
import {
  MemoryStore,
  admit,
  buildAnchor,
  buildCharter,
  buildKeyStatement,
  buildParticipant,
  buildTerms,
  commit,
  committedOf,
  digestOf,
  entryId,
  formatEnvelope,
  lastAnchor,
  prepareEntry,
  sign,
} from '../../attestation/index.js';
import type {
  Admission,
  AnchorRef,
  Envelope,
  Participant,
  PreparedEntry,
  RunFinal,
  RunIntent,
  RunProgress,
  Terms,
  UnsignedStatement,
} from '../../attestation/index.js';

export const ORIGIN = 'log.example/attestations';

/** The seed of a key by its label; nothing about it is secret. */
export function seed(label: string): Uint8Array {
  return sha256(encodeUtf8(`stele test key ${label}`));
}

export function publicHex(label: string): string {
  return encodeHex(publicKeyFromSeed(seed(label)));
}

export function idOf(label: string): string {
  return digestOf(publicKeyFromSeed(seed(label)));
}

const witnessNames = ['w1', 'w2', 'w3', 'w4'];
const log = newSigningKey(ORIGIN, NOTE_ED25519, seed('log'));
const witnesses: readonly SigningKey[] = witnessNames.map((name) =>
  newSigningKey(`${name}.example`, COSIGNATURE_ED25519, seed(name)),
);

/** A policy of these four with any quorum line. */
export function policyText(quorum = 'group quorum-group 3 w1 w2 w3 w4\nquorum quorum-group\n'): string {
  const lines = witnesses.map((key, i) => `witness ${witnessNames[i] ?? ''} ${formatVkey(key.vkey)}\n`);
  return `log ${formatVkey(log.vkey)}\n${lines.join('')}${quorum}`;
}

export function worldTerms(change: Partial<Terms> = {}): Terms {
  return buildTerms({
    origin: ORIGIN,
    operator: { participant: 'example-operator', name: 'Example Log Operator', key: publicHex('operator') },
    anchorKey: publicHex('anchor'),
    logKeys: [formatVkey(log.vkey)],
    policy: policyText(),
    registrars: {
      threshold: 2,
      members: ['a', 'b', 'c'].map((letter) => ({
        participant: `registrar-${letter}`,
        name: `Registrar ${letter.toUpperCase()}`,
        key: publicHex(`registrar-${letter}`),
      })),
    },
    ...change,
  });
}

export class World {
  readonly store: MemoryStore = new MemoryStore();
  readonly leaves: Uint8Array[] = [];
  readonly terms: Terms;
  /** POSIX seconds; what the witnesses write and parties claim. */
  now = 1_800_000_000;

  constructor(terms: Terms = worldTerms()) {
    this.terms = terms;
  }

  root(size: number): Uint8Array {
    const range = new CompactRange();
    for (const leaf of this.leaves.slice(0, size)) range.append(leafHash(leaf));
    return range.root();
  }

  /** Asks for admission without logging. */
  ask(envelope: Envelope | PreparedEntry, signatureVerified?: string): Promise<Admission> {
    return admit(this.store, this.leaves.length, envelope, {
      origin: ORIGIN,
      treeRoot: (size) => Promise.resolve(this.root(size)),
      lookup: (id) => {
        const at = this.leaves.findIndex((leaf) => encodeHex(prepareEntry(leaf).id) === encodeHex(id));
        return Promise.resolve(at < 0 ? undefined : at);
      },
      ...(signatureVerified === undefined ? {} : { signatureVerified }),
    });
  }

  /** Logs what must be admissible; answers its payload digest in hex. */
  async log(envelope: Envelope): Promise<string> {
    const answer = await this.ask(envelope);
    if (!answer.ok) throw new Error(`entry ${this.leaves.length} refused: ${answer.code}: ${answer.message}`);
    this.store.apply(answer.changes);
    this.leaves.push(formatEnvelope(envelope));
    return encodeHex(entryId(envelope));
  }

  logSigned(statement: UnsignedStatement, key: string): Promise<string> {
    return this.log(sign(statement, seed(key)));
  }

  /** The checkpoint of the log, or of any size and root, cosigned by witnesses at these times. */
  checkpoint(
    times: readonly (number | undefined)[] = [this.now, this.now + 1, this.now + 2, this.now + 3],
    given: { readonly size?: number; readonly rootHash?: Uint8Array; readonly origin?: string } = {},
  ): Uint8Array {
    const { size = this.leaves.length, rootHash = this.root(size), origin = ORIGIN } = given;
    const text = formatCheckpoint({ origin, size, rootHash, extensions: [] });
    const lines = [signNote(text, [log])];
    times.forEach((time, i) => {
      const key = witnesses[i];
      if (time !== undefined && key !== undefined) lines.push(signNote(text, [key], time));
    });
    return encodeUtf8(
      `${text}\n${lines.map((note) => new TextDecoder().decode(note).slice(text.length + 1)).join('')}`,
    );
  }

  anchorOf(note: Uint8Array): Envelope {
    return buildAnchor({ note, terms: this.terms, anchorSeed: seed('anchor') });
  }

  /** Logs an anchor of the log as it stands. */
  async anchor(...times: (number | undefined)[]): Promise<string> {
    this.now += 600;
    return this.log(this.anchorOf(times.length === 0 ? this.checkpoint() : this.checkpoint(times)));
  }

  /** Entries 0 and 1. */
  async begin(): Promise<this> {
    await this.logSigned(buildCharter(this.terms, this.now), 'operator');
    await this.anchor();
    return this;
  }

  async recentAnchor(): Promise<AnchorRef> {
    const last = await lastAnchor(this.store);
    if (last === undefined) throw new Error('no anchor yet');
    return { index: last.index, leafHash: last.leafHash };
  }

  async common(
    participant: string,
  ): Promise<{ participant: string; issuedAt: number; recentAnchor: AnchorRef }> {
    return { participant, issuedAt: this.now, recentAnchor: await this.recentAnchor() };
  }

  async participant(
    about: string,
    change: Partial<Participant['predicate']> = {},
  ): Promise<UnsignedStatement> {
    const roles = change.roles ?? ['lab' as const];
    const given = { participant: about, issuedAt: this.now, origin: ORIGIN, roles };
    return buildParticipant({
      ...(await this.common('registrar-a')),
      origin: ORIGIN,
      about,
      name: `Example ${about}`,
      jurisdiction: { unknown: 'not-recorded' },
      controlledBy: [],
      roles,
      keys: [
        buildKeyStatement({ ...given, use: 'signing' }, seed(about)),
        buildKeyStatement({ ...given, use: 'recovery' }, seed(`${about}-recovery`)),
      ],
      ...change,
    });
  }

  /** Introduces a participant; its keys are labelled as it is, and with "-recovery". */
  async introduce(about: string, change: Partial<Participant['predicate']> = {}): Promise<string> {
    return this.logSigned(await this.participant(about, change), 'registrar-a');
  }
}

/** A commitment under a salt that follows from the field. */
export function fixedCommitment(field: string, value: string | number | string[]): ReturnType<typeof commit> {
  return commit(field, value, seed(`salt ${field}`).slice(0, 16));
}

export const SPECIFICATION: string = digestOf(encodeUtf8('an example specification'));

export async function intent(
  world: World,
  lab: string,
  run: string,
  change: Partial<RunIntent['predicate']> = {},
): Promise<RunIntent['predicate']> {
  return {
    ...(await world.common(lab)),
    signer: idOf(lab),
    run,
    plannedFlopBand: { atLeast: '1000000000', below: '10000000000' },
    parents: [],
    facilities: { unknown: 'not-recorded' },
    plannedStart: world.now + 60,
    committed: committedOf([
      fixedCommitment('plannedFlop', '4200000000'),
      fixedCommitment('code', digestOf(encodeUtf8('code'))),
      fixedCommitment('dataOrder', digestOf(encodeUtf8('data'))),
      fixedCommitment('seed', '42'),
      fixedCommitment('hyperparameters', digestOf(encodeUtf8('lr'))),
    ]),
    ...change,
  };
}

export async function progress(
  world: World,
  lab: string,
  run: string,
  window: number,
  change: Partial<RunProgress['predicate']> = {},
): Promise<RunProgress['predicate']> {
  return {
    ...(await world.common(lab)),
    signer: idOf(lab),
    run,
    window,
    retrospective: false,
    start: world.now - 300,
    end: world.now,
    firstStep: window * 100,
    lastStep: (window + 1) * 100,
    chipSeconds: '300',
    flopToDate: String((window + 1) * 1_000_000_000),
    checkpoints: [
      {
        step: (window + 1) * 100,
        weights: { root: idOf(`weights ${window}`), manifestDigest: idOf(`manifest ${window}`), files: 1 },
        folder: { unknown: 'not-recorded' },
      },
    ],
    transcript: { unknown: 'not-recorded' },
    ...change,
  };
}

export async function final(
  world: World,
  lab: string,
  run: string,
  change: Partial<RunFinal['predicate']> = {},
): Promise<RunFinal['predicate']> {
  return {
    ...(await world.common(lab)),
    signer: idOf(lab),
    run,
    retrospective: false,
    outcome: 'completed',
    start: world.now - 3600,
    end: world.now,
    flop: [
      {
        method: 'architecture',
        countingRule: '6nd-active',
        value: '2000000000',
        relativeUncertainty: 50000,
        inputs: { activeParameters: '1000', tokens: '333333' },
      },
    ],
    chipSeconds: '600',
    parameters: '1000',
    tokens: '333333',
    weights: { root: idOf('final weights'), manifestDigest: idOf('final manifest'), files: 1 },
    folder: { unknown: 'not-recorded' },
    ...change,
  };
}
