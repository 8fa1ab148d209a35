// The log as this user knows it: read over HTTP, believed by the policy, held against what it showed the
// last time.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  ClientError,
  httpSource,
  LogReader,
  type LastSeen,
  type TileSource,
  type VerifiedCheckpoint,
} from '../client/index.js';
import { parseCheckpoint, parseNote, parsePolicy, type Policy } from '../tlog/index.js';
import type { Context } from './context.js';
import { asInput, CliError, EXIT } from './errors.js';
import { provenMisbehaviour } from './evidence.js';
import { readIfThere, readInput, writeDurably } from './files.js';
import { checkAhead, checkNow } from './history.js';
import { LogIndex } from './log-index.js';
import { required, stateFolder, type Settings } from './settings.js';

/** A log that is open for reading. */
export interface OpenLog {
  readonly reader: LogReader;
  readonly checkpoint: VerifiedCheckpoint;
  readonly index: LogIndex;
  readonly policy: Policy;
  readonly source: TileSource;
  /** Witnesses that the user wants told if it contradicts itself. */
  readonly report: readonly string[];
}

/** The policy in force. Throws CliError, status 2, for a file that is none. */
export function loadPolicy(settings: Settings): Policy {
  const path = required(settings, 'policy');
  return asInput(path, () => parsePolicy(readInput(path)));
}

/**
 * Fetches the log's checkpoint, verifies it and its consistency with the last one seen. A log that
 * contradicts itself is CliError "inconsistent", status 5, after the evidence has been written. Without `remember`
 * nothing else is written: neither what it showed nor what was learned by reading it.
 */
export async function openLog(
  context: Context,
  settings: Settings,
  { remember = true }: { remember?: boolean } = {},
): Promise<OpenLog> {
  const url = required(settings, 'log');
  const policy = loadPolicy(settings);
  const timeoutMs = 1000 * (settings.timeout ?? 60);
  const report = settings.report ?? [];
  const source = httpSource(url, { fetch: context.fetch, timeoutMs });
  const store = lastSeenStore(context);
  const lastSeen = remember ? store : { ...store, save: () => Promise.resolve() };
  const reader = new LogReader(source, policy, { lastSeen });
  try {
    const checkpoint = await withEvidence(context, { policy, source, report }, async () => {
      const current = await reader.checkpoint();
      const log = { checkpoint: current, policy, source };
      if (remember)
        await checkAhead(log, logFolder(context, current.origin), ({ origin, note }) =>
          store.save(origin, note),
        );
      return current;
    });
    const index = LogIndex.load(logFolder(context, checkpoint.origin), remember);
    return { reader, checkpoint, index, policy, source, report };
  } catch (error) {
    if (error instanceof ClientError && error.code === 'not_found') {
      throw new CliError(
        EXIT.failed,
        'not_found',
        error.message,
        `is ${url} the URL of the log? A new log has no checkpoint until its witnesses have cosigned`,
        { cause: error },
      );
    }
    throw error;
  }
}

/**
 * Checks that a checkpoint which a log has just given in a proof belongs to the history that it serves, and
 * remembers the larger of the two. `log` must have been opened after the proof was made. Throws InconsistentError.
 */
export async function checkSameHistory(context: Context, log: OpenLog, note: Uint8Array): Promise<void> {
  const larger = await checkNow(log, note, logFolder(context, log.checkpoint.origin));
  if (larger !== undefined) await lastSeenStore(context).save(larger.origin, larger.note);
}

/** Runs what may find a log lying; then the evidence is on disk before anybody hears of it. */
export async function withEvidence<T>(
  context: Context,
  log: Pick<OpenLog, 'policy' | 'source' | 'report'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const seen = (origin: string): Promise<Uint8Array | undefined> => lastSeenStore(context).load(origin);
    throw (await provenMisbehaviour(context, log, seen, error)) ?? error;
  }
}

/** Where what is remembered of a log lies. An origin may hold slashes, so its digest names the folder. */
export function logFolder(context: Context, origin: string): string {
  const name = createHash('sha256').update(origin).digest('hex').slice(0, 32);
  return join(stateFolder(context), 'logs', name);
}

/** The last checkpoint seen of each log. */
export function lastSeenStore(context: Context): LastSeen {
  const path = (origin: string): string => join(logFolder(context, origin), 'checkpoint');
  return {
    load: (origin) => Promise.resolve(readIfThere(path(origin))),
    save: (origin, note) => {
      // Another command may have seen a larger tree meanwhile: what is remembered never shrinks.
      const there = readIfThere(path(origin));
      if (there === undefined || sizeOf(there) <= sizeOf(note)) writeDurably(path(origin), note);
      return Promise.resolve();
    },
  };
}

function sizeOf(note: Uint8Array): number {
  return parseCheckpoint(parseNote(note).text).size;
}
