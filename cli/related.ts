// Gathers the entries that a bundle carries beside its record: those that say who signed it, and the
// anchor it names.
import { parseAnyStatement, parseEnvelope, type AnchorRef, type Envelope } from '../attestation/index.js';
import { equalBytes, openCheckpoint, parseTlogProof, type Policy } from '../tlog/index.js';
import { InconsistentError } from '../client/index.js';
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

/**
 * Checks that a proof's checkpoint and the log's current one belong to one history. `log` must have been
 * read after the proof was made. Throws InconsistentError.
 */
export async function checkSameHistory(log: OpenLog, policy: Policy, proof: Uint8Array): Promise<void> {
  const note = parseTlogProof(proof).checkpoint;
  const { checkpoint } = openCheckpoint(
    note,
    policy.logs.map(({ vkey }) => vkey),
  );
  if (checkpoint.size === 0 || checkpoint.size > log.checkpoint.size) return;
  const rootHash = await log.reader.rootAt(checkpoint.size);
  if (equalBytes(rootHash, checkpoint.rootHash)) return;
  const notes = [note, log.checkpoint.note] as const;
  const message = `${checkpoint.origin}: the proof's tree of size ${checkpoint.size} is not a prefix of its tree of size ${log.checkpoint.size}`;
  throw checkpoint.size === log.checkpoint.size
    ? new InconsistentError(message, notes)
    : new InconsistentError(message, notes, {
        rootHash,
        proof: await log.reader.consistencyProof(checkpoint.size),
      });
}
