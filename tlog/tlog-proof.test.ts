import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  CompactRange,
  TlogError,
  concatBytes,
  decodeUtf8,
  encodeBase64,
  encodeUtf8,
  formatCheckpoint,
  formatTlogProof,
  formatVkey,
  leafHash,
  newSigningKey,
  nodeHash,
  parsePolicy,
  parseTlogProof,
  signNote,
  signNoteLine,
  verifyTlogProof,
} from './index.js';

const key = (name: string, type: number, fill: number): ReturnType<typeof newSigningKey> =>
  newSigningKey(name, type, new Uint8Array(32).fill(fill));
const LOG = key('log.example', 1, 1);
const W = [key('w0', 4, 10), key('w1', 4, 11), key('w2', 6, 12)];
const POLICY = parsePolicy(
  encodeUtf8(
    `log ${formatVkey(LOG.vkey)}\n${W.map(({ vkey }, i) => `witness W${i} ${formatVkey(vkey)}\n`).join('')}group g 2 W0 W1 W2\nquorum g\n`,
  ),
);
const LEAVES = ['a', 'b', 'c'].map((entry) => leafHash(encodeUtf8(entry)));
const [A = LOG.secret, B = LOG.secret, C = LOG.secret] = LEAVES;

function note(size = 3, origin = 'log.example', cosigners = W.slice(0, 2)): Uint8Array {
  const range = new CompactRange();
  for (const leaf of LEAVES.slice(0, size)) range.append(leaf);
  const text = formatCheckpoint({ origin, size, rootHash: range.root(), extensions: [] });
  return concatBytes(
    signNote(text, [LOG]),
    ...cosigners.map((cosigner) => encodeUtf8(signNoteLine(text, cosigner, 50))),
  );
}

/** Of leaf b in a tree of three. */
const GOOD = formatTlogProof({ index: 1, proof: [A, C], checkpoint: note() });

function refuses(code: string, act: () => unknown, desc = code): void {
  assert.throws(
    act,
    (error) => {
      assert.ok(error instanceof TlogError, desc);
      assert.equal(error.code, code, `${desc}: ${error.message}`);
      return true;
    },
    desc,
  );
}

test('a proof file, line by line', () => {
  const text = decodeUtf8(
    formatTlogProof({ extra: encodeUtf8('x'), index: 1, proof: [A, C], checkpoint: note() }),
  );
  const expected = `c2sp.org/tlog-proof@v1\nextra eA==\nindex 1\n${encodeBase64(A)}\n${encodeBase64(C)}\n\nlog.example\n3\n`;
  assert.ok(text.startsWith(expected));
  assert.ok(text.endsWith(decodeUtf8(note())));
});

test('a good proof verifies', () => {
  const verified = verifyTlogProof({ proof: GOOD, leafHash: B, policy: POLICY });
  assert.equal(verified.index, 1);
  assert.equal(verified.checkpoint.size, 3);
  assert.equal(verified.evaluation.cosignatures.length, 2);
  assert.equal(verified.extra, undefined);
  const single = formatTlogProof({ extra: encodeUtf8('x'), index: 0, proof: [], checkpoint: note(1) });
  assert.deepEqual(verifyTlogProof({ proof: single, leafHash: A, policy: POLICY }).extra, encodeUtf8('x'));
});

test('proofs that do not verify', () => {
  const verify = (proof: Parameters<typeof formatTlogProof>[0], leaf = B): unknown =>
    verifyTlogProof({ proof: formatTlogProof(proof), leafHash: leaf, policy: POLICY });
  const good = { index: 1, proof: [A, C], checkpoint: note() };
  refuses('root_mismatch', () => verify(good, A), 'another leaf');
  refuses('root_mismatch', () => verify({ ...good, index: 0 }), 'another index');
  refuses('root_mismatch', () => verify({ ...good, proof: [C, A] }), 'hashes in another order');
  refuses('bad_proof', () => verify({ ...good, index: 3 }), 'index beyond the tree');
  refuses('bad_proof', () => verify({ ...good, index: 2 }), 'too long for this index');
  refuses('bad_proof', () => verify({ ...good, proof: [A] }), 'too short');
  refuses('bad_proof', () => verify({ ...good, proof: [A, C, C] }), 'too long');
  refuses('root_mismatch', () => verify({ ...good, checkpoint: note(2), proof: [C] }), 'another tree');
  refuses('bad_proof', () => verify({ index: 0, proof: [], checkpoint: note(0) }), 'empty tree');
  refuses(
    'root_mismatch',
    () => verify({ ...good, index: 0, proof: [C], checkpoint: note(2) }, nodeHash(A, B)),
    'a node passed off as a leaf',
  );
  refuses(
    'quorum_not_met',
    () => verify({ ...good, checkpoint: note(3, 'log.example', W.slice(1, 2)) }),
    'one cosignature',
  );
  refuses(
    'quorum_not_met',
    () => verify({ ...good, checkpoint: note(3, 'log.example', []) }),
    'no cosignature',
  );
  refuses('unknown_log', () => verify({ ...good, checkpoint: note(3, 'other.example') }), 'another origin');
  const stranger = newSigningKey('log.example', 1, new Uint8Array(32).fill(99));
  const text = decodeUtf8(note()).split('\n\n')[0] ?? '';
  refuses(
    'no_known_signature',
    () => verify({ ...good, checkpoint: signNote(`${text}\n`, [stranger]) }),
    'another key',
  );
  const altered = encodeUtf8(decodeUtf8(note()).replace('\n3\n', '\n4\n'));
  refuses('bad_signature', () => verify({ ...good, checkpoint: altered }), 'altered checkpoint');
  refuses('bad_hash', () => verify(good, A.subarray(1)), 'a leaf hash of 31 bytes');
});

