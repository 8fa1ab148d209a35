// A log written with the slow references alone: keys from labels, time from a counter.
import { readFileSync, readdirSync } from 'node:fs';
import {
  ReferenceLedger,
  referenceKeyIdentity,
  referenceLeaf,
  referencePublic,
  referenceSigned,
  sha256,
} from '../reference/attestation.js';
import type { ReferenceEnvelope } from '../reference/attestation.js';
import { referenceCanonical } from '../reference/json.js';
import { ReferenceTree } from '../reference/merkle.js';
import {
  referenceCheckpoint,
  referenceCosignatureLine,
  referenceNoteLine,
  referenceVkey,
} from '../reference/notes.js';
import type { ReferenceKey } from '../reference/notes.js';

export const ORIGIN = 'log.example/vectors';
export type Fields = Record<string, unknown>;

export const seedOf = (label: string): Uint8Array => Buffer.from(sha256(`stele vector key ${label}`), 'hex');
export const keyOf = (label: string): string => referencePublic(seedOf(label));
export const idOf = (label: string): string => referenceKeyIdentity(seedOf(label));
/** The digest of something that is only ever mentioned. */
export const digest = (label: string): string => sha256(label);

const folder = new URL('../../../spec/schema/', import.meta.url);
/** Digests of the schemas by type URI, as a charter pins them. */
export const schemaDigests: Record<string, string> = Object.fromEntries(
  readdirSync(folder)
    .sort()
    .map((file) => [
      `https://stele-log/${file.replace(/\.json$/, '')}/v1`,
      sha256(referenceCanonical(JSON.parse(readFileSync(new URL(file, folder), 'utf8')))),
    ]),
);

export const logKey: ReferenceKey = { name: ORIGIN, type: 1, seed: seedOf('log') };
/** The same log's other key. */
export const logKeyPq: ReferenceKey = { name: ORIGIN, type: 6, seed: seedOf('log ML-DSA-44') };
const witnessNames = ['w1', 'w2', 'w3', 'w4'];
export const witnessKeys: ReferenceKey[] = witnessNames.map((name) => ({
  name: `${name}.example`,
  type: 4,
  seed: seedOf(name),
}));

export const policy: string = [
  `log ${referenceVkey(logKey)}`,
  `log ${referenceVkey(logKeyPq)}`,
  ...witnessKeys.map((key, i) => `witness ${witnessNames[i] ?? ''} ${referenceVkey(key)}`),
  'group three-of-four 3 w1 w2 w3 w4',
  'quorum three-of-four',
  '',
].join('\n');

export const terms = (change: Fields = {}): Fields => ({
  origin: ORIGIN,
  operator: { participant: 'example-operator', name: 'Example Log Operator', key: keyOf('operator') },
  anchorKey: keyOf('anchor'),
  logKeys: [referenceVkey(logKey), referenceVkey(logKeyPq)],
  policy,
  registrars: {
    threshold: 2,
    members: ['a', 'b', 'c'].map((letter) => ({
      participant: `registrar-${letter}`,
      name: `Registrar ${letter.toUpperCase()}`,
      key: keyOf(`registrar-${letter}`),
    })),
  },
  admission: { version: 1, schemas: schemaDigests, unknownTypes: 'admit' },
  anchorInterval: 600,
  sizeLimit: 65535,
  keyWait: 1200,
  predecessor: null,
  ...change,
});

export const termsDigest = (value: Fields): string => sha256(referenceCanonical(value));

/** A statement; `subject` as [name, digest] pairs. */
export const statement = (
  type: string,
  subject: [string, string][],
  predicate: Fields,
): { predicate: Fields } & Fields => ({
  _type: 'https://in-toto.io/Statement/v1',
  subject: subject.map(([name, hash]) => ({ name, digest: { sha256: hash } })),
  predicateType: `https://stele-log/${type}/v1`,
  predicate,
});

