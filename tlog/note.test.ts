import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  MAX_NOTE_BYTES,
  MAX_NOTE_SIGNATURES,
  NOTE_ED25519,
  TlogError,
  concatBytes,
  decodeUtf8,
  encodeBase64,
  encodeUtf8,
  formatCheckpoint,
  formatNote,
  mergeCosignatures,
  newSigningKey,
  openNote,
  parseNote,
  parseSignatureLines,
  parseVkey,
  signNote,
  signNoteLine,
  signatureLine,
  verifyNote,
  verifySignatureLine,
} from './index.js';

const TEXT = 'This is an example message.\n';
const LINE =
  '— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n';
const NOTE = `${TEXT}\n${LINE}`;
const VKEY = parseVkey('example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k');
const key = (name: string, type: number, fill: number): ReturnType<typeof newSigningKey> =>
  newSigningKey(name, type, new Uint8Array(32).fill(fill));
const CHECKPOINT = formatCheckpoint({
  origin: 'log.example',
  size: 7,
  rootHash: new Uint8Array(32).fill(5),
  extensions: [],
});

function refuses(code: string, act: () => unknown, desc = code): void {
  assert.throws(
    act,
    (error) => {
      assert.ok(error instanceof TlogError, desc);
      assert.equal(error.code, code, desc);
      assert.match(error.message, /expected|verify/, desc);
      assert.notEqual(error.hint, '', desc);
      return true;
    },
    desc,
  );
}

test('the example of C2SP signed-note opens', () => {
  const opened = openNote(encodeUtf8(NOTE), [VKEY]);
  assert.equal(opened.text, TEXT);
  assert.equal(opened.unknown, 0);
  assert.deepEqual(
    opened.verified.map(({ name, keyId, line, timestamp }) => [name, keyId, line, timestamp]),
    [['example.com/foo', 0x530d903a, LINE, undefined]],
  );
});

test('notes that are not parsed', () => {
  const cases: [string, string | Uint8Array][] = [
    ['empty', ''],
    ['no signature', TEXT],
    ['no signature after the blank line', `${TEXT}\n`],
    ['no blank line', `${TEXT}${LINE}`],
    ['no text at all', `\n${LINE}`],
    ['no newline at the end', NOTE.slice(0, -1)],
    ['two newlines at the end', `${NOTE}\n`],
    ['text after the signatures', `${NOTE}x\n`],
    ['hyphen for the dash', NOTE.replace('—', '-')],
    ['two hyphens for the dash', NOTE.replace('—', '--')],
    ['en dash', NOTE.replace('—', '–')],
    ['no space after the dash', NOTE.replace('— ', '—')],
    ['two spaces after the dash', NOTE.replace('— ', '—  ')],
    ['two spaces before the base64', NOTE.replace(' Uw', '  Uw')],
    ['space at the end of the line', NOTE.replace('=\n', '= \n')],
    ['plus in the name', NOTE.replace('foo', 'fo+o')],
    ['no-break space in the name', NOTE.replace('foo', 'fo\u00a0o')],
    ['next line in the name', NOTE.replace('foo', 'fo\u0085o')],
    ['no base64', `${TEXT}\n— example.com/foo\n`],
    ['empty base64', `${TEXT}\n— example.com/foo \n`],
    ['garbage base64', `${TEXT}\n— example.com/foo %%%%\n`],
    ['base64 without padding', NOTE.replace('=\n', '\n')],
    ['base64 with unused bits set', NOTE.replace('QM=', 'QN=')],
    ['URL-safe base64', NOTE.replace('RKuw', 'R_uw')],
    ['three bytes of signature', `${TEXT}\n— a ${encodeBase64(new Uint8Array(3))}\n`],
    ['key ID and nothing more', `${TEXT}\n— a ${encodeBase64(new Uint8Array(4))}\n`],
    ['carriage returns', NOTE.replaceAll('\n', '\r\n')],
    ['tab in the text', NOTE.replace('an example', 'an\texample')],
    ['NUL in the text', NOTE.replace('an example', 'an\0example')],
    ['escape in the text', NOTE.replace('an example', '\x1b[2J')],
    ['invalid UTF-8', Uint8Array.of(0xff, ...encodeUtf8(NOTE))],
    ['UTF-8 of a surrogate', Uint8Array.of(0xed, 0xa0, 0x80, ...encodeUtf8(NOTE))],
    ['overlong UTF-8', Uint8Array.of(0xc0, 0xaf, ...encodeUtf8(NOTE))],
    ['UTF-16', new Uint8Array(Buffer.from(NOTE, 'utf16le'))],
    ['too many signatures', `${TEXT}\n${LINE.repeat(MAX_NOTE_SIGNATURES + 1)}`],
    ['too large', `${'x'.repeat(MAX_NOTE_BYTES)}\n${NOTE}`],
  ];
  for (const [desc, note] of cases) {
    const bytes = typeof note === 'string' ? encodeUtf8(note) : note;
    refuses('bad_note', () => parseNote(bytes), desc);
    refuses('bad_note', () => openNote(bytes, [VKEY]), desc);
  }
});

