// stele init: what a lab needs before its first record: keys, settings, and a request to a registrar.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
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
  name: string;
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
      .requiredOption('--name <name>', 'legal name')
      .option('--role <role...>', `what you do (lab); one or more of ${ROLES.join(', ')}`)
      .option('--jurisdiction <code>', 'country whose law you are constituted under, ISO 3166-1 alpha-2')
      .option('--controlled-by <ids>', 'participants that control you, with commas, or "none"')
      .option('--origin <origin>', 'which log, where the policy lists several'),
    context,
    outcome,
    ['log', 'policy'],
    (invocation, options, [participant = '']) => {
      init(invocation, options, checkIdentifier(participant, 'participant'));
      return undefined;
    },
  );
};

function init({ context, report, settings }: Invocation, options: Options, participant: string): void {
  const at = (...path: string[]): string => join(context.cwd, ...path);
  if (existsSync(at('stele.toml'))) {
    throw new CliError(
      EXIT.usage,
      'already_initialised',
      `${at('stele.toml')}: expected no settings, found some`,
      'use another folder, or edit that file',
    );
  }
  const log = required(settings, 'log');
  const policyPath = required(settings, 'policy');
  const policyText = readInput(policyPath);
  const origin = onlyOrigin(
    asInput(policyPath, () => parsePolicy(policyText)),
    options.origin,
  );
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
  if (resolve(policyPath) !== at('policy')) writeDurably(at('policy'), policyText);
  writeDurably(at('stele.toml'), settingsFile(log, participant), { exclusive: true });

  report.line(`keys/signing.key           signs your statements; key ID ${publicInfo(signing).keyId}`);
  report.line('keys/recovery.key          replaces the signing key if it is lost: move it off this machine');
  report.line('participant-request.json   give this to a registrar of the log; nothing in it is secret');
  report.line(`policy                     whom you believe about ${origin}`);
  report.line('stele.toml                 settings for the commands that you run here');
  report.say(`Next: a registrar runs "stele attest participant --request participant-request.json" and submits
what that signs. Then declare a run: "stele attest run-intent --help".`);
  report.result({
    participant,
    origin,
    folder: context.cwd,
    signing: publicInfo(signing),
    recovery: publicInfo(recovery),
  });
}

function settingsFile(log: string, participant: string): string {
  return `# Settings of stele for ${participant}. Paths are relative to this file.
log = ${JSON.stringify(log)}
policy = "policy"
key = "keys/signing.key"
participant = ${JSON.stringify(participant)}
records = "records"
`;
}

function checkName(name: string): string {
  if (isName(name)) return name;
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

function bad(flag: string, expected: string, found: string): CliError {
  return new CliError(
    EXIT.usage,
    `bad_${flag}`,
    `--${flag}: expected ${expected}, found ${JSON.stringify(found)}`,
    'see "stele init --help"',
  );
}
