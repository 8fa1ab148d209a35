// How every command of the three programs answers: lines for people, or with --json one object on stdout.
import { CommanderError, type Command } from 'commander';
import { describeError, EXIT, statusOf, type ExitStatus, type Failure } from './exit.js';
import { checkOwner } from './owner.js';
import { escapeForTerminal, escapeLine, printableJson } from './terminal.js';

/**
 * What became of one check. `remark`: nothing is wrong with it, and it is to be known all the same. `not-checkable` is
 * neither good nor bad: the detail says what is missing.
 */
export type CheckStatus = 'pass' | 'remark' | 'fail' | 'not-checkable';

export interface Check {
  readonly name: string;
  readonly status: CheckStatus;
  readonly detail: string;
}

/** Names the shape of the --json object. docs/json.md describes it. */
export const ANSWER_SCHEMA = 'https://stele-log/cli/v1';

/** The --json object. */
export interface Answer {
  readonly ok: boolean;
  readonly checks: readonly Check[];
  readonly result: Readonly<Record<string, unknown>>;
  readonly error: Failure | null;
}

/** One line. Text from elsewhere in it is the same to a parser, and harmless on a terminal. */
export function formatAnswer({ ok, checks, result, error }: Answer): string {
  return `${printableJson({ schema: ANSWER_SCHEMA, ok, checks, result, error }, 0)}\n`;
}

/** An error for people: a line, one more for the hint, and of a bug all that is known. */
export function formatFailure(program: string, { code, message, hint }: Failure): string {
  const said = code === 'internal' ? escapeForTerminal(message) : escapeLine(message);
  return `${program}: ${said} (${code})\n${hint === '' ? '' : `  ${escapeLine(hint)}\n`}`;
}

/** Where a program's words go. */
export interface Streams {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/** The process's own. */
export const processStreams: Streams = {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
};

/** What a command found or did. */
export interface Reply {
  /** Lines on stdout, for people. */
  readonly lines: readonly string[];
  /** Lines on stderr, for people: what to do next. */
  readonly prose?: readonly string[];
  readonly checks?: readonly Check[];
  /** Of the --json object; docs/json.md says what is in it for each command. */
  readonly result: Readonly<Record<string, unknown>>;
  readonly status?: ExitStatus;
}

/** Where a command's answer goes. */
export interface Replies {
  /** Told the exit status. */
  readonly end: (status: ExitStatus) => void;
  readonly streams: Streams;
}

/** A command's work: what it is told, its arguments, and how a server says that it is ready. */
export type Work<Flags> = (
  flags: Flags,
  args: string[],
  tell: (reply: Reply) => void,
) => Promise<Reply | ExitStatus>;

/**
 * Gives `command` --json, and `work` as what it does. A server tells its reply by `tell` once it is ready,
 * and resolves with the exit status when it has ended; what is thrown after that goes to stderr.
 */
export function replying<Flags>(
  command: Command,
  { end, streams: { stdout, stderr } }: Replies,
  work: Work<Flags>,
): Command {
  command.option('--json', 'answer with one JSON object');
  return command.action(async () => {
    const flags = command.opts<Flags & { json?: true }>();
    const json = flags.json === true;
    const answers = { told: false };
    const tell = ({ lines, prose = [], checks = [], result, status = EXIT.ok }: Reply): void => {
      answers.told = true;
      if (json) {
        stdout(formatAnswer({ ok: status === EXIT.ok, checks, result, error: null }));
        return;
      }
      for (const line of lines) stdout(`${escapeForTerminal(line)}\n`);
      for (const line of prose) stderr(`${escapeForTerminal(line)}\n`);
    };
    try {
      const { folder } = command.opts<{ folder?: string }>();
      if (folder !== undefined) checkOwner(folder);
      const outcome = await work(flags, command.args, tell);
      if (typeof outcome === 'object') tell(outcome);
      end(typeof outcome === 'object' ? (outcome.status ?? EXIT.ok) : outcome);
    } catch (error) {
      const failure = describeError(error);
      if (json && !answers.told) stdout(formatAnswer({ ok: false, checks: [], result: {}, error: failure }));
      else stderr(formatFailure(programOf(command), failure));
      end(statusOf(error));
    }
  });
}

/** Of each usage error, the command that was to be run. */
const askedOf = new WeakMap<CommanderError, Command>();

/**
 * Makes usage errors alike: status 2, the program's name in front, the command whose --help helps below.
 * Subcommands inherit none of this, so each is told.
 */
function speakAlike(command: Command, json: boolean, streams: Streams = processStreams): void {
  command.exitOverride((error) => {
    askedOf.set(error, command);
    throw error;
  });
  command.configureOutput({
    writeOut: (text) => streams.stdout(text),
    writeErr: (text) => {
      if (!json) streams.stderr(escapeForTerminal(text));
    },
    // Said by runProgram, like any other error.
    outputError: () => undefined,
  });
  for (const child of command.commands) speakAlike(child, json, streams);
}

/**
 * Runs a command line, without the program's name, of a program whose commands never throw but for usage.
 * `status` is what they have left. Resolves with the exit status.
 */
export async function runProgram(
  program: Command,
  argv: readonly string[],
  status: () => ExitStatus,
  streams: Streams = processStreams,
): Promise<ExitStatus> {
  const json = argv.includes('--json');
  speakAlike(program, json, streams);
  try {
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      return EXIT.usage;
    }
    await program.parseAsync([...argv], { from: 'user' });
    return status();
  } catch (error) {
    // commander's own status for a usage error is 1; help that was asked for is no error.
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const usage = error instanceof CommanderError;
    const failure = usage ? usageFailure(error, program) : describeError(error);
    if (json) streams.stdout(formatAnswer({ ok: false, checks: [], result: {}, error: failure }));
    // Of a command that only has commands commander has shown the help.
    else if (!usage || error.code !== 'commander.help')
      streams.stderr(formatFailure(program.name(), failure));
    return usage ? EXIT.usage : statusOf(error);
  }
}

