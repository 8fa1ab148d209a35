/** LogStorage against a list in memory: sizes around every boundary, and random lives. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import {
  TILE_WIDTH,
  emptyRoot,
  encodeHex,
  entriesPath,
  leafHash,
  parseBundle,
  proveConsistency,
  proveInclusion,
  tilesForSize,
  verifyConsistency,
  verifyInclusion,
} from '../../tlog/index.js';
import {
  type Drivers,
  type LogStorage,
  type LogStorageOptions,
  MemoryDisk,
  MemoryTreeState,
  initLogStorage,
  memoryKeyLock,
  newMemoryStateData,
  openLogStorage,
} from '../../log-server/storage/index.js';
import { ReferenceTree } from '../reference/merkle.js';
import {
  codeOf,
  entriesFrom,
  entryAt,
  noteFor,
  optionsFor,
  publishBatch,
  rootOf,
  withFolder,
} from './kit.js';

function memoryDrivers(): Drivers {
  const disk = new MemoryDisk();
  const data = newMemoryStateData();
  const holder = { held: false, mark: undefined };
  const open = (): Promise<MemoryTreeState> => Promise.resolve(new MemoryTreeState(data));
  return { disk, lock: () => Promise.resolve(memoryKeyLock(holder)), createState: open, openState: open };
}

/** Everything a reader of a tree of `size` may ask for. */
async function checkReads(
  storage: LogStorage,
  size: number,
  entry: (index: number) => Uint8Array,
): Promise<void> {
  for (const tile of tilesForSize(size)) {
    // All tiles of a small tree, the edges of a large one.
    if (size > 2000 && tile.width === TILE_WIDTH && tile.index % 97 !== 0) continue;
    const bytes = await storage.readTile(tile);
    assert.equal(bytes?.length, tile.width * 32, JSON.stringify(tile));
    if (tile.level > 0) continue;
    for (const i of [0, tile.width - 1]) {
      const leaf = leafHash(entry(tile.index * TILE_WIDTH + i));
      assert.equal(encodeHex(bytes.subarray(i * 32, i * 32 + 32)), encodeHex(leaf));
    }
    const bundle = await storage.readBundle(tile.index, tile.width);
    assert.ok(bundle);
    const entries = parseBundle(bundle, tile.width);
    assert.deepEqual(entries[tile.width - 1], entry(tile.index * TILE_WIDTH + tile.width - 1));
  }
  const past = Math.floor(size / TILE_WIDTH);
  assert.equal(await storage.readBundle(past, (size % TILE_WIDTH) + 1), undefined);
  assert.equal(await storage.readTile({ level: 0, index: past + 1, width: 1 }), undefined);
}

async function checkProofs(storage: LogStorage, size: number, index: number, oldSize: number): Promise<void> {
  const reader = storage.hashReader(size);
  const rootHash = await storage.rootAt(size);
  const proof = await proveInclusion(index, size, reader);
  verifyInclusion({
    index,
    treeSize: size,
    leafHash: leafHash(await storage.readEntry(index)),
    proof,
    rootHash,
  });
  const consistency = await proveConsistency(oldSize, size, reader);
  verifyConsistency({
    oldSize,
    oldRoot: await storage.rootAt(oldSize),
    newSize: size,
    newRoot: rootHash,
    proof: consistency,
  });
}

for (const size of [0, 1, 255, 256, 257, 511, 512, 600]) {
  it(`a folder of ${size} entries, in one batch and one by one at the end, opens as it was`, async () => {
    await withFolder(async (folder) => {
      const options = optionsFor(folder);
      let storage = await initLogStorage(options);
      await storage.writeSigned(noteFor(0, emptyRoot()));
      const most = Math.max(0, size - 3);
      if (most > 0) await publishBatch(storage, entriesFrom(0, most));
      while (storage.size < size) await publishBatch(storage, entriesFrom(storage.size, 1));
      for (let opened = 0; opened < 2; opened++) {
        assert.equal(storage.size, size);
        assert.equal(encodeHex(storage.rootHash()), encodeHex(rootOf(entriesFrom(0, size))));
        await checkReads(storage, size, entryAt);
        for (let index = 0; index < size; index += 51) {
          assert.deepEqual(await storage.readEntry(index), entryAt(index));
        }
        if (size > 0) await checkProofs(storage, size, size - 1, Math.ceil(size / 2));
        await storage.close();
        storage = await openLogStorage(options);
        assert.deepEqual(storage.mended, []);
      }
      await storage.close();
    });
  });
}

