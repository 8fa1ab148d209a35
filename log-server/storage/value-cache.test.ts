import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AbsentNames, ValueCache } from './value-cache.js';

test('property: each value that is kept is the one that was written last', () => {
  const op = fc.record({
    does: fc.constantFrom('read', 'write', 'remove'),
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    value: fc.uint8Array({ maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(op, { maxLength: 40 }), (ops) => {
      const cache = new ValueCache(3);
      const store = new Map<string, Uint8Array>();
      for (const { does, key, value } of ops) {
        if (does === 'read') {
          const kept = cache.get(key);
          const stored = store.get(key);
          if (kept !== undefined) assert.deepEqual(kept, stored);
          else if (stored !== undefined) cache.keep(key, stored);
        } else {
          if (does === 'write') store.set(key, value);
          else store.delete(key);
          cache.forget([key]);
        }
      }
    }),
  );
});

test('a large value is not kept, and one that is kept is a copy', () => {
  const cache = new ValueCache(2);
  cache.keep('large', new Uint8Array(5000));
  assert.equal(cache.get('large'), undefined);
  for (const given of [Uint8Array.of(1, 2), Buffer.from([1, 2])]) {
    cache.keep('small', given);
    given[0] = 9;
    const kept = cache.get('small');
    assert.deepEqual([kept, kept?.buffer.byteLength], [Uint8Array.of(1, 2), 2]);
  }
  assert.equal(cache.get('small'), cache.get('small'));
});

test('the value kept longest goes where one more is too many', () => {
  const cache = new ValueCache(2);
  for (const key of ['a', 'b', 'c', 'c']) cache.keep(key, Uint8Array.of(1));
  assert.deepEqual([cache.size, cache.get('a'), cache.get('b')], [2, undefined, Uint8Array.of(1)]);
});

test('of names known not to be there the oldest is forgotten where one more is too many', () => {
  const absent = new AbsentNames(2);
  for (const name of ['a', 'b', 'c']) absent.add(name);
  assert.deepEqual(
    ['a', 'b', 'c'].map((name) => absent.has(name)),
    [false, true, true],
  );
  absent.forget(['b', 'd']);
  assert.equal(absent.has('b'), false);
});
