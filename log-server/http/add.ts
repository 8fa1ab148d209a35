import type { Hono } from 'hono';
import {
  decodeUtf8,
  encodeBase64,
  encodeHex,
  formatTlogProof,
  leafHash,
  proveInclusion,
} from '../../tlog/index.js';
import { SubmissionError } from '../errors.js';
import type { EntryAnswer, EnvelopeJson } from '../generated/answers.js';
import type { Receipt } from '../sequencer.js';
import { chooseType } from './accept.js';
import type { HttpEnv, LogView } from './view.js';
import { readBody } from './body.js';
import { answerDirectly } from './direct.js';
import { errorResponse, toHttpError } from './errors.js';

/** Media type of a C2SP tlog-proof, which names none: in the manner of tlog-witness's text/x.tlog.size. */
export const TLOG_PROOF_TYPE = 'text/x.tlog.proof';

/** `POST /add`: an entry in, an index or a proof out, by `Accept`. spec/log.md "The write API". */
export function addRoute(app: Hono<HttpEnv>, log: LogView): void {
  app.post('/add', async (c) => {
    // Not c.req.header: for one of them that makes an object of all headers.
    const { accept } = c.env.incoming.headers;
    const body = await readBody(c.env.incoming, log.maxBody);
    if (body === 'too-large') {
      const message = `expected at most ${log.maxBody} bytes of body`;
      const refusal = errorResponse(toHttpError(new SubmissionError('entry_too_large', message)), accept);
      // What is left of the body is not read, so this connection is of no more use.
      refusal.headers.set('connection', 'close');
      return refusal;
    }
    const receipt = await log.submit(body);
    const headers = { 'cache-control': 'no-store', 'access-control-allow-origin': '*' };
    const type = chooseType(accept, ['text/plain', 'application/json', TLOG_PROOF_TYPE]);
    if (type === 'text/plain') {
      return answerDirectly(
        c,
        { ...headers, 'content-type': 'text/plain; charset=utf-8' },
        `${receipt.index}\n`,
      );
    }
    const proof = await proofOf(log, receipt);
    if (type === TLOG_PROOF_TYPE)
      return answerDirectly(c, { ...headers, 'content-type': TLOG_PROOF_TYPE }, proof);
    const answer: EntryAnswer = {
      index: receipt.index,
      leafHash: encodeHex(leafHash(receipt.entry)),
      ...entryField(log, receipt.entry),
      proof: decodeUtf8(proof),
    };
    return answerDirectly(
      c,
      { ...headers, 'content-type': 'application/json' },
      `${JSON.stringify(answer)}\n`,
    );
  });
  app.all('/add', (c) => {
    const refusal = { status: 405, code: 'bad_method', message: `expected POST, found ${c.req.method}` };
    const answer = errorResponse(
      { ...refusal, hint: 'send the entry as the body of a POST' },
      c.req.header('accept'),
    );
    answer.headers.set('allow', 'POST');
    return answer;
  });
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
