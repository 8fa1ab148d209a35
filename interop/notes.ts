/**
 * Our notes, keys, policies and tlog-proofs, read by Go libraries that we did not write, and theirs read
 * by us: `node dist/interop/notes.js`, after `interop/install`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  COSIGNATURE_ED25519,
  COSIGNATURE_MLDSA44,
  NOTE_ED25519,
  TlogError,
  encodeHex,
  encodeUtf8,
  formatCheckpoint,
  formatSigningKey,
  formatTlogProof,
  formatVkey,
  newSigningKey,
  openCheckpoint,
  parsePolicy,
  parseSigningKey,
  parseVkey,
  proveInclusion,
  sha256,
  signNote,
  signSubtree,
  signatureLine,
  treeRoot,
  verifyTlogProof,
} from '../tlog/index.js';
import type { SigningKey } from '../tlog/index.js';
import { ask, askOne, check, run, same } from './peer.js';
import { LARGE, treeReader } from './tree.js';

const seed = (name: string): Uint8Array => sha256(encodeUtf8(name));
const logKey = newSigningKey('interop.example/log', NOTE_ED25519, seed('log'));
const witnesses = ['one', 'two', 'three'].map((name) =>
  newSigningKey(`${name}.example/witness`, COSIGNATURE_ED25519, seed(name)),
);
const mldsaWitness = newSigningKey('one.example/witness', COSIGNATURE_MLDSA44, seed('ml-dsa'));
const keys: readonly SigningKey[] = [logKey, ...witnesses, mldsaWitness];
const vkeys = keys.map((key) => formatVkey(key.vkey));

await check('note reads our keys', () => {
  for (const key of keys) {
    const answer = askOne('notecheck', { kind: 'skey', skey: formatSigningKey(key) });
    same(
      answer,
      {
        ok: true,
        name: key.name,
        id: key.vkey.keyId.toString(16).padStart(8, '0'),
        vkey: formatVkey(key.vkey),
      },
      'key',
    );
  }
  return `${keys.length} signing keys and their vkeys, types 1, 4 and 6`;
});

await check('we read keys that note made', () => {
  for (const algorithm of [NOTE_ED25519, COSIGNATURE_ED25519, COSIGNATURE_MLDSA44]) {
    const { skey = '', vkey } = askOne('notecheck', { kind: 'generate', name: 'go.example/key', algorithm });
    const key = parseSigningKey(skey);
    same(formatVkey(key.vkey), vkey, 'vkey');
    same(formatSigningKey(key), skey, 'signing key');
    same(key.type, algorithm, 'type');
  }
  return 'types 1, 4 and 6';
});

const tree = treeReader(LARGE);
const root = await treeRoot(LARGE, tree.read);
const text = formatCheckpoint({ origin: logKey.name, size: LARGE, rootHash: root, extensions: [] });
const now = 1_800_000_000;
const note = signNote(text, keys, now);

await check('note opens our checkpoints and cosignatures', () => {
  const answer = askOne('notecheck', { kind: 'checkpoint', note: new TextDecoder().decode(note), vkeys });
  same([answer.ok, answer.error], [true, undefined], 'notecheck');
  same([answer.origin, answer.size, answer.root], [logKey.name, LARGE, encodeHex(root)], 'checkpoint');
  same(
    answer.signatures?.map((signature) => signature.time ?? 0),
    [0, now, now, now, now],
    'times',
  );
  return '1 log signature, 3 Ed25519 cosignatures, 1 of ML-DSA-44';
});

await check('note opens checkpoints of a log with two keys', () => {
  const second = newSigningKey(logKey.name, COSIGNATURE_MLDSA44, seed('log ML-DSA-44'));
  const both = [formatVkey(logKey.vkey), formatVkey(second.vkey)];
  // Without a time, as stele-log signs.
  const signed = new TextDecoder().decode(signNote(text, [logKey, second], 0));
  for (const known of [both, both.slice(0, 1), both.slice(1)]) {
    const answer = askOne('notecheck', { kind: 'checkpoint', note: signed, vkeys: known });
    same([answer.ok, answer.signatures?.length], [true, known.length], `with ${known.length} keys`);
  }
  const bent = signed.replace(
    /(.{900})(={0,2}\n)$/,
    (_, end: string, pad: string) => `${end.startsWith('A') ? 'B' : 'A'}${end.slice(1)}${pad}`,
  );
  same(askOne('notecheck', { kind: 'checkpoint', note: bent, vkeys: both }).ok, false, 'a bad second line');
  return 'Ed25519 and ML-DSA-44, both and each alone';
});

await check('we open checkpoints and cosignatures that note made', () => {
  const signed = askOne('notecheck', { kind: 'sign', text, skeys: keys.map(formatSigningKey) });
  const opened = openCheckpoint(
    encodeUtf8(signed.note ?? ''),
    [logKey.vkey],
    keys.slice(1).map((key) => key.vkey),
  );
  same(opened.checkpoint.size, LARGE, 'size');
  same(opened.cosignatures.length, 4, 'cosignatures');
  for (const { timestamp } of opened.cosignatures) {
    if (Math.abs(timestamp - Date.now() / 1000) > 60) throw new Error(`timestamp: found ${timestamp}`);
  }
  return '1 log signature, 3 Ed25519 cosignatures, 1 of ML-DSA-44';
});

await check('note and we refuse the same notes', () => {
  const whole = new TextDecoder().decode(note);
  const changed = [
    whole.replace(`\n${LARGE}\n`, `\n${LARGE + 1}\n`),
    whole.replace('\n\n', '\n\n\n'),
    whole.replace('\n\n', '\n'),
    whole.replace(/— /g, '- '),
    whole.slice(0, -1),
    whole + '\n',
    whole + '— x\n',
    whole.replace(/\n/g, '\r\n'),
    whole.replace(/([A-Za-z0-9+/])(={0,2}\n)$/, (_, c: string, end: string) => (c === 'A' ? 'B' : 'A') + end),
  ];
  const answers = ask(
    'notecheck',
    changed.map((each) => ({ kind: 'checkpoint', note: each, vkeys })),
  );
  answers.forEach((answer, i) => {
    let opened = true;
    try {
      openCheckpoint(
        encodeUtf8(changed[i] ?? ''),
        [logKey.vkey],
        keys.slice(1).map((key) => key.vkey),
      );
    } catch {
      opened = false;
    }
    same([opened, answer.ok], [false, false], `note ${i} (ours, theirs)`);
  });
  return `${changed.length} changed notes`;
});

await check('formats verifies our subtree signatures', async () => {
  const [start, end] = [256, 512];
  // The subtree is perfect, so its root is one node.
  const [hash = new Uint8Array()] = await tree.read([{ level: 8, index: 1 }]);
  const signature = signSubtree(mldsaWitness, { origin: logKey.name, start, end, hash }, 0);
  const line = signatureLine(mldsaWitness.name, mldsaWitness.vkey.keyId, signature);
  const question = {
    kind: 'subtree',
    vkey: formatVkey(mldsaWitness.vkey),
    line,
    origin: logKey.name,
    start,
    end,
  };
  same(askOne('notecheck', { ...question, root: encodeHex(hash) }), { ok: true }, 'subtree');
  same(askOne('notecheck', { ...question, root: encodeHex(root) }).ok, false, 'another root');
  return `[${start}, ${end})`;
});

await check('formats verifies our tlog-proofs and policies', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stele-interop-'));
  try {
    const index = 70_000;
    const proof = await proveInclusion(index, LARGE, tree.read);
    const policy = (need: string): Uint8Array =>
      encodeUtf8(
        [
          `log ${formatVkey(logKey.vkey)}`,
          ...witnesses.map((key, i) => `witness w${i} ${formatVkey(key.vkey)}`),
          `witness pq ${formatVkey(mldsaWitness.vkey)}`,
          'group ed 2 w0 w1 w2',
          `group both ${need} ed pq`,
          'quorum both',
          '',
        ].join('\n'),
      );
    const verdicts = (
      signers: readonly SigningKey[],
      need: string,
      at: number,
      extra?: Uint8Array,
    ): unknown[] => {
      const checkpoint = signNote(text, signers, now);
      const file = formatTlogProof({ index: at, proof, checkpoint, ...(extra && { extra }) });
      writeFileSync(join(folder, 'proof'), file);
      writeFileSync(join(folder, 'policy'), policy(need));
      const leaf = tree.leaf(index);
      const theirs = run('proofcheck', [
        ...['-proof', join(folder, 'proof'), '-policy', join(folder, 'policy')],
        ...['-leaf-hash', encodeHex(leaf)],
      ]);
      let mine: unknown = true;
      try {
        verifyTlogProof({ proof: file, leafHash: leaf, policy: parsePolicy(policy(need)) });
      } catch (error) {
        mine = error instanceof TlogError ? false : error;
      }
      return [mine, theirs.status === 0];
    };
    const [w0, w1] = witnesses;
    if (!w0 || !w1) throw new Error('no witnesses');
    same(verdicts(keys, 'all', index), [true, true], 'all cosignatures');
    same(verdicts(keys, 'all', index, encodeUtf8('extra data')), [true, true], 'with extra data');
    same(verdicts([logKey, w0, w1, mldsaWitness], 'all', index), [true, true], 'two and ML-DSA-44');
    same(verdicts([logKey, w0, mldsaWitness], 'all', index), [false, false], 'one and ML-DSA-44');
    same(verdicts([logKey, mldsaWitness], 'any', index), [true, true], 'ML-DSA-44 alone, any');
    same(verdicts([logKey], 'any', index), [false, false], 'no cosignature');
    same(verdicts(keys, 'all', index + 1), [false, false], 'another index');
    same(
      verdicts([newSigningKey(logKey.name, NOTE_ED25519, seed('other')), ...keys.slice(1)], 'all', index),
      [false, false],
      'another log key',
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
  return '8 proofs, 4 of them good';
});

await check('we refuse keys whose ID note would not derive', () => {
  const wrong = formatVkey(logKey.vkey).replace(/\+[0-9a-f]{8}\+/, '+00000000+');
  same(askOne('notecheck', { kind: 'vkey', vkey: wrong }).ok, false, 'theirs');
  let mine = true;
  try {
    parseVkey(wrong);
  } catch {
    mine = false;
  }
  same(mine, false, 'ours');
  return '1 key';
});
