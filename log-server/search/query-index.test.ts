import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { factsFit, factsOf, prepareEntry } from '../../attestation/index.js';
import { silentLogger } from '../logger.js';
import { deferred } from '../signal.js';
import { openDatabase } from '../storage/database.js';
import { LOG_KEY, ORIGIN } from '../testing/fixture.js';
import { ManualClock } from '../testing/manual-clock.js';
import { MemoryStorage } from '../testing/memory-storage.js';
import { participant } from '../testing/participant.js';
import { until, untilInTime } from '../testing/until.js';
import { QueryIndex, joined } from './query-index.js';
import type { Query } from './query-index.js';

test('ranges that touch are one, and gaps between anchors stay', () => {
  assert.deepEqual(joined([]), []);
  const months = Array.from({ length: 20_000 }, (_, i): [number, number] => [10 * i, 10 * i + 10]).reverse();
  assert.deepEqual(joined(months), [[0, 200_000]]);
  assert.deepEqual(
    joined([
      [30, 40],
      [0, 10],
      [10, 20],
      [12, 15],
      [41, 42],
    ]),
    [
      [0, 20],
      [30, 40],
      [41, 42],
    ],
  );
});

test('no value of the index is empty, since what classic-level copies of an empty one is never freed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'query-index-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const storage = new MemoryStorage(ORIGIN);
  const anchor = { index: 1, leafHash: '00'.repeat(32) };
  const names = ['a', 'b', 'c'];
  const entries = names.map((name) => participant(ORIGIN, LOG_KEY, name, anchor));
  await storage.commit({ oldSize: 0, entries });
  const ending = new AbortController();
  const index = new QueryIndex(join(folder, 'search'), storage, () => storage.size, silentLogger);
  const running = index.run(new ManualClock(), ending.signal);
  await until(() => index.size === names.length);
  ending.abort();
  await running;
  const { db, close } = await openDatabase(join(folder, 'search'), false);
  const rows = await db.iterator().all();
  await close();
  assert.ok(rows.length > 3 * names.length, `${rows.length} rows`);
  for (const [key, value] of rows) assert.notEqual(value.length, 0, Buffer.from(key).toString());
});

test('entries handed over are found as those that are read are, in rows of any length, and no others', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'query-index-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const storage = new MemoryStorage(ORIGIN);
  const anchor = { index: 1, leafHash: '00'.repeat(32) };
  const kinds = Array.from({ length: 12 }, (_, i) => participant(ORIGIN, LOG_KEY, `p${i}`, anchor));
  const junk = Uint8Array.of(1, 2, 3);
  // The seventh of the twelve is rare; an entry that states nothing lies between them.
  const entries = Array.from({ length: 600 }, (_, i) => {
    if (i === 300) return junk;
    return kinds[i % 41 === 0 ? 6 : (i * i) % 6] ?? junk;
  });
  let published = 0;
  const open = (name: string): QueryIndex =>
    new QueryIndex(join(folder, name), storage, () => published, silentLogger);
  const [handed, read] = [open('handed'), open('read')];
  const ending = new AbortController();
  const running = [handed.run(new ManualClock(), ending.signal)];
  for (let from = 0, step = 1; from < entries.length; step = (step * 7) % 113) {
    const chunk = entries.slice(from, from + step);
    await storage.commit({ oldSize: from, entries: chunk });
    await storage.makeReadable();
    const prepared = chunk.map((entry) => {
      if (entry === junk) return { entry, id: undefined };
      const { id, statement } = prepareEntry(entry);
      return { entry, id, statement };
    });
    // Now and then nothing is handed over, as after a start.
    if (step % 5 !== 0) handed.committed(from, prepared);
    from += chunk.length;
    published = from;
    handed.ring();
    if (step % 3 !== 0) await until(() => handed.size === published);
  }
  running.push(read.run(new ManualClock(), ending.signal));
  await until(() => handed.size === entries.length && read.size === entries.length);
  const rare = factsOf(kinds[6] ?? junk)?.id ?? '';
  const questions: Partial<Query>[] = [
    { participant: 'p6' },
    { participant: 'p1' },
    { digest: rare },
    { type: 'participant', participant: 'p6' },
    { type: 'participant' },
    { type: 'run-final' },
  ];
  for (const question of questions) {
    const fit = entries.flatMap((entry, i) => {
      const facts = factsOf(entry);
      return facts !== undefined && factsFit(question, facts) ? [i] : [];
    });
    for (const newestFirst of [false, true]) {
      for (const after of [undefined, 0, 100, 255, 256, 257, 511, 599]) {
        const expected = newestFirst
          ? fit.filter((i) => after === undefined || i < after).reverse()
          : fit.filter((i) => after === undefined || i > after);
        const query = { ...question, newestFirst, limit: 40, ...(after !== undefined && { after }) };
        for (const index of [handed, read]) {
          const found = (await index.search(query)).entries.map((each) => each.index);
          assert.deepEqual(found, expected.slice(0, 40), JSON.stringify(query));
        }
      }
    }
  }
  // Nothing is read for who has gone.
  const gone = new AbortController();
  const readEntry = storage.readEntry.bind(storage);
  let reads = 0;
  storage.readEntry = (index) => {
    reads++;
    return readEntry(index);
  };
  await read.search({ newestFirst: false, limit: 1000 }, gone.signal, (count) => {
    if (count === 10) gone.abort();
    return undefined;
  });
  assert.equal(reads, 10);
  ending.abort();
  await Promise.all(running);
});

test('an index is made anew once, whatever searches in the one before find out later', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'query-index-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const storage = new MemoryStorage(ORIGIN);
  const entry = participant(ORIGIN, LOG_KEY, 'a', { index: 1, leafHash: '00'.repeat(32) });
  // More than a bundle of them: a search that goes on asks the database again.
  await storage.commit({ oldSize: 0, entries: Array.from({ length: 300 }, () => entry) });
  await storage.makeReadable();
  const said: string[] = [];
  const logger = { log: (_level: string, message: string) => void said.push(message) };
  const clock = new ManualClock();
  const ending = new AbortController();
  const index = new QueryIndex(join(folder, 'search'), storage, () => storage.size, logger);
  const running = index.run(clock, ending.signal);
  const grown = async (): Promise<void> => {
    await storage.commit({ oldSize: storage.size, entries: [entry] });
    await storage.makeReadable();
    index.ring();
    await untilInTime(clock, () => index.size === storage.size);
  };
  await until(() => index.size === storage.size);
  const held = deferred<undefined>();
  let waiting = 0;
  const hold = (): Promise<undefined> => {
    waiting++;
    return held.promise;
  };
  const query = { participant: 'a', newestFirst: false, limit: 1000 };
  const late = [0, 1].map(() =>
    assert.rejects(index.search(query, undefined, hold), { code: 'index_unavailable' }),
  );
  await until(() => waiting === late.length);
  // spec/log.md "Searching": it can be deleted at any time.
  rmSync(join(folder, 'search'), { recursive: true });
  await grown();
  held.resolve(undefined);
  await Promise.all(late);
  await grown();
  assert.deepEqual(said, ['query index made anew']);
  assert.equal((await index.search(query)).entries.length, storage.size);
  ending.abort();
  await running;
});