/**
 * Runs a command line of a program that consists of `replying` commands: `build` makes it, and gets what each
 * command ends with told.
 */
export async function runBuilt(
  build: (end: (status: ExitStatus) => void, streams: Streams) => Command,
  argv: readonly string[],
  streams: Streams = processStreams,
): Promise<ExitStatus> {
  let status: ExitStatus = EXIT.ok;
  const program = build((found) => (status = found), streams);
  return runProgram(program, argv, () => status, streams);
}

function usageFailure(error: CommanderError, program: Command): Failure {
  const { message, code } = error;
  // A command of which only its own commands can be run; commander has no words for it.
  const [, said = message, meant] = /^(?:error: )?(.*?)(?:\n\(Did you mean (.*)\?\))?$/s.exec(message) ?? [];
  const hint = usageHint(askedOf.get(error) ?? program);
  return {
    code: 'usage',
    message: code === 'commander.help' ? 'expected a command, found none' : said,
    hint: meant === undefined ? hint : `did you mean ${meant}? ${hint}`,
  };
}

/** What a command cannot do without, as it is typed, and where to read on. */
function usageHint(command: Command): string {
  const needed = command.options.filter(({ mandatory }) => mandatory);
  const mandatory = needed.map(({ flags }) => flags.replace(/^-\w, /, ''));
  const variables = needed.flatMap(({ envVar }) => envVar ?? []);
  const orSet = variables.length === 0 ? '' : `, or with ${variables.join(', ')} set`;
  const path = pathOf(command);
  if (mandatory.length === 0) return `see ${path} --help`;
  const args = command.registeredArguments.flatMap((each) => (each.required ? [`<${each.name()}>`] : []));
  return `such as ${[path, ...args, ...mandatory].join(' ')}${orSet}; see ${path} --help`;
}

function programOf(command: Command): string {
  return command.parent === null ? command.name() : programOf(command.parent);
}

/** As it is typed: `stele evidence verify`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
