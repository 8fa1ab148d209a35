/**
 * One case of a file in spec/vectors/. `want` is "ok", or the code of the error that must be thrown;
 * the other fields are the input and, for good cases, what comes out. Bytes are lower-case hex.
 */
export interface Vector {
  readonly desc: string;
  readonly want: string;
  readonly [field: string]: unknown;
}

/** Makes the cases of one file, from slow references only. The same at every call. */
export type Generator = () => Vector[];

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The same bytes with one bit turned over. */
export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const out = bytes.slice();
  out[bit >> 3] = (out[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return out;
}
