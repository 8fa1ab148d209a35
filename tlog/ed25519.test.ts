import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeHex, encodeUtf8 } from './encoding.js';
import { isAcceptableKey, publicKeyFromSeed, signEd25519, verifyEd25519 } from './ed25519.js';
import { TlogError } from './errors.js';
import * as browser from './platform-browser.js';
import * as node from './platform-node.js';

// Fails to compile when a platform lacks something.
const platforms: Record<string, typeof import('#platform')> = { node, browser };

const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
const message = fc.uint8Array({ maxLength: 100 });

/** RFC 8032 §7.1. */
const rfc8032 = [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    key: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
];

test('the examples of RFC 8032', () => {
  for (const example of rfc8032) {
    const [secret, key, signature] = [example.seed, example.key, example.signature].map((hex) =>
      decodeHex(hex),
    );
    const text = decodeHex(example.message);
    assert.ok(secret && key && signature);
    assert.deepEqual(publicKeyFromSeed(secret), key);
    assert.deepEqual(signEd25519(text, secret), signature);
    assert.equal(verifyEd25519(signature, text, key), true);
  }
});

describe('both platforms', () => {
  test('sign the same bytes and accept each other', () => {
    fc.assert(
      fc.property(seed, message, (secret, text) => {
        const key = node.publicKeyFromSeed(secret);
        const signature = node.signEd25519(text, secret);
        for (const platform of Object.values(platforms)) {
          assert.deepEqual(platform.publicKeyFromSeed(secret), key);
          assert.deepEqual(platform.signEd25519(text, secret), signature);
          assert.equal(platform.verifyPrechecked(signature, text, key), true);
        }
      }),
      { numRuns: 20 },
    );
  });

  test('refuse the same: a bit changed in signature, message or key', () => {
    const secret = new Uint8Array(32).fill(5);
    const text = encodeUtf8('text');
    const key = publicKeyFromSeed(secret);
    const signature = signEd25519(text, secret);
    const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
      const copy = bytes.slice();
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return copy;
    };
    for (let bit = 0; bit < 512; bit += 5) {
      const bad = flipped(signature, bit);
      assert.equal(verifyEd25519(bad, text, key), false);
      // The platforms are only asked about S < L.
      if (bit >= 500) continue;
      for (const platform of Object.values(platforms)) {
        assert.equal(platform.verifyPrechecked(bad, text, key), false);
      }
    }
    for (let bit = 0; bit < 256; bit += 7) {
      const bad = flipped(key, bit);
      assert.equal(verifyEd25519(signature, text, bad), false);
      for (const platform of Object.values(platforms)) {
        assert.equal(platform.verifyPrechecked(signature, text, bad), false);
      }
    }
    assert.equal(verifyEd25519(signature, flipped(text, 0), key), false);
  });

  test('hash the same', () => {
    fc.assert(
      fc.property(message, (bytes) => {
        assert.deepEqual(node.sha256(bytes), browser.sha256(bytes));
        assert.deepEqual(node.sha512(bytes), browser.sha512(bytes));
      }),
    );
  });

  test('answer with plain arrays: Buffer compares and slices otherwise', () => {
    const secret = new Uint8Array(32);
    for (const platform of Object.values(platforms)) {
      for (const value of [
        platform.sha256(secret),
        platform.sha512(secret),
        platform.publicKeyFromSeed(secret),
        platform.signEd25519(secret, secret),
      ]) {
        assert.equal(Object.getPrototypeOf(value), Uint8Array.prototype);
      }
    }
  });

  test('keys are told apart when more are used than are remembered', () => {
    const text = encodeUtf8('many');
    const keys = Array.from({ length: 40 }, (_, i) => {
      const secret = new Uint8Array(32).fill(i + 1);
      return { secret, key: publicKeyFromSeed(secret), signature: signEd25519(text, secret) };
    });
    for (const { secret, key, signature } of [...keys, ...keys.reverse()]) {
      assert.deepEqual(signEd25519(text, secret), signature);
      assert.equal(verifyEd25519(signature, text, key), true);
    }
  });

  test('a key array changed after use is another key', () => {
    const secret = new Uint8Array(32).fill(9);
    const key = publicKeyFromSeed(secret);
    const signature = signEd25519(secret, secret);
    for (const platform of Object.values(platforms)) {
      const mine = key.slice();
      assert.equal(platform.verifyPrechecked(signature, secret, mine), true);
      mine[3] = (mine[3] ?? 0) ^ 1;
      assert.equal(platform.verifyPrechecked(signature, secret, mine), false);
    }
  });
});

test('wrong lengths are false, not an error', () => {
  const good = { signature: new Uint8Array(64), key: publicKeyFromSeed(new Uint8Array(32)) };
  for (const length of [0, 1, 31, 33, 63, 65, 1000]) {
    assert.equal(verifyEd25519(new Uint8Array(length), new Uint8Array(0), good.key), false);
    assert.equal(verifyEd25519(good.signature, new Uint8Array(0), new Uint8Array(length)), false);
  }
  for (const length of [0, 31, 33, 64]) {
    const wrong = new Uint8Array(length);
    const refused = (error: unknown): boolean => error instanceof TlogError && error.code === 'bad_seed';
    assert.throws(() => signEd25519(wrong, wrong), refused);
    assert.throws(() => publicKeyFromSeed(wrong), refused);
  }
});

test('keys that may verify nothing: small order and non-canonical', () => {
  const p = 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f';
  // prettier-ignore
  const wrong = [
    '00'.repeat(32), `${'00'.repeat(31)}80`, `01${'00'.repeat(31)}`, `01${'00'.repeat(30)}80`,
    `ec${p.slice(2)}`, `ec${p.slice(2, -2)}ff`, p, `${p.slice(0, -2)}ff`, `ee${p.slice(2)}`, `f0${p.slice(2)}`, 'ff'.repeat(32),
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  ];
  for (const hex of wrong) assert.equal(isAcceptableKey(decodeHex(hex)), false, hex);
  assert.equal(isAcceptableKey(decodeHex(`eb${p.slice(2)}`)), true);
  assert.equal(isAcceptableKey(decodeHex(rfc8032[0]?.key ?? '')), true);
});

test('arbitrary bytes get an answer, the same on both platforms', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 64, maxLength: 64 }),
      message,
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      (signature, text, key) => {
        signature[63] = (signature[63] ?? 0) & 0x0f;
        assert.equal(verifyEd25519(signature, text, key), false);
        assert.equal(
          node.verifyPrechecked(signature, text, key),
          browser.verifyPrechecked(signature, text, key),
        );
      },
    ),
    { numRuns: 50 },
  );
});
