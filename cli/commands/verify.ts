// stele verify: checks records offline, by the reader's policy.
import { resolve } from 'node:path';
import { parseEnvelope, type AnyStatement } from '../../attestation/index.js';
import { parseTlogProof, SteleError } from '../../tlog/index.js';
import { leafHashOf, looksLikeBundle, parseBundle, parseRecordJson } from '../bundle.js';
import { define, type Invocation, type Register } from '../command.js';
import { asInput, EXIT, type ExitStatus } from '../errors.js';
import { readIfThere, readInput } from '../files.js';
import { provenByProofs, type ProvenPlace } from '../evidence.js';
import { lastSeenStore, loadPolicy } from '../log.js';
import { identifyWeights, type ModelIdentity } from '../model-digest.js';
import { proofPath } from '../names.js';
import type { Report } from '../report.js';
import { verifyEvidence, type Evidence } from '../verification.js';

interface Options {
  model?: string;
  proof?: string;
}

/** Registers the command. */
export const registerVerify: Register = (program, context, outcome) => {
  define<Options>(
    program
      .command('verify')
      .description('check records and their proofs, offline')
      .argument('<file...>', 'what "stele submit" left: NAME.stele.json, or NAME.dsse.json with its proof')
      .option('--model <folder>', 'hold this folder against the weights and files that the record states')
      .option('--proof <file>', 'tlog-proof of an envelope, where it is not beside it'),
    context,
    outcome,
    ['policy', 'report'],
    async (invocation, options, files) => {
      const policy = loadPolicy(invocation.settings);
      const { report } = invocation;
      const failed = new Set<string>();
      const results: object[] = [];
      const places: ProvenPlace[] = [];
      report.result({ files: results });
      let model: Model | undefined;
      let compared = false;
      for (const file of files) {
        const before = report.checks.length;
        const evidence = readEvidence(invocation, file, options.proof);
        report.line(file);
        places.push(...placesOf(evidence));
        const { statement, index } = verifyEvidence(report, evidence, policy);
        if (options.model !== undefined) {
          const folder = resolve(context.cwd, options.model);
          model ??= await identifyWeights(folder);
          compared = checkModel(report, statement, folder, model) || compared;
        }
        const wrong = report.checks.slice(before).filter(({ status }) => status === 'fail');
        for (const { name } of wrong) failed.add(name);
        // An envelope that nothing proves to be logged may be anybody's: that is no success for a script.
        if (index === undefined && wrong.length === 0) failed.add('inclusion');
        results.push({
          file,
          ok: wrong.length === 0 && index !== undefined,
          ...(index !== undefined && { index }),
        });
      }
      // Who names a folder asks about it: an answer that says nothing of it is no success.
      if (options.model !== undefined && !compared) {
        report.say(
          '--model: no record here states weights in clear, so nothing was compared with the folder.',
        );
        failed.add('weights');
      }
      const seen = lastSeenStore(context);
      const proven = await provenByProofs(
        context,
        policy,
        places,
        (origin) => seen.load(origin),
        invocation.settings.report ?? [],
      );
      if (proven !== undefined) throw proven;
      return statusOfFailures(failed);
    },
  );
};

/** Every proof that came with a record: together they may show what none shows alone. */
function placesOf(evidence: Evidence): ProvenPlace[] {
  const { envelope, proof, related } = evidence;
  return [...(proof === undefined ? [] : [{ envelope, proof }]), ...related].flatMap((entry) => {
    try {
      return [{ proof: parseTlogProof(entry.proof), leafHash: leafHashOf(entry.envelope) }];
    } catch (error) {
      if (error instanceof SteleError) return []; // said by the checks above
      throw error;
    }
  });
}

function statusOfFailures(failed: ReadonlySet<string>): ExitStatus {
  if (failed.size === 0) return EXIT.ok;
  return failed.size === 1 && failed.has('quorum') ? EXIT.quorum : EXIT.failed;
}

function readEvidence({ context }: Invocation, file: string, proofFile: string | undefined): Evidence {
  const path = resolve(context.cwd, file);
  const bytes = readInput(path, file);
  return asInput(file, () => {
    if (looksLikeBundle(parseRecordJson(bytes))) return parseBundle(bytes);
    const proof =
      proofFile === undefined
        ? readIfThere(proofPath(path))
        : readInput(resolve(context.cwd, proofFile), proofFile);
    return { envelope: parseEnvelope(bytes), ...(proof && { proof }), related: [] };
  });
}

type Model = Awaited<ReturnType<typeof identifyWeights>>;

/** What a record states of a model; `step` is of a checkpoint, a final's weights have none. */
interface StatedModel {
  readonly weights: ModelIdentity;
  readonly folder: ModelIdentity | undefined;
  readonly step: number | undefined;
}

/** Every model whose weights the record states in clear: a final's, and those of a window's checkpoints. */
function statedModels(statement: AnyStatement | undefined): StatedModel[] {
  const { weights, folder, checkpoints } = (statement?.predicate ?? {}) as Record<string, unknown>;
  const list = Array.isArray(checkpoints) ? (checkpoints as Record<string, unknown>[]) : [];
  return [{ weights, folder, step: undefined }, ...list].flatMap((one) =>
    isIdentity(one.weights)
      ? [
          {
            weights: one.weights,
            folder: isIdentity(one.folder) ? one.folder : undefined,
            step: typeof one.step === 'number' ? one.step : undefined,
          },
        ]
      : [],
  );
}

function isIdentity(value: unknown): value is ModelIdentity {
  return typeof value === 'object' && value !== null && 'root' in value && 'manifestDigest' in value;
}

/** Holds the folder's model against those that the record states. Whether there was any to compare with. */
function checkModel(
  report: Report,
  statement: AnyStatement | undefined,
  folder: string,
  model: Model,
): boolean {
  const stated = statedModels(statement);
  if (stated.length === 0) {
    report.check('weights', 'not-checkable', 'the record states no weights in clear');
    return false;
  }
  const found = model.weights;
  const sameRoot = stated.filter(({ weights }) => weights.root === found.root);
  const same = sameRoot.find(({ weights }) => weights.manifestDigest === found.manifestDigest);
  if (same === undefined) {
    const roots = stated.map(({ weights, step }) => `${weights.root}${ofStep(step)}`).join(', ');
    report.check(
      'weights',
      'fail',
      sameRoot.length > 0
        ? `root ${found.root} as stated, but under other file names`
        : `the record states root ${roots}; ${folder} has ${found.root}`,
    );
    return true;
  }
  const of = ofStep(same.step);
  report.check(
    'weights',
    'pass',
    `${found.files} weight file${found.files === 1 ? '' : 's'}, root ${found.root}${of}, as stated`,
  );
  if (same.folder === undefined)
    report.check('folder', 'not-checkable', 'the record does not state what else was in the folder');
  else if (model.folder === undefined)
    report.check(
      'folder',
      'not-checkable',
      `${folder} holds what is neither file nor folder, ${String(model.others[0])} for instance`,
    );
  else if (same.folder.manifestDigest === model.folder.manifestDigest)
    report.check('folder', 'pass', `all ${model.folder.files} files as stated`);
  else
    report.check(
      'folder',
      'fail',
      `the weights are as stated, the files beside them are not: the record states ${same.folder.files} in all, ${folder} has ${model.folder.files}, and a name or the contents of at least one differ`,
    );
  return true;
}

function ofStep(step: number | undefined): string {
  return step === undefined ? '' : ` of step ${step}`;
}
