// Which log a command is about, from the policy's log lines: a log's key name is its origin.
import type { Policy } from '../tlog/index.js';
import { CliError, EXIT } from './errors.js';

/** The policy's one origin, or `wanted` if the policy lists it. Throws CliError "ambiguous_log". */
export function onlyOrigin(policy: Policy, wanted?: string): string {
  const origins = [...new Set(policy.logs.map(({ vkey }) => vkey.name))];
  if (wanted !== undefined ? origins.includes(wanted) : origins.length === 1)
    return wanted ?? origins[0] ?? '';
  throw new CliError(
    EXIT.usage,
    'ambiguous_log',
    wanted === undefined
      ? `policy: expected one log, found ${origins.join(', ') || 'none'}`
      : `policy: expected the log ${wanted}, found ${origins.join(', ') || 'none'}`,
    'name one with --origin, or use a policy that lists it',
  );
}
