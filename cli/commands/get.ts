// stele get: one entry of the log, its checkpoint, or its terms in force, verified.
import { resolve } from 'node:path';
import { Argument } from 'commander';
import { parseEnvelope, parseJson, termsDigest } from '../../attestation/index.js';
import { decodeUtf8, encodeBase64, encodeUtf8, quote, SteleError } from '../../tlog/index.js';
import { printableJson, suggest } from '../../system/index.js';
import { define, type Register } from '../command.js';
import type { Context } from '../context.js';
import { CliError, EXIT } from '../errors.js';
import { writeDurably } from '../files.js';
import { openLog, withEvidence, type OpenLog } from '../log.js';
import type { Report } from '../report.js';
import { findEntry } from '../target.js';
import { changeTerms, termsOf } from '../terms.js';

interface Options {
  output?: string;
  raw?: boolean;
  set?: string[];
}

/** Registers the command. */
export const registerGet: Register = (program, context, outcome) => {
  define<Options>(
    program
      .command('get')
      .description('print an entry, the checkpoint, or the terms in force, after verifying it')
      .addArgument(
        suggest(
          new Argument(
            '<entry>',
            'index, payload digest, a file that holds the envelope, "checkpoint", or "terms"',
          ),
          ['checkpoint', 'terms'],
        ),
      )
      .option('-o, --output <file>', "write the entry's exact bytes, or the terms, there")
      .option('--raw', "print the entry's exact bytes")
      .option(
        '--set <name=value>',
        'of terms: with this field changed, to the text of a file where the value is @file; repeat it',
        (change: string, before: string[] | undefined) => [...(before ?? []), change],
      ),
    context,
    outcome,
    ['log', 'policy', 'timeout', 'report'],
    async ({ report, settings }, { output, raw, set }, [target = '']) => {
      if (set !== undefined && target !== 'terms')
        throw new CliError(
          EXIT.usage,
          'usage',
          `--set: expected the entry terms, found ${quote(target)}`,
          'only terms can be had with a field changed: stele get terms --set …',
        );
      if (raw === true && target === 'terms')
        throw new CliError(
          EXIT.usage,
          'usage',
          '--raw: expected an entry or the checkpoint, found terms, which have no bytes of their own',
          'they lie in the entry that put them into force, which "stele get terms" names',
        );
      const log = await openLog(context, settings);
      if (target === 'terms') {
        await getTerms(context, report, log, set ?? [], output);
        return undefined;
      }
      const { checkpoint } = log;
      const index = target === 'checkpoint' ? undefined : await findEntry(context, settings, log, target);
      const bytes =
        index === undefined
          ? checkpoint.note
          : await withEvidence(context, log, () => log.reader.entry(index));
      const statement = index === undefined ? undefined : readStatement(bytes);
      if (output !== undefined) {
        writeDurably(resolve(context.cwd, output), bytes);
        report.say(`${bytes.length} bytes in ${output}`);
      } else if (raw === true && !context.terminal && !report.json) {
        context.stdout(bytes);
      } else if (statement !== undefined && raw !== true) {
        report.text(printableJson(statement));
      } else {
        report.text(text(bytes).replace(/\n$/, ''));
      }
      const { origin, size, rootHash } = checkpoint;
      report.say(
        `${index === undefined ? 'Checkpoint' : `Entry ${index}`} of ${origin}, size ${size}, cosigned as the policy asks.`,
      );
      report.result({
        origin,
        size,
        rootHash: encodeBase64(rootHash),
        ...(index === undefined ? { note: text(bytes) } : { index, entry: encodeBase64(bytes) }),
        ...(statement !== undefined && { statement }),
        ...(output !== undefined && { file: resolve(context.cwd, output) }),
      });
      return undefined;
    },
  );
};

/** The terms in force, as "stele attest charter-amendment" takes them, or with fields changed. */
async function getTerms(
  context: Context,
  report: Report,
  log: OpenLog,
  changes: readonly string[],
  output: string | undefined,
): Promise<void> {
  const { index, terms: found } = await termsOf(context, log);
  const terms = changes.length === 0 ? found : changeTerms(context, found, changes);
  const json = printableJson(terms);
  const file = output === undefined ? undefined : resolve(context.cwd, output);
  if (file === undefined) report.text(json);
  else writeDurably(file, encodeUtf8(`${json}\n`));
  const { origin, size, rootHash } = log.checkpoint;
  report.say(
    `Terms of ${origin}, in force since entry ${index}, at size ${size}${changes.length === 0 ? '' : '; changed here as --set says'}.`,
  );
  const where = { origin, size, rootHash: encodeBase64(rootHash), index };
  report.result({ ...where, terms, digest: termsDigest(terms), ...(file !== undefined && { file }) });
}

function readStatement(entry: Uint8Array): unknown {
  try {
    return parseJson(parseEnvelope(entry).payload);
  } catch (error) {
    if (error instanceof SteleError) return undefined;
    throw error;
  }
}

function text(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes, 'entry');
  } catch {
    return encodeBase64(bytes);
  }
}