test('unusual notes that are parsed', () => {
  const many = parseNote(encodeUtf8(`${TEXT}\n${LINE.repeat(MAX_NOTE_SIGNATURES)}`));
  assert.equal(many.signatures.length, MAX_NOTE_SIGNATURES);
  const bom = parseNote(encodeUtf8(`\ufeff${NOTE}`));
  assert.equal(bom.text, `\ufeff${TEXT}`);
  refuses(
    'bad_signature',
    () => openNote(encodeUtf8(`\ufeff${NOTE}`), [VKEY]),
    'a byte order mark is part of the text',
  );
  assert.equal(parseNote(encodeUtf8(`\n\n${LINE}`)).text, '\n');
  assert.equal(parseNote(encodeUtf8(`a\u007f\n\n${LINE}`)).text, 'a\u007f\n');
});

test('a note splits at its last blank line', () => {
  const text = `first\n\n${LINE}\nsecond\n\n\nthird\n`;
  const signer = key('a.example', 1, 1);
  const note = signNote(text, [signer]);
  assert.equal(parseNote(note).text, text);
  assert.equal(openNote(note, [signer.vkey]).text, text);
});

test('a bad signature under a known key refuses the note, whatever else is good', () => {
  const [good, other] = [key('good.example', 1, 1), key('other.example', 1, 2)];
  const spoilt = signNoteLine('another text\n', other);
  const note = concatBytes(signNote(TEXT, [good]), encodeUtf8(spoilt));
  refuses('bad_signature', () => openNote(note, [good.vkey, other.vkey]));
  refuses('bad_signature', () => openNote(note, [other.vkey, good.vkey]));
  // A second line by a key that was good once is verified too.
  const twice = concatBytes(signNote(TEXT, [other]), encodeUtf8(spoilt));
  refuses('bad_signature', () => openNote(twice, [other.vkey]));
  assert.equal(openNote(note, [good.vkey]).unknown, 1);
});

test('lines by unknown keys are ignored, even with the name or the ID of a known one', () => {
  const known = key('known.example', 1, 1);
  const garbage = new Uint8Array(64);
  const strangers = [
    signatureLine('known.example', (known.keyId + 1) % 2 ** 32, garbage),
    signatureLine('unknown.example', known.keyId, garbage),
    signatureLine('unknown.example', 0xffffffff, garbage),
  ].join('');
  const opened = openNote(concatBytes(signNote(TEXT, [known]), encodeUtf8(strangers)), [known.vkey]);
  assert.equal(opened.unknown, 3);
  assert.equal(opened.verified.length, 1);
  refuses('no_known_signature', () => openNote(encodeUtf8(`${TEXT}\n${strangers}`), [known.vkey]));
  refuses('no_known_signature', () => openNote(encodeUtf8(NOTE), []));
});

test('two keys of one name and ID are refused before anything is verified', () => {
  const twin = { ...key('example.com/foo', 1, 1).vkey, keyId: VKEY.keyId };
  refuses('duplicate_key', () => openNote(encodeUtf8(NOTE), [VKEY, twin]));
  refuses('duplicate_key', () => signNote(TEXT, [key('a', 1, 1), key('a', 1, 1)]));
});

