// stele attest: signs statements and writes them to disk. Nothing is sent.
import { join, relative, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { parseJson, termsDigest, type Json, type Roles, type Terms } from '../../attestation/index.js';
import { addFieldFlags, RUN_FINAL, RUN_INTENT, RUN_PROGRESS, type TypeFlags } from '../attest/fields.js';
import { draftRun, type RunOptions } from '../attest/run.js';
import { signOnce, type Draft } from '../attest/sign-once.js';
import { recentAnchor } from '../anchor.js';
import { idOf } from '../bundle.js';
import { define, type Invocation, type Outcome, type Register } from '../command.js';
import type { Context } from '../context.js';
import { asInput, CliError, EXIT } from '../errors.js';
import { readInput } from '../files.js';
import { checkDigest, checkIdentifier, checkTime } from '../identifiers.js';
import { readKey } from '../keys.js';
import { loadPolicy } from '../log.js';
import { onlyOrigin } from '../origin.js';
import { consentOf, parseRequest } from '../participant-request.js';
import { required, type Settings } from '../settings.js';

const SETTINGS: (keyof Settings)[] = ['log', 'policy', 'key', 'participant', 'records', 'timeout'];

/** Registers the command and one subcommand per type. */
export const registerAttest: Register = (program, context, outcome) => {
  const attest = program
    .command('attest')
    .description('sign a statement and write it to disk; nothing is sent');
  registerRun(attest, RUN_INTENT, context, outcome);
  registerRun(attest, RUN_PROGRESS, context, outcome);
  registerRun(attest, RUN_FINAL, context, outcome);
  registerParticipant(attest, context, outcome);
  registerParticipantKey(attest, context, outcome);
  registerAmendment(attest, context, outcome);
};

function registerRun(attest: Command, type: TypeFlags, context: Context, outcome: Outcome): void {
  const command = attest
    .command(type.type)
    .description(type.description)
    .requiredOption('--run <id>', 'the run, named by you')
    .option('--spec <file>', 'document that describes the run; its digest names it');
  addFieldFlags(command, type);
  if (type === RUN_PROGRESS) command.option('--checkpoint <folder...>', 'weights saved in this window');
  if (type === RUN_FINAL) {
    command
      .option('--model <folder>', 'the final weights')
      .option('--flop-counted <number>', 'compute, counted in the matrix products as they ran')
      .option('--flop-6nd <n,d>', 'compute as 6 x active parameters x tokens');
  }
  if (type !== RUN_INTENT) {
    command
      .option('--retrospective', 'it had ended before the run was first declared')
      .option('--previous <digest>', "payload digest of the run's statement before (from the records)");
  }
  command
    .option('--supersedes <digest>', 'payload digest of the statement that this corrects')
    .option('--fields <file>', 'JSON object of further fields')
    .option('--commit <field...>', 'state these as commitments; the openings stay with you')
    .option('--otherwise <reason>', 'why every field not given is unknown')
    .option('-o, --output <file>', 'the signed envelope (in the records folder)');
  define<RunOptions>(command, context, outcome, SETTINGS, async (invocation, options) => {
    const participant = checkIdentifier(required(invocation.settings, 'participant'), 'participant');
    const { draft, name } = await draftRun(invocation, type, options, participant, recordsFolder(invocation));
    await finish(invocation, participant, draft, name);
    return undefined;
  });
}

function registerParticipant(attest: Command, context: Context, outcome: Outcome): void {
  const command = attest
    .command('participant')
    .description('as a registrar: introduce a participant and its keys')
    .requiredOption('--request <file>', 'what the participant\'s "stele init" wrote')
    .option('-o, --output <file>', 'the signed envelope (in the records folder)');
  define<{ request: string; output?: string }>(
    command,
    context,
    outcome,
    SETTINGS,
    async (invocation, options) => {
      const registrar = checkIdentifier(required(invocation.settings, 'participant'), 'participant');
      const request = asInput(options.request, () =>
        parseRequest(readInput(resolve(context.cwd, options.request), options.request)),
      );
      checkOrigin(invocation, request.origin);
      const draft: Draft = {
        type: 'participant',
        predicate: { participant: registrar, ...(request as unknown as Record<string, Json>) },
      };
      await finish(
        invocation,
        registrar,
        draft,
        output(invocation, options.output, `participant-${request.about}`),
      );
      invocation.report.say(
        `It says that ${request.about} is "${request.name}". Check that before you submit it: a log cannot forget.`,
      );
      return undefined;
    },
  );
}

interface KeyOptions {
  about?: string;
  rotate?: string;
  newKey?: string;
  use: 'signing' | 'recovery';
  role?: string[];
  revoke?: string;
  object?: string;
  reason: string;
  compromisedSince?: string;
  output?: string;
}

function registerParticipantKey(attest: Command, context: Context, outcome: Outcome): void {
  const command = attest
    .command('participant-key')
    .description('replace or revoke a key, or object to a registrar who does')
    .option('--about <id>', 'whose key (your own)')
    .option('--rotate <key-id>', 'the key to replace, by --new-key')
    .option('--new-key <file>', 'private key file of the new key, which signs its consent')
    .addOption(
      new Option('--use <use>', 'what the new key is for')
        .choices(['signing', 'recovery'])
        .default('signing'),
    )
    .option('--role <role...>', "the participant's roles (lab)")
    .option('--revoke <key-id>', 'the key to revoke')
    .option('--object <digest>', "payload digest of the registrar's request")
    .option('--reason <code>', 'compromised, lost, retired, routine or unauthorised', 'routine')
    .option('--compromised-since <time>', 'a claim: since when others may have used the key')
    .option('-o, --output <file>', 'the signed envelope (in the records folder)');
  define<KeyOptions>(command, context, outcome, SETTINGS, async (invocation, options) => {
    const participant = checkIdentifier(required(invocation.settings, 'participant'), 'participant');
    const about = checkIdentifier(options.about ?? participant, '--about');
    const origin = onlyOrigin(loadPolicy(invocation.settings));
    const subject = options.rotate ?? options.revoke ?? options.object ?? '';
    const draft: Draft = {
      type: 'participant-key',
      predicate: {
        participant,
        origin,
        about,
        reason: options.reason,
        ...(options.compromisedSince !== undefined && {
          compromisedSince: checkTime(options.compromisedSince, '--compromised-since'),
        }),
        ...change(invocation, options, about, origin),
      },
    };
    await finish(
      invocation,
      participant,
      draft,
      output(invocation, options.output, `participant-key-${about}-${subject.slice(0, 16)}`),
    );
    return undefined;
  });
}

function change(
  { context }: Invocation,
  options: KeyOptions,
  about: string,
  origin: string,
): Record<string, Json> {
  const { rotate, newKey, revoke, object } = options;
  if (rotate !== undefined && newKey !== undefined && revoke === undefined && object === undefined) {
    const roles = (options.role ?? ['lab']) as Roles;
    const consent = consentOf(
      readKey(resolve(context.cwd, newKey)),
      { origin, about, roles },
      options.use,
      Math.floor(context.now() / 1000),
    );
    return { action: 'rotate', oldKey: checkDigest(rotate, '--rotate'), newKey: consent as unknown as Json };
  }
  if (newKey === undefined && [rotate, revoke, object].filter((given) => given !== undefined).length === 1) {
    if (revoke !== undefined) return { action: 'revoke', oldKey: checkDigest(revoke, '--revoke') };
    if (object !== undefined) return { action: 'object', request: checkDigest(object, '--object') };
  }
  const given = Object.entries({ rotate, revoke, object, 'new-key': newKey }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`],
  );
  throw new CliError(
    EXIT.usage,
    'bad_change',
    `expected --rotate with --new-key, or --revoke, or --object, found ${given.join(' and ') || 'none of them'}`,
    'such as "stele attest participant-key --rotate KEY-ID --new-key new.key" or "stele attest participant-key --revoke KEY-ID --reason lost"',
  );
}

function registerAmendment(attest: Command, context: Context, outcome: Outcome): void {
  const command = attest
    .command('charter-amendment')
    .description('as a registrar: consent to new terms of the log')
    .requiredOption('--terms <file>', 'the new terms, JSON')
    .requiredOption('--amends <file>', 'the terms in force, JSON, or their digest')
    .option('-o, --output <file>', 'the signed envelope (in the records folder)');
  define<{ terms: string; amends: string; output?: string }>(
    command,
    context,
    outcome,
    SETTINGS,
    async (invocation, options) => {
      const participant = checkIdentifier(required(invocation.settings, 'participant'), 'participant');
      const readTerms = (file: string): Terms =>
        asInput(file, () => parseJson(readInput(resolve(context.cwd, file), file))) as unknown as Terms;
      const terms = readTerms(options.terms);
      const amends = /^[0-9a-f]{64}$/.test(options.amends)
        ? options.amends
        : termsDigest(readTerms(options.amends));
      const draft: Draft = {
        type: 'charter-amendment',
        predicate: { participant, amends, terms: terms as unknown as Json },
      };
      await finish(
        invocation,
        participant,
        draft,
        output(invocation, options.output, `charter-amendment-${amends.slice(0, 16)}`),
      );
      return undefined;
    },
  );
}

async function finish(
  invocation: Invocation,
  participant: string,
  draft: Draft,
  path: string,
): Promise<void> {
  const { report, settings } = invocation;
  const policy = loadPolicy(settings);
  const key = readKey(required(settings, 'key'));
  if (key.name !== participant) {
    throw new CliError(
      EXIT.usage,
      'wrong_key',
      `expected a key of ${participant}, found one of ${key.name}`,
      'check --key and --participant',
    );
  }
  const { envelope, reused } = await signOnce(invocation, key, draft, path, () =>
    recentAnchor(invocation, policy),
  );
  const shown = shownPath(invocation.context, path);
  report.line(shown);
  report.say(
    reused
      ? 'Signed before; the same bytes.'
      : `Signed ${draft.type} as ${participant}. To log it: stele submit ${shown}`,
  );
  report.result({ file: path, id: idOf(envelope), reused, type: draft.type });
}

function checkOrigin({ settings }: Invocation, origin: string): void {
  onlyOrigin(loadPolicy(settings), origin);
}

function recordsFolder({ context, settings }: Invocation): string {
  return settings.records ?? join(context.cwd, 'records');
}

function output(invocation: Invocation, given: string | undefined, name: string): string {
  const { cwd } = invocation.context;
  return given === undefined ? join(recordsFolder(invocation), `${name}.dsse.json`) : resolve(cwd, given);
}

/** A path as people near it would write it. */
function shownPath({ cwd }: Context, path: string): string {
  const near = relative(cwd, path);
  return near.startsWith('..') ? path : near;
}