it('66,000 entries: three levels of tiles, reads and proofs at every kind of edge', async () => {
  const options = optionsFor('/none');
  const drivers = memoryDrivers();
  let storage = await initLogStorage(options, drivers);
  await storage.writeSigned(noteFor(0, emptyRoot()));
  const sizes = [65_535, 65_536, 65_537, 66_000];
  const roots = new Map<number, string>();
  for (const size of sizes) {
    while (storage.size < size) {
      const count = Math.min(5000, size - storage.size);
      await storage.commit({ oldSize: storage.size, entries: entriesFrom(storage.size, count) });
    }
    await storage.makeReadable();
    await storage.writeSigned(noteFor(size, storage.rootHash()));
    roots.set(size, encodeHex(storage.rootHash()));
    await storage.close();
    storage = await openLogStorage(options, drivers);
    assert.equal(encodeHex(storage.rootHash()), roots.get(size));
    await checkReads(storage, size, entryAt);
    await checkProofs(storage, size, 65_534, 256);
  }
  assert.equal(roots.get(66_000), encodeHex(rootOf(entriesFrom(0, 66_000))));
  for (const size of sizes) assert.equal(encodeHex(await storage.rootAt(size)), roots.get(size));
  await storage.close();
});

type Action = { kind: 'commit'; count: number } | { kind: 'readable' | 'sign' | 'publish' | 'reopen' };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('commit' as const), count: fc.nat(300) }) },
  {
    weight: 6,
    arbitrary: fc
      .constantFrom('readable' as const, 'sign' as const, 'publish' as const, 'reopen' as const)
      .map((kind) => ({ kind })),
  },
);

/** Two batches past the end of a bundle before it is written: what the state must keep until then. */
const unsealed: Action[] = [{ kind: 'commit', count: 300 }, { kind: 'commit', count: 1 }, { kind: 'reopen' }];

async function liveRandomly(
  options: LogStorageOptions,
  drivers: Drivers | undefined,
  actions: readonly Action[],
): Promise<void> {
  let storage = await initLogStorage(options, drivers);
  await storage.writeSigned(noteFor(0, emptyRoot()));
  let size = 0;
  let readable = 0;
  let signed = 0;
  const tree = new ReferenceTree(entriesFrom(0, 12 * 300));
  const rootAt = (at: number): Uint8Array => tree.root(at);
  for (const next of actions) {
    if (next.kind === 'commit') {
      const committed = await storage.commit({ oldSize: size, entries: entriesFrom(size, next.count) });
      size += next.count;
      assert.equal(committed.size, size);
      assert.equal(committed.leafHashes.length, next.count);
    } else if (next.kind === 'readable') {
      readable = await storage.makeReadable();
      assert.equal(readable, size);
    } else if (next.kind === 'sign') {
      await storage.writeSigned(noteFor(readable, rootAt(readable)));
      signed = readable;
      if (size > readable) {
        assert.equal(await codeOf(storage.writeSigned(noteFor(size, rootAt(size)))), 'not_allowed');
      }
    } else if (next.kind === 'publish') {
      await storage.writePublished(noteFor(signed, rootAt(signed), true), new Uint8Array([1]));
    } else {
      await storage.close();
      storage = await openLogStorage(options, drivers);
      // Opening makes readable what was committed.
      readable = size;
    }
    assert.deepEqual([storage.size, storage.readableSize], [size, readable]);
    assert.equal(encodeHex(storage.rootHash()), encodeHex(rootAt(size)));
    await checkReads(storage, readable, entryAt);
  }
  await storage.close();
}

it('random lives in memory are those of a list', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 12 }), (actions) =>
      liveRandomly(optionsFor('/none'), memoryDrivers(), actions),
    ),
    { numRuns: 60, examples: [[unsealed]] },
  );
});

