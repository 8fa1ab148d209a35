import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InconsistentError } from '../client/index.js';
import {
  CompactRange,
  concatBytes,
  decodeUtf8,
  encodeUtf8,
  formatCheckpoint,
  formatVkey,
  leafHash,
  newSigningKey,
  parsePolicy,
  proveConsistency,
  proveInclusion,
  signNote,
  signNoteLine,
  treeRoot,
  type HashReader,
  type SigningKey,
} from '../tlog/index.js';
import {
  EvidenceError,
  checkAlone,
  compareCheckpoints,
  evidenceOf,
  parseEvidence,
  verifyEvidence,
  type MadeEvidence,
} from './index.js';

const ORIGIN = 'log.example';
const key = (name: string, type: number, fill: number): SigningKey =>
  newSigningKey(name, type, new Uint8Array(32).fill(fill));
const log = key(ORIGIN, 1, 1);
const next = key(ORIGIN, 1, 2);
const w0 = key('w0.example', 4, 3);
const w1 = key('w1.example', 6, 4);
const stranger = key('x.example', 4, 5);
const policy = parsePolicy(
  encodeUtf8(
    [
      `log ${formatVkey(log.vkey)}`,
      `log ${formatVkey(next.vkey)}`,
      `witness W0 ${formatVkey(w0.vkey)}`,
      `witness W1 ${formatVkey(w1.vkey)}`,
      'quorum none',
      '',
    ].join('\n'),
  ),
);

/** A history: its nodes, as a log's tiles would have them. */
class History {
  readonly #nodes = new Map<string, Uint8Array>();
  readonly entries: string[];

  constructor(word: string, from: number) {
    const range = new CompactRange();
    this.entries = Array.from({ length: 20 }, (_, i) => `${i < from ? 'entry' : word} ${i}`);
    for (const entry of this.entries) {
      range.appendVisiting(leafHash(encodeUtf8(entry)), (level, index, hash) =>
        this.#nodes.set(`${level}/${index}`, hash),
      );
    }
  }

