// docs/config.md: every command and option of the three programs, from the programs themselves.
import type { Command, Option } from 'commander';
import { processContext } from '../../cli/context.js';
import { buildProgram as buildStele } from '../../cli/program.js';
import { SETTINGS } from '../../cli/settings.js';
import { buildProgram as buildLog } from '../../log-server/commands.js';
import { EXIT_MEANINGS, STATUS_OF_CODE } from '../../system/index.js';
import { buildProgram as buildWitness } from '../../witness/commands.js';

const HEAD = `# Commands and options

Made by \`npm run docs\` from the programs' own options; a test fails where it is not up to date.

A value comes from the flag, else the environment, else \`./stele.toml\`, else \`$XDG_CONFIG_HOME/stele/stele.toml\`.
In the file, \`stele\`'s settings stand at the top, \`stele-log\`'s in a table \`[stele-log]\` under the flag's
name without its dashes. \`stele-witness\` reads no file. What one program knows nothing of is an error, but for
other programs' tables.

`;

/** The whole file. */
export async function configDoc(): Promise<string> {
  const programs = [
    await buildStele(processContext(), { status: 0 }),
    buildLog(() => undefined),
    buildWitness(() => undefined),
  ];
  return HEAD + programs.map((program) => section(program)).join('\n') + exitStatuses();
}

function section(program: Command): string {
  const name = program.name();
  return [`## ${name}`, '', program.description(), '', ...commands(program, name)].join('\n');
}

function commands(parent: Command, prefix: string): string[] {
  return parent.commands.flatMap((command) => {
    const name = `${prefix} ${command.name()}`;
    if (command.commands.length > 0) return commands(command, name);
    const args = command.registeredArguments.map((argument) => {
      const shown = argument.variadic ? `${argument.name()}…` : argument.name();
      return argument.required ? ` <${shown}>` : ` [${shown}]`;
    });
    const rows = command.options.map((option) => row(prefix.split(' ')[0] ?? prefix, option));
    const table = ['| option | environment | default | |', '|---|---|---|---|', ...rows, ''];
    return [
      `### \`${name}${args.join('')}\``,
      '',
      sentence(command.description()),
      '',
      ...(rows.length > 0 ? table : []),
    ];
  });
}

function row(program: string, option: Option): string {
  const long = program === 'stele' && option.long?.slice(2);
  // Of a search, whom it is for: no setting.
  const own =
    long === 'participant' && option.description !== SETTINGS.participant.description ? false : long;
  const variable =
    option.envVar ?? (typeof own === 'string' && own in SETTINGS ? `STELE_${own.toUpperCase()}` : undefined);
  const standard: unknown = option.defaultValueDescription ?? option.defaultValue;
  const choices = option.argChoices === undefined ? '' : ` (${option.argChoices.join(', ')})`;
  const cells = [
    `\`${option.flags}\``,
    variable === undefined ? '' : `\`${variable}\``,
    typeof standard === 'string' || typeof standard === 'number' ? `\`${standard}\`` : '',
    option.description + choices,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + (text.endsWith('.') ? '' : '.');
}

function exitStatuses(): string {
  const rows = Object.entries(EXIT_MEANINGS).map(([status, meaning]) => {
    const codes = Object.entries(STATUS_OF_CODE).filter(([, each]) => each === Number(status));
    const shown = status === '1' ? 'every other' : codes.map(([code]) => `\`${code}\``).join(', ');
    return `| ${status} | ${meaning} | ${shown} |`;
  });
  return [
    '',
    '## Exit status',
    '',
    'The same for the three programs. An error has a code, which never changes and decides the status; an error',
    'about something that was named on the command line or in a setting is 2 whatever its code. What `--json`',
    'answers is in [json.md](json.md).',
    '',
    '| | | codes |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