export class ExampleLog {
  readonly leaves: Uint8Array[] = [];
  readonly ledger: ReferenceLedger = new ReferenceLedger(1);
  now = 1_800_000_000;
  #anchor: { index: number; leafHash: string } | undefined;

  tree(): ReferenceTree {
    return new ReferenceTree(this.leaves);
  }

  /** Logs what must be admissible. */
  push(envelope: ReferenceEnvelope): Uint8Array {
    const leaf = referenceLeaf(envelope);
    this.leaves.push(leaf);
    this.ledger.push(leaf);
    if (Buffer.from(envelope.payload, 'base64').includes('https://stele-log/anchor/v1"'))
      this.#anchor = {
        index: this.leaves.length - 1,
        leafHash: Buffer.from(this.tree().leafHash(this.leaves.length - 1)).toString('hex'),
      };
    return leaf;
  }

  common(participant: string): Fields {
    return {
      participant,
      issuedAt: this.now,
      recentAnchor: this.#anchor ?? { index: 1, leafHash: digest('no anchor') },
    };
  }

  charter(value: Fields = terms()): ReferenceEnvelope {
    return referenceSigned(
      statement('charter', [[ORIGIN, termsDigest(value)]], {
        participant: 'example-operator',
        issuedAt: this.now,
        terms: value,
      }),
      seedOf('operator'),
    );
  }

  amendment(registrar: string, value: Fields, amends: string): ReferenceEnvelope {
    return referenceSigned(
      statement('charter-amendment', [[ORIGIN, termsDigest(value)]], {
        ...this.common(registrar),
        amends,
        terms: value,
      }),
      seedOf(registrar),
    );
  }

  /** The note of a checkpoint with a line of the log's, or those given, and cosignatures at these times. */
  note(
    times: (number | undefined)[],
    size: number = this.leaves.length,
    root: Uint8Array = this.tree().root(size),
    own: (text: string) => string = (text) => referenceNoteLine(logKey, text),
  ): string {
    const text = referenceCheckpoint(ORIGIN, size, root);
    const lines = times.flatMap((time, i) => {
      const key = witnessKeys[i];
      return time === undefined || key === undefined ? [] : [referenceCosignatureLine(key, text, time)];
    });
    return `${text}\n${own(text)}${lines.join('')}`;
  }

  anchor(note: string = this.note([0, 1, 2, 3].map((i) => this.now + i)), key = 'anchor'): ReferenceEnvelope {
    const text = note.slice(0, note.lastIndexOf('\n\n') + 1);
    return referenceSigned(
      statement('anchor', [['checkpoint', sha256(text)]], {
        participant: 'example-operator',
        checkpoint: note,
      }),
      seedOf(key),
    );
  }

  consent(participant: string, label: string, change: Fields = {}): ReferenceEnvelope {
    return referenceSigned(
      statement(
        'key-statement',
        [[typeof change['participant'] === 'string' ? change['participant'] : participant, idOf(label)]],
        {
          participant,
          issuedAt: this.now,
          origin: ORIGIN,
          roles: ['lab'],
          key: keyOf(label),
          use: 'signing',
          ...change,
        },
      ),
      seedOf(label),
    );
  }

  participant(about: string, change: Fields = {}, registrar = 'registrar-a'): ReferenceEnvelope {
    return referenceSigned(
      statement('participant', [[about, sha256(`${ORIGIN}\n${about}`)]], {
        ...this.common(registrar),
        origin: ORIGIN,
        about,
        name: 'Beispiel-Labor f\u00fcr \u4f8b\u5b50',
        jurisdiction: 'DE',
        controlledBy: [],
        roles: ['lab'],
        keys: [this.consent(about, about), this.consent(about, `${about}-recovery`, { use: 'recovery' })],
        ...change,
      }),
      seedOf(registrar),
    );
  }

  key(participant: string, about: string, change: Fields, signer: string = participant): ReferenceEnvelope {
    return referenceSigned(
      statement('participant-key', [[about, sha256(`${ORIGIN}\n${about}`)]], {
        ...this.common(participant),
        origin: ORIGIN,
        about,
        reason: 'routine',
        ...change,
      }),
      seedOf(signer),
    );
  }

  freeze(): ReferenceEnvelope {
    return referenceSigned(
      statement('freeze', [[ORIGIN, sha256(ORIGIN)]], {
        ...this.common('example-operator'),
        origin: ORIGIN,
        reason: 'superseded',
        successor: 'log.example/vectors-2',
      }),
      seedOf('operator'),
    );
  }

  intent(lab: string, run: string, change: Fields = {}, signer: string = lab): ReferenceEnvelope {
    return referenceSigned(intentStatement(this.common(lab), run, change), seedOf(signer));
  }

  progress(
    lab: string,
    run: string,
    window: number,
    change: Fields = {},
    signer: string = lab,
  ): ReferenceEnvelope {
    return referenceSigned(progressStatement(this.common(lab), run, window, change), seedOf(signer));
  }

  final(lab: string, run: string, change: Fields = {}, signer: string = lab): ReferenceEnvelope {
    return referenceSigned(finalStatement(this.common(lab), run, change), seedOf(signer));
  }
}

