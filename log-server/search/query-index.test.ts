import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../logger.js';
import { openDatabase } from '../storage/database.js';
import { LOG_KEY, ORIGIN } from '../testing/fixture.js';
import { ManualClock } from '../testing/manual-clock.js';
import { MemoryStorage } from '../testing/memory-storage.js';
import { participant } from '../testing/participant.js';
import { until } from '../testing/until.js';
import { QueryIndex, joined } from './query-index.js';

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