test('a signature of another length than its type has does not verify', () => {
  for (const [type, lengths] of [
    [1, [1, 63, 65, 72]],
    [4, [1, 8, 64, 71, 73]],
    [6, [1, 72, 2420, 2427, 2429]],
  ] as const) {
    const signer = key('a', type, 1);
    for (const length of lengths) {
      const line = signatureLine('a', signer.keyId, new Uint8Array(length));
      refuses('bad_signature', () => openNote(encodeUtf8(`${CHECKPOINT}\n${line}`), [signer.vkey]));
    }
  }
});

test('every bit of a small signed note matters', () => {
  const signer = key('a', 1, 1);
  const note = signNote('x\n', [signer]);
  for (let bit = 0; bit < note.length * 8; bit++) {
    const flipped = Uint8Array.from(note);
    flipped[Math.floor(bit / 8)] = (flipped[Math.floor(bit / 8)] ?? 0) ^ (1 << (bit % 8));
    assert.throws(() => openNote(flipped, [signer.vkey]), TlogError, `bit ${bit}`);
  }
});

test('what is signed is not a note: refused', () => {
  const signer = key('a', 1, 1);
  refuses('bad_note', () => signNote('no newline', [signer]));
  refuses('bad_note', () => signNote('', [signer]));
  refuses('bad_note', () => signNote('tab\t\n', [signer]));
  refuses('bad_note', () => signNote('\ud800\n', [signer]));
  refuses('bad_note', () => signNote(TEXT, []));
  refuses('bad_note', () => formatNote({ text: 'x', signatures: [{ line: LINE }] }));
  refuses('bad_note', () => formatNote({ text: TEXT, signatures: [{ line: `${LINE}${LINE}` }] }));
  refuses('bad_note', () => formatNote({ text: TEXT, signatures: [{ line: `x\n\n${LINE}` }] }));
});

test('every signed note opens to what was signed', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }).map((text) => `${text.replace(/[^\P{Cc}\n]|\p{Surrogate}/gu, '')}\n`),
      fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
      (text, fills) => {
        const keys = fills.map((fill) => key(`k${fill}.example`, 1, fill));
        const note = signNote(text, keys);
        const opened = openNote(
          note,
          keys.map(({ vkey }) => vkey),
        );
        assert.equal(opened.text, text);
        assert.equal(opened.verified.length, keys.length);
        assert.deepEqual(formatNote(parseNote(note)), note);
      },
    ),
  );
});

test('parsing never throws anything but a TlogError', () => {
  const pieces = fc.constantFrom(
    '\n',
    '\n\n',
    '— ',
    'a ',
    'AAAAAAAA\n',
    LINE,
    TEXT,
    '\0',
    '\u0085',
    ' ',
    '=',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const bytes = encodeUtf8(parts.join(''));
      try {
        const note = parseNote(bytes);
        assert.deepEqual(formatNote(note), bytes);
      } catch (error) {
        assert.ok(error instanceof TlogError);
      }
    }),
    { numRuns: 2000 },
  );
});

test('lines by themselves: as a witness answers', () => {
  const [w1, w2] = [key('w1', 4, 1), key('w2', 4, 2)];
  const body = signNoteLine(CHECKPOINT, w1, 10) + signNoteLine(CHECKPOINT, w2, 20);
  const lines = parseSignatureLines(encodeUtf8(body));
  assert.deepEqual(lines.map(({ line }) => line).join(''), body);
  for (const bad of ['', '\n', `${body}\n`, body.slice(0, -1), `\n${body}`, body.replace('\n', '\n\n')]) {
    refuses('bad_note', () => parseSignatureLines(encodeUtf8(bad)));
  }
  const [first] = lines;
  assert.ok(first);
  assert.equal(verifySignatureLine(first, CHECKPOINT, [w1.vkey, w2.vkey]).timestamp, 10);
  refuses('unknown_key', () => verifySignatureLine(first, CHECKPOINT, [w2.vkey]));
  refuses('bad_signature', () => verifySignatureLine(first, CHECKPOINT.replace('7', '8'), [w1.vkey]));
  refuses('bad_note', () => verifySignatureLine(body, CHECKPOINT, [w1.vkey, w2.vkey]));
});

