import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { swap } from './recover-swap.js';

void test('a folder at which a disk is mounted is no bug: it is said, and nothing is moved', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'stele-swap-'));
  try {
    for (const name of ['data', 'data.recovered']) await mkdir(join(parent, name));
    const busy = (): Promise<void> =>
      Promise.reject(Object.assign(new Error('EBUSY: resource busy or locked'), { code: 'EBUSY' }));
    await assert.rejects(swap(join(parent, 'data'), new Date(0), busy), {
      code: 'storage_failed',
      message: /is a disk mounted there\?$/,
    });
    assert.deepEqual((await readdir(parent)).sort(), ['data', 'data.recovered']);
    assert.equal(
      await swap(join(parent, 'data'), new Date(0)),
      join(parent, 'data.damaged-19700101T000000Z'),
    );
  } finally {
    await rm(parent, { recursive: true });
  }
});
