import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  TlogError,
  concatBytes,
  decodeUtf8,
  ed25519CosignedMessage,
  encodeUtf8,
  formatCheckpoint,
  mldsa44CosignedMessage,
  newSigningKey,
  openCheckpoint,
  openNote,
  signNote,
  signNoteLine,
  signNoteText,
  signSubtree,
  signatureLine,
  uintBytes,
  verifyNoteSignature,
  verifySubtree,
} from './index.js';

const key = (name: string, type: number, fill: number): ReturnType<typeof newSigningKey> =>
  newSigningKey(name, type, new Uint8Array(32).fill(fill));
const root = new Uint8Array(32).fill(5);
const TEXT = formatCheckpoint({ origin: 'log.example', size: 7, rootHash: root, extensions: [] });

function refuses(code: string, act: () => unknown, desc = code): void {
  assert.throws(
    act,
    (error) => {
      assert.ok(error instanceof TlogError, desc);
      assert.equal(error.code, code, desc);
      assert.notEqual(error.hint, '', desc);
      return true;
    },
    desc,
  );
}

test('the Ed25519 message of C2SP tlog-cosignature', () => {
  const text = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';
  assert.equal(
    decodeUtf8(ed25519CosignedMessage(text, 1679315147)),
    `cosignature/v1\ntime 1679315147\n${text}`,
  );
});

test('the ML-DSA-44 message, byte by byte', () => {
  const message = mldsa44CosignedMessage('w.example', 0x0102030405, {
    origin: 'log',
    start: 0,
    end: 258,
    hash: root,
  });
  const expected = concatBytes(
    encodeUtf8('subtree/v1\n\0'),
    Uint8Array.of(9),
    encodeUtf8('w.example'),
    Uint8Array.of(0, 0, 0, 1, 2, 3, 4, 5),
    Uint8Array.of(3),
    encodeUtf8('log'),
    new Uint8Array(8),
    Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 2),
    root,
  );
  assert.deepEqual(message, expected);
});

test('names and origins of 1 to 255 bytes, counted as UTF-8', () => {
  const subtree = { origin: 'log', start: 0, end: 1, hash: root };
  mldsa44CosignedMessage('é'.repeat(127), 1, subtree);
  refuses('bad_subtree', () => mldsa44CosignedMessage('é'.repeat(128), 1, subtree));
  refuses('bad_subtree', () => mldsa44CosignedMessage('', 1, subtree));
  mldsa44CosignedMessage('w', 1, { ...subtree, origin: 'x'.repeat(255) });
  refuses('bad_subtree', () => mldsa44CosignedMessage('w', 1, { ...subtree, origin: 'x'.repeat(256) }));
  refuses('bad_subtree', () => mldsa44CosignedMessage('w', 1, { ...subtree, origin: '' }));
});

test('a checkpoint of a log with a long origin cannot be cosigned with ML-DSA-44', () => {
  const text = formatCheckpoint({ origin: 'x'.repeat(256), size: 1, rootHash: root, extensions: [] });
  const witness = key('w', 6, 1);
  refuses('bad_subtree', () => signNoteText(witness, text, 1));
  refuses('bad_signature', () => verifyNoteSignature(witness.vkey, text, new Uint8Array(2428)));
});

test('ranges and timestamps that are not signed', () => {
  const sign = (start: number, end: number, timestamp = 0, hash = root): Uint8Array =>
    mldsa44CosignedMessage('w', timestamp, { origin: 'log', start, end, hash });
  for (const [start, end] of [
    [-1, 1],
    [2, 1],
    [1, 1],
    [0.5, 1],
    [0, 2 ** 53],
    [NaN, 1],
  ] as const) {
    refuses('bad_subtree', () => sign(start, end), `${start} to ${end}`);
  }
  refuses('bad_subtree', () => sign(0, 1, 0, new Uint8Array(31)));
  assert.equal(sign(0, 0).length, sign(2, 4).length, 'the empty tree is a tree');
  refuses('bad_timestamp', () => sign(2, 4, 1), 'a subtree states no time');
  for (const time of [-1, 1.5, 2 ** 53, NaN, Infinity]) {
    refuses('bad_timestamp', () => sign(0, 1, time));
    refuses('bad_timestamp', () => ed25519CosignedMessage(TEXT, time));
  }
});

