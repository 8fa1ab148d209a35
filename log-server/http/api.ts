import type { Hono } from 'hono';
import {
  decodeHex,
  decodeUtf8,
  encodeBase64,
  encodeHex,
  leafHash,
  parseDecimal,
  proveConsistency,
  proveInclusion,
} from '../../tlog/index.js';
import { SubmissionError } from '../errors.js';
import type { PublishedHead } from '../head.js';
import { entryField, proofOf } from './add.js';
import type { HttpEnv, LogView } from './view.js';
import { errorResponse } from './errors.js';

/**
 * Look-up of entries and proofs, for those who would rather not compute them from tiles. Everything
 * is of the published tree; nobody needs to believe an answer, since each carries what proves it.
 */
export function apiRoutes(app: Hono<HttpEnv>, log: LogView): void {
  const headers = {
    'cache-control': 'no-cache',
    'access-control-allow-origin': '*',
    'content-type': 'application/json',
  };
  const json = (value: unknown): Response => new Response(`${JSON.stringify(value)}\n`, { headers });

  app.get('/api/v1/checkpoint', (c) => {
    const published = log.published();
    if (published === undefined) return missing(c.req.header('accept'), 'no checkpoint is published yet');
    const { size, rootHash, note } = published;
    return json({
      origin: log.storage.origin,
      size,
      rootHash: encodeHex(rootHash),
      checkpoint: decodeUtf8(note),
    });
  });

  app.get('/api/v1/entries/:index', async (c) => {
    const index = parseDecimal(c.req.param('index'), 'index');
    return entryAnswer(index, c.req.header('accept'));
  });

  app.get('/api/v1/entries', async (c) => {
    const digest = c.req.query('payload');
    if (digest === undefined)
      throw new SubmissionError('bad_request', 'expected ?payload=HEX, the SHA-256 of the payload');
    const id = decodeHex(digest, 'payload digest');
    if (id.length !== 32)
      throw new SubmissionError('bad_request', `expected 64 hex digits, found ${digest.length}`);
    const index = await log.storage.lookup(id);
    if (index === undefined) return missing(c.req.header('accept'), 'no entry has this payload');
    return entryAnswer(index, c.req.header('accept'));
  });

  app.get('/api/v1/proofs/inclusion', async (c) => {
    const published = log.published();
    const index = parseDecimal(c.req.query('index') ?? '', 'index');
    const size = sizeParameter(c.req.query('size'), published);
    if (published === undefined || size > published.size || index >= size) {
      return missing(c.req.header('accept'), `expected index < size <= ${published?.size ?? 0}`);
    }
    const proof = await proveInclusion(index, size, log.storage.hashReader(size));
    return json({
      index,
      size,
      rootHash: encodeHex(await log.storage.rootAt(size)),
      proof: proof.map(encodeBase64),
    });
  });

  app.get('/api/v1/proofs/consistency', async (c) => {
    const published = log.published();
    const from = parseDecimal(c.req.query('from') ?? '', 'from');
    const to = sizeParameter(c.req.query('to'), published);
    if (published === undefined || to > published.size || from > to) {
      return missing(c.req.header('accept'), `expected from <= to <= ${published?.size ?? 0}`);
    }
    const proof = from === 0 ? [] : await proveConsistency(from, to, log.storage.hashReader(to));
    return json({
      from,
      to,
      fromRootHash: encodeHex(await log.storage.rootAt(from)),
      toRootHash: encodeHex(await log.storage.rootAt(to)),
      proof: proof.map(encodeBase64),
    });
  });

  async function entryAnswer(index: number, accept: string | undefined): Promise<Response> {
    const published = log.published();
    if (published === undefined || index >= published.size) {
      return missing(accept, `expected an index below the published size ${published?.size ?? 0}`);
    }
    const entry = await log.storage.readEntry(index);
    const proof = decodeUtf8(await proofOf(log, { index, published }));
    return json({ index, leafHash: encodeHex(leafHash(entry)), ...entryField(log, entry), proof });
  }
}

function sizeParameter(text: string | undefined, published: PublishedHead | undefined): number {
  return text === undefined ? (published?.size ?? 0) : parseDecimal(text, 'size');
}

function missing(accept: string | undefined, message: string): Response {
  const hint = 'an entry is found when a published checkpoint covers it';
  return errorResponse({ status: 404, code: 'not_found', message, hint }, accept);
}
