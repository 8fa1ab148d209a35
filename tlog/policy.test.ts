import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  MAX_POLICY_BYTES,
  MAX_POLICY_LINES,
  TlogError,
  concatBytes,
  encodeUtf8,
  evaluatePolicy,
  formatCheckpoint,
  formatVkey,
  newSigningKey,
  newVkey,
  octetText,
  parsePolicy,
  quorumMet,
  signNote,
  signNoteLine,
} from './index.js';
import type { Policy } from './index.js';

const key = (name: string, type: number, fill: number): ReturnType<typeof newSigningKey> =>
  newSigningKey(name, type, new Uint8Array(32).fill(fill));
const LOG = key('log.example', 1, 1);
const W = Array.from({ length: 6 }, (_, i) => key(`w${i}.example`, 4, 10 + i));
const vk = (i: number): string => formatVkey((W[i] ?? LOG).vkey);
const log = `log ${formatVkey(LOG.vkey)} https://log.example/\n`;
const witnesses = (count: number): string =>
  Array.from({ length: count }, (_, i) => `witness W${i} ${vk(i)}\n`).join('');
const read = (text: string): Policy => parsePolicy(encodeUtf8(text));

function refuses(code: string, act: () => unknown, desc = code): void {
  assert.throws(
    act,
    (error) => {
      assert.ok(error instanceof TlogError, desc);
      assert.equal(error.code, code, `${desc}: ${error.message}`);
      assert.match(error.message, /expected|states|verify/, desc);
      assert.notEqual(error.hint, '', desc);
      return true;
    },
    desc,
  );
}

test('the example of C2SP tlog-policy, with keys', () => {
  const policy = read(
    `log ${formatVkey(LOG.vkey)}\n\n` +
      [0, 1, 2].map((i) => `witness X${i + 1} ${vk(i)}\n`).join('') +
      'group X-witnesses 2 X1 X2 X3\n\n' +
      [3, 4, 5].map((i) => `witness Y${i - 2} ${vk(i)}\n`).join('') +
      'group Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n',
  );
  assert.deepEqual(
    policy.groups.map(({ name, threshold, members }) => [name, threshold, members.length]),
    [
      ['X-witnesses', 2, 3],
      ['Y-witnesses', 1, 3],
      ['X-and-Y', 2, 2],
    ],
  );
  assert.ok(quorumMet(policy, new Set(['X1', 'X3', 'Y2'])));
  assert.ok(!quorumMet(policy, new Set(['X1', 'Y1', 'Y2', 'Y3'])));
  assert.ok(!quorumMet(policy, new Set(['X1', 'X2', 'X3'])));
  assert.ok(!quorumMet(policy, new Set(['X-and-Y', 'X-witnesses', 'Y-witnesses'])), 'groups do not cosign');
});

test('policies that are accepted', () => {
  assert.equal(read('quorum none\n').quorum, undefined);
  assert.equal(read(`${witnesses(1)}quorum W0\n`).quorum, 'W0');
  const spaced = read(
    ` \t log\t${formatVkey(LOG.vkey)}  \n\n   \n\t# comment\n#quorum W0\n  quorum \t none \n`,
  );
  assert.equal(spaced.logs.length, 1);
  assert.equal(read(`${log}quorum none\n`).logs[0]?.url, 'https://log.example/');
  const urls = read(`witness w ${vk(0)} https://w.example/ü\nquorum w\n`);
  assert.equal(urls.witnesses[0]?.url, 'https://w.example/ü');
  // Names may be keywords, thresholds and Kelvin signs; K and the Kelvin sign are two names.
  const odd = read(
    `witness all ${vk(0)}\nwitness 1 ${vk(1)}\nwitness K ${vk(2)}\nwitness \u212a ${vk(3)}\ngroup group 2 all 1 K \u212a\nquorum group\n`,
  );
  assert.deepEqual(odd.groups[0]?.members, ['all', '1', 'K', '\u212a']);
  // The limits are ours; C2SP wants at least 32 of each.
  const many = Array.from({ length: MAX_POLICY_LINES }, (_, i) => newVkey(`w${i}`, 4, pk(i)));
  const lines = many.map((vkey, i) => `witness w${i} ${formatVkey(vkey)}\n`).join('');
  assert.equal(read(`${lines}quorum none\n`).witnesses.length, MAX_POLICY_LINES);
  refuses('bad_policy', () => read(`${lines}witness more ${vk(0)}\nquorum none\n`), 'one witness more');
});

