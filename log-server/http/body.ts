import type { IncomingMessage } from 'node:http';
import { ByteCollector } from '../../tlog/index.js';
import { SubmissionError } from '../errors.js';

/** The request body, or `'too-large'` as soon as it exceeds `limit` bytes; the rest is not read. */
export function readBody(request: IncomingMessage, limit: number): Promise<Uint8Array | 'too-large'> {
  const announced = Number(request.headers['content-length']);
  if (announced > limit) return Promise.resolve('too-large');
  return new Promise((resolve, reject) => {
    const body = new ByteCollector(limit);
    request.on('data', (chunk: Buffer) => {
      if (body.add(chunk)) return;
      request.pause();
      request.removeAllListeners('data');
      resolve('too-large');
    });
    request.once('end', () => resolve(body.bytes()));
    request.once('error', () =>
      reject(new SubmissionError('bad_request', 'expected a whole body, found an error')),
    );
    request.once('aborted', () =>
      reject(new SubmissionError('bad_request', 'expected a whole body, found the connection closed')),
    );
  });
}
