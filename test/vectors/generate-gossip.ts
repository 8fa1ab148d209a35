// spec/vectors/owed.json and reports.json: what a peer that speaks gossip owes, and what it makes of a note.
import { proofLines, referenceEvidence } from '../reference/evidence.js';
import { ReferenceTree, numberedEntries } from '../reference/merkle.js';
import {
  referenceCheckpoint,
  referenceCosignatureLine,
  referenceNoteLine,
  referenceVkey,
  type ReferenceKey,
} from '../reference/notes.js';
import { edit } from './generate-keys.js';
import { hex, utf8, type Vector } from './vector.js';

const key = (name: string, type: 1 | 4, fill: number): ReferenceKey => ({
  name,
  type,
  seed: new Uint8Array(32).fill(fill),
});
const LOG = key('log.example', 1, 1);
/** The key that the log is changing to. */
const NEXT = key('log.example', 1, 2);
const OURS = key('w0.example', 4, 10);
const PEER = key('w1.example', 4, 11);
const THIRD = key('w2.example', 4, 12);
const STRANGER = key('w9.example', 4, 19);
const TIME = 1_679_315_147;

const honest = new ReferenceTree(numberedEntries(11));
/** The same log from entry 3 on as somebody else was shown it. */
const forked = new ReferenceTree(
  numberedEntries(11).map((entry, i) => (i < 3 ? entry : utf8(`other entry ${i}`))),
);

/** What the tree of this size owes for an older one. */
const debt = (tree: ReferenceTree, oldSize: number, newSize: number): string =>
  proofLines('root', { hash: tree.root(oldSize), proof: tree.proof(oldSize, newSize) })
    .map((line) => `${line}\n`)
    .join('');

export function owed(): Vector[] {
  const claim = (desc: string, oldSize: number, newSize: number, body: string, want = 'ok'): Vector => ({
    desc,
    oldSize,
    newSize,
    newRoot: hex(honest.root(newSize)),
    body,
    ...(want === 'ok' ? { oldRoot: hex(honest.root(oldSize)) } : {}),
    want,
  });
  const good = (oldSize: number, newSize: number): Vector =>
    claim(`${oldSize} of ${newSize}`, oldSize, newSize, debt(honest, oldSize, newSize));
  const plain = debt(honest, 5, 8);
  const [root = '', first = '', ...rest] = plain.split('\n');
  const bad = (desc: string, body: string, want = 'bad_owed'): Vector => claim(desc, 5, 8, body, want);
  const joined = (...lines: string[]): string => lines.map((line) => `${line}\n`).join('');
  return [
    ...[
      [1, 2],
      [5, 8],
      [4, 8],
      [1, 11],
      [10, 11],
      [8, 11],
      [5, 5],
    ].map(([oldSize = 0, newSize = 0]) => good(oldSize, newSize)),
    bad('nothing', ''),
    bad('no newline at the end', plain.slice(0, -1)),
    bad('an empty line at the end', `${plain}\n`),
    bad('lines that end in CR LF', plain.replaceAll('\n', '\r\n')),
    bad('a byte order mark', `\ufeff${plain}`),
    bad('no word before the root', plain.slice('root '.length)),
    bad('another word', edit(plain, 'root', 'Root')),
    bad('two spaces', edit(plain, 'root ', 'root  ')),
    bad(
      'a root of 31 bytes',
      joined(`root ${Buffer.alloc(31).toString('base64')}`, first, ...rest.slice(0, -1)),
    ),
    bad('a hash in hex', joined(root, Buffer.from(first, 'base64').toString('hex'), ...rest.slice(0, -1))),
    bad('unused bits that are not zero', edit(plain, first, `${first.slice(0, 42)}${next(first)}=`)),
    bad('the size before the root', edit(plain, 'root ', 'root 5 ')),
    bad('65 hashes', joined(root, ...Array.from({ length: 65 }, () => first))),
    bad('no proof', joined(root), 'bad_proof'),
    bad('a hash less', joined(root, ...rest.slice(0, -1)), 'bad_proof'),
    bad('a hash more', `${plain}${first}\n`, 'bad_proof'),
    bad('two hashes exchanged', joined(root, rest[0] ?? '', first, ...rest.slice(1, -1)), 'root_mismatch'),
    bad(
      "another tree's root over the proof",
      [debt(forked, 5, 8).split('\n')[0], first, ...rest].join('\n'),
      'root_mismatch',
    ),
    bad('the proof of another history', debt(forked, 5, 8), 'root_mismatch'),
    claim('a proof from one size to itself', 5, 5, joined(root, first), 'bad_proof'),
    claim('another root for the same size', 5, 5, debt(forked, 5, 5), 'root_mismatch'),
  ];
}

/** The base64 digit after the last of 43, whose unused bits are not zero. */
function next(hash: string): string {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return digits[digits.indexOf(hash[42] ?? '') + 1] ?? '';
}

