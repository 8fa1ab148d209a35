// The command line of `stele`.
import { Command } from 'commander';
import {
  completionCommand,
  completionReply,
  exitStatusHelp,
  packageVersion,
  replying,
  runProgram,
  type Streams,
} from '../system/index.js';
import type { Outcome, Register } from './command.js';
import { registerAttest } from './commands/attest.js';
import { registerDoctor } from './commands/doctor.js';
import { registerEvidence } from './commands/evidence.js';
import { registerGet } from './commands/get.js';
import { registerInit } from './commands/init.js';
import { registerKeygen } from './commands/keygen.js';
import { registerMonitor } from './commands/monitor.js';
import { registerPolicy } from './commands/policy.js';
import { registerProve } from './commands/prove.js';
import { registerSearch } from './commands/search.js';
import { registerRecord } from './commands/record.js';
import { registerSubmit } from './commands/submit.js';
import { registerVerify } from './commands/verify.js';
import { registerWitness } from './commands/witness.js';
import type { Context } from './context.js';
import { EXIT, type ExitStatus } from './errors.js';

const COMMANDS: readonly Register[] = [
  registerInit,
  registerKeygen,
  registerAttest,
  registerSubmit,
  registerRecord,
  registerVerify,
  registerProve,
  registerGet,
  registerSearch,
  registerMonitor,
  registerEvidence,
  registerPolicy,
  registerWitness,
  registerDoctor,
];

const AFTER_HELP = `
Settings come from a flag, else STELE_* in the environment, else ./stele.toml,
else $XDG_CONFIG_HOME/stele/stele.toml.
${exitStatusHelp([0, 1, 2, 3, 4, 5])}`;

/** The commands of `stele`; what one comes to is left in `outcome`. */
export function buildProgram(context: Context, outcome: Outcome): Command {
  const program = new Command('stele')
    .description('Signs, logs and verifies records of AI training runs.')
    .version(`stele ${packageVersion()}`, '--version', 'print the version')
    .addHelpText('after', AFTER_HELP);
  for (const register of COMMANDS) register(program, context, outcome);
  const replies = { end: (status: ExitStatus) => (outcome.status = status), streams: streamsOf(context) };
  replying(completionCommand(program), replies, (_flags, args) =>
    Promise.resolve(completionReply(program, args)),
  );
  return program;
}

/** Runs `stele` with these arguments (without the program's name). Never throws. */
export async function run(argv: readonly string[], context: Context): Promise<ExitStatus> {
  const outcome: Outcome = { status: EXIT.ok };
  return runProgram(buildProgram(context, outcome), argv, () => outcome.status, streamsOf(context));
}

function streamsOf(context: Context): Streams {
  return { stdout: (text) => context.stdout(text), stderr: (text) => context.stderr(text) };
}
