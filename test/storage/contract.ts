/**
 * What every driver of a storage seam must do. A new driver (PostgreSQL, S3) runs these two suites and
 * needs no tests of its own but for its own ways of failing.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeUtf8, encodeUtf8, sha256 } from '../../tlog/index.js';
import type { StateChange, TileStore, TreeState } from '../../log-server/storage/index.js';
import { codeOf, entriesFrom, entryAt } from './kit.js';

/** A driver under test. `reopen` closes what `open` gave and opens the same data again. */
export interface StateDriver {
  open(): Promise<TreeState>;
  reopen(state: TreeState): Promise<TreeState>;
  dispose(): Promise<void>;
}

/** As many hashes as a tree of this size has in its edge; drivers do not look into them. */
function edge(size: number): Uint8Array[] {
  const ones = size.toString(2).replaceAll('0', '').length;
  return Array.from({ length: ones }, (_, i) => sha256(encodeUtf8(`${size} ${i}`)));
}

function change(oldSize: number, count: number, more: Partial<StateChange> = {}): StateChange {
  const entries = entriesFrom(oldSize, count);
  return {
    oldSize,
    entries,
    edge: edge(oldSize + count),
    ids: entries.map((entry, i) => [sha256(entry), oldSize + i]),
    ledger: new Map(),
    sealedTo: 0,
    signedSize: 0,
    publishedSize: 0,
    ...more,
  };
}

export function treeStateContract(name: string, make: () => Promise<StateDriver>): void {
  const withState = async (
    work: (state: TreeState, reopen: () => Promise<TreeState>) => Promise<void>,
  ): Promise<void> => {
    const driver = await make();
    let state = await driver.open();
    try {
      await work(state, async () => (state = await driver.reopen(state)));
    } finally {
      await state.close();
      await driver.dispose();
    }
  };

  describe(`TreeState contract: ${name}`, () => {
    it('answers for a ledger key what was committed last, however often it was asked before', async () => {
      await withState(async (state, reopen) => {
        const said = async (key: string, of = state): Promise<string | undefined> => {
          const found = await Promise.all(Array.from({ length: 3 }, () => of.ledger.get(key)));
          const texts = new Set(found.map((each) => each && decodeUtf8(each)));
          assert.equal(texts.size, 1, key);
          return [...texts][0];
        };
        const put = (...pairs: [string, string | null][]): Map<string, Uint8Array | null> =>
          new Map(pairs.map(([key, value]) => [key, value === null ? null : encodeUtf8(value)]));
        assert.equal(await said('a'), undefined);
        await state.commit(change(0, 1, { ledger: put(['a', '1'], ['b', '1'], ['c', '1']) }));
        assert.deepEqual([await said('a'), await said('b'), await said('c')], ['1', '1', '1']);
        // Asked while the commit is under way, whichever of the two it says.
        const committing = state.commit(change(1, 1, { ledger: put(['a', '2'], ['b', null]) }));
        await Promise.all(['a', 'b', 'c'].map((key) => state.ledger.get(key)));
        await committing;
        assert.deepEqual([await said('a'), await said('b'), await said('c')], ['2', undefined, '1']);
        const again = await reopen();
        assert.deepEqual(
          [await said('a', again), await said('b', again), await said('c', again)],
          ['2', undefined, '1'],
        );
      });
    });

    it('begins empty and keeps what is committed over a reopening', () =>
      withState(async (state, reopen) => {
        assert.equal(state.head.size, 0);
        assert.equal(state.head.commitNumber, 0);
        await state.commit(change(0, 3, { ledger: new Map([['a', Uint8Array.of(1)]]), signedSize: 0 }));
        await state.commit(
          change(3, 2, {
            ledger: new Map([
              ['a', Uint8Array.of(2)],
              ['b', Uint8Array.of()],
            ]),
            signedSize: 3,
            publishedSize: 3,
          }),
        );
        const again = await reopen();
        assert.deepEqual(again.head.edge, edge(5));
        assert.deepEqual(
          [again.head.size, again.head.commitNumber, again.head.signedSize, again.head.publishedSize],
          [5, 2, 3, 3],
        );
        assert.deepEqual(await again.entries(0, 5), entriesFrom(0, 5));
        assert.equal(await again.lookup(sha256(entryAt(4))), 4);
        assert.equal(await again.lookup(sha256(entryAt(5))), undefined);
        assert.deepEqual(await again.ledger.get('a'), Uint8Array.of(2));
        assert.deepEqual(await again.ledger.get('b'), Uint8Array.of());
        assert.equal(await again.ledger.get('c'), undefined);
        await again.scrub();
      }));

    it('deletes ledger keys, also in the batch after they were written', () =>
      withState(async (state) => {
        await state.commit(change(0, 1, { ledger: new Map([['k', Uint8Array.of(1)]]) }));
        await state.commit(change(1, 1, { ledger: new Map([['k', null]]) }));
        await state.commit(change(2, 1, { ledger: new Map([['never there', null]]) }));
        assert.equal(await state.ledger.get('k'), undefined);
        await state.scrub();
      }));

    it('compares and swaps on the size, and writes nothing of a refused change', () =>
      withState(async (state) => {
        await state.commit(change(0, 2));
        assert.equal(await codeOf(state.commit(change(1, 2))), 'size_conflict');
        assert.equal(await codeOf(state.commit(change(3, 1))), 'size_conflict');
        assert.equal(state.head.size, 2);
        assert.equal(await state.lookup(sha256(entryAt(2))), undefined);
        await state.commit(change(2, 1));
        assert.equal(state.head.size, 3);
      }));

    it('refuses an identity that is there already, in the state or in the batch', () =>
      withState(async (state) => {
        // Asked before it is there: what is remembered of that must end with its commit.
        assert.equal(await state.lookup(sha256(entryAt(0))), undefined);
        await state.commit(change(0, 2));
        const again: [Uint8Array, number] = [sha256(entryAt(0)), 2];
        assert.equal(await codeOf(state.commit(change(2, 1, { ids: [again] }))), 'not_allowed');
        const id = sha256(entryAt(9));
        const twice: [Uint8Array, number][] = [
          [id, 2],
          [id, 3],
        ];
        assert.equal(await codeOf(state.commit(change(2, 2, { ids: twice }))), 'not_allowed');
        assert.equal(await state.lookup(sha256(entryAt(0))), 0);
        assert.equal(state.head.size, 2);
      }));

    it('refuses an edge of another size, marks that fall, a sealed mark that is not whole bundles', () =>
      withState(async (state) => {
        assert.equal(await codeOf(state.commit(change(0, 2, { edge: edge(3) }))), 'not_allowed');
        await state.commit(change(0, 300));
        await state.commit(change(300, 0, { signedSize: 300, publishedSize: 200 }));
        for (const wrong of [
          { sealedTo: 255 },
          { sealedTo: 512 },
          { signedSize: 299, publishedSize: 200 },
          { signedSize: 300, publishedSize: 199 },
        ]) {
          const bad = change(300, 1, { signedSize: 300, publishedSize: 200, ...wrong });
          assert.equal(await codeOf(state.commit(bad)), 'not_allowed', JSON.stringify(wrong));
        }
        assert.equal(state.head.size, 300);
      }));

    it('lets sealed entries go and keeps the others', () =>
      withState(async (state, reopen) => {
        await state.commit(change(0, 255));
        await state.commit(change(255, 345));
        await state.commit(change(600, 1, { sealedTo: 512 }));
        const again = await reopen();
        assert.equal(again.head.sealedTo, 512);
        assert.deepEqual(await again.entries(512, 601), entriesFrom(512, 89));
        assert.equal(await codeOf(again.entries(511, 513)), 'state_damaged');
        await again.scrub();
      }));

    it('remembers what each witness last cosigned', () =>
      withState(async (state, reopen) => {
        await state.putWitnessSizes(
          new Map([
            ['w1', 7],
            ['w2', 0],
          ]),
        );
        await state.putWitnessSizes(new Map([['w1', 9]]));
        const again = await reopen();
        assert.equal(await again.witnessSize('w1'), 9);
        assert.equal(await again.witnessSize('w2'), 0);
        assert.equal(await again.witnessSize('w3'), undefined);
      }));

    it('refuses everything once closed', () =>
      withState(async (state) => {
        await state.close();
        assert.equal(await codeOf(state.commit(change(0, 1))), 'closed');
        assert.equal(await codeOf(state.lookup(sha256(entryAt(0)))), 'closed');
      }));
  });
}