it('random lives in a folder are those of a list', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 10 }), (actions) =>
      withFolder((folder) => liveRandomly(optionsFor(folder, { publishPartials: true }), undefined, actions)),
    ),
    { numRuns: 10, examples: [[unsealed]] },
  );
});

it('refuses to sign or publish what must not be', async () => {
  const storage = await initLogStorage(optionsFor('/none'), memoryDrivers());
  await storage.writeSigned(noteFor(0, emptyRoot()));
  await storage.commit({ oldSize: 0, entries: entriesFrom(0, 10) });
  const note = noteFor(10, storage.rootHash());
  assert.equal(await codeOf(storage.writeSigned(note)), 'not_allowed', 'not readable yet');
  await storage.makeReadable();
  assert.equal(
    await codeOf(storage.writePublished(note, new Uint8Array(0))),
    'not_allowed',
    'not signed yet',
  );
  assert.equal(await codeOf(storage.writeSigned(noteFor(10, leafHash(note)))), 'not_allowed', 'another root');
  assert.equal(await codeOf(storage.writeSigned(entryAt(1))), 'not_allowed', 'no note');
  await storage.writeSigned(note);
  await storage.writePublished(note, new Uint8Array(0));
  assert.equal(await codeOf(storage.writeSigned(noteFor(5, await storage.rootAt(5)))), 'not_allowed', 'back');
  assert.equal(await codeOf(storage.commit({ oldSize: 9, entries: entriesFrom(9, 1) })), 'size_conflict');
  assert.equal(
    await codeOf(storage.commit({ oldSize: 10, entries: [new Uint8Array(65_536)] })),
    'not_allowed',
    'longer than a bundle can say',
  );
  await storage.commit({ oldSize: 10, entries: [new Uint8Array(65_535), new Uint8Array(0)] });
  await storage.makeReadable();
  assert.equal((await storage.readEntry(10)).length, 65_535);
  assert.equal((await storage.readEntry(11)).length, 0);
  await storage.close();
  assert.equal(await codeOf(storage.commit({ oldSize: 12, entries: [] })), 'closed');
});

it('a run of entries reads its bundle once, and each is held against its leaf', async () => {
  const disk = new MemoryDisk();
  let reads = 0;
  const read = disk.read.bind(disk);
  disk.read = (path) => {
    if (path.includes('/tile/entries/')) reads++;
    return read(path);
  };
  const drivers = { ...memoryDrivers(), disk };
  const storage = await initLogStorage(optionsFor('/none'), drivers);
  await storage.writeSigned(noteFor(0, emptyRoot()));
  await publishBatch(storage, entriesFrom(0, 600));
  reads = 0;
  for (let index = 0; index < 600; index++) assert.deepEqual(await storage.readEntry(index), entryAt(index));
  assert.equal(reads, 2);
  // With this commit the state lets go of what is sealed.
  await publishBatch(storage, entriesFrom(600, 1));
  await storage.close();

  const path = `public/${entriesPath(1, TILE_WIDTH)}`;
  const good = (await read(path)) ?? assert.fail(path);
  const bent = good.slice();
  // In the first entry, behind its length.
  bent[2] = (bent[2] ?? 0) ^ 1;
  const again = await openLogStorage(optionsFor('/none'), drivers);
  await disk.write(path, bent);
  assert.deepEqual(await again.readEntry(257), entryAt(257));
  assert.equal(await codeOf(again.readEntry(256)), 'state_damaged');
  await disk.write(path, good);
  assert.deepEqual(await again.readEntry(256), entryAt(256), 'the bent one is not kept');
  await again.close();
});

it('a disk that runs full refuses before anything is written, and goes on when there is room', async () => {
  const disk = new MemoryDisk();
  const drivers = { ...memoryDrivers(), disk };
  const storage = await initLogStorage(optionsFor('/none', { reserveBytes: 1000 }), drivers);
  await storage.writeSigned(noteFor(0, emptyRoot()));
  disk.free = 999;
  assert.equal(await codeOf(storage.commit({ oldSize: 0, entries: entriesFrom(0, 1) })), 'storage_failed');
  assert.equal(storage.size, 0);
  disk.free = 1000;
  await publishBatch(storage, entriesFrom(0, 1));
  await storage.close();
});
