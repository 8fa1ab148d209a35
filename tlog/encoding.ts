// Strict encodings. What these accept has exactly one spelling, because the same bytes must mean the
// same thing to every verifier, and because a signature covers the spelling, not the meaning.
import { TlogError, quote } from './errors.js';

/**
 * A size, an index or a timestamp: a non-negative integer of at most 2^53 - 1, which a double holds
 * exactly. Returns it. Throws TlogError "unsafe_integer".
 */
export function safeInteger(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new TlogError(
      'unsafe_integer',
      `${what}: expected an integer from 0 to ${Number.MAX_SAFE_INTEGER}, found ${value}`,
      'trees of 2^53 leaves or more are not supported',
    );
  }
  return value;
}

/**
 * Parses `0|[1-9][0-9]*`: ASCII digits without sign, space or leading zero. Throws TlogError
 * "bad_decimal", or "unsafe_integer" above 2^53 - 1.
 */
export function parseDecimal(text: string, what = 'number'): number {
  if (!/^(?:0|[1-9][0-9]*)$/.test(text)) {
    throw new TlogError(
      'bad_decimal',
      `${what}: expected a decimal without sign or leading zero, found ${quote(text)}`,
      'write it in digits: 0, 1, 42',
    );
  }
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw new TlogError(
      'unsafe_integer',
      `${what}: expected at most ${Number.MAX_SAFE_INTEGER}, found ${quote(text)}`,
      'trees of 2^53 leaves or more are not supported',
    );
  }
  return value;
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const HEX = '0123456789abcdef';
const PAD = 0x3d;

/** Value of each byte as a digit of this alphabet, 255 if it is none. */
function reverse(alphabet: string): Uint8Array {
  const table = new Uint8Array(256).fill(255);
  for (let i = 0; i < alphabet.length; i++) table[alphabet.charCodeAt(i)] = i;
  return table;
}
const fromBase64 = reverse(BASE64);
const fromHex = reverse(HEX);
const utf8Encoder = new TextEncoder();
const toBase64 = utf8Encoder.encode(BASE64);
const toHex = utf8Encoder.encode(HEX);
const ascii = new TextDecoder();
/** The digits of a digest, which is most of what is encoded; overwritten each time. */
const hexOfHash = new Uint8Array(64);

/** Standard alphabet, with padding (RFC 4648 §4). */
export function encodeBase64(bytes: Uint8Array): string {
  const out = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  let o = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    // Past the end there are zeros, and padding instead of their digits.
    const a = bytes[i] ?? 0;
    const b = bytes[i + 1] ?? 0;
    const c = bytes[i + 2] ?? 0;
    out[o++] = toBase64[a >> 2] ?? 0;
    out[o++] = toBase64[((a & 3) << 4) | (b >> 4)] ?? 0;
    out[o++] = i + 1 < bytes.length ? (toBase64[((b & 15) << 2) | (c >> 6)] ?? 0) : PAD;
    out[o++] = i + 2 < bytes.length ? (toBase64[c & 63] ?? 0) : PAD;
  }
  return ascii.decode(out);
}

/**
 * Accepts exactly what encodeBase64 gives: standard alphabet, padded, no white space, unused bits
 * zero. Throws TlogError "bad_base64".
 */
export function decodeBase64(text: string, what = 'base64'): Uint8Array {
  // Twice as fast as asking a string for its characters.
  const digits = utf8Encoder.encode(text);
  const found = digits.length === text.length ? readBase64(digits) : 'a character that is not ASCII';
  if (typeof found !== 'string') return found;
  throw new TlogError(
    'bad_base64',
    `${what}: expected canonical base64, found ${found} in ${quote(text)}`,
    'use the standard alphabet (RFC 4648 section 4) with padding and without spaces or line ends',
  );
}

/** As decodeBase64, from the text's bytes; undefined for bytes that encodeBase64 does not give. */
export function decodeBase64Bytes(digits: Uint8Array): Uint8Array | undefined {
  const found = readBase64(digits);
  return typeof found === 'string' ? undefined : found;
}

/** What the digits say, or what is wrong with them. */
function readBase64(digits: Uint8Array): Uint8Array | string {
  const { length } = digits;
  if (length % 4 !== 0) return `${length} characters, not a multiple of 4,`;
  const padding = digits[length - 1] !== PAD ? 0 : digits[length - 2] === PAD ? 2 : 1;
  const out = new Uint8Array((length / 4) * 3 - padding);
  let o = 0;
  for (let i = 0; i < length; i += 4) {
    const last = padding > 0 && i + 4 === length;
    const a = fromBase64[digits[i] ?? 255] ?? 255;
    const b = fromBase64[digits[i + 1] ?? 255] ?? 255;
    const c = last && padding === 2 ? 0 : (fromBase64[digits[i + 2] ?? 255] ?? 255);
    const d = last ? 0 : (fromBase64[digits[i + 3] ?? 255] ?? 255);
    // The value of no digit has either of the two highest bits.
    if (((a | b | c | d) & 0xc0) !== 0) return `a character outside the alphabet after ${i} characters`;
    out[o++] = (a << 2) | (b >> 4);
    if (!last) {
      out[o++] = ((b & 15) << 4) | (c >> 2);
      out[o++] = ((c & 3) << 6) | d;
    } else if (padding === 1) {
      out[o++] = ((b & 15) << 4) | (c >> 2);
      if ((c & 3) !== 0) return 'unused bits that are not zero';
    } else if ((b & 15) !== 0) {
      return 'unused bits that are not zero';
    }
  }
  return out;
}

