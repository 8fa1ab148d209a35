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
import type { Context } from './context.js';
import { EXIT, type ExitStatus } from './errors.js';

/** In the order of the help. Each is loaded when it is typed: all together are twice the modules of one. */
const COMMANDS: ReadonlyMap<string, () => Promise<Register>> = new Map([
  ['init', async () => (await import('./commands/init.js')).registerInit],
  ['keygen', async () => (await import('./commands/keygen.js')).registerKeygen],
  ['attest', async () => (await import('./commands/attest.js')).registerAttest],
  ['submit', async () => (await import('./commands/submit.js')).registerSubmit],
  ['record', async () => (await import('./commands/record.js')).registerRecord],
  ['verify', async () => (await import('./commands/verify.js')).registerVerify],
  ['prove', async () => (await import('./commands/prove.js')).registerProve],
  ['get', async () => (await import('./commands/get.js')).registerGet],
  ['search', async () => (await import('./commands/search.js')).registerSearch],
  ['monitor', async () => (await import('./commands/monitor.js')).registerMonitor],
  ['evidence', async () => (await import('./commands/evidence.js')).registerEvidence],
  ['policy', async () => (await import('./commands/policy.js')).registerPolicy],
  ['witness', async () => (await import('./commands/witness.js')).registerWitness],
  ['doctor', async () => (await import('./commands/doctor.js')).registerDoctor],
]);

const AFTER_HELP = `
Settings come from a flag, else STELE_* in the environment, else ./stele.toml,
else $XDG_CONFIG_HOME/stele/stele.toml.
${exitStatusHelp([0, 1, 2, 3, 4, 5])}`;

/** The commands of `stele`, or only the one that is typed; what one comes to is left in `outcome`. */
export async function buildProgram(context: Context, outcome: Outcome, typed = ''): Promise<Command> {
  const program = new Command('stele')
    .description('Signs, logs and verifies records of AI training runs.')
    .version(`stele ${packageVersion()}`, '--version', 'print the version')
    .addHelpText('after', AFTER_HELP);
  const one = COMMANDS.get(typed);
  const loads = one ? [one] : [...COMMANDS.values()];
  for (const register of await Promise.all(loads.map((load) => load()))) register(program, context, outcome);
  const replies = { end: (status: ExitStatus) => (outcome.status = status), streams: streamsOf(context) };
  replying(completionCommand(program), replies, (_flags, args) =>
    Promise.resolve(completionReply(program, args)),
  );
  return program;
}

/** Runs `stele` with these arguments (without the program's name). Never throws. */
export async function run(argv: readonly string[], context: Context): Promise<ExitStatus> {
  const outcome: Outcome = { status: EXIT.ok };
  const program = await buildProgram(context, outcome, argv[0]);
  return runProgram(program, argv, () => outcome.status, streamsOf(context));
}

function streamsOf(context: Context): Streams {
  return { stdout: (text) => context.stdout(text), stderr: (text) => context.stderr(text) };
}
