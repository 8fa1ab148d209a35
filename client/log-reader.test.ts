import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CompactRange,
  encodeUtf8,
  entriesPath,
  formatBundle,
  formatCheckpoint,
  formatTile,
  formatVkey,
  leafHash,
  newSigningKey,
  NOTE_ED25519,
  parsePolicy,
  parseTlogProof,
  signNote,
  tilePath,
  tilesForSize,
  verifyConsistency,
  verifyInclusion,
} from '../tlog/index.js';
import {
  checkLog,
  ClientError,
  httpSource,
  InconsistentError,
  LogReader,
  type LastSeen,
  type TileCache,
  type TileSource,
} from './index.js';

const ORIGIN = 'log.example/reader';
const key = newSigningKey(ORIGIN, NOTE_ED25519, new Uint8Array(32).fill(7));
const policy = parsePolicy(encodeUtf8(`log ${formatVkey(key.vkey)}\nquorum none\n`));

/** A tree in memory, kept as all its nodes, which it serves as the files of a tlog-tiles log. */
class MemoryLog implements TileSource {
  readonly files = new Map<string, Uint8Array>();
  readonly asked: string[] = [];
  readonly entries: Uint8Array[] = [];
  readonly roots: Uint8Array[] = [new CompactRange().root()];
  readonly #nodes = new Map<string, Uint8Array>();
  readonly #range = new CompactRange();
  #note: Uint8Array = new Uint8Array();

  constructor(size: number, text = 'entry') {
    for (let i = 0; i < size; i++) this.append(encodeUtf8(`${text} ${i}`));
    this.publish(size);
  }

  append(entry: Uint8Array): void {
    this.entries.push(entry);
    this.#range.appendVisiting(leafHash(entry), (level, index, hash) =>
      this.#nodes.set(`${level}/${index}`, hash),
    );
    this.roots.push(this.#range.root());
  }

  root(size: number): Uint8Array {
    return this.roots[size] ?? new Uint8Array();
  }

  /** Writes the files that exist at this size. What was published before stays. */
  publish(size: number, rootHash = this.root(size)): Uint8Array {
    for (const tile of tilesForSize(size)) {
      const hashes = Array.from({ length: tile.width }, (_, i) => {
        const hash = this.#nodes.get(`${tile.level * 8}/${tile.index * 256 + i}`);
        assert.ok(hash);
        return hash;
      });
      this.files.set(tilePath(tile), formatTile(hashes));
      if (tile.level === 0) {
        const entries = this.entries.slice(tile.index * 256, tile.index * 256 + tile.width);
        this.files.set(entriesPath(tile.index, tile.width), formatBundle(entries));
      }
    }
    this.#note = signNote(formatCheckpoint({ origin: ORIGIN, size, rootHash, extensions: [] }), [key]);
    return this.#note;
  }

  show(note: Uint8Array): void {
    this.#note = note;
  }

  checkpoint(): Promise<Uint8Array> {
    return Promise.resolve(this.#note);
  }
  tile(tile: Parameters<typeof tilePath>[0]): Promise<Uint8Array> {
    return this.#get(tilePath(tile));
  }
  bundle(index: number, width: number): Promise<Uint8Array> {
    return this.#get(entriesPath(index, width));
  }
  #get(path: string): Promise<Uint8Array> {
    this.asked.push(path);
    const bytes = this.files.get(path);
    return bytes ? Promise.resolve(bytes) : Promise.reject(new ClientError('not_found', path));
  }
}

class MemorySeen implements LastSeen {
  readonly notes = new Map<string, Uint8Array>();
  load(origin: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.notes.get(origin));
  }
  save(origin: string, note: Uint8Array): Promise<void> {
    this.notes.set(origin, note);
    return Promise.resolve();
  }
}

async function collect(reader: LogReader, from?: number, to?: number): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const { entry, index } of reader.entries(from, to)) {
    assert.equal(index, (from ?? 0) + found.length);
    found.push(entry);
  }
  return found;
}

const SIZES = [0, 1, 2, 255, 256, 257, 511, 512, 700];