test('both types sign and verify; one changed byte does not', () => {
  for (const type of [4, 6]) {
    const witness = key('w.example', type, 3);
    const signature = signNoteText(witness, TEXT, 1_700_000_000);
    assert.deepEqual(signNoteText(witness, TEXT, 1_700_000_000), signature, 'signing is deterministic');
    assert.deepEqual(verifyNoteSignature(witness.vkey, TEXT, signature), { timestamp: 1_700_000_000 });
    for (const at of [0, 7, 8, 40, signature.length - 1]) {
      const changed = Uint8Array.from(signature);
      changed[at] = (changed[at] ?? 0) ^ 1;
      refuses(
        'bad_signature',
        () => verifyNoteSignature(witness.vkey, TEXT, changed),
        `type ${type}, byte ${at}`,
      );
    }
    refuses('bad_signature', () => verifyNoteSignature(witness.vkey, TEXT.replace('7', '8'), signature));
    refuses('bad_signature', () => verifyNoteSignature(key('w.example', type, 4).vkey, TEXT, signature));
  }
});

test('only ML-DSA-44 covers the name, only Ed25519 covers extension lines', () => {
  const extended = `${TEXT}extension\n`;
  for (const [type, coversName, coversExtension] of [
    [4, false, true],
    [6, true, false],
  ] as const) {
    const witness = key('w.example', type, 3);
    const renamed = key('other.example', type, 3).vkey;
    const signature = signNoteText(witness, TEXT, 1);
    const accepts = (act: () => unknown): boolean => {
      try {
        act();
        return true;
      } catch {
        return false;
      }
    };
    assert.equal(
      accepts(() => verifyNoteSignature(renamed, TEXT, signature)),
      !coversName,
    );
    assert.equal(
      accepts(() => verifyNoteSignature(witness.vkey, extended, signature)),
      !coversExtension,
    );
  }
});

test('a zero timestamp: ML-DSA-44 only', () => {
  const [ed, pq] = [key('w', 4, 1), key('w', 6, 1)];
  refuses('bad_timestamp', () => signNoteText(ed, TEXT, 0));
  refuses('bad_timestamp', () => signNoteText(ed, TEXT));
  refuses('bad_timestamp', () => signNoteText(pq, TEXT));
  assert.deepEqual(verifyNoteSignature(pq.vkey, TEXT, signNoteText(pq, TEXT, 0)), { timestamp: 0 });
});

test('timestamps above 2^53 - 1 are a clear error, not a rounded number', () => {
  for (const type of [4, 6]) {
    const witness = key('w', type, 1);
    const signature = signNoteText(witness, TEXT, Number.MAX_SAFE_INTEGER);
    assert.deepEqual(verifyNoteSignature(witness.vkey, TEXT, signature), {
      timestamp: Number.MAX_SAFE_INTEGER,
    });
    for (const first of [0x20, 0x7f, 0x80, 0xff]) {
      const late = Uint8Array.from(signature);
      late.set(uintBytes(0, 8));
      late[first === 0x20 ? 1 : 0] = first;
      assert.throws(() => verifyNoteSignature(witness.vkey, TEXT, late), /timestamp of at most 2\^53 - 1/);
    }
  }
});

test('a cosignature stands on a checkpoint only', () => {
  for (const type of [4, 6]) {
    const witness = key('w', type, 1);
    refuses('bad_checkpoint', () => signNote('just a text\n', [witness], 1));
    const line = signatureLine('w', witness.keyId, signNoteText(witness, TEXT, 1));
    refuses('bad_signature', () => openNote(encodeUtf8(`just a text\n\n${line}`), [witness.vkey]));
  }
});