test('merging: verified alone, in the order of the keys, the latest of each', () => {
  const log = key('log.example', 1, 1);
  const [w1, w2, stranger] = [key('w1', 4, 11), key('w2', 4, 12), key('w3', 4, 13)];
  const keys = [log.vkey, w1.vkey, w2.vkey];
  const note = signNote(CHECKPOINT, [log]);
  const at = (signer: typeof w1, time: number): string => signNoteLine(CHECKPOINT, signer, time);
  const expected = decodeUtf8(note) + at(w1, 30) + at(w2, 20);

  const lines = [at(w2, 20), at(w1, 10), at(w1, 30), at(w1, 20)];
  for (const order of [lines, lines.toReversed()]) {
    const merged = mergeCosignatures(note, order, keys);
    assert.equal(decodeUtf8(merged.note), expected);
    assert.deepEqual(merged.refused, []);
    assert.deepEqual(
      merged.verified.map(({ timestamp }) => timestamp),
      [undefined, 30, 20],
    );
    // Once more changes nothing, and neither does an older one.
    assert.equal(decodeUtf8(mergeCosignatures(merged.note, [at(w1, 29)], keys).note), expected);
  }

  const bad = [
    at(stranger, 10),
    signNoteLine(CHECKPOINT.replace('7', '8'), w1, 99),
    'rubbish\n',
    at(w1, 5) + at(w2, 5),
    signNoteLine(CHECKPOINT, log),
    '\ud800',
  ];
  const merged = mergeCosignatures(note, [...bad, at(w2, 20)], keys);
  assert.equal(decodeUtf8(merged.note), decodeUtf8(note) + at(w2, 20));
  assert.deepEqual(
    merged.refused.map(({ line, code }) => [line, code]),
    [
      [bad[0], 'unknown_key'],
      [bad[1], 'bad_signature'],
      [bad[2], 'bad_note'],
      [bad[3], 'bad_note'],
      [bad[4], 'unknown_key'],
      [bad[5], 'bad_note'],
    ],
  );
});

test('merging drops lines of the note by keys that are not configured', () => {
  const [log, stranger] = [key('log.example', 1, 1), key('w3', 4, 13)];
  const note = concatBytes(signNote(CHECKPOINT, [log]), encodeUtf8(signNoteLine(CHECKPOINT, stranger, 10)));
  assert.deepEqual(mergeCosignatures(note, [], [log.vkey]).note, signNote(CHECKPOINT, [log]));
  refuses('no_known_signature', () => mergeCosignatures(note, [], []));
});

test('sixteen ML-DSA-44 cosignatures fit', () => {
  const log = key('log.example', 1, 1);
  const witnesses = Array.from({ length: 16 }, (_, i) => key(`w${i}.example`, 6, 20 + i));
  const note = signNote(CHECKPOINT, [log]);
  const lines = witnesses.map((witness) => signNoteLine(CHECKPOINT, witness, 1));
  const merged = mergeCosignatures(
    note,
    lines,
    [log, ...witnesses].map(({ vkey }) => vkey),
  );
  assert.equal(merged.verified.length, 17);
});

test('a line that is repeated is verified once', () => {
  const key = newSigningKey('log.example/repeated', NOTE_ED25519, new Uint8Array(32).fill(7));
  const text = 'log.example/repeated\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n';
  const line = signNoteLine(text, key);
  const note = parseNote(formatNote({ text, signatures: Array.from({ length: 100 }, () => ({ line })) }));
  let read = 0;
  // Every verification reads the bytes of a signature.
  const signatures = note.signatures.map((signature) => ({
    ...signature,
    get signature() {
      read++;
      return signature.signature;
    },
  }));
  assert.equal(verifyNote({ text, signatures }, [key.vkey]).verified.length, 1);
  assert.ok(read <= 2, `${read} signatures read`);
});
