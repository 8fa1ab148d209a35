// Where the time of a witness's main thread goes, and what it waits for on the disk.
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { drive, runPinned } from './process.js';
import { analyse } from './profile.js';
import { figure } from './table.js';
import { witnessGenerator } from './witness.js';
import { ourWitness, type StartedUnder } from './witness-targets.js';

/** Runs our witness under load twice, for so many logs, and answers the report. */
export async function profileWitness(
  folder: string,
  logs: number,
  inFlight: number,
  seconds: number,
): Promise<string> {
  const generator = [witnessGenerator(), '-logs', String(logs)];
  const vkeys = (await runPinned([...generator, '-vkeys'])).stdout.trimEnd().split('\n');
  const own = join(folder, 'profile');
  /** Answers cosignatures a second. */
  const asked = async (under: StartedUnder): Promise<string> => {
    mkdirSync(own, { recursive: true });
    const { server, vkey } = await ourWitness().start(own, vkeys, under);
    const asker = await drive([...generator, server.url, vkey], 'ready');
    try {
      await asker.ask(`first 0 ${inFlight}`);
      const { perSecond } = JSON.parse(await asker.ask(`run 0 ${inFlight} ${seconds}`)) as {
        perSecond: number;
      };
      return figure(perSecond);
    } finally {
      await asker.end();
      await server.stop();
    }
  };
  const cpu = join(own, 'cpu');
  const at = `${logs} logs, ${inFlight} in flight`;
  const profiled = await asked({ node: ['--cpu-prof', `--cpu-prof-dir=${cpu}`] });
  const file =
    readdirSync(cpu).find((name) => name.endsWith('.0.001.cpuprofile')) ?? readdirSync(cpu)[0] ?? '';
  const found = analyse(readFileSync(join(cpu, file), 'utf8'));
  rmSync(own, { recursive: true });
  const calls = join(folder, 'witness-strace');
  const trace = ['-e', 'trace=fsync,fdatasync,pwrite64,rename'];
  const traced = await asked({ program: ['strace', '-f', '-c', '-w', '-o', calls, ...trace] });
  rmSync(own, { recursive: true });
  return [
    `The witness's main thread's own time, ${at}, ${profiled} cosigned/s under --cpu-prof:\n`,
    found,
    `\nWaiting for the disk, ${at}, ${traced} cosigned/s under strace (wall time; calls of several threads overlap):\n`,
    readFileSync(calls, 'utf8').trimEnd(),
  ].join('\n');
}
