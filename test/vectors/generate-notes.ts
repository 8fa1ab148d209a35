// spec/vectors/notes.json, checkpoints.json.
import {
  referenceCheckpoint,
  referenceKeyId,
  referenceLine,
  referenceNoteLine,
  referencePublicKey,
  referenceVkey,
} from '../reference/notes.js';
import type { ReferenceKey } from '../reference/notes.js';
import { edit } from './generate-keys.js';
import { hex, utf8, type Vector } from './vector.js';

const key = (name: string, fill: number): ReferenceKey => ({
  name,
  type: 1,
  seed: new Uint8Array(32).fill(fill),
});
const alice = key('alice.example', 1);
const bob = key('bob.example', 2);
const carol = key('carol.example', 3);
const TEXT = 'A text of two lines,\nsigned.\n';
const NOTE = `${TEXT}\n${referenceNoteLine(alice, TEXT)}`;

/** Text stands in `note`, what is not UTF-8 in `noteHex`. */
const noteField = (note: string | Uint8Array): Record<string, string> =>
  typeof note === 'string' ? { note } : { noteHex: hex(note) };

export function notes(): Vector[] {
  const good = (
    desc: string,
    note: string,
    keys: ReferenceKey[],
    text: string,
    verified: ReferenceKey[],
    unknown = 0,
  ): Vector => ({
    desc,
    note,
    vkeys: keys.map(referenceVkey),
    text,
    verified: verified.map(({ name }) => name),
    unknown,
    want: 'ok',
  });
  const bad = (desc: string, note: string | Uint8Array, want = 'bad_note', keys = [alice]): Vector => ({
    desc,
    ...noteField(note),
    vkeys: keys.map(referenceVkey),
    want,
  });
  const line = (who: ReferenceKey, text = TEXT): string => referenceNoteLine(who, text);
  const idOf = (who: ReferenceKey): Uint8Array => referenceKeyId(who.name, who.type, referencePublicKey(who));
  const blank = `first\n\n${line(bob)}\n\nlast\n`;
  const raw = (...octets: number[]): Uint8Array => Uint8Array.from(octets);
  const withBytes = (bytes: Uint8Array): Uint8Array => Uint8Array.from([...bytes, ...utf8(NOTE)]);
  return [
    {
      desc: 'the example of C2SP signed-note',
      note: 'This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n',
      vkeys: ['example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'],
      text: 'This is an example message.\n',
      verified: ['example.com/foo'],
      unknown: 0,
      want: 'ok',
    },
    good('one signature', NOTE, [alice], TEXT, [alice]),
    good('two signatures, both keys known', `${NOTE}${line(bob)}`, [alice, bob], TEXT, [alice, bob]),
    good('a signature by an unknown key is ignored', `${NOTE}${line(bob)}`, [alice], TEXT, [alice], 1),
    good(
      'an unknown key with the name of a known one',
      `${NOTE}${referenceLine('alice.example', raw(1, 2, 3, 4), new Uint8Array(64))}`,
      [alice],
      TEXT,
      [alice],
      1,
    ),
    good(
      'an unknown key with the ID of a known one',
      `${NOTE}${referenceLine('mallory.example', idOf(alice), new Uint8Array(64))}`,
      [alice],
      TEXT,
      [alice],
      1,
    ),
    good(
      'an unknown signature of one byte',
      `${NOTE}${referenceLine('x', raw(0, 0, 0, 0), raw(0))}`,
      [alice],
      TEXT,
      [alice],
      1,
    ),
    good('the same signature twice', `${NOTE}${line(alice)}`, [alice], TEXT, [alice]),
    good('blank lines and a signature line in the text', `${blank}\n${line(alice, blank)}`, [alice], blank, [
      alice,
    ]),
    good('a text of one newline', `\n\n${line(alice, '\n')}`, [alice], '\n', [alice]),
    good('a byte order mark is text', `\ufeffa\n\n${line(alice, '\ufeffa\n')}`, [alice], '\ufeffa\n', [
      alice,
    ]),
    good(
      'DEL and C1 controls are text',
      `\u007f\u0085\n\n${line(alice, '\u007f\u0085\n')}`,
      [alice],
      '\u007f\u0085\n',
      [alice],
    ),
    good(
      'sixteen signatures',
      `${TEXT}\n${Array.from({ length: 16 }, (_, i) => line(key(`k${i}.example`, 40 + i))).join('')}`,
      [key('k15.example', 55)],
      TEXT,
      [key('k15.example', 55)],
      15,
    ),
    bad('nothing', ''),
    bad('no signatures', TEXT),
    bad('a blank line and no signatures', `${TEXT}\n`),
    bad('no blank line', `${TEXT}${line(alice)}`),
    bad('no text', `\n${line(alice)}`),
    bad('no newline at the end', NOTE.slice(0, -1)),
    bad('a blank line at the end', `${NOTE}\n`),
    bad('text after the signatures', `${NOTE}more\n`),
    bad(
      'a blank line between signatures makes the first one text',
      `${NOTE}\n${line(bob)}`,
      'no_known_signature',
    ),
    bad('a hyphen for the dash', edit(NOTE, '\u2014', '-')),
    bad('no space after the dash', edit(NOTE, '\u2014 ', '\u2014')),
    bad('two spaces after the dash', edit(NOTE, '\u2014 ', '\u2014  ')),
    bad('a space at the end of a line', edit(NOTE, /\n$/, ' \n')),
    bad('no signature after the name', `${TEXT}\n\u2014 alice.example\n`),
    bad('an empty signature', `${TEXT}\n\u2014 alice.example \n`),
    bad('a key ID alone', `${TEXT}\n${referenceLine('x', raw(0, 0, 0, 0), new Uint8Array(0))}`),
    bad('three bytes', `${TEXT}\n${referenceLine('x', raw(0, 0, 0), new Uint8Array(0))}`),
    bad('base64 without padding', edit(NOTE, /=+\n$/, '\n')),
    bad(
      'base64 with unused bits set',
      edit(NOTE, /.=\n$/, `${String.fromCharCode(NOTE.charCodeAt(NOTE.length - 3) + 1)}=\n`),
    ),
    bad('a plus in the name', edit(NOTE, 'alice.', 'al+ice.')),
    bad('a no-break space in the name', edit(NOTE, 'alice.', 'al\u00a0ice.')),
    bad('a next line character in the name', edit(NOTE, 'alice.', 'al\u0085ice.')),
    bad('carriage returns', NOTE.replaceAll('\n', '\r\n')),
    bad('a tab', edit(NOTE, 'of two', 'of\ttwo')),
    bad('a NUL', edit(NOTE, 'of two', 'of\0two')),
    bad('an escape', edit(NOTE, 'of two', '\u001b[2J')),
    bad('a lone continuation byte', withBytes(raw(0x80))),
    bad('an overlong slash', withBytes(raw(0xc0, 0xaf))),
    bad('an encoded surrogate', withBytes(raw(0xed, 0xa0, 0x80))),
    bad('half a character at the end', Uint8Array.from([...utf8(NOTE.slice(0, -1)), 0xe2, 0x80, 0x0a])),
    bad('a changed text', edit(NOTE, 'two', 'ten'), 'bad_signature'),
    bad('a text with one more newline', `\n${NOTE}`, 'bad_signature'),
    bad(
      'a changed signature',
      `${TEXT}\n${referenceLine('alice.example', idOf(alice), new Uint8Array(64))}`,
      'bad_signature',
    ),
    bad(
      'a signature of 63 bytes',
      `${TEXT}\n${referenceLine('alice.example', idOf(alice), new Uint8Array(63))}`,
      'bad_signature',
    ),
    bad('a good and a bad one by known keys', `${NOTE}${line(bob, 'another text\n')}`, 'bad_signature', [
      alice,
      bob,
    ]),
    bad('a bad and a good one by one key', `${TEXT}\n${line(alice, 'x\n')}${line(alice)}`, 'bad_signature'),
    bad('a good and a bad one by one key', `${NOTE}${line(alice, 'x\n')}`, 'bad_signature'),
    bad('unknown keys only', `${TEXT}\n${line(bob)}${line(carol)}`, 'no_known_signature'),
    bad('no known keys', NOTE, 'no_known_signature', []),
    bad('one key configured twice', NOTE, 'duplicate_key', [alice, bob, alice]),
  ];
}

