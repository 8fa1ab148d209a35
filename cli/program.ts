// The command line of `stele`.
import { Command, CommanderError } from 'commander';
import { addCompletion, exitStatusHelp, packageVersion } from '../system/index.js';
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
import { JSON_SCHEMA } from './report.js';
import { escapeForTerminal } from './terminal.js';

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
Settings come from a flag, else STELE_* in the environment, else ./stele.toml, else
$XDG_CONFIG_HOME/stele/stele.toml.
${exitStatusHelp([0, 1, 2, 3, 4, 5])}`;

/** The commands of `stele`; what one comes to is left in `outcome`. */
export function buildProgram(context: Context, outcome: Outcome): Command {
  const program = new Command('stele')
    .description('Signs, logs and verifies records of AI training runs.')
    .version(`stele ${packageVersion()}`, '--version', 'print the version')
    .addHelpText('after', AFTER_HELP);
  for (const register of COMMANDS) register(program, context, outcome);
  addCompletion(program, (text) => context.stdout(text));
  return program;
}

/** Runs `stele` with these arguments (without the program's name). Never throws. */
export async function run(argv: readonly string[], context: Context): Promise<ExitStatus> {
  const outcome: Outcome = { status: EXIT.ok };
  const program = buildProgram(context, outcome);
  prepare(program, context, argv.includes('--json'));
  try {
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      return EXIT.usage;
    }
    await program.parseAsync([...argv], { from: 'user' });
    return outcome.status;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // commander's own status for a usage error is 1; help that was asked for is no error.
    if (error.exitCode === 0) return EXIT.ok;
    if (argv.includes('--json')) {
      const message = error.message.replace(/^error: /, '');
      const body = { code: 'usage', message, hint: 'stele help' };
      context.stdout(
        `${JSON.stringify({ schema: JSON_SCHEMA, ok: false, checks: [], result: {}, error: body })}\n`,
      );
    }
    return EXIT.usage;
  }
}

/** Subcommands inherit neither of these, so every command is told. */
function prepare(command: Command, context: Context, json: boolean): void {
  command.exitOverride();
  command.configureOutput({
    writeOut: (text) => context.stdout(text),
    writeErr: (text) => {
      if (!json) context.stderr(escapeForTerminal(text));
    },
    outputError: (text, write) => write(`stele: ${text.replace(/^error: /, '')}`),
  });
  command.showHelpAfterError(`  see ${pathOf(command)} --help`);
  for (const child of command.commands) prepare(child, context, json);
}

/** As it is typed: `stele evidence verify`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
