import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { publicKeyFromSeed, SteleError } from '../tlog/index.js';
import {
  MAX_ENTRY_BYTES,
  MAX_ENVELOPE_BYTES,
  entryId,
  envelopeToJson,
  formatEnvelope,
  keyId,
  pae,
  parseAnyEnvelope,
  parseEnvelope,
  parseLeaf,
  signEnvelope,
  verifyEnvelopeSignature,
} from './envelope.js';
import type { Envelope } from './envelope.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);
const seed = new Uint8Array(32).fill(7);
const envelope = signEnvelope({ hello: 'w\u00f6rld' }, seed);

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof SteleError, String(error));
    return error.code;
  }
  return 'accepted';
}

interface Loose {
  [key: string]: unknown;
  signatures: Record<string, unknown>[];
}
const loose = (): Loose => JSON.parse(text(formatEnvelope(envelope))) as Loose;

test('PAE is as DSSE defines it', () => {
  // The example of DSSE protocol.md.
  assert.equal(
    text(pae('http://example.com/HelloWorld', bytes('hello world'))),
    'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
  );
  assert.equal(text(pae('', new Uint8Array(0))), 'DSSEv1 0  0 ');
  assert.equal(text(pae('\u00e4', bytes('\u00f6'))), 'DSSEv1 2 \u00e4 2 \u00f6');
});

test('a signed envelope verifies under its key and no other, and reads back', () => {
  const publicKey = publicKeyFromSeed(seed);
  assert.ok(verifyEnvelopeSignature(envelope, publicKey));
  assert.ok(!verifyEnvelopeSignature(envelope, publicKeyFromSeed(new Uint8Array(32))));
  assert.ok(!verifyEnvelopeSignature({ ...envelope, payload: bytes('{}') }, publicKey));
  assert.equal(envelope.keyid, keyId(publicKey));
  assert.deepEqual(parseEnvelope(formatEnvelope(envelope)), envelope);
});

test('any JSON encoding of an envelope gives the one leaf', () => {
  const leaf = formatEnvelope(envelope);
  const { payload, payloadType, signatures } = envelopeToJson(envelope);
  const [{ keyid, sig } = { keyid: '', sig: '' }] = signatures;
  const urlSafe = (base64: string): string => base64.replaceAll('+', '-').replaceAll('/', '_');
  for (const other of [
    JSON.stringify({ signatures: [{ sig, keyid }], payloadType, payload }, null, 4),
    `\n${JSON.stringify({ payload, payloadType, signatures })}\r\n`,
    JSON.stringify({ payload: urlSafe(payload), payloadType, signatures: [{ keyid, sig: urlSafe(sig) }] }),
    text(leaf).replaceAll('/', '\\/').replace('payloadType', '\\u0070ayloadType'),
  ])
    assert.deepEqual(formatEnvelope(parseEnvelope(bytes(other))), leaf, other);
});

test('an entry is known by its payload, whatever signed it', () => {
  const again = { ...envelope, signature: new Uint8Array(64) };
  assert.deepEqual(entryId(again), entryId(envelope));
});

test('what is not an envelope of ours is refused', () => {
  const change = (edit: (value: Loose) => void): Uint8Array => {
    const value = loose();
    edit(value);
    return bytes(JSON.stringify(value));
  };
  const first = (value: Loose): Record<string, unknown> => value.signatures[0] ?? {};
  const bad: [string, Uint8Array][] = [
    ['an array', bytes('[]')],
    ['null', bytes('null')],
    ['no payload', change((v) => delete v['payload'])],
    ['an empty payload', change((v) => (v['payload'] = ''))],
    ['a payload that is a number', change((v) => (v['payload'] = 1))],
    ['a payload without padding', change((v) => (v['payload'] = 'eyJ9eQ'))],
    ['a payload with unused bits', change((v) => (v['payload'] = 'eyJ9eR=='))],
    ['a payload with spaces', change((v) => (v['payload'] = 'eyJ9 eQ='))],
    ['standard and URL-safe base64 mixed', change((v) => (v['payload'] = '+-++'))],
    ['another payload type', change((v) => (v['payloadType'] = 'application/json'))],
    ['no signature', change((v) => (v.signatures = []))],
    ['two signatures', change((v) => v.signatures.push(first(v)))],
    ['signatures that are no list', change((v) => (v['signatures'] = {} as never))],
    ['a field that nobody signed', change((v) => (v['note'] = 'hello'))],
    ['a certificate beside the signature', change((v) => (first(v)['cert'] = 'x'))],
    ['no keyid', change((v) => delete first(v)['keyid'])],
    ['keyid in capitals', change((v) => (first(v)['keyid'] = 'A'.repeat(64)))],
    ['keyid too short', change((v) => (first(v)['keyid'] = 'a'.repeat(62)))],
    ['a signature of 63 bytes', change((v) => (first(v)['sig'] = 'A'.repeat(84)))],
    ['a signature that is null', change((v) => (first(v)['sig'] = null))],
  ];
  for (const [desc, input] of bad)
    assert.equal(
      code(() => parseEnvelope(input)),
      'bad_envelope',
      desc,
    );
  assert.equal(
    code(() => parseEnvelope(bytes('{"payload":"","payload":""}'))),
    'bad_json',
  );
});

