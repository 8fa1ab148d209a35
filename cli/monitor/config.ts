// Which logs a monitor follows, by whose keys, and what it tells of: from flags, or from a file.
//
//   folder = "state"            # where it remembers; $XDG_STATE_HOME/stele/monitor unless given
//   interval = 60               # seconds between rounds
//   webhook = "https://alerts.example/hook"
//
//   [quiet]                     # seconds; 0: never an alarm
//   log = 3600
//
//   [[log]]
//   policy = "log.policy"       # tlog-policy: the log's key, its witnesses and their addresses
//   url = "https://log.example/"
//
//   [[filter]]
//   participant = "example-lab"
import { dirname, join, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { decodeUtf8, parsePolicy, type Policy, type Vkey } from '../../tlog/index.js';
import type { Context } from '../context.js';
import { asInput, CliError, EXIT } from '../errors.js';
import { readInput } from '../files.js';
import { onlyOrigin } from '../origin.js';
import { checkUrl, stateFolder } from '../settings.js';
import type { Filter } from './filter.js';

/** Milliseconds after which silence or disagreement is an alarm; undefined: never. */
export interface MonitorLimits {
  readonly log: number | undefined;
  readonly witness: number | undefined;
  readonly anchors: number | undefined;
  /** How long a signed tree may be missing from what the log shows: it signs before it publishes. */
  readonly lag: number;
}

/** A witness of a policy: all lines with one key name are one witness. */
export interface WatchedWitness {
  /** The policy's names for it. */
  readonly name: string;
  readonly keyName: string;
  readonly vkeys: readonly Vkey[];
  /** Monitoring prefix; without one it is known from the log's checkpoints alone. */
  readonly url: string | undefined;
}

/** A log to follow. */
export interface FollowedLog {
  readonly origin: string;
  readonly policy: Policy;
  readonly policyFile: string;
  /** Its own address first; others show the same log to other people. */
  readonly urls: readonly string[];
  readonly witnesses: readonly WatchedWitness[];
}

export type NamedFilter = Filter;

/** Everything that a monitor is told. */
export interface MonitorConfig {
  /** Where it remembers. */
  readonly folder: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly limits: MonitorLimits;
  readonly webhook: string | undefined;
  /** Witnesses that are told of contradictions. */
  readonly report: readonly string[];
  readonly logs: readonly FollowedLog[];
  readonly filters: readonly NamedFilter[];
}

/** What the command line gives; each goes before the file's. Numbers are seconds, as typed. */
export interface MonitorFlags {
  readonly folder?: string;
  readonly interval?: string;
  readonly webhook?: string;
  readonly match?: readonly string[];
  readonly quietLog?: string;
  readonly quietWitness?: string;
  readonly quietAnchors?: string;
  readonly lag?: string;
}

const DEFAULTS = { interval: 60, timeout: 30, log: 3600, witness: 7200, anchors: 3600, lag: 300 };
const KINDS = ['participant', 'run', 'digest', 'type'] as const;
type Table = Readonly<Record<string, unknown>>;

/**
 * Reads it all. `given`: the log and policy that settings name, used where no file lists logs.
 * Throws CliError "bad_settings", "unreadable", "missing_setting", and what a policy's parser says.
 */
export function readConfig(
  context: Context,
  path: string | undefined,
  flags: MonitorFlags,
  given: { log?: string; policy?: string; report?: readonly string[]; timeout?: number },
): MonitorConfig {
  const file = path === undefined ? {} : readToml(context, path);
  const where = path ?? 'the command line';
  const base = path === undefined ? context.cwd : dirname(resolve(context.cwd, path));
  known(file, ['folder', 'interval', 'timeout', 'webhook', 'report', 'quiet', 'log', 'filter'], where);
  const quiet = table(file['quiet'] ?? {}, `${where}: quiet`);
  known(quiet, ['log', 'witness', 'anchors', 'lag'], `${where}: quiet`);
  const number = (flag: string | undefined, name: string, found: unknown, standard: number): number =>
    flag === undefined
      ? seconds(found ?? standard, `${where}: ${name}`)
      : seconds(/^[0-9]{1,9}$/.test(flag) ? Number(flag) : flag, `--${name}`);
  const limit = (flag: string | undefined, kind: 'log' | 'witness' | 'anchors'): number | undefined =>
    1000 * number(flag, `quiet-${kind}`, quiet[kind], DEFAULTS[kind]) || undefined;
  const lag = 1000 * number(flags.lag, 'lag', quiet['lag'], DEFAULTS.lag);
  const folder = text(file['folder'], `${where}: folder`);
  const webhook = flags.webhook ?? text(file['webhook'], `${where}: webhook`);
  if (webhook !== undefined)
    checkUrl(webhook, flags.webhook === undefined ? `${where}: webhook` : '--webhook');
  const report = given.report ?? texts(file['report'], `${where}: report`);
  for (const url of report) checkUrl(url, `${where}: report`);
  const interval = number(flags.interval, 'interval', file['interval'], DEFAULTS.interval);
  const timeout = given.timeout ?? number(undefined, 'timeout', file['timeout'], DEFAULTS.timeout);
  const listed = tables(file['log'], `${where}: log`);
  const logs = listed.flatMap((log) => logsOf(log, base, where));
  const ownFilter = parseMatches(flags.match ?? []);
  return {
    folder:
      flags.folder !== undefined
        ? resolve(context.cwd, flags.folder)
        : folder === undefined
          ? join(stateFolder(context), 'monitor')
          : resolve(base, folder),
    intervalMs: 1000 * Math.max(1, interval),
    timeoutMs: 1000 * Math.max(1, timeout),
    limits: {
      log: limit(flags.quietLog, 'log'),
      witness: limit(flags.quietWitness, 'witness'),
      anchors: limit(flags.quietAnchors, 'anchors'),
      lag,
    },
    webhook,
    report,
    logs: checkLogs(logs.length > 0 ? logs : logsOf(fromSettings(given), context.cwd, where)),
    filters: [
      ...(ownFilter ? [ownFilter] : []),
      ...tables(file['filter'], `${where}: filter`).map((filter, i) => readFilter(filter, i, where)),
    ],
  };
}

/** `participant=example-lab`: of one kind any, of several kinds all. */
function parseMatches(words: readonly string[]): NamedFilter | undefined {
  if (words.length === 0) return undefined;
  const values: Record<(typeof KINDS)[number], string[]> = { participant: [], run: [], digest: [], type: [] };
  for (const word of words) {
    const [kind = '', ...rest] = word.split('=');
    const value = rest.join('=');
    if (!isKind(kind) || value === '')
      throw bad(
        `--match: expected WHAT=VALUE where WHAT is one of ${KINDS.join(', ')}, found ${JSON.stringify(word)}`,
        'for example participant=example-lab',
      );
    values[kind].push(value);
  }
  return checkFilter({ name: words.join(' '), ...values }, '--match');
}

function readFilter(filter: Table, index: number, where: string): NamedFilter {
  const at = `${where}: filter ${index + 1}`;
  known(filter, ['name', ...KINDS], at);
  const [participant, run, digest, type] = KINDS.map((kind) => texts(filter[kind], `${at}: ${kind}`));
  const name =
    text(filter['name'], `${at}: name`) ??
    KINDS.flatMap((kind) => texts(filter[kind], at).map((value) => `${kind}=${value}`)).join(' ');
  return checkFilter(
    { name, participant: participant ?? [], run: run ?? [], digest: digest ?? [], type: type ?? [] },
    at,
  );
}

function checkFilter(filter: NamedFilter, at: string): NamedFilter {
  if (KINDS.every((kind) => filter[kind].length === 0))
    throw bad(`${at}: expected one of ${KINDS.join(', ')}, found none`, 'type = "run-final", for example');
  for (const digest of filter.digest)
    if (!/^[0-9a-f]{64}$/.test(digest))
      throw bad(
        `${at}: expected a SHA-256 in 64 lower-case hexadecimal digits, found ${JSON.stringify(digest)}`,
        'is it in base64?',
      );
  return filter;
}

function fromSettings({ log, policy }: { log?: string; policy?: string }): Table {
  if (policy === undefined)
    throw new CliError(
      EXIT.usage,
      'missing_setting',
      'expected logs to follow, found none',
      'give --policy, and --log where the policy has no URL for the log; or list them in a file for --config',
    );
  return { policy, ...(log !== undefined && { url: log }) };
}

/** Without an origin, all logs of the policy that have an address; with a URL, the policy's only one. */
function logsOf(entry: Table, base: string, where: string): FollowedLog[] {
  const at = `${where}: log`;
  known(entry, ['policy', 'url', 'origin', 'witnesses'], at);
  const file = text(entry['policy'], `${at}: policy`);
  if (file === undefined) throw bad(`${at}: expected policy, found none`, 'name a tlog-policy file');
  const policyFile = resolve(base, file);
  const policy = asInput(policyFile, () => parsePolicy(readInput(policyFile)));
  const urls = texts(entry['url'], `${at}: url`);
  const wanted = text(entry['origin'], `${at}: origin`);
  const addressed = (origin: string): string[] =>
    policy.logs.flatMap(({ vkey, url }) => (vkey.name === origin && url !== undefined ? [url] : []));
  const all = [...new Set(policy.logs.map(({ vkey }) => vkey.name))];
  const origins =
    urls.length > 0 || wanted !== undefined || all.length < 2
      ? [onlyOrigin(policy, wanted)]
      : all.filter((origin) => addressed(origin).length > 0);
  const witnesses = witnessesOf(policy, table(entry['witnesses'] ?? {}, `${at}: witnesses`), at);
  return origins.map((origin) => {
    const addresses = [...new Set(urls.length > 0 ? urls : addressed(origin))];
    if (addresses.length === 0)
      throw bad(
        `${at}: expected the URL of ${origin}, found none`,
        'give url (--log), or put it on the log line of the policy',
      );
    for (const url of addresses) checkUrl(url, at);
    return { origin, policy, policyFile, urls: addresses, witnesses };
  });
}

/** `addresses`: by a witness's name in the policy, its monitoring prefix, or false not to ask it. */
function witnessesOf(policy: Policy, addresses: Table, at: string): WatchedWitness[] {
  known(
    addresses,
    policy.witnesses.map(({ name }) => name),
    `${at}: witnesses`,
  );
  const keyNames = [...new Set(policy.witnesses.map(({ vkey }) => vkey.name))];
  return keyNames.map((keyName) => {
    const lines = policy.witnesses.filter(({ vkey }) => vkey.name === keyName);
    const given = lines.map(({ name }) => addresses[name]).find((value) => value !== undefined);
    const url =
      given === false
        ? undefined
        : (text(given, `${at}: witnesses`) ?? lines.find((line) => line.url !== undefined)?.url);
    if (url !== undefined) checkUrl(url, `${at}: witnesses`);
    const names = [...new Set(lines.map(({ name }) => name))];
    return { name: names.join('/'), keyName, vkeys: lines.map(({ vkey }) => vkey), url };
  });
}

/** At least one, and each once: what is remembered of a log has one place. */
function checkLogs(logs: readonly FollowedLog[]): readonly FollowedLog[] {
  if (logs.length === 0)
    throw bad(
      'expected logs to follow, found none with a URL',
      'give --log, or a URL on the log line of the policy',
    );
  const seen = new Set<string>();
  for (const { origin } of logs) {
    if (seen.has(origin))
      throw bad(
        `expected each log once, found ${origin} again`,
        'give several addresses of one log as url = ["…", "…"]',
      );
    seen.add(origin);
  }
  return logs;
}

function readToml(context: Context, path: string): Table {
  const content = asInput(path, () => decodeUtf8(readInput(resolve(context.cwd, path), path), 'settings'));
  try {
    return parse(content);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw bad(`${path}, line ${cause.line}: expected TOML, found something else`, 'see https://toml.io');
  }
}

function known(entry: Table, names: readonly string[], where: string): void {
  for (const name of Object.keys(entry))
    if (!names.includes(name))
      throw bad(
        `${where}: expected one of ${names.join(', ') || 'nothing'}, found ${JSON.stringify(name)}`,
        'is it misspelt?',
      );
}

function table(value: unknown, where: string): Table {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Table;
  throw bad(`${where}: expected a table, found ${JSON.stringify(value)}`, 'see https://toml.io');
}

function tables(value: unknown, where: string): Table[] {
  if (value === undefined) return [];
  if (!Array.isArray(value))
    throw bad(`${where}: expected a list of tables, found one thing`, 'write [[…]] above each');
  return value.map((entry) => table(entry, where));
}

function text(value: unknown, where: string): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value;
  throw bad(`${where}: expected text, found ${JSON.stringify(value)}`, 'put it in quotes');
}

/** One text, or a list of them. */
function texts(value: unknown, where: string): string[] {
  const values: unknown[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return values.map((one) => text(one, where) ?? '');
}

function seconds(value: unknown, where: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < 1e9) return value;
  throw bad(`${where}: expected a whole number of seconds, found ${JSON.stringify(value)}`, 'for example 60');
}

function isKind(word: string): word is (typeof KINDS)[number] {
  return (KINDS as readonly string[]).includes(word);
}

function bad(message: string, hint: string): CliError {
  return new CliError(EXIT.usage, 'bad_settings', message, hint);
}
