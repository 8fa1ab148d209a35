import type { IncomingMessage, ServerResponse } from 'node:http';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Hono } from 'hono';
import {
  decodeUtf8,
  encodeBase64,
  encodeHex,
  formatTlogProof,
  leafHash,
  proveInclusion,
} from '../../tlog/index.js';
import type { Body } from '../../system/index.js';
import { SubmissionError } from '../errors.js';
import type { EntryAnswer, EnvelopeJson } from '../generated/answers.js';
import type { Receipt } from '../sequencer.js';
import { chooseType } from './accept.js';
import type { HttpEnv, LogView } from './view.js';
import { errorResponse, reportError, toHttpError } from './errors.js';

/** Media type of a C2SP tlog-proof, which names none: in the manner of tlog-witness's text/x.tlog.size. */
const TLOG_PROOF_TYPE = 'text/x.tlog.proof';

/** `/add` in the spellings that `answerAdd` is not asked for at once. */
export function addRoute(app: Hono<HttpEnv>, log: LogView): void {
  app.post('/add', async (c) => {
    await answerAdd(log, c.env.incoming, c.env.outgoing, c.get('requestId'));
    return RESPONSE_ALREADY_SENT;
  });
}

/**
 * `POST /add`: an entry in, an index or a proof out, by `Accept`. spec/log.md "The write API". On Node's own objects:
 * a `Request`, a `Response` and what routes them cost a fifth of all that a submission costs (bench/README.md).
 * Always answers; what is wrong with the submission is in the answer.
 */
export async function answerAdd(
  log: LogView,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
): Promise<void> {
  const { accept } = request.headers;
  try {
    const body = await log.bodies.read(request, response, log.maxBody);
    if (body.kind !== 'whole') {
      const refusal = errorResponse(toHttpError(notWhole(body.kind, log.maxBody)), accept);
      // What is left of the body is not read, so this connection is of no more use.
      refusal.headers.set('connection', 'close');
      await send(response, refusal, requestId);
      return;
    }
    const begun = log.clock.monotonic();
    let receipt: Receipt;
    try {
      receipt = await log.submit(body.bytes);
    } catch (error) {
      log.metrics.refused(error);
      throw error;
    }
    log.metrics.logged(begun);
    const type = chooseType(accept, ['text/plain', 'application/json', TLOG_PROOF_TYPE]);
    if (type === 'text/plain') {
      answer(response, requestId, 'text/plain; charset=utf-8', `${receipt.index}\n`);
      return;
    }
    const proof = await proofOf(log, receipt);
    if (type === TLOG_PROOF_TYPE) {
      answer(response, requestId, TLOG_PROOF_TYPE, proof);
      return;
    }
    const json: EntryAnswer = {
      index: receipt.index,
      leafHash: encodeHex(leafHash(receipt.entry)),
      ...entryField(log, receipt.entry),
      proof: decodeUtf8(proof),
    };
    answer(response, requestId, 'application/json', `${JSON.stringify(json)}\n`);
  } catch (error) {
    if (response.headersSent) return;
    // Who is gone does not read it; but it is counted, and logged if it is our fault, as what it is.
    await send(response, reportError(log, error, { requestId, path: '/add', accept }), requestId);
  }
}

function notWhole(kind: Exclude<Body['kind'], 'whole'>, limit: number): SubmissionError {
  switch (kind) {
    case 'too-large':
      return new SubmissionError('entry_too_large', `expected at most ${limit} bytes of body`);
    case 'crowded':
      return new SubmissionError('busy', 'expected room for this body, found others that take it all');
    case 'gone':
      return new SubmissionError('bad_request', 'expected a whole body, found the connection closed');
  }
}

function answer(
  response: ServerResponse,
  requestId: string,
  contentType: string,
  body: string | Uint8Array,
): void {
  // A list: of an object Node looks up each name.
  response.writeHead(200, [
    'cache-control',
    'no-store',
    'access-control-allow-origin',
    '*',
    'content-type',
    contentType,
    'content-length',
    String(Buffer.byteLength(body)),
    'x-request-id',
    requestId,
  ]);
  response.end(body);
}

async function send(response: ServerResponse, refusal: Response, requestId: string): Promise<void> {
  const body = await refusal.text();
  const headers = { ...Object.fromEntries(refusal.headers), 'x-request-id': requestId };
  response.writeHead(refusal.status, { ...headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** The tlog-proof of an entry in the published tree. */
export async function proofOf(
  log: LogView,
  { index, published }: Pick<Receipt, 'index' | 'published'>,
): Promise<Uint8Array> {
  const proof = await proveInclusion(index, published.size, log.storage.hashReader(published.size));
  return formatTlogProof({ index, proof, checkpoint: published.note });
}

/** A leaf in JSON: the DSSE envelope it is, or base64 where any bytes are logged. */
export function entryField(log: LogView, entry: Uint8Array): { envelope: EnvelopeJson } | { entry: string } {
  if (log.admission === 'none') return { entry: encodeBase64(entry) };
  return { envelope: JSON.parse(decodeUtf8(entry)) as EnvelopeJson };
}
