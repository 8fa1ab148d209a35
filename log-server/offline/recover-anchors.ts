// Anchors among the entries that are left: each holds a checkpoint that the log had published when it was logged. A
// folder whose `signed` is smaller is an older copy, or its parts are of different times.
import { knownType, parseEnvelope, parseStatement } from '../../attestation/index.js';
import type { Anchor } from '../../attestation/index.js';
import { SteleError, encodeUtf8 } from '../../tlog/index.js';
import type { LogStorageOptions } from '../storage/types.js';
import { type SignedHead, headIn } from './recover-sources.js';

/** The heads in anchors among these entries, by index, which the log signed by keys of their time. */
export function anchoredHeads(
  entries: ReadonlyMap<number, Uint8Array>,
  keys: Pick<LogStorageOptions, 'logKeys' | 'keySpans' | 'origin'>,
): SignedHead[] {
  return [...entries].flatMap(([index, entry]) => {
    try {
      const { statement } = parseStatement(parseEnvelope(entry).payload);
      if (knownType(statement.predicateType) !== 'anchor') return [];
      const note = encodeUtf8((statement as Anchor).predicate.checkpoint);
      const head = headIn(note, `the anchor at entry ${index}`, true, keys);
      // No log admits another; where anybody may log any bytes, it is nobody's anchor.
      return head.size <= index ? [head] : [];
    } catch (error) {
      // Bytes that are no statement, in a log of any bytes; or a note that this log did not sign.
      if (error instanceof SteleError) return [];
      throw error;
    }
  });
}
