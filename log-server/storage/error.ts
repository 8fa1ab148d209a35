import { SteleError } from '../../tlog/index.js';

/**
 * What can go wrong below the sequencer. `code` never changes its meaning:
 *
 * | code | what it says | what the caller does |
 * |---|---|---|
 * | `size_conflict` | the tree is not of the size the change was made for; nothing was written | a bug or a second writer: stop |
 * | `not_allowed` | the change breaks an invariant (signing above what is readable, going back, another root); nothing was written | a bug: stop |
 * | `storage_failed` | nothing of the operation landed, or what landed does no harm; doing it again is safe | answer 503, retry later |
 * | `outcome_unknown` | it may have landed or not; this instance refuses everything further with the same code | stop; starting again finds out |
 * | `state_damaged` | something that was durable is gone or differs; the message says what | stop; `stele-log recover` |
 * | `state_rolled_back` | the folder is an older copy of itself | stop; `stele-log recover` |
 * | `locked` | another process, or another instance in this one, writes with this key or in this folder | stop |
 * | `no_log_here` | the folder holds no log, or one that was never initialised to its end | `stele-log init` |
 * | `already_exists` | `init` where there is a log | |
 * | `wrong_origin` | the folder belongs to another log | |
 * | `unknown_format` | written by a newer version | |
 * | `old_format` | written by an older version | `stele-log upgrade` |
 * | `not_recoverable` | recover: what was signed cannot be rebuilt from what is at hand; nothing was changed | bring more sources, or start a successor log |
 * | `closed` | the instance was closed | |
 */
export type StorageErrorCode =
  | 'size_conflict'
  | 'not_allowed'
  | 'storage_failed'
  | 'outcome_unknown'
  | 'state_damaged'
  | 'state_rolled_back'
  | 'locked'
  | 'no_log_here'
  | 'already_exists'
  | 'wrong_origin'
  | 'unknown_format'
  | 'old_format'
  | 'not_recoverable'
  | 'closed';

/** An error of storage; see {@link StorageErrorCode}. */
export class StorageError extends SteleError {
  declare readonly code: StorageErrorCode;

  constructor(code: StorageErrorCode, message: string, hint = '', options?: ErrorOptions) {
    super(code, message, hint, options);
  }
}

/** What every refusal to start names. */
export const RECOVER_HINT = 'nothing was changed; keep the folder as it is and run: stele-log recover';

/** The log's folder is not as it was left. `found` says what was expected and what was there. */
export function damaged(found: string, cause?: unknown): StorageError {
  return new StorageError('state_damaged', found, RECOVER_HINT, { cause });
}

/** The text of any thrown thing. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
