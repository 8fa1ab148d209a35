// The recent anchor that a statement names: proof that it was not made before.
import type { AnchorRef } from '../attestation/index.js';
import type { Policy } from '../tlog/index.js';
import type { Invocation } from './command.js';
import { CliError, EXIT, statusOf } from './errors.js';
import { LogIndex } from './log-index.js';
import { logFolder, openLog, withEvidence } from './log.js';
import { onlyOrigin } from './origin.js';

/**
 * The log's newest anchor or, while the log cannot be reached, the newest that this user has seen:
 * statements can be signed while the log is away.
 */
export async function recentAnchor(
  invocation: Invocation,
  policy: Policy,
  origin?: string,
): Promise<AnchorRef> {
  try {
    return await newestAnchor(invocation);
  } catch (error) {
    if (statusOf(error) !== EXIT.network) throw error;
    const known = lastAnchorSeen(invocation, policy, origin);
    if (known === undefined) throw error;
    invocation.report.say(`The log cannot be reached; naming the last anchor seen, entry ${known.index}.`);
    return known;
  }
}

/** The log's newest anchor, asked of the log. Throws CliError "no_anchor" and as `openLog` does. */
export async function newestAnchor({
  context,
  settings,
}: Pick<Invocation, 'context' | 'settings'>): Promise<AnchorRef> {
  const log = await openLog(context, settings);
  await withEvidence(context, log, () => log.index.update(log.reader, log.checkpoint.size));
  if (log.index.anchor !== undefined) return log.index.anchor;
  throw new CliError(
    EXIT.network,
    'no_anchor',
    `${log.checkpoint.origin}: expected an anchor, found none in ${log.checkpoint.size} entries`,
    'a new log logs its first anchor once its witnesses have cosigned: try again',
  );
}

/** The newest anchor that this user has seen, without asking the log. */
export function lastAnchorSeen(
  { context }: Pick<Invocation, 'context'>,
  policy: Policy,
  origin?: string,
): AnchorRef | undefined {
  return LogIndex.load(logFolder(context, onlyOrigin(policy, origin))).anchor;
}