test('reads every entry and gives proofs that verify, at sizes around tile borders', async () => {
  for (const size of SIZES) {
    const log = new MemoryLog(size);
    const reader = new LogReader(log, policy);
    assert.equal((await reader.checkpoint()).size, size);
    assert.deepEqual(await collect(reader), log.entries);
    for (const index of [0, 1, 255, 256, size - 1].filter((i) => i >= 0 && i < size)) {
      assert.deepEqual(await reader.entry(index), log.entries[index]);
      const leaf = leafHash(log.entries[index] ?? new Uint8Array());
      const proof = await reader.inclusionProof(index);
      verifyInclusion({ index, treeSize: size, leafHash: leaf, proof, rootHash: log.root(size) });
      assert.equal(parseTlogProof(await reader.tlogProof(index)).index, index);
    }
    for (const oldSize of [1, 200, 256, 300, size].filter((s) => s > 0 && s <= size)) {
      assert.deepEqual(await reader.rootAt(oldSize), log.root(oldSize));
      const proof = await reader.consistencyProof(oldSize);
      const [oldRoot, newRoot] = [log.root(oldSize), log.root(size)];
      verifyConsistency({ oldSize, oldRoot, newSize: size, newRoot, proof });
    }
    await assert.rejects(reader.entry(size), { code: 'out_of_range' });
    await assert.rejects(collect(reader, 0, size + 1), { code: 'out_of_range' });
    const checked = await checkLog(log, { size, rootHash: log.root(size) });
    assert.deepEqual(checked, {
      entries: size,
      bundles: Math.ceil(size / 256),
      tiles: [...tilesForSize(size)].length,
    });
  }
});

test('ranges of entries are cut at both ends', async () => {
  const log = new MemoryLog(600);
  const reader = new LogReader(log, policy);
  assert.deepEqual(await collect(reader, 250, 520), log.entries.slice(250, 520));
  assert.deepEqual(await collect(reader, 300, 301), log.entries.slice(300, 301));
  assert.deepEqual(await collect(reader, 300, 300), []);
});

test('a tree of three levels of tiles', async () => {
  const size = 256 * 256 + 300;
  const log = new MemoryLog(size);
  const reader = new LogReader(log, policy, { parallel: 3 });
  let count = 0;
  for await (const bundle of reader.bundles()) count += bundle.entries.length;
  assert.equal(count, size);
  const proof = await reader.inclusionProof(77);
  const leaf = leafHash(log.entries[77] ?? new Uint8Array());
  verifyInclusion({ index: 77, treeSize: size, leafHash: leaf, proof, rootHash: log.root(size) });
  assert.equal((await checkLog(log, { size, rootHash: log.root(size) })).entries, size);
});

test('a partial tile or bundle that is gone is cut from the full one', async () => {
  const log = new MemoryLog(300);
  log.publish(300);
  const note = await log.checkpoint();
  for (let i = 300; i < 600; i++) log.append(encodeUtf8(`later ${i}`));
  log.publish(600);
  log.show(note);
  for (const path of [...log.files.keys()]) if (path.endsWith('.p/44')) log.files.delete(path);
  const reader = new LogReader(log, policy);
  assert.deepEqual(await collect(reader), log.entries.slice(0, 300));
  assert.ok(log.asked.includes('tile/0/001.p/44') && log.asked.includes('tile/0/001'));
});

test('any altered byte of any tile or bundle is found, by reader and by full check', async () => {
  const size = 515;
  const log = new MemoryLog(size);
  for (const [path, bytes] of [...log.files]) {
    const altered = Uint8Array.from(bytes);
    const last = altered.length - 1;
    altered[last] = (altered[last] ?? 0) ^ 1;
    log.files.set(path, altered);
    const code = path.includes('entries') ? 'bad_bundle' : 'bad_tile';
    await assert.rejects(checkLog(log, { size, rootHash: log.root(size) }), (error: ClientError) => {
      assert.ok(['bad_tile', 'bad_bundle'].includes(error.code), path);
      return true;
    });
    const reader = new LogReader(log, policy);
    await assert.rejects(
      async () => {
        await collect(reader);
        // The reader does not need full tiles of level 0 for entries, but it does for proofs.
        for (let index = 0; index < size; index += 128) await reader.inclusionProof(index);
      },
      { code },
    );
    log.files.set(path, altered.slice(0, -1));
    await assert.rejects(checkLog(log, { size, rootHash: log.root(size) }), ClientError);
    log.files.set(path, bytes);
  }
  assert.equal((await checkLog(log, { size, rootHash: log.root(size) })).entries, size);
});