/** Public keys need not be points to be told apart; these are canonical and not of small order. */
function pk(i: number): Uint8Array {
  const bytes = new Uint8Array(32).fill(7);
  new DataView(bytes.buffer).setUint32(0, i);
  return bytes;
}

test('policies that are refused', () => {
  const two = witnesses(2);
  const cases: [string, string | Uint8Array][] = [
    ['empty', ''],
    ['no quorum', `${log}${two}`],
    ['two quorums', `${two}quorum W0\nquorum W0\n`],
    ['two quorums none', 'quorum none\nquorum none\n'],
    ['quorum without a name', `${two}quorum\n`],
    ['quorum with two names', `${two}quorum W0 W1\n`],
    ['quorum undefined', `${two}quorum W2\n`],
    ['quorum defined later', `quorum W0\n${two}`],
    ['quorum None', `${two}quorum None\n`],
    ['no newline at the end', `${two}quorum W0`],
    ['carriage return', `${two}quorum W0\r\n`],
    ['NUL', `${two}quorum W0\0\n`],
    ['form feed', `${two}\fquorum W0\n`],
    ['vertical tab in a comment', `# \v\n${two}quorum W0\n`],
    ['DEL in a comment', `# \u007f\n${two}quorum W0\n`],
    ['unknown keyword', `${two}Quorum W0\n`],
    ['byte order mark', `\ufeffquorum none\n`],
    ['no-break space is no space', `quorum\u00a0none\n`],
    ['log without a key', 'log\nquorum none\n'],
    ['log with too much', `log ${formatVkey(LOG.vkey)} a b\nquorum none\n`],
    ['log with a witness key', `log ${vk(0)}\nquorum none\n`],
    ['log with a broken key', `log ${formatVkey(LOG.vkey).slice(0, -1)}\nquorum none\n`],
    ['log with a signing key', `log PRIVATE+KEY+x\nquorum none\n`],
    ['one log twice', `${log}${log}quorum none\n`],
    [
      'one log key under two names',
      `${log}log ${formatVkey(newVkey('other', 1, LOG.vkey.publicKey))}\nquorum none\n`,
    ],
    ['witness without a key', 'witness W0\nquorum none\n'],
    ['witness with too much', `witness W0 ${vk(0)} url more\nquorum none\n`],
    ['witness with a log key', `witness W0 ${formatVkey(LOG.vkey)}\nquorum none\n`],
    ['witness named none', `witness none ${vk(0)}\nquorum none\n`],
    ['one witness name twice', `witness W0 ${vk(0)}\nwitness W0 ${vk(1)}\nquorum W0\n`],
    ['one witness key twice', `witness W0 ${vk(0)}\nwitness W1 ${vk(0)}\nquorum W0\n`],
    [
      'one witness key under two key names',
      `witness W0 ${vk(0)}\nwitness W1 ${formatVkey(newVkey('x', 4, (W[0] ?? LOG).vkey.publicKey))}\nquorum W0\n`,
    ],
    ['group without threshold', `${two}group g\nquorum W0\n`],
    ['group without members', `${two}group g any\nquorum W0\n`],
    ['group of nothing', `group g all\nquorum none\n`],
    ['group threshold 0', `${two}group g 0 W0 W1\nquorum g\n`],
    ['group threshold above n', `${two}group g 3 W0 W1\nquorum g\n`],
    ['group threshold 02', `${two}group g 02 W0 W1\nquorum g\n`],
    ['group threshold +2', `${two}group g +2 W0 W1\nquorum g\n`],
    ['group threshold 1.0', `${two}group g 1.0 W0 W1\nquorum g\n`],
    ['group threshold most', `${two}group g most W0 W1\nquorum g\n`],
    ['group threshold of 30 digits', `${two}group g ${'1'.repeat(30)} W0 W1\nquorum g\n`],
    ['group named none', `${two}group none any W0 W1\nquorum none\n`],
    ['group named as a witness', `${two}group W0 any W1\nquorum W0\n`],
    ['group twice', `${two}group g any W0\ngroup g any W1\nquorum g\n`],
    ['none as a member', `${two}group g any none\nquorum g\n`],
    ['itself as a member', `${two}group g any g\nquorum g\n`],
    ['member undefined', `${two}group g any W0 W7\nquorum g\n`],
    ['member defined later', `group g any W0 W1\n${two}quorum g\n`],
    ['one member twice', `${two}group g 2 W0 W0\nquorum g\n`],
    ['one member in two groups', `${two}group g any W0\ngroup h any W0 W1\nquorum h\n`],
    ['one group in two groups', `${two}group g any W0\ngroup h any g\ngroup i any g W1\nquorum i\n`],
    ['operator with a slip', `# operator O W0 W7\n${two}quorum W0\n`],
    ['too large', `# ${'x'.repeat(MAX_POLICY_BYTES)}\nquorum none\n`],
  ];
  for (const [desc, text] of cases) {
    refuses('bad_policy', () => parsePolicy(typeof text === 'string' ? encodeUtf8(text) : text), desc);
  }
});

