import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  TlogError,
  checkDistinctKeys,
  encodeBase64,
  formatSigningKey,
  formatVkey,
  isKeyName,
  newSigningKey,
  newVkey,
  parseSigningKey,
  parseVkey,
} from './index.js';

const EXAMPLE = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
const seed = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

function refuses(code: string, act: () => unknown): TlogError {
  let caught: unknown;
  assert.throws(act, (error) => {
    caught = error;
    return error instanceof TlogError && error.code === code;
  });
  assert.ok(caught instanceof TlogError);
  assert.match(caught.message, /expected|states/);
  assert.notEqual(caught.hint, '');
  return caught;
}

test('the example of C2SP signed-note', () => {
  const vkey = parseVkey(EXAMPLE);
  assert.deepEqual(
    [vkey.name, vkey.keyId, vkey.type, vkey.publicKey.length],
    ['example.com/foo', 0x530d903a, 1, 32],
  );
  assert.equal(formatVkey(vkey), EXAMPLE);
});

test('a key pair that golang.org/x/mod/sumdb/note documents', () => {
  const text = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
  const key = parseSigningKey(text);
  assert.equal(formatVkey(key.vkey), 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
  assert.equal(formatSigningKey(key), text);
});

test('vkeys that are refused', () => {
  const publicKey = parseVkey(EXAMPLE).publicKey;
  const material = (type: number, length = 32): string =>
    encodeBase64(Uint8Array.of(type, ...publicKey.slice(0, length)));
  const cases: [string, string][] = [
    ['empty', ''],
    ['no plus', 'example.com/foo'],
    ['one plus', 'example.com/foo+530d903a'],
    ['no name', EXAMPLE.replace('example.com/foo', '')],
    ['space in the name', EXAMPLE.replace('/', ' ')],
    ['no-break space in the name', EXAMPLE.replace('/', '\u00a0')],
    ['next line (a space to Go, not to JavaScript) in the name', EXAMPLE.replace('/', '\u0085')],
    ['tab in the name', EXAMPLE.replace('/', '\t')],
    ['NUL in the name', EXAMPLE.replace('/', '\0')],
    ['unpaired surrogate in the name', EXAMPLE.replace('/', '\ud800')],
    ['another name than the ID was made for', EXAMPLE.replace('foo', 'bar')],
    ['another ID', EXAMPLE.replace('530d903a', '530d903b')],
    ['upper-case ID', EXAMPLE.replace('530d903a', '530D903A')],
    ['short ID', EXAMPLE.replace('530d903a', '530d903')],
    ['long ID', EXAMPLE.replace('530d903a', '0530d903a')],
    ['ID with a sign', EXAMPLE.replace('530d903a', '-530d903')],
    ['no key', 'example.com/foo+530d903a+'],
    ['newline at the end', `${EXAMPLE}\n`],
    ['space at the end', `${EXAMPLE} `],
    ['base64 without padding', `example.com/foo+530d903a+${material(1, 31).replace(/=*$/, '')}`],
    ['URL-safe base64', EXAMPLE.replace('+AekyeRrm', '+_ekyeRrm')],
    ['31 bytes', `example.com/foo+530d903a+${material(1, 31)}`],
    ['type 0', `example.com/foo+530d903a+${material(0)}`],
    ['type 2, ECDSA', `example.com/foo+530d903a+${material(2)}`],
    ['type 5, RFC 6962', `example.com/foo+530d903a+${material(5)}`],
    ['type 255', `example.com/foo+530d903a+${material(255)}`],
    ['type 6 with an Ed25519 key', `example.com/foo+530d903a+${material(6)}`],
  ];
  for (const [desc, text] of cases) {
    assert.notEqual(text, EXAMPLE, desc);
    refuses('bad_vkey', () => parseVkey(text));
  }
});

test('a public key under which nothing can verify is refused', () => {
  refuses('bad_vkey', () => newVkey('a', 1, new Uint8Array(32)));
  refuses('bad_vkey', () => newVkey('a', 4, new Uint8Array(32).fill(255)));
});

test('names are judged as Go judges them', () => {
  for (const name of [
    'a',
    'example.com/log42',
    'é',
    '\ufeffbom',
    '\u200bzero-width',
    'a=b',
    '—',
    '\u{1f480}',
    'a\u007f',
  ]) {
    assert.ok(isKeyName(name), name);
  }
  for (const point of [
    0x20, 0x85, 0xa0, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000, 0x2b, 0x1f, 0x0a,
  ]) {
    assert.ok(!isKeyName(`a${String.fromCodePoint(point)}b`), point.toString(16));
  }
  assert.ok(!isKeyName(''));
});

test('signing keys that are refused, none of which shows its material', () => {
  const good = formatSigningKey(newSigningKey('example.com/foo', 1, seed(7)));
  const secret = good.slice(-20);
  const cases: [string, string][] = [
    ['empty', ''],
    ['a vkey', EXAMPLE],
    ['no prefix', good.slice('PRIVATE+KEY+'.length)],
    ['lower-case prefix', good.replace('PRIVATE', 'private')],
    ['another name', good.replace('foo', 'bar')],
    ['another ID', good.replace(/\+[0-9a-f]{8}\+/, '+00000000+')],
    ['upper-case ID', good.replace(/\+[0-9a-f]{8}\+/, (id) => id.toUpperCase())],
    ['newline at the end', `${good}\n`],
    ['cut', good.slice(0, -1)],
    ['without padding', good.replace(/=+$/, '')],
    ['too long', formatSigningKey({ ...newSigningKey('a', 1, seed(7)), secret: new Uint8Array(33).fill(7) })],
    ['unknown type', formatSigningKey({ ...newSigningKey('a', 1, seed(7)), type: 3 })],
  ];
  for (const [desc, text] of cases) {
    if (text === good) continue;
    const error = refuses('bad_signing_key', () => parseSigningKey(text));
    const shown = `${error.message} ${error.hint} ${String(error.cause)}`;
    assert.ok(!shown.includes(secret) && !shown.includes('BwcHBw'), desc);
  }
  refuses('bad_signing_key', () => newSigningKey('a', 1, new Uint8Array(31)));
  refuses('bad_signing_key', () => newSigningKey('a b', 4, seed(1)));
});

test('every vkey and signing key is read back as written', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, unit: 'grapheme' }).filter(isKeyName),
      fc.constantFrom(1, 4),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      (name, type, secret) => {
        const key = newSigningKey(name, type, secret);
        assert.deepEqual(parseSigningKey(formatSigningKey(key)), key);
        assert.deepEqual(parseVkey(formatVkey(key.vkey)), key.vkey);
      },
    ),
  );
});

