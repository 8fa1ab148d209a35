// The runbook of docs/operating.md, "Backup and restore": copies taken while the log is written to.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { initLog } from '../log-server/index.js';
import { systemClock } from '../system/index.js';
import { encodeUtf8 } from '../tlog/index.js';
import { CrashRun } from './crash/crash-run.js';
import { startScript } from './helpers/process.js';

/** What stele-log prints, which must end with 0. */
async function command(...args: string[]): Promise<string> {
  const child = startScript('log-server/main', args);
  assert.equal(await child.ended, 0, child.stderr());
  return child.stdout();
}

const runbook = await readFile(new URL('../../docs/operating.md', import.meta.url), 'utf8');
/** The block of commands that makes a backup. */
const [block = ''] = /^ {4}mkdir .*\{\n( {6}.*\n)+ {4}\}$/m.exec(runbook) ?? [];

/** Runs commands of the runbook with the folders of a log and of its copy; `copied` after each line said so. */
async function shell(
  commands: string,
  FOLDER: string,
  COPY: string,
  copied?: () => Promise<void>,
): Promise<{ status: number | null; said: string }> {
  const child = spawn('sh', ['-c', commands], {
    env: { ...process.env, LC_ALL: 'C', FOLDER, COPY },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'close') as Promise<[number | null]>;
  for await (const line of createInterface({ input: child.stdout })) {
    assert.equal(line, 'copied');
    await copied?.();
    child.stdin.write('\n');
  }
  const [status] = await ended;
  return { status, said };
}

/**
 * The commands of the runbook; files may vanish meanwhile, which cp says. Entries are acknowledged before each and after the
 * last: what comes first is always older.
 */
async function copyUnderLoad(run: CrashRun, backup: string): Promise<void> {
  const slow = block.replace(/^ {6}.*$/gm, (line) => `${line}\necho copied; read go`);
  let copies = 0;
  const { said } = await shell(slow, run.folder, backup, () => {
    copies++;
    // Twice that, and a bundle is full: entries have gone from the tail to a tile.
    return more(run, 130);
  });
  assert.equal(copies, 3);
  for (const line of said.split('\n').slice(0, -1)) assert.match(line, /No such file or directory$/);
}

/** A backup that is made again under the same name is refused, and leaves the one that is there as it is. */
async function refusedAgain(folder: string, backup: string): Promise<void> {
  const before = await snapshot(backup);
  const { status, said } = await shell(block, folder, backup);
  assert.deepEqual([status, /^mkdir: .*File exists\n$/.test(said)], [1, true], said);
  assert.deepEqual(await snapshot(backup), before);
}

/** Every file below a folder, with its size and time. */
async function snapshot(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  const lines = names.map(async (name) => {
    const { size, mtimeMs } = await stat(join(folder, name));
    return `${name} ${size} ${mtimeMs}`;
  });
  return (await Promise.all(lines)).sort();
}

/** Until so many more entries were acknowledged. */
async function more(run: CrashRun, entries: number): Promise<void> {
  const target = run.recorder.acknowledgements.length + entries;
  while (run.alive && run.recorder.acknowledgements.length < target) await pause(5);
  assert.ok(run.alive, run.said());
}

test('a backup of a log that has no tiles yet, made again, and under another name', async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'stele-backup-'));
  t.after(() => rm(parent, { recursive: true }));
  const folder = join(parent, 'log');
  const policy = encodeUtf8('quorum none\n');
  await initLog({ folder, origin: 'log.example/small', admission: 'charter', policy, clock: systemClock });
  const first = join(parent, 'first');
  assert.deepEqual(await shell(block, folder, first), { status: 0, said: '' });
  assert.deepEqual(await snapshot(first), await snapshot(folder));
  await writeFile(join(folder, 'data', 'tail'), 'what came since');
  await refusedAgain(folder, first);
  assert.deepEqual(await shell(block, folder, join(parent, 'second')), { status: 0, said: '' });
});

test('a backup taken under load, put back: refused alone, whole with what a mirror has', async (t) => {
  const run = await CrashRun.make('charter');
  t.after(() => run.remove());
  assert.ok(await run.start());
  assert.ok(await run.ready());
  await run.load(20);
  const loading = Promise.all(Array.from({ length: 8 }, () => run.load(100_000)));
  const backup = `${run.folder}-backup`;
  await copyUnderLoad(run, backup);
  await refusedAgain(run.folder, backup);
  await run.stop();
  await loading;
  const acknowledged = run.recorder.acknowledgements.length;

  // The disk is lost. What is left is the backup, which is older than what the log has signed since.
  const lost = `${run.folder}-lost`;
  await rename(run.folder, lost);
  await cp(backup, run.folder, { recursive: true });
  assert.doesNotMatch(await command('recover', '--folder', run.folder), /left out|never signed/);
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
