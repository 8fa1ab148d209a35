import { SteleError } from '../tlog/index.js';

/** An error of the log server: of its folder, its configuration, its pipeline. */
export class LogError extends SteleError {}

/**
 * Why a submission was not answered with an index, as `POST /add` says it: an HTTP status, a code
 * that never changes, and how long to wait before sending the same bytes again (seconds), if waiting
 * helps. An entry that got a 503 may have been committed: sent again, it has the same index.
 */
export class SubmissionError extends LogError {
  readonly status: number;
  readonly retryAfter: number | undefined;

  constructor(code: RefusalCode, message: string, hint?: string) {
    super(code, message, hint ?? REFUSALS[code].hint);
    this.status = REFUSALS[code].status;
    this.retryAfter = REFUSALS[code].retryAfter;
  }
}

/** An entry that the admission rules forbid: 403 with the code of the rule. */
export class NotAdmittedError extends LogError {
  readonly status = 403;
}

/** The one table of the refusals of `POST /add` that are this server's own. spec/log.md prints it. */
export const REFUSALS = {
  bad_request: { status: 400, hint: 'see spec/log.md, "The write API"', retryAfter: undefined },
  frozen: {
    status: 410,
    hint: 'this log takes no more entries; its successor, if it has one, is named by its operator',
    retryAfter: undefined,
  },
  entry_too_large: {
    status: 413,
    hint: 'an entry has at most 65,535 bytes; long lists travel as Merkle roots',
    retryAfter: undefined,
  },
  rate_limited: {
    status: 429,
    hint: 'send fewer entries per second; all keys of a participant count together',
    retryAfter: 1,
  },
  queue_full: { status: 503, hint: 'the server is busy; send the same bytes again', retryAfter: 1 },
  backlog_full: {
    status: 503,
    hint: 'too many entries wait for the witnesses; send the same bytes again later',
    retryAfter: 30,
  },
  quorum_unreachable: {
    status: 503,
    hint: 'the entry may be committed but is not published; send the same bytes again for the same index',
    retryAfter: 10,
  },
  gate_closed: {
    status: 503,
    hint: 'the log is asking its witnesses whether it may go on; GET /readyz says which are awaited',
    retryAfter: 10,
  },
  not_initialized: {
    status: 503,
    hint: 'the log has not published its charter and first anchor yet; send the same bytes again',
    retryAfter: 5,
  },
  storage_failed: {
    status: 503,
    hint: 'nothing was written; send the same bytes again, and tell the operator',
    retryAfter: 30,
  },
  signing_failed: {
    status: 503,
    hint: 'the entry may be committed and its checkpoint could not be signed; send the same bytes again for the same index',
    retryAfter: 5,
  },
  not_readable: {
    status: 503,
    hint: 'send the same bytes again for the same index, and tell the operator',
    retryAfter: 30,
  },
  stopped: {
    status: 503,
    hint: 'the log takes no entries until its operator has looked; GET /readyz says why',
    retryAfter: 60,
  },
  index_unavailable: {
    status: 503,
    hint: 'the index is being made anew; the log itself is served: ask later, or read it',
    retryAfter: 5,
  },
  busy: {
    status: 503,
    hint: 'too much is under way at once; ask, or send the same bytes, again later',
    retryAfter: 5,
  },
  draining: { status: 503, hint: 'the server is shutting down; send the same bytes again', retryAfter: 5 },
} as const;

/** A stable code of `REFUSALS`. */
export type RefusalCode = keyof typeof REFUSALS;
