// Folders of every format that there was, opened by this version: test/fixtures has one of each.
import assert from 'node:assert/strict';
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { UPGRADE_STEPS, readKeyLives, startLog, upgradeLog } from '../log-server/index.js';
import { check } from '../log-server/offline/check.js';
import { systemClock } from '../system/index.js';
import { formatVkey, parseNote } from '../tlog/index.js';
import { startScript } from './helpers/process.js';

/** Copied: a checkout keeps neither modes nor empty folders. */
async function fixture(t: TestContext, name: string): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'stele-upgrade-'));
  t.after(() => rm(parent, { recursive: true }));
  const folder = join(parent, 'log');
  await cp(new URL(`../../test/fixtures/${name}`, import.meta.url), folder, { recursive: true });
  for (const file of await readdir(folder)) if (file.endsWith('.key')) await chmod(join(folder, file), 0o600);
  await mkdir(join(folder, 'data', 'public'), { recursive: true });
  return folder;
}

async function steleLog(...args: string[]): Promise<{ status: unknown; said: string }> {
  const child = startScript('log-server/main', args);
  const line = await child.firstLine.catch(() => '');
  return { status: await child.ended, said: `${line}\n${child.stderr()}` };
}

const fsck = (folder: string): ReturnType<typeof check> =>
  check({ folder, source: undefined, vkeys: [], origin: undefined, fetch });
const start = (folder: string): ReturnType<typeof startLog> =>
  startLog({ folder, admission: 'charter', listen: { host: '127.0.0.1', port: 0 }, clock: systemClock });

test('a folder of format 0: refused, upgraded by the command, whole; then there is nothing to do', async (t) => {
  const folder = await fixture(t, 'log-format-0');
  await assert.rejects(start(folder), { code: 'old_format', hint: /stele-log upgrade/ });
  await assert.rejects(fsck(folder), { code: 'old_format' });
  const done = await steleLog('upgrade', '-f', folder);
  assert.deepEqual([done.status, /format 0 is now 1: log-keys\.json/.test(done.said)], [0, true], done.said);
  const report = await fsck(folder);
  assert.deepEqual([report.problems, report.size, report.checked.entries], [[], 5, 5]);
  const lives = await readKeyLives(folder);
  assert.deepEqual(
    lives.map(({ file, from, until, vkey }) => [file, from, until, vkey.type]),
    [
      ['log.key', 0, null, 1],
      ['log-mldsa.key', 0, null, 6],
    ],
  );
  const log = await start(folder);
  assert.equal(log.published()?.size, 5);
  assert.equal(parseNote(log.published()?.note ?? new Uint8Array()).signatures.length, 2);
  await log.close();
  const again = await steleLog('upgrade', '-f', folder);
  assert.deepEqual([again.status, /format 1: nothing to do/.test(again.said)], [0, true], again.said);
});

test('an upgrade killed at each step, run again, comes to the same', async (t) => {
  const whole = await fixture(t, 'log-format-0');
  await upgradeLog(whole);
  for (const kill of UPGRADE_STEPS) {
    const folder = await fixture(t, 'log-format-0');
    const child = startScript('test/crash/rotate-child', [JSON.stringify({ folder, work: 'upgrade', kill })]);
    assert.equal(await child.ended, 'SIGKILL', child.stderr());
    if (kill !== 'upgrade:format') await assert.rejects(start(folder), { code: 'old_format' }, kill);
    await upgradeLog(folder);
    for (const file of ['log-keys.json', 'data/format', 'data/signed'])
      assert.deepEqual(
        await readFile(join(folder, file)),
        await readFile(join(whole, file)),
        `${kill}: ${file}`,
      );
    assert.deepEqual((await fsck(folder)).problems, [], kill);
  }
});

test('a newer format is refused by every command, and nothing is touched', async (t) => {
  const folder = await fixture(t, 'log-format-0');
  await upgradeLog(folder);
  const format = join(folder, 'data', 'format');
  await writeFile(format, (await readFile(format, 'utf8')).replace('stele-log 1', 'stele-log 2'));
  // Of its own files a newer program may have made anything.
  await writeFile(join(folder, 'log-keys.json'), 'something new');
  await assert.rejects(start(folder), { code: 'unknown_format', hint: /a newer one/ });
  for (const command of ['upgrade', 'fsck', 'add-key', 'recover']) {
    const { status, said } = await steleLog(command, '-f', folder);
    assert.deepEqual([status, /\(unknown_format\)/.test(said)], [1, true], said);
  }
  assert.equal(await readFile(join(folder, 'log-keys.json'), 'utf8'), 'something new');
});

test('a folder of format 0 whose data is lost gets its list of keys, so that it can be recovered', async (t) => {
  const folder = await fixture(t, 'log-format-0');
  await rename(join(folder, 'data'), join(folder, '..', 'kept'));
  await upgradeLog(folder);
  const [first] = await readKeyLives(folder);
  assert.match(formatVkey(first.vkey), /^log\.example\/format-0\+/);
  const recovered = await steleLog('recover', '-f', folder, '--from', join(folder, '..', 'kept'));
  assert.equal(recovered.status, 0, recovered.said);
  assert.deepEqual((await fsck(folder)).problems, []);
});
