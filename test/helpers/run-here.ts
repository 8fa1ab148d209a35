// Runs a command line of one of the three programs in this process.
import { processContext, type Context } from '../../cli/context.js';
import { run as runStele } from '../../cli/program.js';
import { runCommand as runLog } from '../../log-server/commands.js';
import { runCommand as runWitness } from '../../witness/commands.js';

/** What came of it. */
export interface RanHere {
  status: number;
  stdout: string;
  stderr: string;
}

/** `words` begin with the program's name; `world` is what `stele` is to see instead of the real one. */
export async function runHere(words: readonly string[], world: Partial<Context> = {}): Promise<RanHere> {
  const [program = '', ...args] = words;
  let stdout = '';
  let stderr = '';
  const streams = {
    stdout: (text: string | Uint8Array) => void (stdout += Buffer.from(text).toString()),
    stderr: (text: string) => void (stderr += text),
  };
  const status =
    program === 'stele'
      ? await runStele(args, { ...processContext(), ...world, ...streams })
      : await (program === 'stele-log' ? runLog : runWitness)(args, streams);
  return { status, stdout, stderr };
}
