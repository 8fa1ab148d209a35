// spec/vectors/encodings.json: which texts and bytes are a spelling of something, and of what.
import { hex, unhex, utf8, type Vector } from './vector.js';

export function encodings(): Vector[] {
  const decimal = (desc: string, text: string, value?: string, want = 'bad_decimal'): Vector =>
    value === undefined
      ? { desc, encoding: 'decimal', input: hex(utf8(text)), want }
      : { desc, encoding: 'decimal', input: hex(utf8(text)), value, want: 'ok' };
  const other = (encoding: 'base64' | 'hex', desc: string, text: string, value?: string): Vector =>
    value === undefined
      ? { desc, encoding, input: hex(utf8(text)), want: `bad_${encoding}` }
      : { desc, encoding, input: hex(utf8(text)), value, want: 'ok' };
  const text = (desc: string, bytes: string, good = false): Vector => ({
    desc,
    encoding: 'utf-8',
    input: bytes,
    // Characters as code points, since not every language's strings hold all of them alike.
    ...(good ? { value: codePoints(unhex(bytes)) } : {}),
    want: good ? 'ok' : 'bad_utf8',
  });
  return [
    decimal('zero', '0', '0'),
    decimal('a digit', '7', '7'),
    decimal('zeros at the end', '1000', '1000'),
    decimal('2^32', '4294967296', '4294967296'),
    decimal('2^53 - 1', '9007199254740991', '9007199254740991'),
    decimal('nothing', ''),
    decimal('a leading zero', '01'),
    decimal('zero twice', '00'),
    decimal('a plus', '+1'),
    decimal('a minus', '-1'),
    decimal('minus zero', '-0'),
    decimal('a space before', ' 1'),
    decimal('a space after', '1 '),
    decimal('a line end', '1\n'),
    decimal('a fraction', '1.0'),
    decimal('an exponent', '1e3'),
    decimal('hexadecimal', '0x10'),
    decimal('an underscore', '1_000'),
    decimal('Arabic digits', '\u0661\u0662'),
    decimal('a byte order mark', '\ufeff1'),
    decimal('a NUL', '1\u0000'),
    decimal('2^53', '9007199254740992', undefined, 'unsafe_integer'),
    decimal('2^64 - 1', '18446744073709551615', undefined, 'unsafe_integer'),
    decimal('2^64 + 1, which wraps to 1', '18446744073709551617', undefined, 'unsafe_integer'),
    other('base64', 'nothing', '', ''),
    other('base64', 'one byte', 'AQ==', '01'),
    other('base64', 'two bytes', 'AQI=', '0102'),
    other('base64', 'three bytes', 'AQID', '010203'),
    other('base64', 'both signs', '+/+/', 'fbffbf'),
    other('base64', 'padding missing', 'AQ'),
    other('base64', 'half the padding missing', 'AQ='),
    other('base64', 'too much padding', 'AQI=='),
    other('base64', 'only padding', '===='),
    other('base64', 'padding in the middle', 'AQ==AQ=='),
    other('base64', 'unused bits set, one byte', 'AR=='),
    other('base64', 'unused bits set, two bytes', 'AQJ='),
    other('base64', 'the alphabet for URLs', '-_-_'),
    other('base64', 'a space', 'AQ ID'),
    other('base64', 'a line end at the end', 'AQID\n'),
    other('base64', 'a line end inside', 'AQ\nID'),
    other('base64', 'one character too many', 'AQIDA'),
    other('base64', 'a character that is not ASCII', 'AQI\u00c0'),
    other('hex', 'nothing', '', ''),
    other('hex', 'all digits', '0123456789abcdef', '0123456789abcdef'),
    other('hex', 'capitals', 'AB'),
    other('hex', 'an odd number of digits', 'abc'),
    other('hex', 'a prefix', '0xab'),
    other('hex', 'another letter', 'ag'),
    other('hex', 'a space', 'ab cd'),
    other('hex', 'a line end', 'ab\n'),
    text('nothing', '', true),
    text('ASCII', '61', true),
    text('two, three and four bytes', 'c3a4e282acf09f9880', true),
    text('a byte order mark stays', 'efbbbf61', true),
    text('a NUL stays', '6100', true),
    text('the last code point', 'f48fbfbf', true),
    text('a byte that never occurs', 'ff'),
    text('a continuation alone', '80'),
    text('a sequence cut off', 'e282'),
    text('a NUL of two bytes', 'c080'),
    text('a slash of three bytes', 'e080af'),
    text('half a surrogate pair', 'eda080'),
    text('a surrogate pair of six bytes', 'eda0bdedb880'),
    text('beyond the last code point', 'f4908080'),
    text('five bytes', 'f888808080'),
    text('Latin-1', '61e4'),
  ];
}

function codePoints(bytes: Uint8Array): number[] {
  const decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  return Array.from(decoded, (c) => c.codePointAt(0) ?? 0);
}
