/**
 * The third proof of durability: what really reaches the kernel. Under strace, each batch must have
 * synced the write-ahead log, then tiles, their folders and the tail, then the signed note and its
 * folder, then the mark beside the key, before it counts as published. And a small file system runs full.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { it } from 'node:test';
import { emptyRoot } from '../../tlog/index.js';
import { fsckFolder } from '../../log-server/offline/fsck.js';
import { initLogStorage, openLogStorage } from '../../log-server/storage/index.js';
import { codeOf, effects, entriesFrom, noteFor, optionsFor, publishBatch, withFolder } from './kit.js';

const child = fileURLToPath(new URL('./child.js', import.meta.url));

/** What a machine lacks for a test, said in one line; undefined if it has all. */
function lacking(command: string, args: string[], what: string): string | undefined {
  const { status } = spawnSync(command, args, { stdio: 'ignore' });
  return status === 0 ? undefined : `not run: ${what}`;
}

const noStrace = lacking('strace', ['-V'], 'strace is not installed');
const noMount = lacking('unshare', ['-m', 'true'], 'mounting a small tmpfs needs root');

/** File names that were synced, or "published …", in their order. */
function events(trace: string, folder: string): string[] {
  const names = new Map<string, string>();
  const found: string[] = [];
  for (const line of trace.split('\n')) {
    // strace -y shows each descriptor's file: fdatasync(23</tmp/x/data/tail>) = 0
    const sync = /(?:fdatasync|fsync)\((?:[0-9]+)<([^>]*)>\)\s+= 0/.exec(line);
    const resumed = /^([0-9]+) .*<\.\.\. (?:fdatasync|fsync) resumed>\)\s+= 0/.exec(line);
    const begun = /^([0-9]+) .*(?:fdatasync|fsync)\((?:[0-9]+)<([^>]*)> <unfinished/.exec(line);
    const print = /write\(1<[^>]*>, "(published [0-9]+)/.exec(line);
    if (begun?.[1] && begun[2]) names.set(begun[1], begun[2]);
    const done = sync?.[1] ?? (resumed?.[1] ? names.get(resumed[1]) : undefined);
    if (done?.startsWith(folder)) found.push(done.slice(folder.length + 1));
    if (print?.[1]) found.push(print[1]);
  }
  return found;
}

it('syncs everything in its order before a batch is published', { skip: noStrace ?? false }, async () => {
  await withFolder(async (folder) => {
    const storage = await initLogStorage(optionsFor(folder, { publishPartials: true }));
    await storage.writeSigned(noteFor(0, emptyRoot()));
    await storage.close();
    const trace = join(folder, 'trace');
    const run = spawnSync('strace', [
      ...['-f', '-y', '-qq', '-o', trace, '-e', 'trace=fdatasync,fsync,write'],
      ...[process.execPath, child, folder, '4', '0'],
    ]);
    assert.equal(run.status, 0, String(run.stderr));
    const seen = events(await readFile(trace, 'utf8'), folder);
    const batches: string[][] = [[]];
    for (const event of seen) {
      if (event.startsWith('published ')) batches.push([]);
      else batches.at(-1)?.push(event);
    }
    assert.equal(batches.length, 5);
    batches.slice(0, 4).forEach((batch, i) => {
      const order = [
        /^data\/state\/[0-9]+\.log$/,
        ...(i === 3
          ? [
              /^data\/public\/tile\/(0|entries)\/000\.tmp$/,
              /^data\/public\/tile\/(0|entries)$/,
              /^data\/tail\.tmp$/,
              /^data$/,
            ]
          : [/^data\/tail$/]),
        /^data\/signed\.tmp$/,
        /^data$/,
        /^lock-[0-9a-f]{8}\/[0-9]+\.log$/,
        /^data\/published\.tmp$/,
        /^data$/,
        /^data\/public\/checkpoint\.tmp$/,
        /^data\/public$/,
      ];
      let at = -1;
      for (const pattern of order) {
        at = batch.findIndex((event, j) => j > at && pattern.test(event));
        assert.ok(at >= 0, `batch ${i}: expected ${String(pattern)} in order, found ${batch.join(' ')}`);
      }
      // Partial tiles and bundles, and the folders they lie in.
      assert.ok(batch.some((event) => /^data\/public\/tile\/0\/00[01]\.p\/[0-9]+\.tmp$/.test(event)));
      assert.ok(batch.some((event) => /^data\/public\/tile\/0\/00[01]\.p$/.test(event)));
      assert.ok(batch.some((event) => /^data\/public\/tile\/entries\/00[01]\.p$/.test(event)));
    });
  });
});

it(
  'an error of the kernel at a sync stops the log or is reported, and nothing is lost',
  { skip: noStrace ?? false },
  async (t) => {
    let injected = 0;
    for (const when of [1, 2, 3, 5, 8, 12]) {
      await withFolder(async (folder) => {
        const options = optionsFor(folder);
        const storage = await initLogStorage(options);
        await storage.writeSigned(noteFor(0, emptyRoot()));
        await storage.close();
        const run = spawnSync(
          'strace',
          [
            ...['-f', '-qq', '-o', join(folder, 'trace'), '-e', `trace=fdatasync`],
            ...['-e', `inject=fdatasync:error=EIO:when=${when}`],
            ...[process.execPath, child, folder, '4', '0'],
          ],
          { encoding: 'utf8' },
        );
        injected += /= -1 EIO/.test(await readFile(join(folder, 'trace'), 'utf8')) ? 1 : 0;
        const promised = [...run.stdout.matchAll(/published ([0-9]+)/g)].map((match) => Number(match[1]));
        if (run.status !== 0) assert.match(run.stdout, /outcome_unknown|storage_failed|state_damaged/);
        const again = await openLogStorage(options);
        assert.ok(again.size >= Math.max(0, ...promised));
        await again.close();
        assert.deepEqual((await fsckFolder({ ...options, effects })).problems, []);
      });
    }
    t.diagnostic(`${injected} errors injected`);
    assert.ok(injected > 0);
  },
);

it(
  'a file system that runs full loses nothing and goes on after a restart',
  { skip: noMount ?? false },
  async (t) => {
    await withFolder(async (folder) => {
      const disk = join(folder, 'small');
      await mkdir(disk);
      const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'stele-test', disk]);
      if (mounted.status !== 0) {
        t.diagnostic(`not run: mount says ${String(mounted.stderr).trim()}`);
        return;
      }
      try {
        const options = optionsFor(disk);
        let storage = await initLogStorage(options);
        await storage.writeSigned(noteFor(0, emptyRoot()));
        let published = 0;
        let code = '';
        while (code === '') {
          const first = storage.size;
          try {
            await publishBatch(storage, entriesFrom(first, 300, 'y'.repeat(300)));
            published = storage.size;
          } catch (error) {
            code = await codeOf(Promise.reject(error instanceof Error ? error : new Error(String(error))));
          }
        }
        t.diagnostic(`full at ${published} entries: ${code}`);
        assert.ok(['outcome_unknown', 'storage_failed'].includes(code), code);
        await storage.close();
        assert.equal(spawnSync('mount', ['-o', 'remount,size=64m', disk]).status, 0);
        storage = await openLogStorage(options);
        assert.ok(storage.size >= published && published > 0);
        await publishBatch(storage, entriesFrom(storage.size, 300, 'y'.repeat(300)));
        await storage.close();
        assert.deepEqual((await fsckFolder({ ...options, effects })).problems, []);
        // With a reserve it refuses in time, and needs no restart.
        spawnSync('mount', ['-o', 'remount,size=20m', disk]);
        storage = await openLogStorage({ ...options, reserveBytes: 8 * 1024 * 1024 });
        const fill = async (): Promise<never> => {
          for (;;) await publishBatch(storage, entriesFrom(storage.size, 300, 'y'.repeat(300)));
        };
        assert.equal(await codeOf(fill()), 'storage_failed');
        assert.equal(spawnSync('mount', ['-o', 'remount,size=64m', disk]).status, 0);
        await publishBatch(storage, entriesFrom(storage.size, 1));
        await storage.close();
      } finally {
        spawnSync('umount', [disk]);
      }
    });
  },
);
