/** What LevelDB loses, bends or forgets without a word, and what our layer on it says. */
import assert from 'node:assert/strict';
import { cp, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { CompactRange, encodeUtf8, leafHash, sha256 } from '../../tlog/index.js';
import { openDatabase } from '../../log-server/storage/database.js';
import { LevelTreeState, StorageError } from '../../log-server/storage/index.js';
import { Random } from '../random.js';
import { codeOf, entryAt, withFolder } from './kit.js';

const COMMITS = 120;

/** One entry of a few hundred bytes per commit, so that the write-ahead log spans several of its blocks. */
async function fill(folder: string): Promise<void> {
  const state = await LevelTreeState.create(folder);
  const range = new CompactRange();
  for (let index = 0; index < COMMITS; index++) {
    const entry = new Random(index).bytes(900);
    range.append(leafHash(entry));
    await state.commit({
      oldSize: index,
      entries: [entry],
      edge: range.hashes,
      ids: [[sha256(entry), index]],
      ledger: new Map([[`key/${index % 7}`, entryAt(index)]]),
      sealedTo: 0,
      signedSize: 0,
      publishedSize: 0,
    });
  }
  await state.close();
}

/** How opening ends: a code with what it says, the size of an older head, or `whole` after a scrub. */
async function verdict(folder: string): Promise<string> {
  try {
    const state = await LevelTreeState.open(folder);
    try {
      if (state.head.size < COMMITS) return 'older head';
      await state.scrub();
      await state.entries(0, COMMITS);
      return 'whole';
    } finally {
      await state.close();
    }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return /lost from the middle/.test(error.message) ? 'lost from the middle' : error.code;
  }
}

it('one wrong bit in the write-ahead log: never opened as if nothing had happened', async (t) => {
  await withFolder(async (folder) => {
    await fill(join(folder, 'model'));
    const name = (await readdir(join(folder, 'model'))).find((file) => file.endsWith('.log')) ?? '';
    const whole = await readFile(join(folder, 'model', name));
    assert.ok(whole.length > 4 * 32 * 1024, `${whole.length} bytes`);
    const seen = new Map<string, number>();
    const flips = 60;
    for (let i = 0; i < flips; i++) {
      const copy = join(folder, `copy${i}`);
      await cp(join(folder, 'model'), copy, { recursive: true });
      const bytes = Buffer.from(whole);
      const at = Math.floor((whole.length * i) / flips);
      bytes[at] = (bytes[at] ?? 0) ^ 0x10;
      await writeFile(join(copy, name), bytes);
      const found = await verdict(copy);
      seen.set(found, (seen.get(found) ?? 0) + 1);
      // In the last record's padding a bit may mean nothing; elsewhere it always does.
      assert.notEqual(found, 'whole', `byte ${at} of ${whole.length}`);
    }
    t.diagnostic(JSON.stringify(Object.fromEntries(seen)));
    assert.ok((seen.get('lost from the middle') ?? 0) > 0, 'the chain was never needed');
  });
});

it('a wrong value, a value under another key, a key gone: each is found', async () => {
  await withFolder(async (folder) => {
    await fill(join(folder, 'model'));
    const entry = new Random(5).bytes(900);
    const id = new Uint8Array([0x69, ...sha256(entry)]);
    const other = new Uint8Array([0x69, ...sha256(new Random(6).bytes(900))]);
    const harms: Record<string, (db: Awaited<ReturnType<typeof openDatabase>>['db']) => Promise<void>> = {
      'a wrong value': (db) => db.put(id, encodeUtf8('7')),
      'a value under another key': async (db) => db.put(id, await db.get(other)),
      'a key gone': (db) => db.del(id),
    };
    for (const [name, harm] of Object.entries(harms)) {
      const copy = join(folder, name.replaceAll(' ', '-'));
      await cp(join(folder, 'model'), copy, { recursive: true });
      const { db, close } = await openDatabase(copy, false);
      await harm(db);
      await close();
      const state = await LevelTreeState.open(copy);
      assert.equal(await codeOf(state.scrub()), 'state_damaged', name);
      if (name === 'a key gone') assert.equal(await state.lookup(sha256(entry)), undefined);
      else assert.equal(await codeOf(state.lookup(sha256(entry))), 'state_damaged', name);
      await state.close();
    }
  });
});

it('a missing state is not made anew by opening it', async () => {
  await withFolder(async (folder) => {
    assert.equal(await codeOf(LevelTreeState.open(join(folder, 'state'))), 'state_damaged');
    // LevelDB leaves an empty lock behind, and no database.
    const left = await readdir(join(folder, 'state')).catch((): string[] => []);
    assert.ok(!left.includes('CURRENT'), left.join(' '));
    const state = await LevelTreeState.create(join(folder, 'state'));
    await state.close();
    assert.equal(await codeOf(LevelTreeState.create(join(folder, 'state'))), 'already_exists');
  });
});
