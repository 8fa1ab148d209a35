// stele get: one entry of the log, or its checkpoint, verified.
import { resolve } from 'node:path';
import { parseEnvelope, parseJson } from '../../attestation/index.js';
import { decodeUtf8, encodeBase64, SteleError } from '../../tlog/index.js';
import { printableJson } from '../../system/index.js';
import { define, type Register } from '../command.js';
import { writeDurably } from '../files.js';
import { openLog, withEvidence } from '../log.js';
import { findEntry } from '../target.js';

interface Options {
  output?: string;
  raw?: boolean;
}

/** Registers the command. */
export const registerGet: Register = (program, context, outcome) => {
  define<Options>(
    program
      .command('get')
      .description('print an entry, or the checkpoint, after verifying it')
      .argument('<entry>', 'index, payload digest, a file that holds the envelope, or "checkpoint"')
      .option('-o, --output <file>', "write the entry's exact bytes there")
      .option('--raw', "print the entry's exact bytes"),
    context,
    outcome,
    ['log', 'policy', 'timeout', 'report'],
    async ({ report, settings }, { output, raw }, [target = '']) => {
      const log = await openLog(context, settings);
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
