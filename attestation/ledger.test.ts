import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeUtf8 } from '../tlog/index.js';
import { LedgerView, MemoryStore, digestValue, ledgerDigest } from './ledger.js';

const of = (value: object): Uint8Array => encodeUtf8(JSON.stringify(value));

test('what one ledger said is not believed of another, nor of the same one later', async () => {
  const [one, other] = [new MemoryStore(), new MemoryStore()];
  one.apply(new Map([['head', of({ a: 1 })]]));
  other.apply(new Map([['head', of({ a: 2 })]]));
  const said = (store: MemoryStore): Promise<unknown> => new LedgerView(store, 0).get('head');
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await said(one), { a: 1 });
    assert.deepEqual(await said(other), { a: 2 });
  }
  assert.equal(await said(one), await said(one), 'decoded once');
  one.apply(new Map([['head', of({ a: 3 })]]));
  assert.deepEqual(await said(one), { a: 3 });
  one.apply(new Map([['head', null]]));
  assert.equal(await said(one), undefined);
});

test('a value that many are given cannot be changed by one of them', async () => {
  const store = new MemoryStore();
  store.apply(new Map([['key/a', of({ roles: ['lab'] })]]));
  const value = await new LedgerView(store, 0).get<{ roles: string[] }>('key/a');
  assert.throws(() => value?.roles.push('registrar'), TypeError);
});

test('the digest of a ledger is its own, whichever was written last', async () => {
  const [one, other] = [new MemoryStore(), new MemoryStore()];
  const digest = (size: number): Uint8Array => digestValue({ size, digest: new Uint8Array(32).fill(size) });
  one.apply(new Map([['digest', digest(1)]]));
  other.apply(new Map([['digest', digest(2)]]));
  for (const [store, size] of [
    [one, 1],
    [other, 2],
    [one, 1],
  ] as const)
    assert.deepEqual(await ledgerDigest(store), { size, digest: new Uint8Array(32).fill(size) });
});
