// Gathers the entries that a bundle carries beside its record: those that say who signed it, and the
// anchor it names.
import { parseAnyStatement, parseEnvelope, type AnchorRef, type Envelope } from '../attestation/index.js';
import type { ProvenEntry } from './bundle.js';
import type { OpenLog } from './log.js';

/** The entries, each with a proof under the log's current checkpoint, ascending. */
export async function gatherRelated(log: OpenLog, record: Envelope, index: number): Promise<ProvenEntry[]> {
  const { reader, checkpoint } = log;
  await log.index.update(reader, checkpoint.size);
  const { predicate } = parseAnyStatement(record.payload);
  const anchor: AnchorRef | undefined = predicate.recentAnchor;
  const wanted = new Set([
    ...log.index.charter.filter((i) => i < index),
    ...log.index.about(predicate.participant).filter((i) => i < index),
    ...(anchor !== undefined && anchor.index < index ? [anchor.index] : []),
  ]);
  const related: ProvenEntry[] = [];
  for (const i of [...wanted].sort((a, b) => a - b)) {
    related.push({ envelope: parseEnvelope(await reader.entry(i)), proof: await reader.tlogProof(i) });
  }
  return related;
}
