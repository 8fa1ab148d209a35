import { SteleError, encodeHex, encodeUtf8, equalBytes, openCheckpoint, sha256 } from '../../tlog/index.js';
import type { Clock, Vkey } from '../../tlog/index.js';
import { httpSource } from '../../client/index.js';
import type { Fetch } from '../../client/index.js';
import type { LogStorage } from '../storage/types.js';

/** What is needed to ask a witness for the checkpoint it holds of this log. */
export interface ConflictQuery {
  /** The witness's prefix: monitoring and submission prefix are often one (tlog-witness allows it). */
  readonly url: string;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly storage: LogStorage;
  readonly logKeys: readonly Vkey[];
  /** The largest size this log has signed, as of the call. */
  readonly lastSigned: () => number;
}

/**
 * Reads what a witness that contradicts us holds of this log, from its monitoring endpoint. Answers
 * with words if that is a note under our own key that this folder did not sign: a larger size than
 * the last signed, or another root. undefined if there is no such proof.
 */
export async function showsConflict(query: ConflictQuery): Promise<string | undefined> {
  const { storage, logKeys } = query;
  const hash = encodeHex(sha256(encodeUtf8(storage.origin)));
  const { url, fetch, clock, timeoutMs } = query;
  const held = httpSource(`${url.replace(/\/$/, '')}/${hash}`, { fetch, timer: clock, timeoutMs });
  try {
    const { checkpoint } = openCheckpoint(await held.checkpoint(), logKeys);
    // Asked after the answer: whoever is slow could otherwise show what was signed while it was waited for.
    const lastSigned = query.lastSigned();
    if (checkpoint.size > lastSigned)
      return `size ${checkpoint.size}, and this folder has signed ${lastSigned}`;
    const root = await storage.rootAt(checkpoint.size);
    return equalBytes(root, checkpoint.rootHash) ? undefined : `another root for size ${checkpoint.size}`;
  } catch (error) {
    // Silent, not signed by us, or no checkpoint at all: nothing that convicts.
    if (error instanceof SteleError) return undefined;
    throw error;
  }
}
