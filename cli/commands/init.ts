// stele init: what a lab needs before its first record: keys, settings, and a request to a registrar.
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { isName, type Roles } from '../../attestation/index.js';
import { parsePolicy } from '../../tlog/index.js';
import { define, type Invocation, type Register } from '../command.js';
import { asInput, CliError, EXIT } from '../errors.js';
import { readInput, writeDurably } from '../files.js';
import { checkIdentifier } from '../identifiers.js';
import { createKey, publicInfo, readKey } from '../keys.js';
import { onlyOrigin } from '../origin.js';
import { consentOf, formatRequest, type ParticipantRequest } from '../participant-request.js';
import { required } from '../settings.js';

interface Options {
  name?: string;
  officer?: boolean;
  role?: string[];
  jurisdiction?: string;
  controlledBy?: string;
  origin?: string;
}

const ROLES = ['lab', 'facility-operator', 'vendor', 'utility', 'auditor', 'declarant', 'observer'];

/** Registers the command. */
export const registerInit: Register = (program, context, outcome) => {
  define<Options>(
    program
      .command('init')
      .description('set up a participant here: keys, settings, and the request to a registrar')
      .argument('<participant>', 'identifier that you choose, such as example-lab')
      .option('--name <name>', 'legal name')
      .option(
        '--officer',
        "settings only, for a registrar or operator whom the log's charter names, with --key",
      )
      .option('--role <role...>', `what you do (lab); one or more of ${ROLES.join(', ')}`)
      .option('--jurisdiction <code>', 'country whose law you are constituted under, ISO 3166-1 alpha-2')
      .option('--controlled-by <ids>', 'participants that control you, with commas, or "none"')
      .option('--origin <origin>', 'which log, where the policy lists several'),
    context,
    outcome,
    ['log', 'policy', 'key'],
    (invocation, options, [participant = '']) => {
      const work = options.officer === true ? initOfficer : initParticipant;
      work(invocation, options, checkIdentifier(participant, 'participant'));
      return undefined;
    },
  );
};

/** What every set-up begins with. Nothing is written before everything given has been checked. */
function readGiven(
  { context, settings }: Invocation,
  options: Options,
): { log: string; origin: string; keepPolicy: () => void } {
  const toml = join(context.cwd, 'stele.toml');
  if (existsSync(toml)) {
    throw new CliError(
      EXIT.usage,
      'already_initialised',
      `${toml}: expected no settings, found some`,
      'use another folder, or edit that file',
    );
  }
  const log = required(settings, 'log', { making: true });
  const path = required(settings, 'policy', { making: true });
  const text = readInput(path);
  const origin = onlyOrigin(
    asInput(path, () => parsePolicy(text)),
    options.origin,
  );
  const copy = join(context.cwd, 'policy');
  return { log, origin, keepPolicy: () => (resolve(path) === copy ? undefined : writeDurably(copy, text)) };
}

function initOfficer(invocation: Invocation, options: Options, participant: string): void {
  const { context, report, settings } = invocation;
  const { log, origin, keepPolicy } = readGiven(invocation, options);
  const path = required(settings, 'key', { making: true });
  const key = readKey(path);
  if (key.name !== participant) throw bad('key', `a key of ${participant}`, key.name);
  keepPolicy();
  const text = settingsFile(log, participant, relative(context.cwd, path));
  writeDurably(join(context.cwd, 'stele.toml'), text, { exclusive: true });
  report.line(`policy       whom you believe about ${origin}`);
  report.line('stele.toml   settings for the commands that you run here');
  report.result({ participant, origin, folder: context.cwd, signing: publicInfo(key) });
}

function initParticipant(invocation: Invocation, options: Options, participant: string): void {
  const { context, report } = invocation;
  const at = (...path: string[]): string => join(context.cwd, ...path);
  const { log, origin, keepPolicy } = readGiven(invocation, options);
  const request = {
    origin,
    about: participant,
    name: checkName(options.name),
    jurisdiction:
      options.jurisdiction === undefined
        ? ({ unknown: 'withheld' } as const)
        : checkCountry(options.jurisdiction),
    controlledBy: checkControllers(options.controlledBy),
    roles: checkRoles(options.role ?? ['lab']),
  };

  const keyOf = (file: string): ReturnType<typeof createKey> => {
    const path = at('keys', file);
    // An init that was cut short left a key that nobody has used yet.
    return existsSync(path) ? readKey(path) : createKey(context, participant, path);
  };
  const signing = keyOf('signing.key');
  const recovery = keyOf('recovery.key');
  const issuedAt = Math.floor(context.now() / 1000);
  const complete: ParticipantRequest = {
    ...request,
    keys: [
      consentOf(signing, request, 'signing', issuedAt),
      consentOf(recovery, request, 'recovery', issuedAt),
    ],
  };
  writeDurably(at('participant-request.json'), formatRequest(complete));
  keepPolicy();
  writeDurably(at('stele.toml'), settingsFile(log, participant, 'keys/signing.key'), { exclusive: true });

  report.line(`keys/signing.key           signs your statements; key ID ${publicInfo(signing).keyId}`);
  report.line('keys/recovery.key          replaces the signing key if it is lost: move it off this machine');
  report.line('participant-request.json   give this to a registrar of the log; nothing in it is secret');
  report.line(`policy                     whom you believe about ${origin}`);
  report.line('stele.toml                 settings for the commands that you run here');
  report.say(
    'Next: a registrar runs "stele attest participant --request participant-request.json" and submits',
  );
  report.say('what that signs. Then declare a run: "stele attest run-intent --help".');
  report.result({
    participant,
    origin,
    folder: context.cwd,
    signing: publicInfo(signing),
    recovery: publicInfo(recovery),
  });
}

function settingsFile(log: string, participant: string, key: string): string {
  return `# Settings of stele for ${participant}. Paths are relative to this file.
log = ${JSON.stringify(log)}
policy = "policy"
key = ${JSON.stringify(key)}
participant = ${JSON.stringify(participant)}
records = "records"
`;
}

function checkName(name: string | undefined): string {
  if (name !== undefined && isName(name)) return name;
  throw bad(
    'name',
    'at most 200 bytes in Unicode form NFC without control or bidirectional characters',
    name,
  );
}

function checkCountry(code: string): string {
  if (/^[A-Z]{2}$/.test(code)) return code;
  throw bad('jurisdiction', 'two capital letters', code);
}

function checkControllers(list: string | undefined): string[] | { unknown: 'withheld' } {
  if (list === undefined) return { unknown: 'withheld' };
  return list === 'none' ? [] : list.split(',').map((id) => checkIdentifier(id, '--controlled-by'));
}

function checkRoles(roles: readonly string[]): Roles {
  for (const role of roles) if (!ROLES.includes(role)) throw bad('role', ROLES.join(', '), role);
  return [...new Set(roles)].sort() as Roles;
}

function bad(flag: string, expected: string, found: string | undefined): CliError {
  return new CliError(
    EXIT.usage,
    `bad_${flag}`,
    `--${flag}: expected ${expected}, found ${found === undefined ? 'none' : JSON.stringify(found)}`,
    'see "stele init --help"',
  );
}
