// What one entry makes a log write, nothing else going on: bytes, not time.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { peer, runPinned } from './process.js';
import { figure, median, table } from './table.js';
import type { Target } from './targets.js';

/** 39 full bundles and 216 entries. */
const FILLED = 10_200;
const ENTRY_SIZE = 1024;

/** Bytes handed to the system by all writes of a process, and bytes it had written to the disk. */
function written(pid: number): { handed: number; disk: number } {
  const text = readFileSync(`/proc/${pid}/io`, 'utf8');
  const of = (field: string): number => Number(new RegExp(`^${field}: (\\d+)$`, 'm').exec(text)?.[1]);
  return { handed: of('wchar'), disk: of('write_bytes') };
}

/** Fills a log of each and adds entries one at a time. Answers the report. */
export async function measureLoneAdd(targets: readonly Target[], folder: string): Promise<string> {
  const generator = peer('load');
  if (generator === undefined) throw new Error('expected interop/bin/load; run interop/install');
  const rows: string[][] = [];
  for (const target of targets) {
    const own = join(folder, 'lone');
    mkdirSync(own, { recursive: true });
    const server = await target.start(own);
    await runPinned([generator, '-url', server.url, '-limit', String(FILLED), '-in-flight', '512']);
    const handed: number[] = [];
    const disk: number[] = [];
    for (let i = 0; i < 9; i++) {
      await quiet(server.pid);
      const before = written(server.pid);
      const body = Buffer.alloc(ENTRY_SIZE, String(i));
      const { status } = await fetch(`${server.url}/add`, { method: 'POST', body });
      if (status !== 200) throw new Error(`${target.name}: expected 200, found ${status}`);
      await quiet(server.pid);
      const after = written(server.pid);
      handed.push(after.handed - before.handed);
      disk.push(after.disk - before.disk);
    }
    await server.stop();
    rmSync(own, { recursive: true });
    rows.push([target.name, ...[handed, disk].map((all) => figure(median(all) / 1024))]);
    console.error(`a lone add, ${target.name}: ${figure(median(handed) / 1024)} KiB`);
  }
  return [
    `What a lone add of ${ENTRY_SIZE} bytes to a log of ${FILLED} makes a log write until it is published, KiB, the median of nine (whole pages to the disk).`,
    '',
    table(['log', 'handed to the system', 'written to the disk'], rows),
  ].join('\n');
}

/** Waits until nothing was written for a second and a half: Tessera publishes once a second. */
async function quiet(pid: number): Promise<void> {
  let before = -1;
  for (let same = 0, tries = 0; same < 6 && tries < 60; tries++) {
    const now = written(pid).handed;
    same = now === before ? same + 1 : 0;
    before = now;
    await sleep(250);
  }
}
