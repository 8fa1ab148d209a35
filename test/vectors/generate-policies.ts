// spec/vectors/policies.json, tlog-proofs.json.
import { ReferenceTree, numberedEntries } from '../reference/merkle.js';
import {
  referenceCheckpoint,
  referenceCosignatureLine,
  referenceNoteLine,
  referenceTlogProof,
  referenceVkey,
} from '../reference/notes.js';
import type { ReferenceKey } from '../reference/notes.js';
import {
  referenceFaults,
  referenceMet,
  referenceOperatorsToQuorum,
  referencePolicyText,
} from '../reference/policy.js';
import type { ReferenceGroup, ReferencePolicy } from '../reference/policy.js';
import { Random } from '../random.js';
import { edit } from './generate-keys.js';
import { hex, utf8, type Vector } from './vector.js';

const key = (name: string, type: 1 | 4 | 6, fill: number): ReferenceKey => ({
  name,
  type,
  seed: new Uint8Array(32).fill(fill),
});
const LOG = key('log.example', 1, 1);
/** The same log's other key. */
const LOG_PQ = key('log.example', 6, 1);
const WITNESSES = Array.from({ length: 8 }, (_, i) => key(`w${i}.example`, 4, 10 + i));
const VKEYS = WITNESSES.map(referenceVkey);
const log = `log ${referenceVkey(LOG)} https://log.example/\n`;
const witness = (i: number, name = `W${i}`): string => `witness ${name} ${VKEYS[i] ?? ''}\n`;
const two = witness(0) + witness(1);

/** What some sets of witnesses amount to. */
function verdicts(policy: ReferencePolicy, random: Random): Pick<Vector, string> {
  const names = policy.witnesses.map(({ name }) => name);
  const some = (probability: number): string[] => names.filter(() => random.chance(probability));
  const cosigned = [[], names, some(0.3), some(0.5), some(0.7), some(0.8)];
  const silent = [[], some(0.2), some(0.4)];
  return {
    operators: [...new Set(policy.witnesses.map(({ operator }) => operator))].length,
    faults: referenceFaults(policy),
    quorums: cosigned.map((by) => ({ by, met: referenceMet(policy, new Set(by)) })),
    gate: silent.map((quiet) => {
      const inStep = names.filter((name) => !quiet.includes(name));
      const needed = referenceOperatorsToQuorum(policy, new Set(quiet), new Set(inStep));
      return { silent: quiet, inStep, operatorsNeeded: needed === Infinity ? null : needed };
    }),
  };
}

const own = (count: number): { name: string; operator: string }[] =>
  Array.from({ length: count }, (_, i) => ({ name: `W${i}`, operator: `O${i}` }));
const names = (from: number, to: number): string[] =>
  own(to)
    .slice(from)
    .map(({ name }) => name);
const kOfN = (k: number, n: number): ReferencePolicy => ({
  witnesses: own(n),
  groups: [{ name: 'all', threshold: k, members: names(0, n) }],
  quorum: 'all',
});

function randomPolicy(random: Random): ReferencePolicy {
  const count = 3 + random.below(5);
  const witnesses = own(count).map(({ name }) => ({ name, operator: `O${random.below(count)}` }));
  const open = witnesses.map(({ name }) => name);
  const groups: ReferenceGroup[] = [];
  do {
    const members = Array.from({ length: 1 + random.below(open.length) }, () =>
      open.splice(random.below(open.length), 1),
    ).flat();
    const name = `G${groups.length}`;
    groups.push({ name, threshold: 1 + random.below(members.length), members });
    open.push(name);
  } while (open.length > 1 && groups.length < 8);
  return { witnesses, groups, quorum: open.at(-1) ?? 'none' };
}

/** Octets a file need not be text of. */
const octets = (...parts: (string | number[])[]): Uint8Array =>
  new Uint8Array(
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? utf8(part) : Uint8Array.from(part)))),
  );

