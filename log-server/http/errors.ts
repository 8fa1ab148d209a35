import { SteleError } from '../../tlog/index.js';
import { NotAdmittedError, SubmissionError } from '../errors.js';
import type { ErrorAnswer } from '../generated/answers.js';
import { StorageError } from '../storage/error.js';
import { chooseType } from './accept.js';
import type { LogView } from './view.js';

/** An error as it goes over the wire. */
export interface HttpError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** Seconds. */
  readonly retryAfter?: number | undefined;
}

/** The one place where errors become statuses. What is not ours is a 500 that says nothing of its insides. */
export function toHttpError(error: unknown): HttpError {
  if (error instanceof SubmissionError) {
    const { status, code, message, hint, retryAfter } = error;
    return { status, code, message, hint, retryAfter };
  }
  if (error instanceof NotAdmittedError) {
    return { status: error.status, code: error.code, message: error.message, hint: error.hint };
  }
  if (error instanceof StorageError) {
    const hint = 'the operator has to look at the folder of this log';
    return {
      status: 503,
      code: 'storage_unavailable',
      message: 'the storage of this log refuses',
      hint,
      retryAfter: 60,
    };
  }
  // Everything else of ours that reaches a door was thrown by a parser, at what came in by it.
  if (error instanceof SteleError) {
    return { status: 400, code: error.code, message: error.message, hint: error.hint };
  }
  return {
    status: 500,
    code: 'internal',
    message: 'an error in this server',
    hint: 'its operator finds it in the log by the request ID',
  };
}

/** Refusals by which a server that is asked too much says so. */
const OF_LOAD = ['busy', 'queue_full'];

/** Logs an error that ended a request, and answers with it. */
export function reportError(
  { logger }: Pick<LogView, 'logger'>,
  error: unknown,
  request: { readonly requestId: string; readonly path: string; readonly accept: string | undefined },
): Response {
  const found = toHttpError(error);
  const { requestId, path, accept } = request;
  const message = error instanceof Error ? error.message : String(error);
  // Strangers can have any number of those, and requests are counted by their status.
  const foreseen = found.status < 500 || OF_LOAD.includes(found.code);
  const level = foreseen ? 'debug' : 'error';
  logger.log(level, 'request failed', { requestId, path, code: found.code, error: message });
  return errorResponse(found, accept);
}

/** Formats an error as JSON, or as plain text where that is preferred. */
export function errorResponse(error: HttpError, accept: string | undefined): Response {
  const { status, code, message, hint, retryAfter } = error;
  const headers: Record<string, string> = { 'cache-control': 'no-store', 'access-control-allow-origin': '*' };
  if (retryAfter !== undefined) headers['retry-after'] = String(retryAfter);
  const type = chooseType(accept, ['application/json', 'text/plain']);
  if (type === 'text/plain') {
    headers['content-type'] = 'text/plain; charset=utf-8';
    return new Response(`${code}: ${message}\n${hint === '' ? '' : `${hint}\n`}`, { status, headers });
  }
  headers['content-type'] = 'application/json';
  const answer: ErrorAnswer = { error: { code, message, hint } };
  return new Response(`${JSON.stringify(answer)}\n`, { status, headers });
}
