import type { IncomingMessage } from 'node:http';
import { SubmissionError } from '../errors.js';

/** The request body, or `'too-large'` as soon as it exceeds `limit` bytes; the rest is not read. */
export function readBody(request: IncomingMessage, limit: number): Promise<Uint8Array | 'too-large'> {
  const announced = Number(request.headers['content-length']);
  if (announced > limit) return Promise.resolve('too-large');
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > limit) {
        request.pause();
        request.removeAllListeners('data');
        resolve('too-large');
        return;
      }
      chunks.push(chunk);
    });
    request.once('end', () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
    request.once('error', () =>
      reject(new SubmissionError('bad_request', 'expected a whole body, found an error')),
    );
    request.once('aborted', () =>
      reject(new SubmissionError('bad_request', 'expected a whole body, found the connection closed')),
    );
  });
}