  readonly read: HashReader = (nodes) =>
    Promise.resolve(
      nodes.map(({ level, index }) => this.#nodes.get(`${level}/${index}`) ?? new Uint8Array()),
    );

  async text(size: number, extensions: string[] = []): Promise<string> {
    return formatCheckpoint({ origin: ORIGIN, size, rootHash: await treeRoot(size, this.read), extensions });
  }

  async note(size: number, by: readonly SigningKey[], extensions: string[] = []): Promise<Uint8Array> {
    return signNote(await this.text(size, extensions), by, 1_700_000_000);
  }
}
const one = new History('entry', 0);
const two = new History('other', 3);

const names = (evidence: readonly MadeEvidence[]): string[][] =>
  evidence.map(({ verdict }) => verdict.convicted.map(({ name, keyId }) => `${name} ${keyId}`));
const idOf = ({ name, keyId }: SigningKey): string => `${name} ${keyId}`;

test('every key that signed both is convicted, each in a file of its own', async () => {
  const notes = [
    await one.note(5, [log, w0, w1, stranger]),
    await two.note(5, [log, next, w0, w1, stranger]),
  ] as const;
  const { consistent, evidence } = await compareCheckpoints(notes, policy);
  assert.equal(consistent, false);
  assert.deepEqual(names(evidence), [
    [idOf(log)],
    [idOf(w0)],
    [idOf(w1)],
    evidence.at(-1)?.verdict.convicted.map(({ name, keyId }) => `${name} ${keyId}`),
  ]);
  // The new key signed one side only: it is convicted together with the old one.
  assert.deepEqual(new Set(names(evidence)[3]), new Set([idOf(log), idOf(next)]));
  for (const { bytes, verdict } of evidence) {
    assert.deepEqual(verifyEvidence(bytes, policy), verdict);
    for (const { text } of parseEvidence(bytes).notes) assert.ok(!text.includes('example '));
    assert.ok(!decodeUtf8(bytes).includes(stranger.name), 'a line that convicts nobody was kept');
  }
});

test('the order of the notes does not matter', async () => {
  const [a, b] = [await one.note(5, [log]), await two.note(5, [log])];
  const found = await compareCheckpoints([a, b], policy);
  assert.deepEqual(await compareCheckpoints([b, a], policy), found);
  const [c, d] = [await one.note(5, [log]), await two.note(9, [log])];
  assert.deepEqual(
    await compareCheckpoints([c, d], policy, { read: two.read }),
    await compareCheckpoints([d, c], policy, { read: two.read }),
  );
});

test('of every two sizes, from the nodes of the larger tree', async () => {
  for (let a = 1; a <= 12; a++) {
    for (let b = a + 1; b <= 12; b++) {
      const notes = [await one.note(a, [log]), await two.note(b, [log])] as const;
      const { consistent, evidence } = await compareCheckpoints(notes, policy, { read: two.read });
      assert.equal(consistent, a <= 3, `${a} and ${b}`);
      assert.deepEqual(
        evidence.map(({ verdict: { kind, trees } }) => [kind, ...trees.map(({ size }) => size)]),
        a <= 3 ? [] : [['not-a-prefix', a, b]],
      );
    }
  }
});

test('nothing is known of two sizes until something shows it', async () => {
  const notes = [await one.note(5, [log]), await two.note(9, [log])] as const;
  assert.deepEqual(await compareCheckpoints(notes, policy), { consistent: undefined, evidence: [] });
});

test('a proof that a peer owes is not believed', async () => {
  const notes = [await one.note(5, [log]), await two.note(9, [log])] as const;
  const oldRoot = await treeRoot(5, two.read);
  const proof = await proveConsistency(5, 9, two.read);
  const { evidence } = await compareCheckpoints(notes, policy, { oldRoot, proof });
  assert.equal(evidence.length, 1);
  const refused = { code: 'root_mismatch' };
  const wrong = await proveConsistency(5, 9, one.read);
  await assert.rejects(compareCheckpoints(notes, policy, { oldRoot, proof: wrong }), refused);
  await assert.rejects(compareCheckpoints(notes, policy, { read: one.read }), refused);
});

test('two entries at one index, where the log withholds its tiles', async () => {
  const at = async (
    history: History,
    index: number,
    size: number,
  ): Promise<{
    leafHash: Uint8Array;
    proof: Uint8Array[];
  }> => ({
    leafHash: leafHash(encodeUtf8(history.entries[index] ?? '')),
    proof: await proveInclusion(index, size, history.read),
  });
  const notes = [await two.note(9, [log]), await one.note(5, [log])] as const;
  const entries = [await at(two, 4, 9), await at(one, 4, 5)] as const;
  const { consistent, evidence } = await compareCheckpoints(notes, policy, { index: 4, entries });
  assert.equal(consistent, false);
  assert.deepEqual(
    evidence.map(({ verdict }) => verdict.kind),
    ['two-entries'],
  );
  // Equal entries at one index leave the question open.
  const equal = [await at(two, 2, 9), await at(one, 2, 5)] as const;
  assert.deepEqual(await compareCheckpoints(notes, policy, { index: 2, entries: equal }), {
    consistent: undefined,
    evidence: [],
  });
});

test('an empty tree with a root convicts the log, not who cosigned it', async () => {
  const text = formatCheckpoint({
    origin: ORIGIN,
    size: 0,
    rootHash: new Uint8Array(32),
    extensions: [],
  });
  const note = signNote(text, [log, w0], 1_700_000_000);
  const evidence = checkAlone(note, policy);
  assert.deepEqual(names(evidence), [[idOf(log)]]);
  assert.equal(evidence[0]?.verdict.kind, 'empty-tree');
  const found = await compareCheckpoints([await one.note(5, [log, w0]), note], policy);
  assert.deepEqual(found, { consistent: false, evidence });
  assert.deepEqual(checkAlone(await one.note(0, [log]), policy), []);
  assert.deepEqual(checkAlone(await one.note(5, [log]), policy), []);
});

test('histories that agree convict nobody', async () => {
  const five = await one.note(5, [log, w0, w1]);
  const later = concatBytes(
    await one.note(5, [next]),
    encodeUtf8(signNoteLine(await one.text(5), w0, 1_600_000_000)),
  );
  assert.deepEqual(await compareCheckpoints([five, later], policy), { consistent: true, evidence: [] });
  const zero = await one.note(0, [log]);
  assert.deepEqual(await compareCheckpoints([five, zero], policy), { consistent: true, evidence: [] });
  const nine = await one.note(9, [log, w0]);
  assert.deepEqual(await compareCheckpoints([nine, five], policy, { read: one.read }), {
    consistent: true,
    evidence: [],
  });
});

test('a bad line spoils no evidence', async () => {
  const spoilt = concatBytes(
    signNote(await one.text(5), [log]),
    encodeUtf8(signNoteLine(await one.text(6), w0, 1_700_000_000)),
    encodeUtf8(signNoteLine(await one.text(6), next)),
  );
  const { evidence } = await compareCheckpoints([spoilt, await two.note(5, [log, w0])], policy);
  assert.deepEqual(names(evidence), [[idOf(log)]]);
});

test('extension lines stay where a signature covers them, and only there', async () => {
  const notes = [
    await one.note(5, [log, w0, w1], ['an extension']),
    await two.note(5, [log, w0, w1]),
  ] as const;
  const { evidence } = await compareCheckpoints(notes, policy);
  assert.deepEqual(
    evidence.map(({ bytes, verdict }) => [
      verdict.convicted[0]?.name,
      decodeUtf8(bytes).includes('an extension'),
    ]),
    [
      [ORIGIN, true],
      ['w0.example', true],
      ['w1.example', false],
    ],
  );
});

test('different logs are not compared', async () => {
  const other = signNote(
    formatCheckpoint({ origin: 'other.example', size: 5, rootHash: new Uint8Array(32), extensions: [] }),
    [key('other.example', 1, 7)],
  );
  await assert.rejects(
    compareCheckpoints([await one.note(5, [log]), other], policy),
    (error) => error instanceof EvidenceError && error.code === 'other_log',
  );
});

test('what a log reader found becomes evidence', async () => {
  const notes: [Uint8Array, Uint8Array] = [await one.note(5, [log, w0]), await two.note(9, [log, w0])];
  const proven = {
    rootHash: await treeRoot(5, two.read),
    proof: await proveConsistency(5, 9, two.read),
  };
  const { evidence } = await evidenceOf(new InconsistentError('5 and 9', notes, proven), policy);
  assert.deepEqual(names(evidence), [[idOf(log)], [idOf(w0)]]);
});

test("a log's key speaks for another origin only where its reader says so", async () => {
  const odd = key('key.example', 1, 9);
  const notes = [await one.note(5, [odd]), await two.note(5, [odd])] as const;
  assert.deepEqual(
    (await compareCheckpoints(notes, { logs: [{ vkey: odd.vkey }], witnesses: [] })).evidence,
    [],
  );
  const keys = { logs: [{ vkey: odd.vkey, origin: ORIGIN }], witnesses: [] };
  assert.equal((await compareCheckpoints(notes, keys)).evidence.length, 1);
  // One key may serve several logs of a reader, as it may at a witness.
  const both = { logs: [{ vkey: odd.vkey }, ...keys.logs], witnesses: [] };
  assert.equal((await compareCheckpoints(notes, both)).evidence.length, 1);
});