test('a key of one type verifies nothing of another', () => {
  const [note, cosigner] = [key('w', 1, 1), key('w', 4, 1)];
  const plain = signNoteText(note, TEXT);
  const timed = signNoteText(cosigner, TEXT, 5);
  refuses('bad_signature', () =>
    verifyNoteSignature(cosigner.vkey, TEXT, concatBytes(uintBytes(5, 8), plain)),
  );
  refuses('bad_signature', () => verifyNoteSignature(note.vkey, TEXT, timed.subarray(8)));
});

test('subtrees', () => {
  const witness = key('w', 6, 1);
  const subtree = { origin: 'log.example', start: 4, end: 6, hash: root };
  const signature = signSubtree(witness, subtree, 0);
  assert.equal(verifySubtree(witness.vkey, subtree, signature), 0);
  for (const changed of [
    { ...subtree, origin: 'log.example2' },
    { ...subtree, start: 0 },
    { ...subtree, end: 7 },
    { ...subtree, hash: new Uint8Array(32) },
  ]) {
    refuses('bad_signature', () => verifySubtree(witness.vkey, changed, signature));
  }
  const timed = Uint8Array.from(signature);
  timed[7] = 1;
  refuses('bad_signature', () => verifySubtree(witness.vkey, subtree, timed), 'a time on a subtree');
  refuses('bad_timestamp', () => signSubtree(witness, subtree, 1));
  refuses('bad_signing_key', () => signSubtree(key('w', 4, 1), subtree, 0));
  refuses('bad_signature', () => verifySubtree(key('w', 4, 1).vkey, subtree, signature));
  // A subtree from 0 and a checkpoint of that size are one statement.
  const whole = signSubtree(witness, { origin: 'log.example', start: 0, end: 7, hash: root }, 3);
  assert.deepEqual(whole, signNoteText(witness, TEXT, 3));
});

test('opening a checkpoint: the log key speaks for its own origin', () => {
  const [log, other, witness] = [key('log.example', 1, 1), key('other.example', 1, 2), key('w', 4, 3)];
  const keys = [log.vkey, other.vkey];
  const note = concatBytes(signNote(TEXT, [log]), encodeUtf8(signNoteLine(TEXT, witness, 9)));
  const opened = openCheckpoint(note, keys, [witness.vkey]);
  assert.equal(opened.checkpoint.size, 7);
  assert.equal(opened.text, TEXT);
  assert.deepEqual(
    opened.logSignatures.map(({ name }) => name),
    ['log.example'],
  );
  assert.deepEqual(
    opened.cosignatures.map(({ name, timestamp }) => [name, timestamp]),
    [['w', 9]],
  );
  assert.deepEqual(openCheckpoint(note, keys).cosignatures, []);

  refuses('unknown_log', () => openCheckpoint(signNote(TEXT, [other]), keys));
  refuses('unknown_log', () => openCheckpoint(signNote(TEXT, [witness], 9), keys, [witness.vkey]));
  refuses('no_known_signature', () => openCheckpoint(signNote(TEXT, [witness], 9), keys));
  refuses('bad_checkpoint', () => openCheckpoint(signNote('log.example\n', [log]), keys));
  // A witness may have a log configured whose key has another name.
  assert.equal(openCheckpoint(signNote(TEXT, [other]), [other.vkey], [], 'log.example').checkpoint.size, 7);
  refuses('unknown_log', () => openCheckpoint(signNote(TEXT, [log]), [log.vkey], [], 'other.example'));
});

test('a log that signs with ML-DSA-44 too', () => {
  const [log, pq] = [key('log.example', 1, 1), key('log.example', 6, 2)];
  const note = signNote(TEXT, [log, pq], 5);
  const opened = openCheckpoint(note, [log.vkey, pq.vkey]);
  assert.deepEqual(
    opened.logSignatures.map(({ vkey, timestamp }) => [vkey.type, timestamp]),
    [
      [1, undefined],
      [6, 5],
    ],
  );
  assert.deepEqual(opened.cosignatures, []);
});
