import assert from 'node:assert/strict';
import {
  concatBytes,
  decodeUtf8,
  encodeUtf8,
  evaluatePolicy,
  formatCheckpoint,
  formatNote,
  formatSigningKey,
  formatTlogProof,
  formatVkey,
  leafHash,
  mergeCosignatures,
  newSigningKey,
  nodeHash,
  openCheckpoint,
  parseCheckpoint,
  parseNote,
  parsePolicy,
  parseSignatureLines,
  parseSigningKey,
  parseTlogProof,
  parseVkey,
  policyFaults,
  quorumMet,
  signNote,
  signNoteLine,
  verifyTlogProof,
} from '../../tlog/index.js';
import type { SigningKey } from '../../tlog/index.js';
import type { FuzzTarget } from './target.js';

const key = (name: string, type: number, fill: number): SigningKey =>
  newSigningKey(name, type, new Uint8Array(32).fill(fill));
const log = key('log.example', 1, 1);
const witnesses = [key('w0.example', 4, 2), key('w1.example', 4, 3), key('wörld.example', 6, 4)];
const keys = [log, ...witnesses].map(({ vkey }) => vkey);
const leaves = ['a', 'b'].map((entry) => leafHash(encodeUtf8(entry)));
const [left = log.secret, right = log.secret] = leaves;
const text = formatCheckpoint({ origin: log.name, size: 2, rootHash: nodeHash(left, right), extensions: [] });
const lines = witnesses.map((witness, i) => encodeUtf8(signNoteLine(text, witness, 1_700_000_000 + i)));
const bare = signNote(text, [log]);
const note = concatBytes(bare, ...lines);
const small = concatBytes(bare, ...lines.slice(0, 2));

const policyText = [
  '# two of three',
  `log ${formatVkey(log.vkey)} https://log.example/`,
  ...witnesses.map(({ vkey }, i) => `witness W${i} ${formatVkey(vkey)} https://w${i}.example/`),
  '# operator Acme W0 W2',
  'group inner any W0 W1',
  'group outer all inner W2',
  'quorum outer',
  '',
].join('\n');
const policy = parsePolicy(encodeUtf8(policyText));
const lenient = parsePolicy(
  encodeUtf8(
    `log ${formatVkey(log.vkey)}\nwitness a ${formatVkey(key('w0.example', 4, 2).vkey)}\nquorum a\n`,
  ),
);

/** A parser of text with one spelling for each value, given as UTF-8. */
function oneSpelling(name: string, seeds: readonly string[], again: (given: string) => string): FuzzTarget {
  return {
    name: `tlog: ${name}`,
    seeds: seeds.map((seed) => encodeUtf8(seed)),
    run(bytes) {
      const given = decodeUtf8(bytes);
      assert.equal(again(given), given);
    },
  };
}

/** What no mutation may change without being noticed: the log's text. */
function sameText(found: string): void {
  assert.equal(found, text, 'a text that was never signed was accepted');
}

/** Notes and everything made of them. */
export const noteTargets: readonly FuzzTarget[] = [
  oneSpelling(
    'vkeys',
    keys.map((vkey) => formatVkey(vkey)),
    (given) => formatVkey(parseVkey(given)),
  ),
  oneSpelling('signing keys', [log, ...witnesses].map(formatSigningKey), (given) =>
    formatSigningKey(parseSigningKey(given)),
  ),
  oneSpelling('checkpoints', [text, `${text}extension\n`, text.replace('\n2\n', '\n0\n')], (given) =>
    formatCheckpoint(parseCheckpoint(given)),
  ),
  {
    name: 'tlog: signed notes',
    seeds: [small, note, encodeUtf8('a\n\n\nb\n\n— x AAAAAAA=\n')],
    run(bytes) {
      assert.deepEqual(formatNote(parseNote(bytes)), bytes);
    },
  },
  {
    name: 'tlog: signed checkpoints',
    seeds: [small, bare],
    run(bytes) {
      const opened = openCheckpoint(bytes, [log.vkey], keys.slice(1));
      sameText(opened.text);
    },
  },
  {
    // Every input that still parses costs a verification of milliseconds.
    name: 'tlog: ML-DSA-44 cosignatures',
    seeds: [note],
    iterations: 200,
    run(bytes) {
      const evaluation = evaluatePolicy(policy, bytes);
      sameText(evaluation.text);
      for (const { timestamp } of evaluation.cosignatures) assert.ok(timestamp >= 1_700_000_000);
    },
  },
  {
    name: "tlog: witnesses' signature lines",
    seeds: [...lines.slice(0, 2), concatBytes(...lines.slice(0, 2))],
    run(bytes) {
      const parsed = parseSignatureLines(bytes);
      assert.equal(parsed.map(({ line }) => line).join(''), decodeUtf8(bytes));
      const merged = mergeCosignatures(bare, parsed, keys);
      assert.deepEqual(openCheckpoint(merged.note, [log.vkey], keys.slice(1)).text, text);
      for (const { line } of merged.verified) {
        assert.ok(decodeUtf8(note).includes(line), 'a line that nobody signed was merged');
      }
    },
  },
  {
    name: 'tlog: policies',
    seeds: [encodeUtf8(policyText), encodeUtf8('quorum none\n'), lenient.text],
    run(bytes) {
      const parsed = parsePolicy(bytes);
      assert.deepEqual(parsed.text, bytes);
      assert.ok(
        quorumMet(parsed, new Set(parsed.witnesses.map(({ name }) => name))),
        'no quorum can meet it',
      );
      const faults = policyFaults(parsed);
      assert.ok(faults >= -1 && faults < Math.max(1, parsed.operators.length));
    },
  },
  {
    name: 'tlog: tlog-proofs',
    seeds: [
      formatTlogProof({ index: 0, proof: [right], checkpoint: small }),
      formatTlogProof({ extra: encodeUtf8('x'), index: 1, proof: [left], checkpoint: note }),
    ],
    run(bytes) {
      assert.deepEqual(formatTlogProof(parseTlogProof(bytes)), bytes);
      const verified = verifyTlogProof({ proof: bytes, leafHash: left, policy: lenient });
      assert.equal(verified.index, 0);
      sameText(verified.evaluation.text);
    },
  },
];
