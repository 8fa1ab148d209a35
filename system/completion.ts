// Scripts that let a shell complete a program's commands, options and choices. They are made from the
// program's own commands, so they cannot say anything else than --help does.
import { Argument, type Command, type Option } from 'commander';
import type { Reply } from './answer.js';

/** Shells that a script is made for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** One command: where it stands (`/policy/lint`; empty for the program), and what may follow. */
interface Place {
  readonly path: string;
  /** Its own commands, or the words it takes as arguments. */
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  /** Whether an argument may be something else, a file in most cases. */
  readonly open: boolean;
  readonly options: readonly { readonly flags: readonly string[]; readonly option: Option }[];
}

/** Words that an argument or an option's value may be, among others that nobody can list. */
const suggested = new WeakMap<Argument | Option, readonly string[]>();

/** An argument, or an option's value, that may be one of these words, or something else. */
export function suggest<Taker extends Argument | Option>(taker: Taker, words: readonly string[]): Taker {
  suggested.set(taker, words);
  return taker;
}

/** The words that an argument, or an option's value, is completed to. */
export function wordsOf(taker: Argument | Option): readonly string[] {
  return taker.argChoices ?? suggested.get(taker) ?? [];
}

/** Adds `completion <shell>`; the caller says how its reply is given. */
export function completionCommand(program: Command): Command {
  return program
    .command('completion')
    .description('print a script that lets your shell complete commands and options')
    .addArgument(new Argument('<shell>', 'your shell').choices(SHELLS))
    .addHelpText(
      'after',
      `
For bash:  source <(${program.name()} completion bash)
For zsh:   ${program.name()} completion zsh > a folder of $fpath, as _${program.name()}
For fish:  ${program.name()} completion fish > ~/.config/fish/completions/${program.name()}.fish`,
    );
}

/** What `completion <shell>` answers. */
export function completionReply(program: Command, [shell]: readonly string[]): Reply {
  const script = completionScript(program, shell as Shell);
  return { lines: [script.replace(/\n$/, '')], result: { shell, script } };
}

/** The script for one shell. */
export function completionScript(program: Command, shell: Shell): string {
  const name = program.name();
  const places = placesOf(program, '');
  if (shell === 'bash') return bash(name, places);
  return shell === 'zsh' ? zsh(name, places) : fish(name, places);
}

function placesOf(command: Command, path: string): Place[] {
  const help = command.createHelp();
  const children = help.visibleCommands(command).filter((child) => child.name() !== 'help');
  const place = {
    path,
    commands: [
      ...children.map((child) => ({ name: child.name(), description: child.description() })),
      ...command.registeredArguments.flatMap((argument) =>
        wordsOf(argument).map((name) => ({ name, description: argument.description })),
      ),
    ],
    open: command.registeredArguments.some((argument) => suggested.has(argument)),
    options: help.visibleOptions(command).map((option) => ({
      flags: [option.long, option.short].filter((flag) => flag !== undefined),
      option,
    })),
  };
  return [place, ...children.flatMap((child) => placesOf(child, `${path}/${child.name()}`))];
}

/** The paths of all commands below the program, as alternatives of a `case`. */
function alternatives(places: readonly Place[], separator: string): string {
  return places
    .slice(1)
    .map(({ path }) => path)
    .join(separator);
}

/** Options that take one of a few values, by command and flag. */
function choices(places: readonly Place[]): { path: string; flag: string; values: readonly string[] }[] {
  return places.flatMap(({ path, options }) =>
    options.flatMap(({ flags, option }) => {
      const values = wordsOf(option);
      return values.length === 0 ? [] : flags.map((flag) => ({ path, flag, values }));
    }),
  );
}

/** Options whose value is free: a file, in most cases, which shells complete by themselves. */
function valued(places: readonly Place[]): string[] {
  return places.flatMap(({ path, options }) =>
    options.flatMap(({ flags, option }) =>
      (option.required || option.optional) && wordsOf(option).length === 0
        ? flags.map((flag) => `'${path} ${flag}'`)
        : [],
    ),
  );
}

