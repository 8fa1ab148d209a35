// The runbook of docs/operating.md, "Backup and restore": copies taken while the log is written to.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { recoverFolder } from '../log-server/offline/check.js';
import { CrashRun } from './crash/crash-run.js';

const offline = { now: new Date(0), fetch: globalThis.fetch, onProgress: () => undefined };

/**
 * As the runbook has it: `cp -a`, which ends with 1 where files vanish meanwhile, then `recover` on the copy,
 * and another copy where that has not all that its newest head covers. How many entries were acknowledged
 * while the copy ran: here it counts only if some were.
 */
async function copyUnderLoad(run: CrashRun, backup: string): Promise<number> {
  const count = (): number => run.recorder.acknowledgements.length;
  for (let tries = 0; tries < 100; tries++) {
    await rm(backup, { recursive: true, force: true });
    const before = count();
    const copying = spawn('cp', ['-a', run.folder, backup], {
      env: { ...process.env, LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    copying.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [status] = (await once(copying, 'close')) as [number | null];
    const during = count() - before;
    for (const line of said.split('\n').slice(0, -1)) assert.match(line, /No such file or directory$/);
    assert.equal(status, said === '' ? 0 : 1);
    if (during === 0) continue;
    try {
      await recoverFolder({ ...offline, folder: backup, from: [] });
      return during;
    } catch (error) {
      assert.equal((error as { code?: unknown }).code, 'not_recoverable', String(error));
    }
  }
  throw new Error('expected a copy that entries came in for, and that recover takes; found none in 100');
}

test('a backup taken under load, put back: refused alone, whole with what a mirror has', async (t) => {
  const run = await CrashRun.make('charter');
  t.after(() => run.remove());
  assert.ok(await run.start());
  assert.ok(await run.ready());
  await run.load(20);
  const loading = run.load(100_000);
  const backup = `${run.folder}-backup`;
  assert.ok((await copyUnderLoad(run, backup)) > 0);
  const copied = run.recorder.acknowledgements.length;
  while (run.alive && run.recorder.acknowledgements.length < copied + 20) await pause(5);
  await run.stop();
  await loading;
  const acknowledged = run.recorder.acknowledgements.length;

  // The disk is lost. What is left is the backup, which is older than what the log has signed since.
  const lost = `${run.folder}-lost`;
  await rename(run.folder, lost);
  await cp(backup, run.folder, { recursive: true });
  await recoverFolder({ ...offline, folder: run.folder, from: [] });
  assert.ok(await run.start(), run.said());
  while ((await run.readiness()).state !== 'behind_witness') await pause(20);
  await run.stop(true);

  // With a mirror of what was published, or a newer copy, nothing is missing.
  await rm(run.folder, { recursive: true });
  await cp(backup, run.folder, { recursive: true });
  await recoverFolder({ ...offline, folder: run.folder, from: [join(lost, 'data')] });
  const judgement = await run.judge();

  assert.ok(judgement.acknowledged > acknowledged);
});
