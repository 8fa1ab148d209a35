// What every command shares: its settings as flags, --json, and one way in and out.
import type { Command } from 'commander';
import type { Context } from './context.js';
import type { ExitStatus } from './errors.js';
import { Report } from './report.js';
import { loadSettings, SETTINGS, type Settings } from './settings.js';

/** What a command is given. */
export interface Invocation {
  readonly context: Context;
  readonly report: Report;
  readonly settings: Settings;
}

/** Where the exit status goes: commander's actions return nothing. */
export interface Outcome {
  status: ExitStatus;
}

/** Adds a command's part to the program. */
export type Register = (program: Command, context: Context, outcome: Outcome) => void;

/** A command's work. What it throws, and what its report says, becomes the exit status. */
export type Work<Options> = (
  invocation: Invocation,
  options: Options,
  args: string[],
) => Promise<ExitStatus | undefined> | ExitStatus | undefined;

/**
 * Gives `command` the flags of these settings and --json, and `work` as what it does. Where `policyArgument`
 * says so, the command line names policies in another way, and the setting does not count.
 */
export function define<Options>(
  command: Command,
  context: Context,
  outcome: Outcome,
  settings: readonly (keyof Settings)[],
  work: Work<Options>,
  {
    policyArgument = () => false,
  }: { policyArgument?: (options: object, args: readonly string[]) => boolean } = {},
): Command {
  for (const name of settings) {
    const { placeholder, description } = SETTINGS[name];
    command.option(`--${name} <${placeholder}>`, description);
  }
  command.option('--json', 'answer with one JSON object');
  command.action(async () => {
    const options = command.opts<Record<string, unknown>>();
    const report = new Report(context, options['json'] === true);
    try {
      const { settings: inForce, from } = loadSettings(context, options);
      // Whoever sent a folder may have put settings into it: the reader must see whose policy judges.
      const bySetting = settings.includes('policy') && !policyArgument(options, command.args);
      if (bySetting && inForce.policy !== undefined && from.policy !== undefined) {
        report.say(`Policy: ${inForce.policy} (from ${from.policy})`);
        report.result({ policy: { file: inForce.policy, from: from.policy } });
      }
      const invocation = { context, report, settings: inForce };
      const status = await work(invocation, options as Options, command.args);
      outcome.status = report.end(undefined, status);
      await report.settle();
    } catch (error) {
      outcome.status = report.end(error);
    }
  });
  return command;
}