test('an entry has at most 65,535 bytes, however large its encoding', () => {
  const overhead = formatEnvelope({ ...envelope, payload: new Uint8Array(3) }).length - 4;
  const most = Math.floor((MAX_ENTRY_BYTES - overhead) / 4) * 3;
  const full: Envelope = { ...envelope, payload: new Uint8Array(most) };
  assert.ok(formatEnvelope(full).length <= MAX_ENTRY_BYTES);
  assert.ok(formatEnvelope(full).length > MAX_ENTRY_BYTES - 4);
  assert.equal(
    code(() => formatEnvelope({ ...envelope, payload: new Uint8Array(most + 1) })),
    'entry_too_large',
  );
  assert.equal(
    code(() => parseEnvelope(new Uint8Array(MAX_ENVELOPE_BYTES + 1))),
    'entry_too_large',
  );
  const leaf = formatEnvelope(full);
  assert.deepEqual(parseEnvelope(bytes(`${' '.repeat(MAX_ENTRY_BYTES)}${text(leaf)}`)), full);
});

test('property: the leaf of any payload reads back', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.uint8Array({ minLength: 64, maxLength: 64 }),
      (payload, signature) => {
        const made: Envelope = { ...envelope, payload, signature };
        assert.deepEqual(parseEnvelope(formatEnvelope(made)), made);
      },
    ),
  );
});

test('property: a leaf is read where its values lie, or as JSON, with one answer; so with small faults', () => {
  const leaf = formatEnvelope(envelope);
  assert.deepEqual(parseLeaf(leaf), parseAnyEnvelope(leaf));
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.nat(),
      fc.nat({ max: 4 }),
      fc.oneof(
        fc.uint8Array({ maxLength: 4 }),
        fc.constantFrom('=', 'A', '-', '"', ' ', ',', '{', '}', 'a', 'G', '\\/').map(bytes),
      ),
      (payload, at, gone, put) => {
        const made = formatEnvelope({ ...envelope, payload });
        assert.deepEqual(parseLeaf(made), parseAnyEnvelope(made));
        const from = at % (made.length + 1);
        const bent = new Uint8Array([...made.subarray(0, from), ...put, ...made.subarray(from + gone)]);
        const found = parseLeaf(bent);
        if (found === undefined) return;
        assert.deepEqual(found, parseAnyEnvelope(bent));
        // And only what is its own canonical form.
        assert.deepEqual(formatEnvelope(found), bent);
      },
    ),
    { numRuns: 2000 },
  );
});

test('a leaf that is bent at any byte is read in no other way than as JSON', () => {
  const leaf = formatEnvelope(envelope);
  for (let i = 0; i < leaf.length; i++) {
    for (const other of ['"', '=', 'A', 'g', 'Z'].map((each) => each.charCodeAt(0))) {
      const bent = leaf.slice();
      bent[i] = other;
      const found = parseLeaf(bent);
      const slow = code(() => parseAnyEnvelope(bent));
      if (found !== undefined) assert.deepEqual(formatEnvelope(found), bent, `byte ${i}`);
      assert.equal(found !== undefined, slow === 'accepted', `byte ${i}: ${slow}`);
    }
  }
});