/** Lower-case hexadecimal. */
export function encodeHex(bytes: Uint8Array): string {
  const { length } = bytes;
  const out = length === 32 ? hexOfHash : new Uint8Array(2 * length);
  for (let i = 0; i < length; i++) {
    const byte = bytes[i] ?? 0;
    out[2 * i] = toHex[byte >> 4] ?? 0;
    out[2 * i + 1] = toHex[byte & 15] ?? 0;
  }
  return ascii.decode(out);
}

/** Lower-case digits only, an even number of them. Throws TlogError "bad_hex". */
export function decodeHex(text: string, what = 'hex'): Uint8Array {
  const out = new Uint8Array(Math.floor(text.length / 2));
  let ok = text.length % 2 === 0;
  for (let i = 0; ok && i < text.length; i++) {
    const code = text.charCodeAt(i);
    const value = code < 128 ? (fromHex[code] ?? 255) : 255;
    ok = value !== 255;
    out[i >> 1] = i % 2 === 0 ? value << 4 : (out[i >> 1] ?? 0) | value;
  }
  if (!ok) {
    throw new TlogError(
      'bad_hex',
      `${what}: expected an even number of lower-case hex digits, found ${quote(text)}`,
      'write it as 0-9 and a-f, two digits to a byte',
    );
  }
  return out;
}

// Without these two options a decoder drops a leading BOM and mends bad sequences, so that two
// different inputs would read the same.
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Texts of up to so many characters are encoded by hand where they are ASCII: keys, names, short JSON. */
const SHORT = 64;

/** UTF-8. Throws TlogError "bad_utf8" for a lone surrogate, which TextEncoder would replace. */
export function encodeUtf8(text: string, what = 'text'): Uint8Array {
  if (text.length <= SHORT) {
    // For these a TextEncoder costs several times as much.
    const out = new Uint8Array(text.length);
    let i = 0;
    for (; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) break;
      out[i] = code;
    }
    if (i === text.length) return out;
  }
  if (/\p{Surrogate}/u.test(text)) {
    throw new TlogError(
      'bad_utf8',
      `${what}: expected Unicode text, found a lone surrogate in ${quote(text)}`,
      'take the broken character out',
    );
  }
  return utf8Encoder.encode(text);
}

/** Valid UTF-8 only; a byte order mark stays in the text. Throws TlogError "bad_utf8". */
export function decodeUtf8(bytes: Uint8Array, what = 'text'): string {
  try {
    return utf8Decoder.decode(bytes);
  } catch (cause) {
    throw new TlogError(
      'bad_utf8',
      `${what}: expected valid UTF-8, found other bytes`,
      'the file may be in another encoding, or not text at all',
      { cause },
    );
  }
}

/** The parts one after the other, in a new array. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/**
 * Gathers bytes that come in pieces, up to a limit. The pieces are copied: a sender that cuts its bytes
 * small would otherwise have each kept as an object of its own, at a hundred times its size.
 */
export class ByteCollector {
  readonly #limit: number;
  #buffer = new Uint8Array(0);
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds a piece; false, and nothing is added, if that would be more than the limit. */
  add(piece: Uint8Array): boolean {
    const length = this.#length + piece.length;
    if (length > this.#limit) return false;
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.min(this.#limit, Math.max(length, 2 * this.#buffer.length)));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(piece, this.#length);
    this.#length = length;
    return true;
  }

  /** All that was added, one after the other. */
  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }
}

/** Same length and same bytes. Not constant-time: nothing compared here is secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * An unsigned big-endian integer of `length` bytes, for lengths whose values are safe integers.
 * Division instead of shifts, which would cut at 32 bits.
 */
export function uintBytes(value: number, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let rest = safeInteger(value, 'integer');
  for (let i = length - 1; i >= 0; i--) {
    out[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  if (rest !== 0) {
    throw new TlogError(
      'unsafe_integer',
      `expected an integer of ${length} bytes, found ${value}`,
      'numbers of more than 2^53 - 1 are not supported',
    );
  }
  return out;
}

/** Reads what uintBytes wrote. Throws TlogError "unsafe_integer" above 2^53 - 1. */
export function bytesUint(bytes: Uint8Array, what = 'integer'): number {
  let value = 0;
  for (const byte of bytes) {
    value = value * 256 + byte;
    if (!Number.isSafeInteger(value)) {
      throw new TlogError(
        'unsafe_integer',
        `${what}: expected at most ${Number.MAX_SAFE_INTEGER}, found 0x${encodeHex(bytes.subarray(0, 16))}`,
        'trees of 2^53 leaves or more are not supported',
      );
    }
  }
  return value;
}
