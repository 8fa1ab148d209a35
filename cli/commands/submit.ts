// stele submit: brings signed envelopes to the log and keeps what proves that they are in it.
import { resolve } from 'node:path';
import { checkStatement, knownType, parseAnyStatement, parseEnvelope } from '../../attestation/index.js';
import type { Policy } from '../../tlog/index.js';
import { idOf, looksLikeBundle, parseRecordJson } from '../bundle.js';
import { define, type Invocation, type Register } from '../command.js';
import { asInput, CliError, EXIT } from '../errors.js';
import { readInput } from '../files.js';
import { loadPolicy } from '../log.js';
import { logRecord } from '../log-record.js';
import { bundlePath, proofPath } from '../names.js';

/** Registers the command. */
export const registerSubmit: Register = (program, context, outcome) => {
  define(
    program
      .command('submit')
      .description('log signed envelopes; leave a proof beside each')
      .argument('<envelope...>', 'files that "stele attest" wrote'),
    context,
    outcome,
    ['log', 'policy', 'timeout', 'report'],
    async (invocation, _options, files) => {
      const policy = loadPolicy(invocation.settings);
      const entries: object[] = [];
      // What was logged is said even if a later file fails.
      invocation.report.result({ entries });
      for (const file of files) entries.push(await submit(invocation, policy, file));
      const [file = ''] = files;
      invocation.report.say(
        files.length === 1
          ? `Keep ${bundlePath(file)}: it proves the record offline.`
          : `Keep what lies beside them, such as ${bundlePath(file)}: each proves its record offline.`,
      );
      return undefined;
    },
  );
};

async function submit(invocation: Invocation, policy: Policy, file: string): Promise<object> {
  const { context, report } = invocation;
  const path = resolve(context.cwd, file);
  const sent = asInput(file, () => {
    const bytes = readInput(path, file);
    if (looksLikeBundle(parseRecordJson(bytes))) {
      throw new CliError(
        EXIT.usage,
        'bad_envelope',
        `${file}: expected a signed envelope, found something else, such as the proof of one already logged`,
        'name the .dsse.json file that "stele attest" wrote',
      );
    }
    const envelope = parseEnvelope(bytes);
    const statement = parseAnyStatement(envelope.payload);
    if (knownType(statement.predicateType) !== undefined) checkStatement(statement);
    return envelope;
  });

  const { envelope, index, size } = await logRecord(
    invocation,
    policy,
    path,
    sent,
    (logged) => {
      const witnesses = logged.witnesses.join(', ');
      report.check(
        'logged',
        'pass',
        `${file}: entry ${logged.index} of ${logged.size}${witnesses ? `, cosigned by ${witnesses}` : ''}`,
      );
    },
    (reason) => report.say(reason),
  );
  return { file: path, index, size, id: idOf(envelope), bundle: bundlePath(path), proof: proofPath(path) };
}
