import assert from 'node:assert/strict';
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../system/index.js';
import { encodeUtf8 } from '../tlog/index.js';
import { initLog } from './init.js';
import { readKeyLives } from './log-keys.js';

/** Of a backup of which log.key and data are missing the same is left. */
const WHICH = /^init was cut off here, or .*: if this log never ran, delete .*; else restore the rest/;

test('an init that was cut off: it is said so, and what to do if it was none; where anything may have been signed it is not', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'stele-unfinished-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const init = (): Promise<unknown> =>
    initLog({
      folder,
      origin: 'log.example/unfinished',
      admission: 'charter',
      policy: encodeUtf8('quorum none\n'),
      clock: systemClock,
    });
  await init();
  await assert.rejects(init(), { code: 'not_empty', hint: 'choose another folder' });
  await rm(join(folder, 'data'), { recursive: true });
  await assert.rejects(init(), { hint: 'choose another folder' });
  // Of a log whose first key has retired too: its secret is gone, and another is there.
  const aside = join(folder, 'log-0a1b2c3d.key');
  await rename(join(folder, 'log.key'), aside);
  await assert.rejects(init(), { hint: 'choose another folder' });
  await rm(aside);
  for (const name of await readdir(folder))
    if (name.startsWith('lock-')) await rm(join(folder, name), { recursive: true });
  // In the order in which they are made, last first.
  for (const name of ['log-keys.json', 'policy', 'charter.json', 'operator.key']) {
    await assert.rejects(init(), { code: 'not_empty', hint: WHICH }, name);
    await assert.rejects(readKeyLives(folder), { code: 'no_log_here', hint: WHICH }, name);
    await rm(join(folder, name));
    await writeFile(join(folder, `${name}.tmp`), '');
  }
  // What somebody has put there himself.
  await rm(join(folder, 'anchor.key'));
  await assert.rejects(init(), { hint: 'choose another folder' });
});
