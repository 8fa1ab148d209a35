// stele verify: checks records offline, by the reader's policy.
import { resolve } from 'node:path';
import { parseEnvelope, parseJson, type AnyStatement } from '../../attestation/index.js';
import { parseTlogProof, SteleError } from '../../tlog/index.js';
import { leafHashOf, looksLikeBundle, parseBundle } from '../bundle.js';
import { define, type Invocation, type Register } from '../command.js';
import { asInput, EXIT, type ExitStatus } from '../errors.js';
import { readIfThere, readInput } from '../files.js';
import { provenByProofs, type ProvenPlace } from '../evidence.js';
import { lastSeenStore, loadPolicy } from '../log.js';
import { identifyWeights } from '../model-digest.js';
import { proofPath } from '../names.js';
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
      .option('--model <folder>', 'hold this folder against the weights that the record states')
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
      for (const file of files) {
        const before = report.checks.length;
        const evidence = readEvidence(invocation, file, options.proof);
        report.line(file);
        places.push(...placesOf(evidence));
        const { statement, index } = verifyEvidence(report, evidence, policy);
        if (options.model !== undefined) {
          await checkModel(invocation, statement, resolve(context.cwd, options.model));
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
    if (looksLikeBundle(parseJson(bytes))) return parseBundle(bytes);
    const proof =
      proofFile === undefined
        ? readIfThere(proofPath(path))
        : readInput(resolve(context.cwd, proofFile), proofFile);
    return { envelope: parseEnvelope(bytes), ...(proof && { proof }), related: [] };
  });
}

async function checkModel(
  { report }: Invocation,
  statement: AnyStatement | undefined,
  folder: string,
): Promise<void> {
  const predicate = (statement?.predicate ?? {}) as Record<string, unknown>;
  const stated = predicate['weights'];
  if (typeof stated !== 'object' || stated === null || !('root' in stated)) {
    report.check('weights', 'not-checkable', 'the record does not state its weights in clear');
    return;
  }
  const found = await identifyWeights(folder);
  const expected = stated as { root: string; manifestDigest: string };
  if (found.root !== expected.root) {
    report.check('weights', 'fail', `the record states root ${expected.root}, ${folder} has ${found.root}`);
  } else if (found.manifestDigest !== expected.manifestDigest) {
    report.check('weights', 'fail', `root ${found.root} as stated, but under other file names`);
  } else {
    report.check(
      'weights',
      'pass',
      `${found.files} weight file${found.files === 1 ? '' : 's'}, root ${found.root}, as stated`,
    );
  }
}
