// The runbook of docs/operating.md, "Backup and restore": copies taken while the log is written to.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { CrashRun } from './crash/crash-run.js';
import { startScript } from './helpers/process.js';

/** What stele-log prints, which must end with 0. */
async function command(...args: string[]): Promise<string> {
  const child = startScript('log-server/main', args);
  assert.equal(await child.ended, 0, child.stderr());
  return child.stdout();
}

/**
 * The commands of the runbook, with the folder of this log and of its copy; files may vanish meanwhile, which cp
 * says and ends with 1. Entries are acknowledged before each and after the last: what comes first is always older.
 */
async function copyUnderLoad(run: CrashRun, backup: string): Promise<void> {
  const text = await readFile(new URL('../../docs/operating.md', import.meta.url), 'utf8');
  const commands = [...text.matchAll(/^ {4}(cp -a.*)$/gm)].map(([, command = '']) => command);
  assert.equal(commands.length, 3);
  for (const command of commands) {
    const copying = spawn('sh', ['-c', command.split('#', 1)[0] ?? ''], {
      env: { ...process.env, LC_ALL: 'C', FOLDER: run.folder, COPY: backup },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    copying.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [status] = (await once(copying, 'close')) as [number | null];
    for (const line of said.split('\n').slice(0, -1)) assert.match(line, /No such file or directory$/);
    assert.equal(status, said === '' ? 0 : 1);
    // Twice that, and a bundle is full: entries have gone from the tail to a tile.
    await more(run, 130);
  }
}

/** Until so many more entries were acknowledged. */
async function more(run: CrashRun, entries: number): Promise<void> {
  const target = run.recorder.acknowledgements.length + entries;
  while (run.alive && run.recorder.acknowledgements.length < target) await pause(5);
  assert.ok(run.alive, run.said());
}

test('a backup taken under load, put back: refused alone, whole with what a mirror has', async (t) => {
  const run = await CrashRun.make('charter');
  t.after(() => run.remove());
  assert.ok(await run.start());
  assert.ok(await run.ready());
  await run.load(20);
  const loading = Promise.all(Array.from({ length: 8 }, () => run.load(100_000)));
  const backup = `${run.folder}-backup`;
  await copyUnderLoad(run, backup);
  await run.stop();
  await loading;
  const acknowledged = run.recorder.acknowledgements.length;

  // The disk is lost. What is left is the backup, which is older than what the log has signed since.
  const lost = `${run.folder}-lost`;
  await rename(run.folder, lost);
  await cp(backup, run.folder, { recursive: true });
  await command('recover', '--folder', run.folder);
  assert.ok(await run.start(), run.said());
  while ((await run.readiness()).state !== 'behind_witness') await pause(20);
  await run.stop(true);

  // With a mirror of what was published, or a newer copy, nothing is missing.
  await rm(run.folder, { recursive: true });
  await cp(backup, run.folder, { recursive: true });
  await command('recover', '--folder', run.folder, '--from', join(lost, 'data'));
  assert.match(await command('fsck', '--folder', run.folder), /^nothing wrong was found/m);
  const judgement = await run.judge();

  assert.ok(judgement.acknowledged > acknowledged);
});
