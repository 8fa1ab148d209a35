import type { Random } from '../random.js';

/** Byte sequences that parsers of text and of lengths trip over. */
const TOKENS = [
  '\n',
  '\n\n',
  '\r\n',
  '\t',
  ' ',
  '\u00a0',
  '\ufeff',
  '\u2014 ',
  '+',
  '=',
  '==',
  '/',
  '../',
  '%2e',
  '\\',
  '"',
  '\\u0000',
  '\\ud800',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  'null',
  'true',
  '__proto__',
  '-1',
  '-0',
  '0',
  '00',
  '1e400',
  '0.1',
  '4294967296',
  '9007199254740991',
  '9007199254740992',
  '18446744073709551616',
].map((text) => new TextEncoder().encode(text));

const RAW = [
  [0],
  [0xff],
  [0x80],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xff, 0xff],
  [0x1f, 0x8b],
  [0, 0, 0, 0, 0, 0, 0, 0],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
].map((bytes) => Uint8Array.from(bytes));

function replace(input: Uint8Array, start: number, end: number, by: Uint8Array): Uint8Array {
  const out = new Uint8Array(start + by.length + input.length - end);
  out.set(input.subarray(0, start));
  out.set(by, start);
  out.set(input.subarray(end), start + by.length);
  return out;
}

/** Start and end of some stretch of the input, short ones more often. */
function stretch(input: Uint8Array, random: Random): [number, number] {
  const start = random.below(input.length + 1);
  const longest = random.chance(0.8) ? 16 : input.length;
  return [start, Math.min(input.length, start + random.below(longest + 1))];
}

function step(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const [start, end] = stretch(input, random);
  switch (random.below(9)) {
    case 0: {
      const out = input.slice();
      if (out.length > 0) {
        const at = random.below(out.length);
        out[at] = (out[at] ?? 0) ^ (1 << random.below(8));
      }
      return out;
    }
    case 1: {
      const out = input.slice();
      if (out.length > 0) out[random.below(out.length)] = random.below(256);
      return out;
    }
    case 2:
      return replace(input, start, end, new Uint8Array(0));
    case 3: // the stretch twice, or many times
      return replace(input, start, start, repeat(input.subarray(start, end), random.chance(0.9) ? 1 : 50));
    case 4:
      return replace(input, start, start, random.pick(random.chance(0.8) ? TOKENS : RAW));
    case 5:
      return replace(input, start, end, random.pick(TOKENS));
    case 6:
      return random.chance(0.5) ? input.slice(0, start) : input.slice(start);
    case 7: {
      const [from, to] = stretch(other, random);
      return replace(input, start, end, other.subarray(from, to));
    }
    default:
      return replace(input, start, end, random.bytes(end - start));
  }
}

function repeat(bytes: Uint8Array, times: number): Uint8Array {
  const out = new Uint8Array(bytes.length * times);
  for (let i = 0; i < times; i++) out.set(bytes, i * bytes.length);
  return out;
}

/** The input after one to four small changes, some of them parts of `other`. At most `limit` bytes. */
export function mutate(input: Uint8Array, other: Uint8Array, random: Random, limit: number): Uint8Array {
  let out = input;
  for (let changes = 1 + random.below(4); changes > 0; changes--)
    out = step(out, other, random).slice(0, limit);
  return out;
}
