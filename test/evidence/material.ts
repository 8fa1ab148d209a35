// Everything that an adversary may get hold of: all that an honest log and honest witnesses ever signed, and
// whatever a dishonest log and a dishonest witness, both known to the reader, care to sign. Made by the slow
// references, since it is there to judge.
import { ReferenceTree, numberedEntries } from '../reference/merkle.js';
import {
  referenceCheckpoint,
  referenceCosignatureLine,
  referenceNoteLine,
  referenceVkey,
  type ReferenceKey,
} from '../reference/notes.js';

const key = (name: string, type: 1 | 4 | 6, fill: number): ReferenceKey => ({
  name,
  type,
  seed: new Uint8Array(32).fill(fill),
});

/** Honest. */
export const LOG: ReferenceKey = key('log.example', 1, 1);
/** The log's next key: both sign for a while. */
export const NEXT: ReferenceKey = key('log.example', 1, 2);
const LOG_PQ = key('log.example', 6, 3);
const SECOND = key('second.example', 1, 4);
const WITNESSES = [key('w0.example', 4, 10), key('w1.example', 4, 11), key('w2.example', 6, 12)];
/** Dishonest, and in the reader's policy all the same. */
export const EVIL: ReferenceKey = key('evil.example', 1, 20);
export const LIAR: ReferenceKey = key('liar.example', 4, 21);
/** Signs under the log's name, and nobody knows it. */
const STRANGER = key('log.example', 1, 30);

/** Vkeys that nothing may convict. */
export const HONEST: ReadonlySet<string> = new Set(
  [LOG, NEXT, LOG_PQ, SECOND, ...WITNESSES].map(referenceVkey),
);

/** The reader's. */
export const POLICY: string = [
  ...[LOG, NEXT, LOG_PQ, SECOND, EVIL].map((log) => `log ${referenceVkey(log)}\n`),
  ...[...WITNESSES, LIAR].map((witness, i) => `witness W${i} ${referenceVkey(witness)}\n`),
  'quorum none\n',
].join('');

const entries = (word: string, from = 0): Uint8Array[] =>
  numberedEntries(13).map((entry, i) => (i < from ? entry : new TextEncoder().encode(`${word} ${i}`)));

/** What the log holds, and what somebody would like it to have held. */
export const TRUTH: ReferenceTree = new ReferenceTree(numberedEntries(13));
export const FAKE: ReferenceTree = new ReferenceTree(entries('fake', 3));
const SECOND_TREE = new ReferenceTree(entries('second'));
const EVIL_TREE = new ReferenceTree(entries('evil'));
const EVIL_FORK = new ReferenceTree(entries('fork', 0));

/** One signed note, or one that claims to be. */
export interface Material {
  readonly note: string;
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  readonly honest: boolean;
}

const SIZES = [1, 2, 5, 8, 13];
const TIME = 1_679_315_147;

/** All the notes, each with one signature line: good ones, and honest lines under texts they do not belong to. */
export function collect(): Material[] {
  const all: Material[] = [];
  const lines: { who: ReferenceKey; line: string }[] = [];
  const add = (
    who: ReferenceKey,
    origin: string,
    size: number,
    root: Uint8Array,
    time = TIME + size,
    extensions: string[] = [],
  ): void => {
    const text = referenceCheckpoint(origin, size, root, extensions);
    const line = who.type === 1 ? referenceNoteLine(who, text) : referenceCosignatureLine(who, text, time);
    const honest = HONEST.has(referenceVkey(who));
    all.push({ note: `${text}\n${line}`, origin, size, root, honest });
    if (honest) lines.push({ who, line });
  };

  // The honest log: its history, the empty tree, a rotation, the same tree signed again.
  for (const size of [0, ...SIZES]) add(LOG, LOG.name, size, TRUTH.root(size));
  for (const size of [8, 13]) add(NEXT, LOG.name, size, TRUTH.root(size));
  add(LOG, LOG.name, 5, TRUTH.root(5), TIME, ['an extension']);
  for (const time of [TIME, TIME - 3600]) add(LOG_PQ, LOG.name, 5, TRUTH.root(5), time);
  // Another log, whose witnesses are the same.
  add(SECOND, SECOND.name, 5, SECOND_TREE.root(5));
  for (const [i, witness] of WITNESSES.entries()) {
    // Clocks step: the larger tree is cosigned at the earlier time. Requests race: the smaller tree later.
    add(witness, LOG.name, 8, TRUTH.root(8), TIME - 86_400);
    add(witness, LOG.name, 5, TRUTH.root(5), TIME);
    if (i > 0) continue;
    add(witness, LOG.name, 0, TRUTH.root(0));
    add(witness, LOG.name, 5, TRUTH.root(5), TIME + 60);
    add(witness, SECOND.name, 5, SECOND_TREE.root(5));
    // What a dishonest log shows to it is consistent. Of empty trees it does not look at the root.
    for (const size of [5, 8]) add(witness, EVIL.name, size, EVIL_TREE.root(size));
    for (const root of [TRUTH.root(1), FAKE.root(5)]) add(witness, EVIL.name, 0, root);
  }

  // The dishonest sign both histories of their own, and the fake one of the honest log.
  for (const size of [5, 8]) {
    for (const tree of [EVIL_TREE, EVIL_FORK]) add(EVIL, EVIL.name, size, tree.root(size));
    for (const who of [EVIL, LIAR, STRANGER]) add(who, LOG.name, size, FAKE.root(size));
    add(LIAR, LOG.name, size, TRUTH.root(size));
  }
  add(EVIL, EVIL.name, 0, TRUTH.root(1));

  // Honest signatures, put under what they were not made for.
  const forged: [string, number, Uint8Array][] = [
    [LOG.name, 5, FAKE.root(5)],
    [LOG.name, 8, FAKE.root(8)],
    [LOG.name, 0, FAKE.root(5)],
  ];
  const seen = new Set<string>();
  for (const { who, line } of lines) {
    const vkey = referenceVkey(who);
    if (seen.has(vkey)) continue;
    seen.add(vkey);
    for (const [origin, size, root] of forged) {
      const text = referenceCheckpoint(origin, size, root);
      all.push({ note: `${text}\n${line}`, origin, size, root, honest: true });
    }
  }
  return all;
}