const line = (who: ReferenceKey, text: string): string =>
  who.type === 1 ? referenceNoteLine(who, text) : referenceCosignatureLine(who, text, TIME);
const under = (text: string, ...who: ReferenceKey[]): string =>
  `${text}\n${who.map((signer) => line(signer, text)).join('')}`;
const head = (tree: ReferenceTree, size: number, extensions: readonly string[] = []): string =>
  referenceCheckpoint('log.example', size, tree.root(size), extensions);
const note = (tree: ReferenceTree, size: number, ...who: ReferenceKey[]): string =>
  under(head(tree, size), ...who);

/** What one witness knows; a case changes some of it. */
interface Known {
  readonly cosigned?: string;
  readonly met?: readonly string[];
  readonly kept?: number;
  readonly owed?: readonly { readonly old: number; readonly new: number; readonly body: string }[];
}

const owes = (tree: ReferenceTree, old: number, size: number): NonNullable<Known['owed']>[number] => ({
  old,
  new: size,
  body: debt(tree, old, size),
});

/** A file against one key, or two of the log, that signed a tree of each history. */
function file(
  a: [ReferenceTree, number, string?],
  b: [ReferenceTree, number, string?],
  by: ReferenceKey,
  also = by,
): string {
  const [first, second] = [
    { tree: a[0], size: a[1], by, text: a[2] ?? head(a[0], a[1]) },
    { tree: b[0], size: b[1], by: also, text: b[2] ?? head(b[0], b[1]) },
  ].sort((x, y) => x.size - y.size || Buffer.compare(x.tree.root(x.size), y.tree.root(y.size)));
  if (!first || !second) throw new Error('two notes');
  const notes = [first, second].map((one) => under(one.text, one.by));
  if (first.size === second.size) return referenceEvidence('same-size', [], notes);
  const proof = { hash: second.tree.root(first.size), proof: second.tree.proof(first.size, second.size) };
  return referenceEvidence('not-a-prefix', proofLines('root', proof), notes);
}

