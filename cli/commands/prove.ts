// stele prove: fetches what proves an entry, computed from the log's tiles and verified.
import { resolve } from 'node:path';
import { parseEnvelope } from '../../attestation/index.js';
import { formatBundle, idOf } from '../bundle.js';
import { define, type Register } from '../command.js';
import { writeDurably } from '../files.js';
import { openLog, withEvidence } from '../log.js';
import { gatherRelated } from '../related.js';
import { findEntry } from '../target.js';

interface Options {
  output?: string;
  tlogProof?: boolean;
}

/** Registers the command. */
export const registerProve: Register = (program, context, outcome) => {
  define<Options>(
    program
      .command('prove')
      .description('fetch an entry with its proof under the newest checkpoint')
      .argument('<entry>', 'index, payload digest, or a file that holds the envelope')
      .option('-o, --output <file>', 'where it goes (stdout)')
      .option('--tlog-proof', 'only the proof, as a C2SP tlog-proof'),
    context,
    outcome,
    ['log', 'policy', 'timeout', 'report'],
    async ({ report, settings }, { output, tlogProof }, [target = '']) => {
      const log = await openLog(context, settings);
      const { index, text, id } = await withEvidence(context, log, async () => {
        const at = await findEntry(context, settings, log, target);
        const proof = await log.reader.tlogProof(at);
        if (tlogProof === true) return { index: at, text: new TextDecoder().decode(proof), id: undefined };
        const envelope = parseEnvelope(await log.reader.entry(at));
        const related = await gatherRelated(log, envelope, at);
        return { index: at, text: formatBundle({ envelope, proof, related }), id: idOf(envelope) };
      });
      const { size } = log.checkpoint;
      if (output !== undefined) {
        writeDurably(resolve(context.cwd, output), text);
        report.say(`Entry ${index} of ${size}: proof in ${output}.`);
      } else {
        report.text(text.replace(/\n$/, ''));
      }
      report.result({
        index,
        size,
        ...(id !== undefined && { id }),
        ...(output === undefined ? { text } : { file: resolve(context.cwd, output) }),
      });
      return undefined;
    },
  );
};
