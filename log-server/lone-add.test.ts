// What one entry makes a log write: bytes that the kernel was handed, counted and not timed.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../system/index.js';
import { encodeUtf8 } from '../tlog/index.js';
import { initLog, startLog } from './index.js';
import { ORIGIN } from './testing/fixture.js';

const IO = '/proc/self/io';
const ENTRY = 1024;
/** 39 full bundles, and 216 entries that lie in none. */
const FILLED = 10_200;

/** Bytes of all writes of this process so far. */
function written(): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync(IO, 'utf8'))?.[1]);
}

/** Waits until LevelDB has done with what it moves about by itself: nothing is written for a while. */
async function quiet(): Promise<void> {
  for (let tries = 0, before = -1; tries < 100 && before !== written(); tries++) {
    before = written();
    await delay(100);
  }
}

/** The middle of what five lone adds made the log write, bytes; LevelDB may do something of its own with one. */
async function loneAdd(t: TestContext, publishPartials: boolean): Promise<number> {
  const parent = await mkdtemp(join(tmpdir(), 'stele-'));
  t.after(() => rm(parent, { recursive: true, force: true }));
  const common = { folder: join(parent, 'log'), admission: 'none', clock: systemClock } as const;
  await initLog({ ...common, origin: ORIGIN, policy: encodeUtf8('quorum none\n') });
  const log = await startLog({ ...common, publishPartials, listen: { host: '127.0.0.1', port: 0 } });
  t.after(() => log.close());
  const entry = (i: number): Uint8Array => encodeUtf8(String(i).padEnd(ENTRY, 'x'));
  for (let i = 0; i < FILLED;) {
    const batch = Math.min(2048, FILLED - i);
    await Promise.all(Array.from({ length: batch }, (_, k) => log.submit(entry(i + k))));
    i += batch;
  }
  const counts: number[] = [];
  for (let i = 0; i < 5; i++) {
    await quiet();
    const before = written();
    await log.submit(entry(FILLED + i));
    counts.push(written() - before);
  }
  t.diagnostic(`bytes written by an entry of ${ENTRY}: ${counts.join(', ')}`);
  return counts.toSorted((a, b) => a - b)[2] ?? 0;
}

const nowhere = existsSync(IO) ? false : `not run: there is no ${IO}`;

void test('a lone add writes kilobytes, not the bundle it is part of', { skip: nowhere }, async (t) => {
  const bytes = await loneAdd(t, false);
  assert.ok(bytes > ENTRY && bytes < 16 * 1024, `expected some KiB, found ${bytes} bytes`);
});

void test(
  'with partial files it writes those of the right edge beside, each once',
  { skip: nowhere },
  async (t) => {
    const bytes = await loneAdd(t, true);
    // tlog-tiles: a partial bundle is a file of its own, with all entries since the last full one.
    const partial = (FILLED % 256) * (ENTRY + 2);
    assert.ok(
      bytes > partial && bytes < partial + 40 * 1024,
      `expected ${partial} and some KiB, found ${bytes} bytes`,
    );
  },
);
