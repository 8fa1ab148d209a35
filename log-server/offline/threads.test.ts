import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TILE_WIDTH, bundleLeafHashes, formatBundle, tileRoot } from '../../tlog/index.js';
import { beginCheck, fullRoots } from './threads.js';

test('what was begun counts for the folder and size that are checked, or for nothing', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'check-threads-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const bundle = formatBundle(Array.from({ length: TILE_WIDTH }, () => new Uint8Array(3)));
  const hashes = bundleLeafHashes(bundle);
  for (const name of ['entries', '0']) mkdirSync(join(folder, 'tile', name), { recursive: true });
  writeFileSync(join(folder, 'tile/entries/000'), bundle);
  writeFileSync(join(folder, 'tile/0/000'), hashes);
  for (const [claimed, bundles] of [
    [100 * TILE_WIDTH, 100],
    [200 * TILE_WIDTH, 1],
    ['1e300', 1],
    ['nothing', 1],
  ] as const) {
    writeFileSync(join(folder, 'checkpoint'), `log.example\n${claimed}\nroot\n`);
    beginCheck(['--vkey', 'log.example+00000000+AA', folder]);
    const roots = fullRoots(folder, bundles);
    assert.deepEqual(roots(0), tileRoot(hashes), `${claimed}`);
    // No files, so somebody has to look; and beyond what was asked for nothing is said.
    for (let index = 1; index <= bundles; index++) assert.equal(roots(index), undefined);
  }
});