test('ML-DSA-44 keys: 1312 bytes made from 32', () => {
  const key = newSigningKey('witness.example', 6, seed(3));
  assert.equal(key.vkey.publicKey.length, 1312);
  assert.deepEqual(parseVkey(formatVkey(key.vkey)), key.vkey);
  assert.deepEqual(parseSigningKey(formatSigningKey(key)), key);
  // The same seed as another type has another key ID.
  assert.notEqual(
    newSigningKey('witness.example', 4, seed(3)).keyId,
    newSigningKey('witness.example', 1, seed(3)).keyId,
  );
});

test('the arrays of a key are its own', () => {
  const mine = seed(9);
  const key = newSigningKey('a', 1, mine);
  const before = formatSigningKey(key);
  mine.fill(0);
  assert.equal(formatSigningKey(key), before);
});

test('two keys of one name and ID are a configuration error', () => {
  const vkey = parseVkey(EXAMPLE);
  checkDistinctKeys([
    vkey,
    newVkey('example.com/foo', 4, vkey.publicKey),
    newVkey('example.com/bar', 1, vkey.publicKey),
  ]);
  refuses('duplicate_key', () => checkDistinctKeys([vkey, parseVkey(EXAMPLE)]));
  // IDs have 32 bits: a colliding key is made in a minute.
  const other = { ...newSigningKey('example.com/foo', 1, seed(1)).vkey, keyId: vkey.keyId };
  refuses('duplicate_key', () => checkDistinctKeys([vkey, other]));
});