function bash(name: string, places: readonly Place[]): string {
  const fn = `_${name.replaceAll('-', '_')}`;
  const values = choices(places).map(
    ({ path, flag, values }) => `    '${path} ${flag}') list='${values.join(' ')}' ;;`,
  );
  const free = valued(places);
  const options = places.map(
    ({ path, options }) => `    '${path}') list='${options.flatMap(({ flags }) => flags).join(' ')}' ;;`,
  );
  const commands = places
    .filter(({ commands }) => commands.length > 0)
    .map(({ path, commands }) => `    '${path}') list='${commands.map((c) => c.name).join(' ')}' ;;`);
  return `# bash completion of ${name}
${fn}() {
  local at='' list='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at/\${COMP_WORDS[i]}" in
    ${alternatives(places, ' | ')}) at=$at/\${COMP_WORDS[i]} ;;
    esac
  done
  case "$at \${COMP_WORDS[COMP_CWORD - 1]}" in
${values.join('\n')}
${free.length === 0 ? '' : `    ${free.join(' | ')}) return ;;\n`}    *)
      if [[ \${COMP_WORDS[COMP_CWORD]} == -* ]]; then
        case "$at" in
${options.join('\n')}
        esac
      else
        case "$at" in
${commands.join('\n')}
        esac
      fi
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$list" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o bashdefault -o default -F ${fn} ${name}
`;
}

function zsh(name: string, places: readonly Place[]): string {
  const entry = (key: string, text: string): string => quoted(`${key}:${text.replaceAll(':', '\\:')}`);
  const values = choices(places).map(
    ({ path, flag, values }) => `    '${path} ${flag}') compadd ${values.join(' ')}; return ;;`,
  );
  const free = valued(places);
  const options = places.map(
    ({ path, options }) =>
      `      '${path}') list=(${options.flatMap(({ flags, option }) => flags.map((flag) => entry(flag, option.description))).join(' ')}) ;;`,
  );
  const commands = places
    .filter(({ commands }) => commands.length > 0)
    .map(
      ({ path, commands }) =>
        `      '${path}') list=(${commands.map((c) => entry(c.name, c.description)).join(' ')}) ;;`,
    );
  return `#compdef ${name}
local at='' i
local -a list
for ((i = 2; i < CURRENT; i++)); do
  case "$at/$words[i]" in
    ${alternatives(places, '|')}) at=$at/$words[i] ;;
  esac
done
case "$at $words[CURRENT-1]" in
${values.join('\n')}
${free.length === 0 ? '' : `    ${free.join('|')}) _files; return ;;\n`}esac
if [[ $PREFIX == -* ]]; then
  case "$at" in
${options.join('\n')}
  esac
else
  case "$at" in
${commands.join('\n')}
  esac
fi
(( $#list )) && _describe '${name}' list || _files
`;
}

function fish(name: string, places: readonly Place[]): string {
  const fn = `__${name.replaceAll('-', '_')}_at`;
  const lines = places.flatMap(({ path, commands, open, options }) => {
    const here = `complete -c ${name} -n "${fn} '${path}'"`;
    return [
      ...commands.map((c) => `${here}${open ? '' : ' -f'} -a ${c.name} -d ${quoted(c.description)}`),
      ...options.map(({ flags, option }) => {
        const parts = [here];
        for (const flag of flags)
          parts.push(flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`);
        const words = wordsOf(option);
        if (words.length > 0) parts.push(`-x -a ${quoted(words.join(' '))}`);
        else if (option.required || option.optional) parts.push('-r');
        return [...parts, `-d ${quoted(option.description)}`].join(' ');
      }),
    ];
  });
  return `# fish completion of ${name}
function ${fn}
    set -l at ''
    for word in (commandline -opc)[2..-1]
        switch "$at/$word"
            case ${alternatives(places, ' ')}
                set at "$at/$word"
        end
    end
    test "$at" = "$argv[1]"
end
${lines.join('\n')}
`;
}

/** For all three shells: between single quotes nothing is special but the quote. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", '’')}'`;
}
