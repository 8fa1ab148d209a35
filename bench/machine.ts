// What the figures were measured on: without that they mean nothing.
import { closeSync, fdatasyncSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { canPin, peer } from './process.js';
import { figure, median } from './table.js';

/** One paragraph: processor, memory, kernel, Node, and what an fdatasync costs in `folder`. */
export function machine(folder: string): string {
  const processor = cpus()[0]?.model.trim() ?? 'unknown processor';
  const pinning = canPin ? 'server and load generator on a core each' : 'nothing pinned to a core';
  return [
    `${availableParallelism()} cores (${processor}), ${figure(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version};`,
    `${pinning}; an fdatasync of 4 KiB takes ${figure(syncMilliseconds(folder))} ms (median of 200);`,
    `${(loadavg()[0] ?? 0).toFixed(1)} processes wanted a core in the minute before;`,
    peer('tessera-posix') === undefined
      ? 'the peers are not installed (interop/install), so ours stands alone.'
      : 'the peers are those of interop/versions.',
  ].join(' ');
}

/** Appends 4 KiB and syncs them, as a write-ahead log does. */
function syncMilliseconds(folder: string): number {
  const path = join(folder, 'sync');
  const file = openSync(path, 'w');
  const block = Buffer.alloc(4096, 1);
  const took: number[] = [];
  for (let i = 0; i < 200; i++) {
    const started = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    took.push(performance.now() - started);
  }
  ftruncateSync(file);
  closeSync(file);
  rmSync(path);
  return median(took);
}