export function tileStoreContract(
  name: string,
  make: () => Promise<{ store: TileStore; dispose: () => Promise<void> }>,
): void {
  const withStore = async (work: (store: TileStore) => Promise<void>): Promise<void> => {
    const { store, dispose } = await make();
    try {
      await work(store);
    } finally {
      await dispose();
    }
  };

  describe(`TileStore contract: ${name}`, () => {
    it('answers with what was put, and with undefined otherwise', () =>
      withStore(async (store) => {
        const bytes = entryAt(1);
        await store.put([
          ['tile/0/x001/067', bytes],
          ['tile/entries/000', entryAt(2)],
        ]);
        assert.deepEqual(await store.get('tile/0/x001/067'), bytes);
        assert.equal(await store.get('tile/0/x001/068'), undefined);
        assert.equal(await store.get('tile/0/x001'), undefined);
      }));

    it('takes the same bytes twice and refuses others', () =>
      withStore(async (store) => {
        await store.put([['tile/0/000', entryAt(1)]]);
        await store.put([['tile/0/000', entryAt(1)]]);
        assert.equal(await codeOf(store.put([['tile/0/000', entryAt(2)]])), 'state_damaged');
        assert.deepEqual(await store.get('tile/0/000'), entryAt(1));
      }));

    it('takes many at once', () =>
      withStore(async (store) => {
        const objects = entriesFrom(0, 40).map((bytes, i): [string, Uint8Array] => [
          `tile/0/${String(i).padStart(3, '0')}`,
          bytes,
        ]);
        await store.put(objects);
        for (const [path, bytes] of objects) {
          assert.deepEqual(await store.get(path), bytes);
        }
      }));
  });
}
