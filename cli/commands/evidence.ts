// stele evidence verify: whom a file of evidence convicts, by the reader's own policy.
import { resolve } from 'node:path';
import { verifyEvidence } from '../../evidence/index.js';
import { SteleError, encodeBase64, formatVkey } from '../../tlog/index.js';
import { define, type Register } from '../command.js';
import { CliError, EXIT } from '../errors.js';
import { inWords } from '../evidence.js';
import { readInput } from '../files.js';
import { loadPolicy } from '../log.js';

const AFTER_HELP = `
Exit status: 0 each file convicts somebody; 1 one of them convicts nobody that the policy
lists; 2 one of them is no file of evidence. 5 is for commands that find misbehaviour.`;

/** Registers the command. */
export const registerEvidence: Register = (program, context, outcome) => {
  const evidence = program
    .command('evidence')
    .description('files that prove that a log or a witness signed two histories');
  define(
    evidence
      .command('verify')
      .description('check whom files of evidence convict, offline, by your own policy')
      .argument('<file...>', 'what a command, a witness or a monitor wrote')
      .addHelpText('after', AFTER_HELP),
    context,
    outcome,
    ['policy'],
    ({ report, settings }, _options, files) => {
      const policy = loadPolicy(settings);
      const verdicts: object[] = [];
      report.result({ verdicts });
      for (const file of files) {
        const bytes = readInput(resolve(context.cwd, file), file);
        try {
          const verdict = verifyEvidence(bytes, policy);
          report.check('evidence', 'pass', `${file}: ${inWords(verdict)}`);
          const { kind, role, origin } = verdict;
          verdicts.push({
            file,
            kind,
            role,
            origin,
            convicted: verdict.convicted.map((vkey) => formatVkey(vkey)),
            trees: verdict.trees.map(({ size, rootHash }) => ({ size, rootHash: encodeBase64(rootHash) })),
          });
        } catch (error) {
          if (!(error instanceof SteleError)) throw error;
          if (error.code === 'bad_evidence')
            throw new CliError(EXIT.usage, error.code, `${file}: ${error.message}`, error.hint, {
              cause: error,
            });
          report.check('evidence', 'fail', `${file}: ${error.message} (${error.code})`);
          verdicts.push({ file, code: error.code });
        }
      }
      return undefined;
    },
  );
};
