// stele submit: brings signed envelopes to the log and keeps what proves that they are in it.
import { resolve } from 'node:path';
import {
  checkStatement,
  knownType,
  parseAnyStatement,
  parseEnvelope,
  parseJson,
} from '../../attestation/index.js';
import { parseTlogProof, verifyTlogProof, type Policy } from '../../tlog/index.js';
import { formatBundle, idOf, leafHashOf, looksLikeBundle, type Bundle } from '../bundle.js';
import { define, type Invocation, type Register } from '../command.js';
import { asInput, CliError, EXIT } from '../errors.js';
import { readInput, writeDurably } from '../files.js';
import { checkSameHistory, loadPolicy, openLog, withEvidence } from '../log.js';
import { bundlePath, proofPath } from '../names.js';
import { gatherRelated } from '../related.js';
import { sendEnvelope } from '../submission.js';

/** Registers the command. */
export const registerSubmit: Register = (program, context, outcome) => {
  define(
    program
      .command('submit')
      .description('log signed envelopes; leave a proof beside each')
      .argument('<envelope...>', 'files that "stele attest" wrote'),
    context,
    outcome,
    ['log', 'policy', 'timeout'],
    async (invocation, _options, files) => {
      const policy = loadPolicy(invocation.settings);
      const entries: object[] = [];
      // What was logged is said even if a later file fails.
      invocation.report.result({ entries });
      for (const file of files) entries.push(await submit(invocation, policy, file));
      return undefined;
    },
  );
};

async function submit(
  { context, report, settings }: Invocation,
  policy: Policy,
  file: string,
): Promise<object> {
  const path = resolve(context.cwd, file);
  const sent = asInput(file, () => {
    const bytes = readInput(path, file);
    if (looksLikeBundle(parseJson(bytes))) {
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

  const { envelope, proof } = await sendEnvelope(context, settings, sent, (reason) => report.say(reason));
  const { index, evaluation } = verifyTlogProof({ proof, leafHash: leafHashOf(envelope), policy });
  writeDurably(proofPath(path), proof);
  const { size } = evaluation.checkpoint;
  const witnesses = evaluation.cosignatures.map(({ witness }) => witness.name).join(', ');
  report.check(
    'logged',
    'pass',
    `${file}: entry ${index} of ${size}${witnesses ? `, cosigned by ${witnesses}` : ''}`,
  );

  // The record is logged and proven. What follows says who signed it, and holds the log to what it
  // showed before.
  const log = await openLog(context, settings);
  const bundle: Bundle = await withEvidence(context, log, async () => {
    await checkSameHistory(context, log, parseTlogProof(proof).checkpoint);
    return { envelope, proof, related: await gatherRelated(log, envelope, index) };
  });
  writeDurably(bundlePath(path), formatBundle(bundle));
  report.say(`Keep ${bundlePath(file)}: it proves the record offline.`);
  return { file: path, index, size, id: idOf(envelope), bundle: bundlePath(path), proof: proofPath(path) };
}