export function checkpoints(): Vector[] {
  const root = new Uint8Array(32).fill(0x5a);
  const good = (desc: string, origin: string, size: number, extensions: string[] = []): Vector => ({
    desc,
    text: referenceCheckpoint(origin, size, root, extensions),
    origin,
    size,
    rootHash: hex(root),
    extensions,
    want: 'ok',
  });
  const bad = (desc: string, text: string): Vector => ({ desc, text, want: 'bad_checkpoint' });
  const plain = referenceCheckpoint('log.example', 7, root);
  const sized = (size: string | bigint): string => referenceCheckpoint('log.example', size, root);
  return [
    good('a checkpoint', 'example.com/behind-the-sofa', 20852163),
    good('an empty tree', 'log.example', 0),
    good('the largest size', 'log.example', Number.MAX_SAFE_INTEGER),
    good('an origin with spaces and a plus', 'an origin + more', 1),
    good('an origin that is not ASCII', 'lög.example', 1),
    good('extension lines', 'log.example', 1, ['one', ' two ']),
    bad('nothing', ''),
    bad('no newline at the end', plain.slice(0, -1)),
    bad('no root hash', 'log.example\n7\n'),
    bad('an empty origin', edit(plain, 'log.example', '')),
    bad('an empty root hash', 'log.example\n7\n\n'),
    bad('an empty extension line', `${plain}\n`),
    bad('an empty line before an extension', `${plain}\nx\n`),
    bad('no size', sized('')),
    bad('a leading zero', sized('07')),
    bad('two zeros', sized('00')),
    bad('a plus sign', sized('+7')),
    bad('a minus sign', sized('-7')),
    bad('minus zero', sized('-0')),
    bad('hexadecimal', sized('0x7')),
    bad('an exponent', sized('7e0')),
    bad('a fraction', sized('7.0')),
    bad('a space before the size', sized(' 7')),
    bad('a space after the size', sized('7 ')),
    bad('digits that are not ASCII', sized('\u0667')),
    bad('a size of 2^53', sized(2n ** 53n)),
    bad('a size of 2^64', sized(2n ** 64n)),
    bad('a root of 31 bytes', referenceCheckpoint('log.example', 7, root.slice(1))),
    bad('a root of 33 bytes', referenceCheckpoint('log.example', 7, Uint8Array.of(...root, 0))),
    bad('a root without padding', edit(plain, '=\n', '\n')),
    bad('a root with unused bits set', edit(plain, 'Wlo=', 'Wlp=')),
    bad('a root in hex', `log.example\n7\n${hex(root)}\n`),
    bad('carriage returns', plain.replaceAll('\n', '\r\n')),
    bad('a tab in the origin', edit(plain, 'log', 'l\tg')),
    bad('a control character in an extension', `${plain}\u0001\n`),
  ];
}
