// stele evidence: whom a file of evidence convicts, by the reader's own policy; and who is to have it.
import { resolve } from 'node:path';
import { parseEvidence, verifyEvidence } from '../../evidence/index.js';
import { SteleError, encodeBase64, formatVkey } from '../../tlog/index.js';
import { define, type Invocation, type Register } from '../command.js';
import { asInput, CliError, EXIT, type ExitStatus } from '../errors.js';
import { inWords } from '../evidence.js';
import { readInput } from '../files.js';
import { loadPolicy } from '../log.js';
import { checkUrl } from '../settings.js';
import { sendEvidence } from '../witness-evidence.js';

const AFTER_HELP = `
Exit status: 0 each file convicts somebody; 1 one of them convicts nobody that the policy
lists; 2 one of them is no file of evidence. 5 is for commands that find misbehaviour.`;

const AFTER_SEND = `
Exit status: 0 every witness keeps it, or what it had for the case; 1 one refused it; 3 one did not
answer, and none refused.`;

/** Registers the commands. */
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
  define<{ to: string[] }>(
    evidence
      .command('send')
      .description('bring files of evidence to witnesses, who check them by their own keys')
      .argument('<file...>', 'what a command, a witness or a monitor wrote')
      .requiredOption('--to <url...>', 'the witnesses')
      .addHelpText('after', AFTER_SEND),
    context,
    outcome,
    ['policy', 'timeout'],
    send,
  );
};

/** The file is looked at first: what is no evidence, or proves nothing by the sender's own policy, is not sent. */
async function send(
  { context, report, settings }: Invocation,
  { to }: { to: string[] },
  files: readonly string[],
): Promise<ExitStatus | undefined> {
  for (const url of to) checkUrl(url, '--to');
  const read = files.map((file) => {
    const bytes = readInput(resolve(context.cwd, file), file);
    asInput(file, () => parseEvidence(bytes));
    return { file, bytes };
  });
  const policy = settings.policy === undefined ? undefined : loadPolicy(settings);
  const sent: object[] = [];
  report.result({ sent });
  let refused = false;
  for (const { file, bytes } of read) {
    try {
      if (policy !== undefined) report.say(`${file}: ${inWords(verifyEvidence(bytes, policy))}`);
    } catch (error) {
      if (!(error instanceof SteleError)) throw error;
      if (error.code !== 'unknown_key') {
        report.check('evidence', 'fail', `${file}: ${error.message} (${error.code}); it was not sent`);
        refused = true;
        continue;
      }
      report.say(`${file}: it accuses keys that your policy does not list; the witnesses judge by theirs`);
    }
    for (const url of to) {
      try {
        const { status, kept, said } = await sendEvidence(url, bytes, {
          fetch: context.fetch,
          timeoutMs: 1000 * (settings.timeout ?? 60),
        });
        sent.push({ file, url, status, kept });
        const busy = status === 429 || status >= 500;
        refused ||= kept === null && !busy;
        const words = kept === null ? `it answered ${status}: ${said}` : `it keeps ${kept}`;
        report.check('sent', kept === null ? 'fail' : 'pass', `${file} to ${url}: ${words}`);
      } catch (error) {
        if (!(error instanceof SteleError)) throw error;
        sent.push({ file, url, status: null, kept: null });
        report.check('sent', 'fail', `${file} to ${error.message}`);
      }
    }
  }
  return report.passed ? undefined : refused ? EXIT.failed : EXIT.network;
}
