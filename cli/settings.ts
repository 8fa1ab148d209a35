// Where a setting comes from: a flag, STELE_* in the environment, ./stele.toml, the XDG config folder.
// The first that has it wins, setting by setting.
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { decodeUtf8 } from '../tlog/index.js';
import type { Context } from './context.js';
import { asInput, CliError, EXIT } from './errors.js';
import { readIfThere } from './files.js';

/** Every setting. Paths are absolute. */
export interface Settings {
  /** URL prefix of the log. */
  log?: string;
  /** tlog-policy file: the log's key and the witnesses that are believed. */
  policy?: string;
  /** Signing key file. */
  key?: string;
  /** Who signs: the participant's identifier. */
  participant?: string;
  /** Folder of signed statements and their proofs. */
  records?: string;
  /** Seconds that a command waits for a log. */
  timeout?: number;
  /** URL prefixes of witnesses that are told of a log that contradicts itself. */
  report?: string[];
}

/** What each setting is, for help and for the check of a settings file. */
export const SETTINGS: Readonly<
  Record<keyof Settings, { path: boolean; description: string; placeholder: string }>
> = {
  log: { path: false, description: 'URL of the log', placeholder: 'url' },
  policy: {
    path: true,
    description: "policy file: the log's key and the witnesses you believe",
    placeholder: 'file',
  },
  key: { path: true, description: 'signing key file', placeholder: 'file' },
  participant: { path: false, description: 'who signs, by identifier', placeholder: 'id' },
  records: {
    path: true,
    description: 'folder for signed statements and their proofs',
    placeholder: 'folder',
  },
  timeout: { path: false, description: 'seconds to wait for the log (60)', placeholder: 'seconds' },
  report: {
    path: false,
    description: 'witnesses to tell if the log contradicts itself, with commas (nobody)',
    placeholder: 'urls',
  },
};

const NAMES = Object.keys(SETTINGS) as (keyof Settings)[];

/** The settings in force, and where each comes from: `--log`, `STELE_LOG` or the path of a file. */
export interface Loaded {
  readonly settings: Settings;
  readonly from: Readonly<Partial<Record<keyof Settings, string>>>;
}

/** Finds the settings. `flags` holds what the command line gave. Throws CliError `bad_settings`. */
export function loadSettings(context: Context, flags: Readonly<Record<string, unknown>>): Loaded {
  const files = [join(context.cwd, 'stele.toml'), join(configFolder(context), 'stele.toml')].map(
    readSettings,
  );
  const settings: Settings = {};
  const from: Partial<Record<keyof Settings, string>> = {};
  for (const name of NAMES) {
    const flag = flags[name];
    const variable = `STELE_${name.toUpperCase()}`;
    const inEnvironment = context.env[variable];
    if (typeof flag === 'string') {
      from[name] = `--${name}`;
      set(settings, name, flag, from[name], context.cwd);
    } else if (inEnvironment !== undefined && inEnvironment !== '') {
      from[name] = variable;
      set(settings, name, inEnvironment, variable, context.cwd);
    } else {
      const file = files.find((f) => f?.values[name] !== undefined);
      if (!file) continue;
      from[name] = file.path;
      set(settings, name, file.values[name], `${name} in ${file.path}`, dirname(file.path));
    }
  }
  return { settings, from };
}

/** The setting, or CliError `missing_setting` that says the ways to give it; `making` is who makes a file of settings. */
export function required<K extends keyof Settings>(
  settings: Settings,
  name: K,
  { making = false }: { making?: boolean } = {},
): NonNullable<Settings[K]> {
  const value = settings[name];
  if (value === undefined) {
    throw new CliError(
      EXIT.usage,
      'missing_setting',
      `--${name}: expected ${SETTINGS[name].description}, found none`,
      making
        ? `give --${name}, or set STELE_${name.toUpperCase()}`
        : `give --${name}, or set STELE_${name.toUpperCase()}, or put ${name} = "…" into stele.toml ("stele init" writes one)`,
    );
  }
  return value;
}

/** ~/.config/stele, or where XDG_CONFIG_HOME says. */
function configFolder(context: Context): string {
  return join(xdg(context, 'XDG_CONFIG_HOME', '.config'), 'stele');
}

/** ~/.local/state/stele, or where XDG_STATE_HOME says. */
export function stateFolder(context: Context): string {
  return join(xdg(context, 'XDG_STATE_HOME', join('.local', 'state')), 'stele');
}

function xdg(context: Context, variable: string, fallback: string): string {
  const folder = context.env[variable];
  // XDG Base Directory Specification: "All paths set in these environment variables must be absolute.
  // If an implementation encounters a relative path … it should consider the path invalid and ignore it."
  if (folder?.startsWith('/') === true) return folder;
  return join(context.env['HOME'] ?? homedir(), fallback);
}

interface SettingsFile {
  path: string;
  values: Record<string, unknown>;
}

function readSettings(path: string): SettingsFile | undefined {
  const bytes = readIfThere(path);
  if (bytes === undefined) return undefined;
  const text = asInput(path, () => decodeUtf8(bytes, 'settings'));
  let values: Record<string, unknown>;
  try {
    values = parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw bad(
      `${path}, line ${cause.line}: expected TOML, found something else`,
      'see https://toml.io',
      cause,
    );
  }
  for (const name of Object.keys(values)) {
    // One file may serve all three programs: the other two have tables of their own.
    if (!(NAMES as string[]).includes(name) && !name.startsWith('stele-')) {
      throw bad(
        `${path}: expected one of ${NAMES.join(', ')}, found ${JSON.stringify(name)}`,
        'is it misspelt?',
      );
    }
  }
  return { path, values };
}

function set(settings: Settings, name: keyof Settings, value: unknown, from: string, folder: string): void {
  if (name === 'timeout') {
    const seconds =
      typeof value === 'number' ? value : /^[1-9][0-9]{0,5}$/.test(String(value)) ? Number(value) : NaN;
    if (!Number.isSafeInteger(seconds) || seconds < 1) {
      throw bad(
        `${from}: expected a whole number of seconds, found ${JSON.stringify(value)}`,
        'for example 60',
      );
    }
    settings.timeout = seconds;
    return;
  }
  if (typeof value !== 'string' || value === '') {
    throw bad(`${from}: expected text, found ${JSON.stringify(value)}`, 'put it in quotes');
  }
  if (name === 'report') {
    settings.report = value.split(',').map((url) => url.trim());
    for (const url of settings.report) checkUrl(url, from);
    return;
  }
  if (name === 'log') checkUrl(value, from);
  settings[name] = SETTINGS[name].path ? resolve(folder, value) : value;
}

/** Throws CliError "bad_settings" for anything but an http or https URL. */
export function checkUrl(value: string, from: string): void {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw bad(
      `${from}: expected an http or https URL, found ${JSON.stringify(value)}`,
      'for example https://log.example.org/',
    );
  }
}

function bad(message: string, hint: string, cause?: unknown): CliError {
  return new CliError(EXIT.usage, 'bad_settings', message, hint, { cause });
}