export function policies(): Vector[] {
  const random = new Random(7);
  const judged = (desc: string, policy: ReferencePolicy): Vector => ({
    desc,
    policy: log + referencePolicyText(policy, VKEYS),
    ...verdicts(policy, random),
    want: 'ok',
  });
  const good = (desc: string, policy: string | Uint8Array, operators: number, faults: number): Vector => ({
    desc,
    ...(typeof policy === 'string' ? { policy } : { policyHex: hex(policy) }),
    operators,
    faults,
    want: 'ok',
  });
  const bad = (desc: string, policy: string | Uint8Array): Vector => ({
    desc,
    ...(typeof policy === 'string' ? { policy } : { policyHex: hex(policy) }),
    want: 'bad_policy',
  });
  const group = (line: string): string => `${two}group g ${line}\nquorum g\n`;
  const sameKey = referenceVkey(key('other.example', 4, 10));
  const nested: ReferencePolicy = {
    witnesses: own(6),
    groups: [
      { name: 'X', threshold: 2, members: names(0, 3) },
      { name: 'Y', threshold: 1, members: names(3, 6) },
      { name: 'X-and-Y', threshold: 2, members: ['X', 'Y'] },
    ],
    quorum: 'X-and-Y',
  };
  const shared = { ...kOfN(3, 4), witnesses: own(4).map((w, i) => (i === 1 ? { ...w, operator: 'O0' } : w)) };
  return [
    judged('3 of 4', kOfN(3, 4)),
    judged('2 of 3', kOfN(2, 3)),
    judged('5 of 7', kOfN(5, 7)),
    judged('2 of 4: two disjoint quorums exist', kOfN(2, 4)),
    judged('one witness', { ...kOfN(1, 1), groups: [], quorum: 'W0' }),
    judged('groups of groups, as in C2SP tlog-policy', nested),
    judged('3 of 4 of which one operator runs two', shared),
    ...Array.from({ length: 12 }, (_, i) => judged(`a random policy, ${i + 1}`, randomPolicy(random))),
    good('no cosignatures at all', `${log}quorum none\n`, 0, -1),
    good('no logs, no witnesses', 'quorum none\n', 0, -1),
    good(
      'tabs, spaces, blank lines and comments',
      `\t# a comment\n\n \t \n  log\t ${VKEYS.length > 0 ? referenceVkey(LOG) : ''} \n#quorum W0\n quorum\tnone \n`,
      0,
      -1,
    ),
    good(
      'one key name is one operator',
      `${witness(0)}witness M ${referenceVkey(key('w0.example', 6, 9))}\nquorum W0\n`,
      1,
      0,
    ),
    good('a declared operator', `# operator Acme W0 W1\n${group('2 W0 W1')}`, 1, 0),
    good(
      'two declarations that overlap are one operator',
      `# operator A W0 W1\n# operator B W1 W2\n${two}${witness(2)}group g all W0 W1 W2\nquorum g\n`,
      1,
      0,
    ),
    good(
      'a comment that speaks of an operator is a comment',
      `# operator of all this: Acme Inc.\n${group('2 W0 W1')}`,
      2,
      1,
    ),
    good(
      'K and the Kelvin sign are two names',
      `${witness(0, 'K')}${witness(1, '\u212a')}group g all K \u212a\nquorum g\n`,
      2,
      1,
    ),
    good(
      'composed and decomposed letters are two names',
      `${witness(0, '\u00e9')}${witness(1, 'e\u0301')}group g all \u00e9 e\u0301\nquorum g\n`,
      2,
      1,
    ),
    good(
      'names that are not UTF-8',
      octets(
        'witness ',
        [0xff],
        ` ${VKEYS[0] ?? ''}\nwitness `,
        [0xfe],
        ` ${VKEYS[1] ?? ''}\ngroup g all `,
        [0xff],
        ' ',
        [0xfe],
        '\nquorum g\n',
      ),
      2,
      1,
    ),
    good(
      'names that are keywords and numbers',
      `${witness(0, 'all')}${witness(1, '1')}group any 2 all 1\nquorum any\n`,
      2,
      1,
    ),
    bad('nothing', ''),
    bad('no quorum', `${log}${two}`),
    bad('two quorums', `${two}quorum W0\nquorum W1\n`),
    bad('a quorum of two names', `${two}quorum W0 W1\n`),
    bad('a quorum that is not defined', `${two}quorum W2\n`),
    bad('a quorum defined later', `quorum W0\n${two}`),
    bad('none in capitals', 'quorum NONE\n'),
    bad('no newline at the end', `${two}quorum W0`),
    bad('carriage returns', `${two}quorum W0\n`.replaceAll('\n', '\r\n')),
    bad('a NUL', `${two}quorum W0\0\n`),
    bad('a form feed', `${two}\fquorum W0\n`),
    bad('DEL in a comment', `# \u007f\n${two}quorum W0\n`),
    bad('an unknown keyword', `${two}quorums W0\n`),
    bad('a keyword in capitals', `${two}QUORUM W0\n`),
    bad('a byte order mark', `\ufeffquorum none\n`),
    bad('a no-break space is no separator', 'quorum\u00a0none\n'),
    bad('a log without a key', 'log\nquorum none\n'),
    bad('a log with two URLs', `log ${referenceVkey(LOG)} a b\nquorum none\n`),
    bad('a log with a key for cosignatures', `log ${VKEYS[0] ?? ''}\nquorum none\n`),
    bad('a log with a broken key', edit(`${log}quorum none\n`, '+A', '+B')),
    good('a log with a key of each kind', `${log}log ${referenceVkey(LOG_PQ)}\nquorum none\n`, 0, -1),
    bad('one log twice', `${log}${log}quorum none\n`),
    bad(
      'one log key under two names',
      `${log}log ${referenceVkey(key('other.example', 1, 1))}\nquorum none\n`,
    ),
    bad('a witness with a key for notes', `witness W0 ${referenceVkey(LOG)}\nquorum none\n`),
    bad('a witness named none', `${witness(0, 'none')}quorum none\n`),
    bad('one name for two witnesses', `${witness(0)}${witness(1, 'W0')}quorum W0\n`),
    bad('one key for two witnesses', `${witness(0)}${witness(0, 'W1')}quorum W0\n`),
    bad('one public key under two key names', `${witness(0)}witness W1 ${sameKey}\nquorum W0\n`),
    bad('a group without members', group('any')),
    bad('a threshold of 0', group('0 W0 W1')),
    bad('a threshold above n', group('3 W0 W1')),
    bad('a threshold with a leading zero', group('01 W0 W1')),
    bad('a threshold with a sign', group('+1 W0 W1')),
    bad('a threshold of 2^64 + 1', group(`${2n ** 64n + 1n} W0 W1`)),
    bad('a threshold in words', group('two W0 W1')),
    bad('a group named none', `${two}group none any W0\nquorum none\n`),
    bad('a group with the name of a witness', `${two}group W0 any W1\nquorum W0\n`),
    bad('none as a member', group('any none')),
    bad('a group in itself', group('any g')),
    bad('a member that is not defined', group('any W0 W9')),
    bad('a member defined later', `group g any W0 W1\n${two}quorum g\n`),
    bad('a member twice', group('2 W0 W0')),
    bad('a member of two groups', `${two}group g any W0\ngroup h any W0 W1\nquorum h\n`),
    bad('a declared operator with one name wrong', `# operator Acme W0 W9\n${group('2 W0 W1')}`),
  ];
}