export const SPECIFICATION: string = digest('the specification of a run, with 128 random bits in it');

export function intentStatement(
  common: Fields,
  run: string,
  change: Fields = {},
): { predicate: Fields } & Fields {
  return statement('run-intent', [[run, SPECIFICATION]], {
    ...common,
    run,
    plannedFlopBand: { atLeast: '1000000000000', below: '10000000000000' },
    plannedStart: 1_800_001_000,
    facilities: { unknown: 'withheld' },
    parents: [],
    committed: Object.fromEntries(
      ['plannedFlop', 'code', 'dataOrder', 'seed', 'hyperparameters'].map((field) => [
        field,
        digest(`disclosure of ${field}`),
      ]),
    ),
    ...change,
  });
}

export function progressStatement(
  common: Fields,
  run: string,
  window: number,
  change: Fields = {},
): { predicate: Fields } & Fields {
  return statement('run-progress', [[run, SPECIFICATION]], {
    ...common,
    run,
    window,
    retrospective: false,
    start: 1_800_001_000 + window * 600,
    end: 1_800_001_600 + window * 600,
    firstStep: window * 100,
    lastStep: window * 100 + 100,
    chipSeconds: '600',
    flopToDate: String((window + 1) * 1_500_000_000_000),
    checkpoints: [
      {
        step: window * 100 + 100,
        weights: {
          root: digest(`weights ${window}`),
          manifestDigest: digest(`manifest ${window}`),
          files: 1,
        },
        folder: { unknown: 'not-recorded' },
      },
    ],
    transcript: { root: digest('transcript'), paddedSize: 128 },
    ...change,
  });
}

export function finalStatement(
  common: Fields,
  run: string,
  change: Fields = {},
): { predicate: Fields } & Fields {
  const weights = { root: digest('final weights'), manifestDigest: digest('final manifest'), files: 2 };
  const subject: [string, string][] = [[run, SPECIFICATION]];
  if (change['weights'] === undefined) subject.push(['weights', weights.root]);
  return statement('run-final', subject, {
    ...common,
    run,
    retrospective: false,
    outcome: 'completed',
    start: 1_800_001_000,
    end: 1_800_002_200,
    flop: [
      {
        method: 'architecture',
        countingRule: '6nd-active',
        value: '3000000000000',
        relativeUncertainty: 50000,
        inputs: { activeParameters: '1000000', tokens: '500000' },
      },
      {
        method: 'hardware',
        countingRule: 'chip-seconds-peak-utilisation',
        value: '3100000000000',
        relativeUncertainty: 200000,
        committed: { inputs: digest('disclosure of inputs') },
      },
    ],
    chipSeconds: '1200',
    parameters: '1000000',
    tokens: '500000',
    weights,
    folder: { unknown: 'not-recorded' },
    ...change,
  });
}
