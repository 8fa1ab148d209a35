import assert from 'node:assert/strict';
import test from 'node:test';
import { MemoryDisk } from './memory-disk.js';
import { Tail } from './tail.js';

const nothing = (): Promise<void> => Promise.resolve();

void test('a tail holds as many entries as a full backlog has', async () => {
  const disk = new MemoryDisk();
  const entries = Array.from({ length: 2 ** 17 }, (_, i) => Uint8Array.of(i % 251));
  const tail = new Tail(disk, 'tail', { written: nothing, renamed: nothing });
  await tail.replace(256, entries.slice(0, 7));
  await tail.append(entries.slice(7));
  const found = await new Tail(disk, 'tail', { written: nothing, renamed: nothing }).load();
  assert.equal(found?.torn, undefined);
  assert.deepEqual([found?.start, found?.entries.length], [256, entries.length]);
  assert.ok(found?.entries.every((entry, i) => entry[0] === i % 251));
});