export function reports(): Vector[] {
  const shown = (
    desc: string,
    what: string | Uint8Array,
    want: string,
    known: Known = {},
    evidence: readonly string[] = [],
  ): Vector => ({
    desc,
    logs: [LOG, NEXT].map(referenceVkey),
    own: referenceVkey(OURS),
    peers: [PEER, THIRD].map(referenceVkey),
    cosigned: known.cosigned ?? note(honest, 5, LOG, OURS),
    met: known.met ?? [],
    kept: Array.from({ length: known.kept ?? 0 }, (_, i) => hex(honest.leafHash(i))),
    owed: known.owed ?? [],
    ...(typeof what === 'string' ? { note: what } : { noteHex: hex(what) }),
    evidence,
    want,
  });
  const CONTRADICTION = 'contradiction';
  /** A line under the key's name and ID that is no signature: as many as one likes. */
  const forged = (who: ReferenceKey, text: string, number = 0): string => {
    const [dash = '', name = '', bytes = ''] = line(who, text).slice(0, -1).split(' ');
    const mine = Buffer.from(bytes, 'base64');
    mine.fill(number, mine.length - 32);
    return `${dash} ${name} ${mine.toString('base64')}\n`;
  };
  const crowd = Array.from({ length: 20 }, (_, i) => i);
  const five = head(honest, 5);
  const tricked = debt(honest, 5, 8).split('\n');
  const extended = head(forked, 5, ['an extension']);
  const zero = (root: Uint8Array): string => referenceCheckpoint('log.example', 0, root);
  const emptyRoot = new ReferenceTree([]).root(0);

  return [
    shown('what was cosigned', note(honest, 5, LOG, OURS), 'ok'),
    shown("the same tree by the log's other key", note(honest, 5, NEXT), 'ok'),
    shown('the same tree by a peer alone', note(honest, 5, PEER), 'ok'),
    shown('a smaller tree, by tiles kept', note(honest, 4, LOG), 'ok', { kept: 5 }),
    shown('a larger tree, by a proof owed', note(honest, 8, LOG, PEER), 'ok', { owed: [owes(honest, 5, 8)] }),
    shown('a larger tree by a peer alone, by a proof owed', note(honest, 8, PEER), 'ok', {
      owed: [owes(honest, 5, 8)],
    }),
    shown('the empty tree', under(zero(emptyRoot), LOG), 'ok'),
    shown(
      'lines by strangers, and forged ones',
      `${five}\n${line(STRANGER, five)}${forged(PEER, five)}${line(LOG, five)}`,
      'ok',
    ),
    shown(
      'twenty forged lines before the good one',
      `${five}\n${crowd.map((i) => forged(LOG, five, i)).join('')}${line(LOG, five)}`,
      'ok',
    ),
    shown(
      'a good line before twenty forged ones',
      `${five}\n${line(LOG, five)}${crowd.map((i) => forged(LOG, five, i)).join('')}`,
      'ok',
    ),
    shown(
      'nothing but strangers and forged lines',
      `${five}\n${line(STRANGER, five)}${forged(LOG, five)}`,
      'untrusted',
    ),
    shown(
      'another log',
      under(referenceCheckpoint('other.example', 5, honest.root(5)), LOG),
      'unknown-origin',
    ),
    shown('no signature', five, 'malformed'),
    shown('no checkpoint', under('log.example\n5\n', LOG), 'malformed'),
    shown(
      'a size of 2^53',
      under(referenceCheckpoint('log.example', 2n ** 53n, honest.root(5)), LOG),
      'malformed',
    ),
    shown('bytes that are not UTF-8', Uint8Array.of(0xff, ...utf8(note(honest, 5, LOG))), 'malformed'),

    // What cannot be shown stays open.
    shown('a larger tree that nobody shows', note(honest, 8, LOG), 'open'),
    shown('a smaller tree that nobody shows', note(honest, 4, LOG), 'open'),
    shown('a larger tree of another history that nobody shows', note(forked, 8, LOG), 'open'),
    shown('a larger tree, by a proof that fails', note(honest, 8, LOG), 'open', {
      owed: [{ old: 5, new: 8, body: debt(forked, 5, 8) }],
    }),
    shown('a larger tree, by another root over its proof', note(honest, 8, LOG), 'open', {
      owed: [{ old: 5, new: 8, body: [debt(forked, 5, 8).split('\n')[0], ...tricked.slice(1)].join('\n') }],
    }),
    shown('a larger tree, by a proof between other sizes', note(honest, 8, LOG), 'open', {
      owed: [{ old: 5, new: 8, body: debt(honest, 4, 8) }],
    }),

    // What convicts.
    shown('one size, two roots', note(forked, 5, LOG), CONTRADICTION, {}, [
      file([honest, 5], [forked, 5], LOG),
    ]),
    shown('one size, two roots, and an extension line', under(extended, LOG), CONTRADICTION, {}, [
      file([honest, 5], [forked, 5, extended], LOG),
    ]),
    shown("one size, two roots, by two of the log's keys", note(forked, 5, NEXT), CONTRADICTION, {}, [
      file([honest, 5], [forked, 5], LOG, NEXT),
    ]),
    shown(
      'a smaller tree of another history, by tiles kept',
      note(forked, 4, LOG),
      CONTRADICTION,
      { kept: 5 },
      [file([honest, 5], [forked, 4], LOG)],
    ),
    shown(
      'a larger tree of another history, by a proof owed',
      note(forked, 8, LOG, PEER),
      CONTRADICTION,
      { owed: [owes(forked, 5, 8)] },
      [file([honest, 5], [forked, 8], LOG)],
    ),
    shown(
      'a tree that is smaller than the largest known, by tiles kept',
      note(forked, 6, LOG),
      CONTRADICTION,
      { met: [note(honest, 8, LOG)], kept: 8 },
      [file([honest, 8], [forked, 6], LOG)],
    ),
    shown('a peer that signed the other history only', note(forked, 5, PEER), CONTRADICTION),
    shown(
      'a peer that signed the very tree that was cosigned, and another of its size',
      note(forked, 5, LOG, PEER),
      CONTRADICTION,
      { met: [note(honest, 5, LOG, PEER)] },
      [file([honest, 5], [forked, 5], LOG), file([honest, 5], [forked, 5], PEER)],
    ),
    shown(
      'a peer that signed an earlier tree of ours, and a later one of the others',
      note(forked, 8, LOG, PEER, THIRD),
      CONTRADICTION,
      { met: [note(honest, 4, PEER)], kept: 5, owed: [owes(forked, 5, 8), owes(forked, 4, 8)] },
      [file([honest, 5], [forked, 8], LOG), file([honest, 4], [forked, 8], PEER)],
    ),
    shown(
      'a peer alone that signed both',
      note(forked, 5, PEER),
      CONTRADICTION,
      { met: [note(honest, 5, PEER)] },
      [file([honest, 5], [forked, 5], PEER)],
    ),
    shown(
      'two trees of one size that nobody shows, neither of them ours',
      note(forked, 8, LOG),
      'open',
      { met: [note(honest, 8, LOG)] },
      [file([honest, 8], [forked, 8], LOG)],
    ),
    shown('an empty tree that is not empty', under(zero(honest.root(5)), LOG), CONTRADICTION, {}, [
      referenceEvidence('empty-tree', [], [under(zero(honest.root(5)), LOG)]),
    ]),
    shown('an empty tree that is not empty, by a peer alone', under(zero(honest.root(5)), PEER), 'untrusted'),
  ];
}
