import type { IncomingMessage } from 'node:http';
import { ByteCollector } from '../../tlog/index.js';
import { SubmissionError } from '../errors.js';

/** The request body, or `'too-large'` as soon as it exceeds `limit` bytes; the rest is not read. */
export function readBody(request: IncomingMessage, limit: number): Promise<Uint8Array | 'too-large'> {
  const announced = Number(request.headers['content-length']);
  if (announced > limit) return Promise.resolve('too-large');
  return new Promise((resolve, reject) => {
    // Most bodies come in one piece, which is taken as it is.
    let only: Buffer | undefined;
    let body: ByteCollector | undefined;
    request.on('data', (chunk: Buffer) => {
      if (body === undefined && only === undefined && chunk.length === announced) {
        only = chunk;
        return;
      }
      body ??= new ByteCollector(limit);
      if (body.add(chunk)) return;
      request.pause();
      request.removeAllListeners('data');
      resolve('too-large');
    });
    request.once('end', () => {
      resolve(only === undefined ? (body?.bytes() ?? new Uint8Array(0)) : plain(only));
    });
    request.once('error', () =>
      reject(new SubmissionError('bad_request', 'expected a whole body, found an error')),
    );
    request.once('aborted', () =>
      reject(new SubmissionError('bad_request', 'expected a whole body, found the connection closed')),
    );
  });
}

/** A Buffer's slice() shares its memory, and its toString() is another. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
