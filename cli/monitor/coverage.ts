// What a round looked at: told before anything that was found, since an empty list of findings says
// nothing by itself.
import { anchorTimes } from '../../attestation/index.js';
import type { Policy } from '../../tlog/index.js';

/** One line of it. */
export interface Coverage {
  readonly name: string;
  readonly status: 'pass' | 'fail' | 'not-checkable';
  readonly detail: string;
  /** The log itself could not be asked: a script should try again. */
  readonly network?: boolean;
}

/** Milliseconds: not before this, if no more witness operators lie than the policy survives. */
export function timeOf(policy: Policy, note: Uint8Array): number | undefined {
  const lower = anchorTimes(policy, note)?.lower;
  return lower === undefined ? undefined : 1000 * lower;
}
