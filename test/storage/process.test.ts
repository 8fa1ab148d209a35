/** Storage across processes: who may open it, and what a kill at each named step leaves. */
import assert from 'node:assert/strict';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { encodeHex, openCheckpoint } from '../../tlog/index.js';
import { fsckFolder, fsckSource } from '../../log-server/offline/fsck.js';
import { FolderSource } from '../../log-server/storage/folder-source.js';
import { STEPS, type StepName, initLogStorage, openLogStorage } from '../../log-server/storage/index.js';
import { startScript } from '../helpers/process.js';
import { KEY, ORIGIN, codeOf, effects, entriesFrom, noteFor, optionsFor, rootOf, withFolder } from './kit.js';

async function newLog(folder: string): Promise<void> {
  const storage = await initLogStorage(optionsFor(folder, { publishPartials: true }));
  await storage.writeSigned(noteFor(0, storage.rootHash()));
  await storage.close();
}

it('a second process is refused, and let in when the first has died', async () => {
  await withFolder(async (folder) => {
    await newLog(folder);
    const first = startScript('test/storage/child', [folder, '0']);
    assert.equal(await first.firstLine, 'open');
    const second = startScript('test/storage/child', [folder, '0']);
    assert.equal(await second.firstLine, 'locked');
    assert.equal(await second.ended, 1);
    assert.equal(await codeOf(openLogStorage(optionsFor(folder))), 'locked');
    assert.equal(await codeOf(fsckFolder(optionsFor(folder))), 'locked');
    // The refusals must not have broken the lock of the first.
    const third = startScript('test/storage/child', [folder, '0']);
    assert.equal(await third.firstLine, 'locked');
    first.process.kill('SIGKILL');
    assert.equal(await first.ended, 'SIGKILL');
    const storage = await openLogStorage(optionsFor(folder));
    await storage.close();
  });
});

it('within one process a second instance is refused, until the first is closed', async () => {
  await withFolder(async (folder) => {
    await newLog(folder);
    const storage = await openLogStorage(optionsFor(folder));
    for (let i = 0; i < 3; i++) assert.equal(await codeOf(openLogStorage(optionsFor(folder))), 'locked');
    const child = startScript('test/storage/child', [folder, '0']);
    assert.equal(await child.firstLine, 'locked');
    await storage.close();
    await (await openLogStorage(optionsFor(folder))).close();
  });
});

it('two folders that share a key: one at a time, and never two histories', async () => {
  await withFolder(async (folder) => {
    await newLog(folder);
    await cp(join(folder, 'data'), join(folder, 'copy'), { recursive: true });
    const one = optionsFor(folder);
    const two = { ...one, folder: join(folder, 'copy') };
    const storage = await openLogStorage(one);
    // A refused open in this process must not let another process in: LevelDB's own lock would fall.
    for (let i = 0; i < 2; i++) assert.equal(await codeOf(openLogStorage(two)), 'locked');
    const child = startScript('test/storage/child', [folder, '0', '0', '', '0', 'copy']);
    try {
      assert.equal(await child.firstLine, 'locked');
    } finally {
      // One that is let in would wait for ever.
      child.process.kill('SIGKILL');
    }
    await storage.commit({ oldSize: 0, entries: entriesFrom(0, 5) });
    await storage.makeReadable();
    await storage.writeSigned(noteFor(5, storage.rootHash()));
    await storage.close();
    // The copy never signed anything above 0, and would sign another tree of 5.
    assert.equal(await codeOf(openLogStorage(two)), 'state_rolled_back');
    await mkdir(join(folder, 'third'));
    const third = { ...one, folder: join(folder, 'third') };
    assert.equal(await codeOf(initLogStorage(third)), 'already_exists');
  });
});

it('init refuses a folder that holds anything; open one without a log, of another log, of a newer format', async () => {
  await withFolder(async (folder) => {
    assert.equal(await codeOf(openLogStorage(optionsFor(folder))), 'no_log_here');
    await newLog(folder);
    assert.equal(await codeOf(initLogStorage(optionsFor(folder))), 'already_exists');
    const other = { ...optionsFor(folder), origin: 'other.example/log' };
    assert.equal(await codeOf(openLogStorage(other)), 'wrong_origin');
    await writeFile(join(folder, 'data/format'), `stele-log 99\n${ORIGIN}\n`);
    assert.equal(await codeOf(openLogStorage(optionsFor(folder))), 'unknown_format');
    await rm(join(folder, 'data/format'));
    assert.equal(await codeOf(openLogStorage(optionsFor(folder))), 'no_log_here');
  });
});

/** How often each step is met in four batches of 70: sealing happens once, at 256. */
const OCCURRENCES: Partial<Record<StepName, number>> = {
  'seal:before': 1,
  'seal:after': 1,
  'tail:renamed': 1,
};

it('killed at every named step, nothing that was published is lost', async (t) => {
  await withFolder(async (model) => {
    await newLog(model);
    let kills = 0;
    for (const step of STEPS) {
      for (let count = 1; count <= (OCCURRENCES[step] ?? 4); count += step === 'commit:after' ? 1 : 3) {
        await withFolder(async (folder) => {
          await cp(model, folder, { recursive: true });
          const child = startScript('test/storage/child', [folder, '4', '0', step, String(count)]);
          let out = '';
          child.process.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
          await child.firstLine.catch(() => undefined);
          assert.equal(await child.ended, 'SIGKILL', `${step} ${count}: ${out} ${child.stderr()}`);
          kills += 1;
          const promised = [...out.matchAll(/published ([0-9]+)/g)].map((match) => Number(match[1]));
          const published = Math.max(0, ...promised);

          const options = optionsFor(folder, { publishPartials: true });
          const storage = await openLogStorage(options);
          assert.ok(storage.size >= published);
          assert.equal(encodeHex(storage.rootHash()), encodeHex(rootOf(entriesFrom(0, storage.size))));
          if (published > 0) {
            assert.ok(storage.published);
            const { checkpoint } = openCheckpoint(storage.published.note, [KEY.vkey]);
            assert.ok(checkpoint.size >= published);
          }
          await storage.close();
          const report = await fsckFolder({ ...options, effects });
          assert.deepEqual(report.problems, [], `${step} ${count}`);
        });
      }
    }
    t.diagnostic(`${kills} kills`);
    assert.ok(kills >= STEPS.length);
  });
});

it('what a killed log published stays a complete log for a static server', async () => {
  await withFolder(async (folder) => {
    await newLog(folder);
    const child = startScript('test/storage/child', [folder, '9', '0', 'tail:before', '8']);
    assert.equal(await child.ended, 'SIGKILL');
    const source = new FolderSource(join(folder, 'data/public'));
    const report = await fsckSource(source, { logKeys: [KEY.vkey], origin: ORIGIN });
    assert.deepEqual(report.problems, []);
    assert.equal(report.size, 490);
  });
});
