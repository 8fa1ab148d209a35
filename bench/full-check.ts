// A full check of a log of 100,000 entries, which Tessera's POSIX driver wrote: every bundle, every tile,
// up to the signed root. From one folder, by turns, on all cores.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { peer, root, runPinned } from './process.js';
import { spread, table } from './table.js';
import { keyOf } from './targets.js';

const SIZE = 100_000;

/** Runs the rounds and answers the report; one line where there is no Tessera to write the log. */
export async function measureFullCheck(rounds: number, folder: string): Promise<string> {
  const write = peer('tesserawrite');
  const fsck = peer('tessera-fsck');
  if (write === undefined || fsck === undefined)
    return 'Full check: needs interop/bin/tesserawrite to write the log.';
  const own = join(folder, 'check');
  mkdirSync(own, { recursive: true });
  const { signing, vkey } = keyOf();
  writeFileSync(join(own, 'key'), `${signing}\n`, { mode: 0o600 });
  writeFileSync(join(own, 'vkey'), `${vkey}\n`);
  const log = join(own, 'log');
  const entries = ['-n', String(SIZE), '-entry-size', '1024'];
  await runPinned([write, '-dir', log, '-key', join(own, 'key'), ...entries]);
  const theirs = ['--ui=false', '--storage_url', `file://${log}/`, '--public_key', join(own, 'vkey')];
  const commands: [string, string[], string][] = [
    [
      'stele-log fsck',
      [process.execPath, `${root}dist/log-server/main.js`, 'fsck', log, '--vkey', vkey],
      String(SIZE),
    ],
    ["Tessera's fsck, 4 workers", [fsck, ...theirs, '--N', '4'], 'Successfully fsck'],
  ];
  const found = commands.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, [name, command, wanted]] of commands.entries()) {
      const { stdout, stderr, seconds } = await runPinned(command, 'any');
      if (!(stdout + stderr).includes(wanted)) throw new Error(`${name}: ${stdout}${stderr}`);
      found[i]?.push(seconds);
    }
  }
  rmSync(own, { recursive: true });
  return [
    `Full check of ${SIZE.toLocaleString('en')} entries of 1024 bytes in a folder, seconds from start to end of the process, ${rounds} rounds, median (least–most).`,
    '',
    table(
      ['program', 's'],
      commands.map(([name], i) => [name, spread(found[i] ?? [])]),
    ),
  ].join('\n');
}