/** Entries are those of the other files: "entry 0", … */
export function tlogProofs(): Vector[] {
  const tree = new ReferenceTree(numberedEntries(11));
  const policy = `${log}${two}${witness(2)}group g 2 W0 W1 W2\nquorum g\n`;
  const time = 1_679_315_147;
  const [w0 = LOG, w1 = LOG, w2 = LOG, w3 = LOG] = WITNESSES;
  const text = (size: number, origin = 'log.example'): string =>
    referenceCheckpoint(origin, size, tree.root(size));
  const signed = (of: string, by = [w0, w2], logs = [LOG]): string =>
    `${of}\n${logs.map((who) => referenceNoteLine(who, of)).join('')}${by.map((who) => referenceCosignatureLine(who, of, time)).join('')}`;
  const proof = (index: number, size: number, note = signed(text(size))): string =>
    referenceTlogProof(index, tree.path(index, size), note);
  const leaf = (index: number): string => hex(tree.leafHash(index));
  const good = (desc: string, index: number, file: string, judge = policy): Vector => ({
    desc,
    proof: file,
    policy: judge,
    leafHash: leaf(index),
    index,
    want: 'ok',
  });
  const bad = (
    desc: string,
    file: string | Uint8Array,
    want = 'bad_tlog_proof',
    leafHash = leaf(5),
    judge = policy,
  ): Vector => ({
    desc,
    ...(typeof file === 'string' ? { proof: file } : { proofHex: hex(file) }),
    policy: judge,
    leafHash,
    want,
  });
  const path = tree.path(5, 11);
  const note = signed(text(11));
  const plain = proof(5, 11);
  const firstHash = Buffer.from(path[0] ?? '').toString('base64');
  const other = key('other.example', 1, 2);
  const both = `${log}log ${referenceVkey(other)}\nquorum none\n`;
  const pqLog = `log ${referenceVkey(LOG_PQ)}\n`;
  const twoKeys = policy.replace(log, log + pqLog);
  // A log's own ML-DSA-44 line need state no time.
  const pqLine = (of: string): string => referenceCosignatureLine(LOG_PQ, of, 0);
  const withLines = (own: string): string => proof(5, 11, signed(text(11)).replace(/\n\n.*\n/, `\n\n${own}`));
  const twoLines = `${referenceNoteLine(LOG, text(11))}${pqLine(text(11))}`;
  return [
    good('an entry in a tree of 11', 5, plain),
    good('the first entry', 0, proof(0, 11)),
    good('the last entry, whose proof is short', 10, proof(10, 11)),
    good('the only entry: no hashes', 0, proof(0, 1)),
    good('extra data', 5, referenceTlogProof(5, path, note, 'eA==')),
    good('an unknown witness beside a quorum', 5, proof(5, 11, signed(text(11), [w3, w0, w1]))),
    good('all witnesses', 5, proof(5, 11, signed(text(11), [w0, w1, w2]))),
    good('a log with two keys that signs with both', 5, withLines(twoLines), twoKeys),
    good('one of them is known', 5, withLines(twoLines)),
    good('the other is known', 5, withLines(twoLines), policy.replace(log, pqLog)),
    good('a log with two keys that signs with its first', 5, plain, twoKeys),
    good('and with its second', 5, withLines(pqLine(text(11))), twoKeys),
    bad(
      'a good line by one key of a log, a bad one by its other',
      withLines(`${referenceNoteLine(LOG, text(11))}${pqLine(text(10))}`),
      'bad_signature',
      leaf(5),
      twoKeys,
    ),
    bad('a line by a key of the log that is not known', withLines(pqLine(text(11))), 'unknown_log'),
    bad('another leaf', plain, 'root_mismatch', leaf(4)),
    bad('another index', referenceTlogProof(4, path, note), 'root_mismatch'),
    bad('an index beyond the tree', referenceTlogProof(11, path, note), 'bad_proof'),
    bad('a proof of another tree', referenceTlogProof(5, tree.path(5, 9), note), 'root_mismatch'),
    bad('one hash missing', referenceTlogProof(5, path.slice(0, -1), note), 'bad_proof'),
    bad('one hash too many', referenceTlogProof(5, [...path, tree.root(1)], note), 'bad_proof'),
    bad('hashes in reverse', referenceTlogProof(5, [...path].reverse(), note), 'root_mismatch'),
    bad(
      'a node in place of a leaf',
      referenceTlogProof(1, tree.path(5, 8).slice(1), signed(text(8))),
      'bad_proof',
      hex(tree.mth(4, 6)),
    ),
    bad('one cosignature of the two needed', proof(5, 11, signed(text(11), [w0])), 'quorum_not_met'),
    bad('one witness twice', proof(5, 11, signed(text(11), [w0, w0])), 'quorum_not_met'),
    bad('one witness and a stranger', proof(5, 11, signed(text(11), [w0, w3])), 'quorum_not_met'),
    bad('no cosignatures', proof(5, 11, signed(text(11), [])), 'quorum_not_met'),
    bad('no signature by the log', proof(5, 11, signed(text(11), [w0, w2], [])), 'unknown_log'),
    bad('signatures by strangers only', proof(5, 11, signed(text(11), [w3], [other])), 'no_known_signature'),
    bad(
      'another log key under the log name',
      proof(5, 11, signed(text(11), [w0, w1], [key('log.example', 1, 3)])),
      'unknown_log',
    ),
    bad(
      'a log of the policy signs for another origin',
      proof(5, 11, signed(text(11, 'other.example'), [], [LOG])),
      'unknown_log',
      leaf(5),
      both,
    ),
    bad('a changed checkpoint', edit(plain, '\n11\n', '\n12\n'), 'bad_signature'),
    bad(
      'a bad cosignature beside a quorum',
      proof(5, 11, `${note}${referenceCosignatureLine(w1, text(10), time)}`),
      'bad_signature',
    ),
    bad('nothing', ''),
    bad('a checkpoint alone', note),
    bad('no checkpoint', edit(plain, `\n${note}`, '')),
    bad('another version', edit(plain, '@v1', '@v2')),
    bad('no first line', edit(plain, 'c2sp.org/tlog-proof@v1\n', '')),
    bad('no index', edit(plain, 'index 5\n', '')),
    bad('a leading zero', edit(plain, 'index 5', 'index 05')),
    bad('a plus sign', edit(plain, 'index 5', 'index +5')),
    bad('two spaces', edit(plain, 'index 5', 'index  5')),
    bad('an index of 2^53', edit(plain, 'index 5', 'index 9007199254740992')),
    bad('extra after the index', edit(plain, 'index 5\n', 'index 5\nextra eA==\n')),
    bad('an empty extra line', referenceTlogProof(5, path, note, '')),
    bad('extra that is not canonical base64', referenceTlogProof(5, path, note, 'eB==')),
    bad('two extra lines', referenceTlogProof(5, path, note, 'eA==\nextra eA==')),
    bad('a hash without padding', edit(plain, firstHash, firstHash.slice(0, -1))),
    bad('a hash of 31 bytes', referenceTlogProof(5, [(path[0] ?? utf8('')).slice(1)], note)),
    bad(
      '64 hashes',
      referenceTlogProof(
        5,
        Array.from({ length: 64 }, () => tree.root(1)),
        note,
      ),
    ),
    bad('a blank line among the hashes', edit(plain, `${firstHash}\n`, `${firstHash}\n\n`)),
    bad('two blank lines before the checkpoint', edit(plain, '\n\n', '\n\n\n')),
    bad('carriage returns', plain.replaceAll('\n', '\r\n')),
    bad('no newline at the end', plain.slice(0, -1)),
    bad('a checkpoint without signatures', referenceTlogProof(5, path, text(11))),
    bad('a note that is no checkpoint', referenceTlogProof(5, path, signed('hello\n', []))),
    bad('invalid UTF-8', octets([0xff], plain)),
  ];
}
