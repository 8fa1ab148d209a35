// One HTTP exchange with a stranger: bounded in time and size, and never led elsewhere.
import type { Clock } from '../tlog/index.js';
import { ByteCollector, SteleError } from '../tlog/index.js';
import { ClientError } from './errors.js';

/** The part of the platform's `fetch` that is used here. Injected, so that tests own the network. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What measures a time-out. */
export type Timer = Pick<Clock, 'sleep'>;

/** The platform's own timer; the timer is cleared as soon as `signal` aborts. */
export const systemTimer: Timer = {
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(calledOff('the wait was called off'));
        return;
      }
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener(
        'abort',
        () => {
          clearTimeout(timer);
          reject(calledOff('the wait was called off'));
        },
        { once: true },
      );
    }),
};

export interface ExchangeOptions {
  fetch: Fetch;
  timer: Timer;
  /** Milliseconds for the whole exchange, body included. */
  timeoutMs: number;
  /** Bytes of body, after decompression, that are read before giving up. */
  maxBody: number;
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: Uint8Array;
  /** Calls the exchange off. */
  signal?: AbortSignal | undefined;
}

export interface Answer {
  status: number;
  /** The media type without its parameters, in lower case; empty if there is none. */
  contentType: string;
  /** Seconds of `Retry-After`. */
  retryAfter: number | undefined;
  /** Milliseconds since 1970 that its clock shows, where it says so. */
  date: number | undefined;
  body: Uint8Array;
}

/**
 * Sends one request and reads the answer. Redirects are not followed: an address of the other side's
 * choosing may lie inside the reader's own network.
 *
 * Throws ClientError `unreachable`, `timeout`, `redirected`, `too_large` or `aborted`.
 */
export async function exchange(url: string, options: ExchangeOptions): Promise<Answer> {
  const stop = new AbortController();
  const done = new AbortController();
  const callOff = (): void => stop.abort();
  if (options.signal?.aborted) throw calledOff(`${url}: called off before it was sent`);
  options.signal?.addEventListener('abort', callOff, { once: true });
  const aborted = new Promise<never>((_, reject) => {
    stop.signal.addEventListener('abort', () => reject(calledOff(`${url}: called off`)), {
      once: true,
    });
  });
  const late = options.timer.sleep(options.timeoutMs, done.signal).then((): never => {
    throw new ClientError(
      'timeout',
      `${url}: no complete answer within ${options.timeoutMs} ms`,
      'try again later, or allow more time',
    );
  });
  try {
    // The race does not trust an injected fetch to heed its signal.
    return await Promise.race([send(url, options, stop.signal), late, aborted]);
  } finally {
    options.signal?.removeEventListener('abort', callOff);
    done.abort();
    stop.abort();
  }
}

async function send(url: string, options: ExchangeOptions, signal: AbortSignal): Promise<Answer> {
  let response: Response;
  try {
    response = await options.fetch(url, {
      method: options.method ?? 'GET',
      redirect: 'manual',
      signal,
      headers: options.headers ?? {},
      // A copy over a plain ArrayBuffer is what BodyInit takes.
      ...(options.body && { body: new Uint8Array(options.body) }),
    });
  } catch (error) {
    throw unreachable(url, error);
  }
  // A browser hides a redirect that was not followed behind status 0.
  if (response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)) {
    await response.body?.cancel().catch(() => undefined);
    throw new ClientError(
      'redirected',
      `${url}: expected an answer, found a redirect`,
      'configure the address that the server redirects to, if you trust it',
    );
  }
  const body = await readBody(url, response, options.maxBody);
  const date = Date.parse(response.headers.get('date') ?? '');
  return {
    status: response.status,
    contentType: (response.headers.get('content-type') ?? '').split(';', 1).join('').trim().toLowerCase(),
    retryAfter: retryAfterOf(response.headers),
    date: Number.isFinite(date) ? date : undefined,
    body,
  };
}

/** An HTTP-date as servers must write it: IMF-fixdate, RFC 9110 §5.6.7. */
const HTTP_DATE = /^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT$/;

/**
 * Seconds that `Retry-After` asks to wait, RFC 9110 §10.2.3: a number, or a date, which is held against the answer's own
 * `Date`, so that it does not matter whose clock is wrong. Undefined where it says neither.
 */
export function retryAfterOf(headers: Headers): number | undefined {
  const asked = headers.get('retry-after') ?? '';
  if (/^[0-9]{1,9}$/.test(asked)) return Number(asked);
  const date = headers.get('date') ?? '';
  if (!HTTP_DATE.test(asked) || !HTTP_DATE.test(date)) return undefined;
  const seconds = (Date.parse(asked) - Date.parse(date)) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

async function readBody(url: string, response: Response, maxBody: number): Promise<Uint8Array> {
  if (!response.body) return new Uint8Array();
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const body = new ByteCollector(maxBody);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!body.add(value)) {
        throw new ClientError(
          'too_large',
          `${url}: expected at most ${maxBody} bytes, found more`,
          'the server is not what it should be, or the limit is too low for it',
        );
      }
    }
  } catch (error) {
    await reader.cancel().catch(() => undefined);
    throw error instanceof SteleError ? error : unreachable(url, error);
  }
  return body.bytes();
}

function calledOff(message: string): ClientError {
  return new ClientError('aborted', message, 'somebody called it off; ask again if that was not you');
}

function unreachable(url: string, error: unknown): ClientError {
  // Node says "fetch failed" and puts what happened into the cause.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const reason = cause instanceof Error ? cause.message || cause.name : 'unknown reason';
  return new ClientError('unreachable', `${url}: no answer: ${reason}`, 'is the server up? try again later', {
    cause: error,
  });
}

/** `https://example.com/log/` and `https://example.com/log` are the same prefix. */
export function joinUrl(prefix: string, path: string): string {
  return `${prefix.replace(/\/+$/, '')}/${path}`;
}
