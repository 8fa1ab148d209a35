import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Soak } from './soak.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/**
 * Tessera's load tester against our log server, again and again, then full checks by both. It chooses its
 * entries itself.
 */
const hammer: Soak = {
  desc: "Tessera's load tester writes to and reads from stele-log serve --admission none",
  minutes: 10,
  takes: [],
  run({ minutes }) {
    if (!existsSync(`${root}interop/bin/tessera-hammer`)) {
      throw new Error('expected interop/bin/tessera-hammer, found none; run interop/install');
    }
    const { status, stdout, stderr } = spawnSync('interop/run', ['hammer', String(Math.ceil(minutes))], {
      cwd: root,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`interop/run hammer: status ${String(status)}\n${stdout}${stderr}`);
    const lines = stdout.trimEnd().split('\n');
    const size = lines.findLast((line) => line.startsWith("ok tessera's fsck passes the hammered log"));
    return Promise.resolve({
      figures: [
        `${lines.filter((line) => line.startsWith("ok tessera's hammer")).length} runs of the load tester without an error or a warning`,
        `${/size \d+/.exec(size ?? '')?.[0] ?? 'no size'}, passed by Tessera's client, Tessera's fsck and stele-log fsck`,
      ],
    });
  },
};

export default hammer;