test('a log and a witness whose signatures cannot be told apart are refused', () => {
  const vkey = formatVkey(key('log.example', 6, 2).vkey);
  refuses('bad_policy', () => read(`log ${vkey}\nwitness w ${vkey}\nquorum w\n`));
});

test('a fault names its line', () => {
  assert.throws(() => read(`${log}\n# comment\nwitness\nquorum none\n`), /policy, line 4: /);
});

test('names are octets', () => {
  const name = (...octets: number[]): Uint8Array => Uint8Array.from(octets);
  const lines = (a: Uint8Array, b: Uint8Array): Uint8Array =>
    concatBytes(
      encodeUtf8('witness '),
      a,
      encodeUtf8(` ${vk(0)}\nwitness `),
      b,
      encodeUtf8(` ${vk(1)}\ngroup g all `),
      a,
      encodeUtf8(' '),
      b,
      encodeUtf8('\nquorum g\n'),
    );
  // Latin-1, a byte order mark, half a character, the same letter composed and decomposed.
  for (const [a, b] of [
    [name(0xe9), encodeUtf8('é')],
    [encodeUtf8('\ufeffx'), encodeUtf8('x')],
    [name(0xc3), name(0xc3, 0xa9)],
    [name(0xff), name(0xfe)],
    [encodeUtf8('e\u0301'), encodeUtf8('é')],
  ] as const) {
    const policy = parsePolicy(lines(a, b));
    assert.equal(new Set(policy.witnesses.map((witness) => witness.name)).size, 2);
    refuses('bad_policy', () => parsePolicy(lines(a, a)));
  }
});

test('octets and their strings correspond one to one', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 6 }), (a, b) => {
      assert.equal(octetText(a) === octetText(b), Buffer.compare(a, b) === 0);
    }),
    { numRuns: 5000 },
  );
});

