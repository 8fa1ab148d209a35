import type { Hono } from 'hono';
import {
  decodeHex,
  decodeUtf8,
  encodeBase64,
  encodeHex,
  leafHash,
  proveConsistency,
  proveInclusion,
} from '../../tlog/index.js';
import type {
  CheckpointAnswer,
  ConsistencyProofAnswer,
  EntryAnswer,
  InclusionProofAnswer,
} from '../generated/answers.js';
import { entryField, proofOf } from './add.js';
import type { HttpEnv, LogView } from './view.js';
import { errorResponse } from './errors.js';
import { CONSISTENCY, ENTRIES, ENTRY, INCLUSION, readParameter, readQuery } from './parameters.js';

type Answer = CheckpointAnswer | EntryAnswer | InclusionProofAnswer | ConsistencyProofAnswer;

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
  const json = (value: Answer): Response => new Response(`${JSON.stringify(value)}\n`, { headers });

  app.get('/api/v1/checkpoint', (c) => {
    const published = log.published();
    if (published === undefined) return missing(c.req.header('accept'), 'no checkpoint is published yet');
    const { size, rootHash, note } = published;
    return json({
      origin: log.storage.origin,
      size,
      rootHash: encodeBase64(rootHash),
      checkpoint: decodeUtf8(note),
    });
  });

  app.get('/api/v1/entries/:index', async (c) => {
    const index = readParameter('index', c.req.param('index'), ENTRY.index);
    return entryAnswer(index, c.req.header('accept'));
  });

  app.get('/api/v1/entries', async (c) => {
    const { payload } = readQuery(c.req.url, ENTRIES);
    const id = decodeHex(payload, 'payload digest');
    const index = await log.storage.lookup(id);
    if (index === undefined) return missing(c.req.header('accept'), 'no entry has this payload');
    return entryAnswer(index, c.req.header('accept'));
  });

  app.get('/api/v1/proofs/inclusion', async (c) => {
    const published = log.published();
    const { index, size = published?.size ?? 0 } = readQuery(c.req.url, INCLUSION);
    if (published === undefined || size > published.size || index >= size) {
      return missing(c.req.header('accept'), `expected index < size <= ${published?.size ?? 0}`);
    }
    const proof = await proveInclusion(index, size, log.storage.hashReader(size));
    return json({
      index,
      size,
      rootHash: encodeBase64(await log.storage.rootAt(size)),
      proof: proof.map(encodeBase64),
    });
  });

  app.get('/api/v1/proofs/consistency', async (c) => {
    const published = log.published();
    const { from, to = published?.size ?? 0 } = readQuery(c.req.url, CONSISTENCY);
    if (published === undefined || to > published.size || from > to) {
      return missing(c.req.header('accept'), `expected from <= to <= ${published?.size ?? 0}`);
    }
    const proof = from === 0 ? [] : await proveConsistency(from, to, log.storage.hashReader(to));
    return json({
      from,
      to,
      fromRootHash: encodeBase64(await log.storage.rootAt(from)),
      toRootHash: encodeBase64(await log.storage.rootAt(to)),
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

function missing(accept: string | undefined, message: string): Response {
  const hint = 'an entry is found when a published checkpoint covers it';
  return errorResponse({ status: 404, code: 'not_found', message, hint }, accept);
}