test('the cache holds verified full files only, is used, and is not believed', async () => {
  const log = new MemoryLog(600);
  const kept = new Map<string, Uint8Array>();
  const cache: TileCache = {
    get: (path) => Promise.resolve(kept.get(path)),
    put: (path, bytes) => {
      kept.set(path, bytes);
      return Promise.resolve();
    },
  };
  const first = new LogReader(log, policy, { cache });
  await collect(first);
  await first.inclusionProof(3);
  assert.deepEqual([...kept.keys()].sort(), ['tile/0/000', 'tile/entries/000', 'tile/entries/001']);

  log.asked.length = 0;
  const second = new LogReader(log, policy, { cache });
  await collect(second);
  await second.inclusionProof(3);
  assert.ok(log.asked.every((path) => path.includes('.p/')));

  for (const [path, bytes] of kept)
    kept.set(
      path,
      bytes.map((byte) => byte ^ 1),
    );
  const third = new LogReader(log, policy, { cache });
  assert.deepEqual(await collect(third), log.entries);

  const bad = log.files.get('tile/entries/000') ?? new Uint8Array();
  log.files.set(
    'tile/entries/000',
    bad.map((byte) => byte ^ 1),
  );
  kept.clear();
  await assert.rejects(collect(new LogReader(log, policy, { cache })), { code: 'bad_bundle' });
  assert.ok(!kept.has('tile/entries/000'));
});

test('follows a growing log, and keeps what it saw', async () => {
  const log = new MemoryLog(10);
  const lastSeen = new MemorySeen();
  assert.equal((await new LogReader(log, policy, { lastSeen }).checkpoint()).size, 10);
  for (let i = 10; i < 400; i++) log.append(encodeUtf8(`entry ${i}`));
  log.publish(400);
  assert.equal((await new LogReader(log, policy, { lastSeen }).checkpoint()).size, 400);

  const older = log.publish(300);
  log.publish(400);
  log.show(older);
  const lagging = await new LogReader(log, policy, { lastSeen }).checkpoint();
  assert.deepEqual([lagging.size, lagging.servedSize], [400, 300]);

  log.files.delete('tile/0/001.p/144');
  await assert.rejects(new LogReader(log, policy, { lastSeen }).checkpoint(), { code: 'went_back' });
});

test('another history is proven, at the same size, a larger and a smaller one', async () => {
  const honest = new MemoryLog(300);
  const forked = new MemoryLog(400, 'forged');
  for (const size of [300, 400, 200]) {
    const lastSeen = new MemorySeen();
    await new LogReader(honest, policy, { lastSeen }).checkpoint();
    const before = lastSeen.notes.get(ORIGIN);
    const note = forked.publish(size);
    const files = size < 300 ? honest : forked;
    const source: TileSource = {
      checkpoint: () => Promise.resolve(note),
      tile: (tile) => files.tile(tile),
      bundle: (index, width) => files.bundle(index, width),
    };
    await assert.rejects(new LogReader(source, policy, { lastSeen }).checkpoint(), (error: unknown) => {
      assert.ok(error instanceof InconsistentError);
      assert.equal(error.code, 'inconsistent');
      if (error.proven) {
        const [oldSize, newSize] = [Math.min(size, 300), Math.max(size, 300)];
        const newRoot = size < 300 ? honest.root(300) : forked.root(size);
        verifyConsistency({
          oldSize,
          oldRoot: error.proven.rootHash,
          newSize,
          newRoot,
          proof: error.proven.proof,
        });
      } else assert.equal(size, 300);
      return true;
    });
    assert.equal(lastSeen.notes.get(ORIGIN), before);
  }
});

