import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, open, rm, rmdir, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../random.js';
import type { Soak } from '../soak/soak.js';
import { FaultyLog, codeIn, ready } from './log-faults.js';
import { killRest, stop } from './processes.js';
import { FaultyWitness } from './witness-faults.js';

const MEBIBYTE = 1024 * 1024;
/** Holds a log, its level and what has to be left over for a while. */
const SIZE = 48;

/** A file system of its own, so small that it can be filled. */
class SmallDisk {
  private constructor(readonly folder: string) {}

  /** Undefined where nothing may be mounted. */
  static async mount(): Promise<SmallDisk | undefined> {
    const folder = await mkdtemp(join(tmpdir(), 'stele-small-'));
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}m`, 'stele-small', folder]);
    if (mounted.status === 0) return new SmallDisk(folder);
    await rm(folder, { recursive: true });
    return undefined;
  }

  async free(): Promise<number> {
    const { bavail, bsize } = await statfs(this.folder);
    return bavail * bsize;
  }

  /** Leaves at most so many bytes of it. */
  async fill(left: number): Promise<void> {
    await this.clear();
    await this.top(left);
  }

  /**
   * Takes what has become free since. LevelDB merges its tables in the background: what is free changes
   * while it is being filled, to either side.
   */
  async top(left: number): Promise<void> {
    const ballast = await open(join(this.folder, 'ballast'), 'a');
    try {
      for (;;) {
        const bytes = Math.min((await this.free()) - left, MEBIBYTE);
        if (bytes <= 0) return;
        await ballast.writeFile(Buffer.alloc(bytes, 1));
      }
    } catch (error) {
      // A program that runs here was quicker: full all the same.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    } finally {
      await ballast.close();
    }
  }

  async clear(): Promise<void> {
    await rm(join(this.folder, 'ballast'), { force: true });
  }

  /** Never throws: what a proof found must not be hidden by how it was cleared away. */
  async unmount(): Promise<void> {
    const { status, stderr } = spawnSync('umount', [this.folder], { encoding: 'utf8' });
    // Out of the tree at once, and gone when the last file is closed.
    if (status !== 0 && spawnSync('umount', ['-l', this.folder]).status !== 0) {
      console.error(`${this.folder} is still mounted: ${stderr.trim()}`);
      return;
    }
    await rmdir(this.folder).catch((error: unknown) => console.error(error));
  }
}

/** What came of it, counted. */
const counts = { full: 0, refused: 0, stopped: 0, fullStarts: 0, refusedStarts: 0, witnessFull: 0 };

const soak: Soak = {
  desc: 'a small disk that runs full under stele-log and stele-witness, again and again',
  minutes: 0.4,
  takes: ['seed'],
  async run({ minutes, seed }) {
    const disk = await SmallDisk.mount();
    if (disk === undefined) {
      // Where it must run, as at every landing, it is not passed over.
      if (process.env['STELE_REQUIRE_ROOT'] !== undefined)
        throw new Error('a tmpfs cannot be mounted: root is needed');
      return { figures: ['not run: mounting a small tmpfs needs root'] };
    }
    const random = new Random(seed);
    const end = Date.now() + minutes * 60_000;
    const made: { remove: () => Promise<void> }[] = [];
    try {
      const log = await FaultyLog.make({ parent: disk.folder });
      made.push(log);
      const witness = await FaultyWitness.make(disk.folder);
      made.push(witness);
      await reserved(disk, log);
      do {
        await runFull(disk, log, random);
        await witnessRunsFull(disk, witness, random);
      } while (Date.now() < end && (await disk.free()) > 16 * MEBIBYTE);
      const acknowledged = log.recorder.acknowledgements.length;
      return {
        figures: [
          `stele-log: the disk ran full ${counts.full} times: ${counts.refused} times entries were refused and taken again later, ${counts.stopped} times the sequencer stopped`,
          `${counts.fullStarts} starts on the full disk, ${counts.refusedStarts} of them refused with a code; every start after space was made clean`,
          `${acknowledged} acknowledged entries, 0 lost; ${log.recorder.notes.length} signed notes, one history`,
          `stele-witness: the disk ran full ${counts.witnessFull} times, nothing cosigned was forgotten`,
        ],
      };
    } finally {
      await killRest();
      await Promise.allSettled(made.map((each) => each.remove()));
      await disk.unmount();
    }
  },
};

/** With a reserve nothing is admitted long before the disk is full, and the log goes on by itself. */
async function reserved(disk: SmallDisk, log: FaultyLog): Promise<void> {
  const running = log.serve({ reserve: 8 });
  const url = await running.firstLine;
  await ready(running, url);
  assert.equal(await log.add(url), undefined);
  await disk.fill(6 * MEBIBYTE);
  assert.equal(await log.add(url), 'storage_failed');
  await disk.clear();
  assert.equal(await log.add(url), undefined);
  await stop(running);
  await log.startClean(8);
  counts.full++;
  counts.refused++;
}

/** Without one it runs full wherever it happens to be. */
async function runFull(disk: SmallDisk, log: FaultyLog, random: Random): Promise<void> {
  const running = log.serve({ reserve: 0 });
  const url = await running.firstLine;
  await ready(running, url);
  // Entries of 4 KB: from none to some hundred of them fit.
  await disk.fill(random.below(1.5 * MEBIBYTE));
  counts.full++;
  let refusals = 0;
  let refusal: string | undefined;
  for (let i = 0; i < 600 && refusals < 3; i++) {
    // By now it would be full, had a merge of tables made no room.
    if (i >= 400) await disk.top(0);
    refusal = await log.add(url, 4000);
    if (refusal !== undefined) refusals++;
    if (refusal === 'stopped' || !FaultyLog.alive(running)) break;
  }
  assert.ok(refusal !== undefined, 'the disk did not run full');
  if (refusal === 'stopped' || !FaultyLog.alive(running)) counts.stopped++;
  else {
    // A clean refusal: with space it goes on as if nothing had been.
    await disk.clear();
    for (let turn = 0; turn < 100 && refusal !== undefined && refusal !== 'stopped'; turn++) {
      refusal = await log.add(url);
    }
    if (refusal === undefined) counts.refused++;
    else counts.stopped++;
    await disk.fill(random.below(64 * 1024));
  }
  running.process.kill(random.chance(0.5) ? 'SIGTERM' : 'SIGKILL');
  await running.ended;

  const again = log.serve({ reserve: 0 });
  counts.fullStarts++;
  try {
    await again.firstLine;
  } catch (error) {
    assert.equal(codeIn(again, error), 'storage_failed');
    counts.refusedStarts++;
  }
  again.process.kill('SIGKILL');
  await again.ended;
  await disk.clear();
  await log.startClean(0);
}

/** A witness on a full disk refuses, and cosigns again when there is space. */
async function witnessRunsFull(disk: SmallDisk, witness: FaultyWitness, random: Random): Promise<void> {
  const running = witness.serve();
  const url = await running.firstLine;
  await witness.grow(url, 2);
  await disk.fill(0);
  counts.witnessFull++;
  // Its journal has room for some sixteen states, whose blocks are its own already; there is none for the next.
  let refused = 0;
  for (let grown = 0; grown < 24; grown += 2) {
    await disk.top(0);
    refused += await witness.grow(url, 2);
  }
  assert.ok(refused > 0, 'it went on from one journal to the next on a full disk');
  if (random.chance(0.5)) running.process.kill('SIGKILL');
  else {
    await disk.clear();
    assert.equal(await witness.grow(url, 2), 0, 'it does not go on when there is space');
    running.process.kill('SIGTERM');
  }
  await running.ended;
  await disk.clear();
  await witness.startClean();
}

export default soak;
