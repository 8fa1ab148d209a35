// Sends a signed envelope to a log until it is acknowledged. Only the bytes on disk are ever sent.
import {
  envelopeFromJson,
  formatEnvelope,
  parseJson,
  type Envelope,
  type Json,
} from '../attestation/index.js';
import { retryAfterOf } from '../client/index.js';
import { ByteCollector, encodeUtf8, equalBytes } from '../tlog/index.js';
import type { Context } from './context.js';
import { CliError, EXIT } from './errors.js';
import { required, type Settings } from './settings.js';

/** What a log answered. Nothing in it is verified but that the payload is the one sent. */
export interface Acknowledgement {
  index: number;
  /** As logged: the signature may be an earlier one over the same payload. */
  envelope: Envelope;
  /** C2SP tlog-proof. */
  proof: Uint8Array;
}

/** A log that cannot take an entry now, and says for how long. */
export class BusyError extends CliError {
  /** Seconds after which it wants to be asked again. */
  readonly retryAfter: number;

  constructor({ status, code, message, hint }: CliError, retryAfter: number) {
    super(status, code, message, hint);
    this.retryAfter = retryAfter;
  }
}

/** Longest answer read, in bytes. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/**
 * POST /add, again after the pauses that the log asks for, until it answers or the time is up. Throws
 * CliError: status 3 for the network and a log that cannot take it now (BusyError where that says until when), 1 where the log refuses it, 2
 * where it says that the envelope is malformed.
 */
export async function sendEnvelope(
  context: Context,
  settings: Settings,
  envelope: Envelope,
  onWait: (reason: string) => void = () => undefined,
): Promise<Acknowledgement> {
  const url = new URL('add', withSlash(required(settings, 'log'))).href;
  const deadline = context.monotonic() + 1000 * (settings.timeout ?? 60);
  for (let attempt = 0; ; attempt++) {
    let failure: CliError;
    let pause = Math.min(1000 * 2 ** attempt, 10_000);
    const left = Math.max(1000, deadline - context.monotonic());
    // Not AbortSignal.timeout: its timer does not keep the process alive, and a connection that is closed as
    // soon as it is made leaves fetch waiting with nothing else that does.
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(new Error(`none within ${Math.ceil(left / 1000)} s`)), left);
    try {
      const answer = await context.fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: formatEnvelope(envelope),
        redirect: 'error',
        signal: stop.signal,
      });
      const text = await readText(answer, url);
      if (answer.status === 200) return parseAnswer(text, envelope, url);
      failure = refusal(answer.status, text, url);
      const retryAfter = retryAfterOf(answer.headers);
      if (retryAfter !== undefined) {
        pause = Math.max(200, 1000 * retryAfter);
        if (failure.status === EXIT.network) failure = new BusyError(failure, retryAfter);
      }
    } catch (cause) {
      if (cause instanceof CliError) throw cause;
      const { message } = (
        cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
      ) as Error;
      failure = new CliError(
        EXIT.network,
        'unreachable',
        `${url}: expected an answer, found ${message}`,
        'the signed envelope is on disk: submit it again when the log is back',
        { cause },
      );
    } finally {
      clearTimeout(timer);
    }
    if (failure.status !== EXIT.network || context.monotonic() + pause >= deadline) throw failure;
    onWait(`${failure.message}; trying again in ${Math.ceil(pause / 1000)} s`);
    await context.sleep(pause);
  }
}

function withSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}

/** An answer's body as text. Throws CliError "too_large" above MAX_ANSWER_BYTES, after decompression. */
async function readText(answer: Response, url: string): Promise<string> {
  const collected = new ByteCollector(MAX_ANSWER_BYTES);
  const body: AsyncIterable<Uint8Array> | null = answer.body;
  for await (const chunk of body ?? []) {
    if (!collected.add(chunk)) {
      throw new CliError(
        EXIT.network,
        'too_large',
        `${url}: expected an answer of at most ${MAX_ANSWER_BYTES} bytes, found more`,
        'is this the URL of a log? If it is, tell its operator',
      );
    }
  }
  return new TextDecoder().decode(collected.bytes());
}

function parseAnswer(text: string, sent: Envelope, url: string): Acknowledgement {
  try {
    const answer = parseJson(encodeUtf8(text)) as Record<string, Json> | null;
    if (typeof answer !== 'object' || answer === null || Array.isArray(answer))
      throw new TypeError('no JSON object');
    const { index, envelope, proof } = answer;
    if (typeof index !== 'number' || typeof proof !== 'string') throw new TypeError('no index or no proof');
    const logged = envelopeFromJson(envelope ?? null);
    if (!equalBytes(logged.payload, sent.payload)) throw new TypeError('another payload');
    return { index, envelope: logged, proof: encodeUtf8(proof) };
  } catch (cause) {
    throw new CliError(
      EXIT.network,
      'bad_reply',
      `${url}: expected index, envelope and proof, found ${(cause as Error).message}`,
      'is this the URL of a Stele log?',
      { cause },
    );
  }
}

/** A log's words, which must not look like lines of ours. */
function oneLine(text: string): string {
  return text.slice(0, 500).replace(/\s+/g, ' ');
}

function refusal(status: number, text: string, url: string): CliError {
  let code = 'refused';
  let message = `status ${status}`;
  let hint = '';
  try {
    const { error } = JSON.parse(text) as { error?: Record<string, unknown> };
    if (typeof error?.['code'] === 'string' && /^[a-z0-9_]{1,64}$/.test(error['code'])) code = error['code'];
    if (typeof error?.['message'] === 'string') message = `status ${status}: ${oneLine(error['message'])}`;
    if (typeof error?.['hint'] === 'string') hint = oneLine(error['hint']);
  } catch {
    // Not an answer of a Stele log; its status says enough.
  }
  if (status === 429 || status >= 500) {
    return new CliError(
      EXIT.network,
      code,
      `${url}: expected the entry to be logged, found ${message}`,
      hint || 'try again later',
    );
  }
  const exit = status === 400 || status === 413 ? EXIT.usage : EXIT.failed;
  return new CliError(
    exit,
    code,
    `${url}: the log refused the entry: ${message}`,
    hint || 'is this the URL of a Stele log?',
  );
}