test('files that are refused', () => {
  const text = decodeUtf8(GOOD);
  const [header = '', ...rest] = text.split('\n\n');
  const tail = rest.join('\n\n');
  const cases: [string, string | Uint8Array][] = [
    ['empty', ''],
    ['header only', `${header}\n`],
    ['header and blank line', `${header}\n\n`],
    ['checkpoint only', tail],
    ['other version', text.replace('@v1', '@v2')],
    ['space after the first line', text.replace('@v1', '@v1 ')],
    ['carriage returns', text.replaceAll('\n', '\r\n')],
    ['byte order mark', `\ufeff${text}`],
    ['blank line first', `\n\n${text}`],
    ['no index', text.replace('index 1\n', '')],
    ['index without a number', text.replace('index 1', 'index ')],
    ['index 01', text.replace('index 1', 'index 01')],
    ['index +1', text.replace('index 1', 'index +1')],
    ['index -1', text.replace('index 1', 'index -1')],
    ['index with two spaces', text.replace('index 1', 'index  1')],
    ['index with a tab', text.replace('index 1', 'index\t1')],
    ['index 2^53', text.replace('index 1', 'index 9007199254740992')],
    ['index twice', text.replace('index 1\n', 'index 1\nindex 1\n')],
    ['upper-case index', text.replace('index', 'Index')],
    ['extra after the index', text.replace('index 1\n', 'index 1\nextra eA==\n')],
    ['two extras', text.replace('index', 'extra eA==\nextra eA==\nindex')],
    ['empty extra', text.replace('index', 'extra \nindex')],
    ['extra without a space', text.replace('index', 'extra\nindex')],
    ['extra without padding', text.replace('index', 'extra eA\nindex')],
    ['extra with unused bits set', text.replace('index', 'extra eB==\nindex')],
    ['hash of 31 bytes', text.replace(encodeBase64(A), encodeBase64(A.subarray(1)))],
    ['hash without padding', text.replace(encodeBase64(A), encodeBase64(A).slice(0, -1))],
    ['hash in hex', text.replace(encodeBase64(A), '00'.repeat(32))],
    ['space before a hash', text.replace(encodeBase64(A), ` ${encodeBase64(A)}`)],
    ['64 hashes', text.replace(encodeBase64(A), Array<string>(63).fill(encodeBase64(A)).join('\n'))],
    ['blank line between the hashes', text.replace(encodeBase64(A), `${encodeBase64(A)}\n`)],
    ['two blank lines', text.replace('\n\n', '\n\n\n\n')],
    ['no newline at the end', text.slice(0, -1)],
    ['checkpoint without signatures', `${header}\n\nlog.example\n3\nroot\n`],
    ['invalid UTF-8 in the header', concatBytes(Uint8Array.of(0xff), GOOD)],
    [
      'invalid UTF-8 in the checkpoint',
      concatBytes(encodeUtf8(`${header}\n\n`), Uint8Array.of(0xff), encodeUtf8(tail)),
    ],
    ['too large', `${header}\n\n${'x'.repeat(3 * 1024 * 1024)}${tail}`],
    ['a note that is no checkpoint', `${header}\n\nhello\n\n— ${tail.split('— ')[1] ?? ''}`],
    ['checkpoint too large', `${header}\n\n${'x'.repeat(1024 * 1024)}${tail}`],
  ];
  for (const [desc, file] of cases) {
    const bytes = typeof file === 'string' ? encodeUtf8(file) : file;
    refuses('bad_tlog_proof', () => parseTlogProof(bytes), desc);
    refuses('bad_tlog_proof', () => verifyTlogProof({ proof: bytes, leafHash: B, policy: POLICY }), desc);
  }
});

test('what cannot be written', () => {
  const good = { index: 1, proof: [A, C], checkpoint: note() };
  refuses('bad_tlog_proof', () => formatTlogProof({ ...good, index: -1 }));
  refuses('bad_tlog_proof', () => formatTlogProof({ ...good, index: 1.5 }));
  refuses('bad_tlog_proof', () => formatTlogProof({ ...good, proof: [A.subarray(1)] }));
  refuses('bad_tlog_proof', () => formatTlogProof({ ...good, proof: Array<Uint8Array>(64).fill(A) }));
  refuses('bad_tlog_proof', () => formatTlogProof({ ...good, checkpoint: encodeUtf8('no note') }));
  assert.equal(parseTlogProof(formatTlogProof({ ...good, extra: new Uint8Array(0) })).extra, undefined);
});

test('every proof file is read back as written', () => {
  const checkpoint = note();
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.maxSafeNat(),
      fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 63 }),
      (extra, index, proof) => {
        const file = { extra, index, proof, checkpoint };
        assert.deepEqual(parseTlogProof(formatTlogProof(file)), file);
        assert.deepEqual(formatTlogProof(parseTlogProof(formatTlogProof(file))), formatTlogProof(file));
      },
    ),
  );
});

test('no changed byte of a file verifies, but in the unsigned extra data', () => {
  for (let at = 0; at < GOOD.length; at++) {
    for (const mask of [1, 0x20, 0x80]) {
      const changed = Uint8Array.from(GOOD);
      changed[at] = (changed[at] ?? 0) ^ mask;
      let met = true;
      try {
        verifyTlogProof({ proof: changed, leafHash: B, policy: POLICY });
      } catch (error) {
        assert.ok(error instanceof TlogError);
        met = false;
      }
      assert.ok(!met, `byte ${at}, mask ${mask}`);
    }
  }
});