test('operators: by key name, by declaration, by both', () => {
  const ml = formatVkey(key('w0.example', 6, 9).vkey);
  const operators = (comments: string): string[] =>
    read(`${witnesses(4)}witness M0 ${ml}\n${comments}quorum W0\n`).witnesses.map(({ operator }) => operator);
  const own = ['w0.example', 'w1.example', 'w2.example', 'w3.example', 'w0.example'];
  assert.deepEqual(operators(''), own);
  assert.deepEqual(operators('# operator Acme W1 W2\n'), [
    'w0.example',
    'Acme',
    'Acme',
    'w3.example',
    'w0.example',
  ]);
  assert.deepEqual(operators('#\toperator  Acme W0\n'), [
    'Acme',
    'w1.example',
    'w2.example',
    'w3.example',
    'Acme',
  ]);
  assert.deepEqual(operators('#operator Acme M0 W3\n'), ['Acme', 'w1.example', 'w2.example', 'Acme', 'Acme']);
  // What overlaps is one operator, under the name declared first; one name is one operator.
  assert.deepEqual(operators('# operator A W0 W1\n# operator B W2 W3\n# operator C W1 W2\n'), [
    'A',
    'A',
    'A',
    'A',
    'A',
  ]);
  assert.deepEqual(operators('# operator A W0\n# operator B W2\n# operator B W3 W2\n'), [
    'A',
    'w1.example',
    'B',
    'B',
    'A',
  ]);
  assert.deepEqual(operators('# operator A W1\n# operator A W2\n'), [
    'w0.example',
    'A',
    'A',
    'w3.example',
    'w0.example',
  ]);
  assert.deepEqual(operators('# operator w0.example W3\n')[3], 'w0.example');
  // Prose stays prose, as other readers have it.
  for (const prose of [
    '# operator\n',
    '# operator Acme\n',
    '# operator of the log: Acme Inc\n',
    '# Operator A W0 W1\n',
    '# no operator A W0 W1\n',
  ]) {
    assert.deepEqual(operators(prose), own, prose);
  }
  const before = read(`# operator Acme W0 W1\n${witnesses(2)}quorum W0\n`);
  assert.deepEqual(before.operators, ['Acme'], 'a declaration may precede what it names');
});

const TEXT = formatCheckpoint({
  origin: 'log.example',
  size: 7,
  rootHash: new Uint8Array(32),
  extensions: [],
});
const cosigned = (...indexes: number[]): Uint8Array =>
  concatBytes(
    signNote(TEXT, [LOG]),
    ...indexes.map((i) => encodeUtf8(signNoteLine(TEXT, W[i] ?? LOG, 100 + i))),
  );

test('evaluating: log, cosignatures, quorum', () => {
  const policy = read(`${log}${witnesses(3)}group g 2 W0 W1 W2\nquorum g\n`);
  const two = evaluatePolicy(policy, cosigned(0, 2, 5));
  assert.ok(two.met);
  assert.equal(two.log.name, 'log.example');
  assert.equal(two.checkpoint.size, 7);
  assert.deepEqual(
    two.cosignatures.map(({ witness, timestamp }) => [witness.name, timestamp]),
    [
      ['W0', 100],
      ['W2', 102],
    ],
  );
  assert.ok(!evaluatePolicy(policy, cosigned(0)).met);
  assert.ok(!evaluatePolicy(policy, cosigned(0, 0, 0)).met, 'one witness thrice is one witness');
  assert.ok(!evaluatePolicy(policy, cosigned(0, 3, 4, 5)).met, 'strangers do not count');
  assert.ok(evaluatePolicy(read(`${log}quorum none\n`), cosigned()).met);

  const bad = signNoteLine(TEXT.replace('7', '8'), W[2] ?? LOG, 1);
  refuses(
    'bad_signature',
    () => evaluatePolicy(policy, concatBytes(cosigned(0, 1), encodeUtf8(bad))),
    'one bad line',
  );
  refuses('bad_note', () => evaluatePolicy(policy, encodeUtf8(TEXT)));
  refuses('unknown_log', () => evaluatePolicy(policy, signNote(TEXT, W.slice(0, 3), 9)), 'no log');
  refuses(
    'no_known_signature',
    () => evaluatePolicy(read('quorum none\n'), cosigned(0)),
    'policy without logs',
  );
  const other = key('other.example', 1, 2);
  const both = read(`${log}log ${formatVkey(other.vkey)}\nquorum none\n`);
  refuses(
    'unknown_log',
    () => evaluatePolicy(both, signNote(TEXT, [other])),
    'a log speaks for its own origin only',
  );
});

test('each witness line counts by its own key, whoever its operator is', () => {
  const ml = key('w0.example', 6, 9);
  const policy = read(
    `${log}${witnesses(2)}witness M0 ${formatVkey(ml.vkey)}\ngroup g 2 W0 W1 M0\nquorum g\n`,
  );
  const note = concatBytes(cosigned(0), encodeUtf8(signNoteLine(TEXT, ml, 5)));
  assert.ok(evaluatePolicy(policy, note).met);
  assert.deepEqual(policy.operators, ['w0.example', 'w1.example']);
});