test('a checkpoint is not believed without its signature, its quorum, or the empty root at size 0', async () => {
  const log = new MemoryLog(3);
  const witness = newSigningKey('witness.example/w', 4, new Uint8Array(32).fill(9));
  const strict = parsePolicy(
    encodeUtf8(`log ${formatVkey(key.vkey)}\nwitness w ${formatVkey(witness.vkey)}\nquorum w\n`),
  );
  await assert.rejects(new LogReader(log, strict).checkpoint(), { code: 'quorum_not_met' });
  const text = formatCheckpoint({ origin: ORIGIN, size: 3, rootHash: log.root(3), extensions: [] });
  log.show(signNote(text, [key, witness], 1700000000));
  assert.equal((await new LogReader(log, strict).checkpoint()).evaluation.cosignatures.length, 1);
  log.show(signNote(text, [newSigningKey(ORIGIN, NOTE_ED25519, new Uint8Array(32).fill(8))]));
  await assert.rejects(new LogReader(log, policy).checkpoint(), { code: 'no_known_signature' });
  log.publish(0, log.root(2));
  await assert.rejects(new LogReader(log, policy).checkpoint(), { code: 'bad_checkpoint' });
});

test('a source that turns into another log of the same policy is not followed', async () => {
  const log = new MemoryLog(3);
  const second = newSigningKey('log.example/second', NOTE_ED25519, new Uint8Array(32).fill(6));
  const both = parsePolicy(
    encodeUtf8(`log ${formatVkey(key.vkey)}\nlog ${formatVkey(second.vkey)}\nquorum none\n`),
  );
  const reader = new LogReader(log, both);
  await reader.checkpoint();
  const text = formatCheckpoint({ origin: second.name, size: 3, rootHash: log.root(3), extensions: [] });
  log.show(signNote(text, [second]));
  await assert.rejects(reader.checkpoint(), { code: 'bad_checkpoint' });
  await assert.rejects(new LogReader(log, both, { origin: ORIGIN }).checkpoint(), { code: 'bad_checkpoint' });
  assert.equal((await new LogReader(log, both).checkpoint()).origin, second.name);
});

test('httpSource asks for the paths of tlog-tiles, and says what came instead', async () => {
  const asked: string[] = [];
  const source = httpSource('http://log.example/prefix/', {
    fetch: (url) => {
      asked.push(url);
      if (url.endsWith('/checkpoint')) return Promise.resolve(new Response('note'));
      if (url.includes('/tile/0/')) return Promise.resolve(new Response(null, { status: 404 }));
      if (url.includes('/tile/1/')) return Promise.resolve(new Response('x'.repeat(8193)));
      if (url.includes('/tile/2/')) {
        return Promise.resolve(
          new Response(null, { status: 302, headers: { location: 'http://127.0.0.1/' } }),
        );
      }
      if (url.includes('/tile/3/')) return Promise.resolve(new Response(null, { status: 500 }));
      return Promise.reject(new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') }));
    },
  });
  assert.deepEqual(await source.checkpoint(), encodeUtf8('note'));
  await assert.rejects(source.tile({ level: 0, index: 1234067, width: 7 }), { code: 'not_found' });
  await assert.rejects(source.tile({ level: 1, index: 0, width: 256 }), { code: 'too_large' });
  await assert.rejects(source.tile({ level: 2, index: 0, width: 256 }), { code: 'redirected' });
  await assert.rejects(source.tile({ level: 3, index: 0, width: 256 }), { code: 'bad_status' });
  await assert.rejects(source.bundle(0, 256), { code: 'unreachable', message: /ECONNREFUSED/ });
  assert.equal(asked[0], 'http://log.example/prefix/checkpoint');
  assert.equal(asked[1], 'http://log.example/prefix/tile/0/x001/x234/067.p/7');
  assert.equal(asked.at(-1), 'http://log.example/prefix/tile/entries/000');
});
