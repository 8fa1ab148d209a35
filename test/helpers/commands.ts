// Every command of the three programs, from their own tables: what a test must not leave out.
import type { Command } from 'commander';
import { processContext } from '../../cli/context.js';
import { buildProgram as buildStele } from '../../cli/program.js';
import { buildProgram as buildLog } from '../../log-server/commands.js';
import { buildProgram as buildWitness } from '../../witness/commands.js';

export const PROGRAMS: readonly Command[] = [
  await buildStele(processContext(), { status: 0 }),
  buildLog(() => undefined),
  buildWitness(() => undefined),
];

/** Every command that can be run, as it is typed: `stele policy lint`. */
export const COMMANDS: readonly (readonly [path: string, command: Command])[] = PROGRAMS.flatMap((program) =>
  commandsOf(program, program.name()),
);

function commandsOf(command: Command, path: string): [string, Command][] {
  return command.commands.length === 0
    ? [[path, command]]
    : command.commands.flatMap((child) => commandsOf(child, `${path} ${child.name()}`));
}

/** The command that these words run: the longest that they begin with. */
export function commandIn(words: readonly string[]): string {
  const line = `${words.join(' ')} `;
  const [found = ''] = COMMANDS.map(([path]) => path)
    .filter((path) => line.startsWith(`${path} `))
    .sort((a, b) => b.length - a.length);
  return found;
}
