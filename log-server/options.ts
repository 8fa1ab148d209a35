import { homedir } from 'node:os';
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { Fault } from '../system/doctor/index.js';
import { LogError } from './errors.js';

/** The table of `stele.toml` that is this program's. */
const TABLE = 'stele-log';

/** An option that may also stand in the environment as STELE_LOG_NAME and in stele.toml as `name`. */
export function setting(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.env(variableOf(option.name()));
}

function variableOf(name: string): string {
  return `STELE_LOG_${name.replaceAll('-', '_').toUpperCase()}`;
}

/** Where a setting may stand that a command did not find. */
export function whereToSet(name: string): string {
  return `name it, or set ${variableOf(name)} in the environment, or ${name} in the table [${TABLE}] of stele.toml`;
}

/**
 * Fills in from `./stele.toml`, then from the XDG configuration folder, what neither the command line
 * nor the environment has said. Throws LogError "bad_config".
 */
export async function applyConfigFiles(
  command: Command,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  // doctor says all that is wrong with them at once, and beside what is wrong with the folder.
  const examines = command.name() === 'doctor';
  for (const path of configFiles(env)) {
    const table = (await unless(examines, () => readTable(path))) ?? {};
    if (!examines) refuseUnknown(command.parent ?? command, path, Object.keys(table));
    for (const [key, value] of Object.entries(table))
      await unless(examines, () => applyOne(command, path, key, value));
  }
}

/** The work; with `forgives` undefined where it throws LogError. */
async function unless<T>(forgives: boolean, work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (forgives && error instanceof LogError) return undefined;
    throw error;
  }
}

/** What no command of the program has is a slip of the pen, and would be missed where it was meant. */
function refuseUnknown(program: Command, path: string, keys: readonly string[]): void {
  const settings = settingsOf(program);
  const strange = keys.find((key) => !settings.has(key));
  if (strange === undefined) return;
  throw new LogError(
    'bad_config',
    `${path}: expected settings of stele-log in [${TABLE}], found ${strange}`,
    misspelt(settings.keys()),
  );
}

function misspelt(known: Iterable<string | undefined>): string {
  return `is it misspelt? ${[...known].join(', ')}`;
}

/** Every setting of any command, by its name. */
function settingsOf(program: Command): Map<string, Option> {
  const options = program.commands.flatMap((command) => command.options);
  return new Map(options.flatMap((each) => (each.envVar === undefined ? [] : [[each.name(), each]])));
}

function configFiles(env: NodeJS.ProcessEnv): string[] {
  const xdg = env['XDG_CONFIG_HOME'];
  const config = xdg !== undefined && isAbsolute(xdg) ? xdg : join(homedir(), '.config');
  return ['stele.toml', join(config, 'stele', 'stele.toml')];
}

/**
 * What is wrong with the settings files and the environment, for whichever command it is meant: a command alone looks
 * at its own.
 */
export async function settingsFaults(
  program: Command,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Fault[]> {
  const settings = settingsOf(program);
  const faults: Fault[] = [];
  const finding = async (what: string, work: () => unknown): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      faults.push({ expected: `${what} to parse`, found: error.message, todo: error.hint });
    }
  };
  for (const path of configFiles(env)) {
    let table: Record<string, unknown> = {};
    await finding(path, async () => (table = await readTable(path)));
    for (const [key, value] of Object.entries(table)) {
      const option = settings.get(key);
      if (option === undefined) {
        faults.push({
          expected: `${path} to have settings of stele-log`,
          found: key,
          todo: misspelt(settings.keys()),
        });
        continue;
      }
      await finding(path, () => {
        for (const each of [value].flat()) parseValue(option, each, undefined, key);
      });
    }
  }
  const variables = new Map([...settings.values()].map((option) => [option.envVar, option]));
  for (const [name, value = ''] of Object.entries(env)) {
    if (!name.startsWith('STELE_LOG_')) continue;
    const option = variables.get(name);
    if (option === undefined)
      faults.push({
        expected: 'variables that stele-log knows',
        found: name,
        todo: misspelt(variables.keys()),
      });
    // A flag is set by its variable, whatever that holds.
    else if (!option.isBoolean())
      await finding('the environment', () => parseValue(option, value, undefined, name, 'correct it'));
  }
  return faults;
}

function applyOne(command: Command, path: string, key: string, value: unknown): void {
  const option = command.options.find((each) => each.name() === key);
  // The table serves all commands of the program: what this one does not have, another may.
  if (option === undefined) return;
  const attribute = option.attributeName();
  const source = command.getOptionValueSource(attribute);
  if (source !== undefined && source !== 'default') return;
  const values: unknown[] = Array.isArray(value) ? value : [value];
  // A list is parsed as the flag given again and again.
  let parsed: unknown;
  for (const each of values) parsed = parseValue(option, each, parsed, `${path}: ${key}`);
  command.setOptionValueWithSource(attribute, parsed, 'config');
}

function parseValue(
  option: Option,
  value: unknown,
  before: unknown,
  where: string,
  todo = 'correct the file',
): unknown {
  if (typeof value === 'boolean' && option.isBoolean()) return value;
  const bad = (message: string, cause?: unknown): LogError =>
    new LogError('bad_config', `${where}: ${message}`, todo, { cause });
  if (typeof value !== 'string' && typeof value !== 'number') throw bad('expected text or a number');
  const text = String(value);
  if (option.argChoices !== undefined) {
    if (option.argChoices.includes(text)) return text;
    throw bad(`expected one of ${option.argChoices.join(', ')}, found ${text}`);
  }
  const parse = option.parseArg as ((text: string, before: unknown) => unknown) | undefined;
  try {
    return parse === undefined ? text : parse(text, before);
  } catch (cause) {
    if (cause instanceof InvalidArgumentError) throw bad(cause.message, cause);
    throw cause;
  }
}

async function readTable(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  const { TomlError, parse } = await import('smol-toml');
  try {
    const table = parse(text)[TABLE];
    if (table === undefined) return {};
    if (typeof table === 'object' && !Array.isArray(table) && !(table instanceof Date)) return table;
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw new LogError('bad_config', `${path}: ${cause.message}`, 'correct the file', { cause });
  }
  throw new LogError('bad_config', `${path}: expected a table [${TABLE}]`, 'correct the file');
}

/** A whole number from `least` on. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = /^(0|[1-9][0-9]*)$/.test(text) ? Number(text) : NaN;
    if (!Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`Expected a whole number from ${least} on.`);
    return value;
  };
}

/** Collects the values of a repeated option. */
export function repeated(text: string, before: unknown): string[] {
  return [...(Array.isArray(before) ? (before as string[]) : []), text];
}
