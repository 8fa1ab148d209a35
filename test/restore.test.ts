// The runbook of docs/operating.md, "Backup and restore": copies taken while the log is written to.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { recoverFolder } from '../log-server/offline/check.js';
import { CrashRun } from './crash/crash-run.js';

test('a backup taken under load, put back: refused alone, whole with what a mirror has', async (t) => {
  const run = await CrashRun.make('charter');
  t.after(() => run.remove());
  assert.ok(await run.start());
  assert.ok(await run.ready());
  await run.load(20);
  const loading = run.load(60);
  const backup = `${run.folder}-backup`;
  // As the runbook has it. Files of the database come and go meanwhile: cp says so, and goes on.
  spawnSync('cp', ['-a', run.folder, backup]);
  await loading;
  await run.stop();
  const acknowledged = run.recorder.acknowledgements.length;

  // The disk is lost. What is left is the backup, which is older than what the log has signed since.
  const lost = `${run.folder}-lost`;
  await rename(run.folder, lost);
  await cp(backup, run.folder, { recursive: true });
  const from = { folder: run.folder, now: new Date(0), fetch: globalThis.fetch, onProgress: () => undefined };
  await recoverFolder({ ...from, from: [] });
  assert.ok(await run.start(), run.said());
  while ((await run.readiness()).state !== 'behind_witness') await pause(20);
  await run.stop(true);

  // With a mirror of what was published, or a newer copy, nothing is missing.
  await rm(run.folder, { recursive: true });
  await cp(backup, run.folder, { recursive: true });
  await recoverFolder({ ...from, from: [join(lost, 'data')] });
  const judgement = await run.judge();

  assert.ok(judgement.acknowledged > acknowledged);
});
