// spec/vectors/vkeys.json, signing-keys.json.
import {
  referencePublicKey,
  referenceSigningKey,
  referenceVkey,
  referenceVkeyOf,
} from '../reference/notes.js';
import type { ReferenceKey } from '../reference/notes.js';
import { hex, type Vector } from './vector.js';

const key = (name: string, type: 1 | 4 | 6, fill: number): ReferenceKey => ({
  name,
  type,
  seed: new Uint8Array(32).fill(fill),
});
/** With `text` replaced by `by`, which must change something. */
export function edit(whole: string, text: string | RegExp, by: string): string {
  const edited = whole.replace(text, by);
  if (edited === whole) throw new Error(`nothing to edit: ${String(text)} in ${whole}`);
  return edited;
}

/** Characters that are spaces to Go's unicode.IsSpace and so may not stand in a key name. */
const SPACES: [string, string][] = [
  ['space', ' '],
  ['no-break space', '\u00a0'],
  ['next line', '\u0085'],
  ['ogham space mark', '\u1680'],
  ['en quad', '\u2000'],
  ['line separator', '\u2028'],
  ['ideographic space', '\u3000'],
];

export function vkeys(): Vector[] {
  const good = (desc: string, of: ReferenceKey): Vector => {
    const vkey = referenceVkey(of);
    const keyId = vkey.split('+')[1];
    return {
      desc,
      vkey,
      name: of.name,
      keyId,
      type: of.type,
      publicKey: hex(referencePublicKey(of)),
      want: 'ok',
    };
  };
  const bad = (desc: string, vkey: string): Vector => ({ desc, vkey, want: 'bad_vkey' });
  const log = key('example.com/log', 1, 1);
  const plain = referenceVkey(log);
  const publicKey = referencePublicKey(log);
  const id = plain.split('+')[1] ?? '';
  return [
    {
      desc: 'the example of C2SP signed-note',
      vkey: 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
      name: 'example.com/foo',
      keyId: '530d903a',
      type: 1,
      publicKey: 'e932791ae6e7a840a46164c904786426d5e7821dd8b29a00d61cae72afdd4da4',
      want: 'ok',
    },
    good('Ed25519, for notes', log),
    good('the same key for cosignatures: another type, another ID', key('example.com/log', 4, 1)),
    good('ML-DSA-44', key('witness.example', 6, 2)),
    good('a name that is not ASCII', key('wörld.example/ß', 4, 3)),
    good(
      'a name with a zero-width space and a byte order mark, which are no spaces',
      key('\ufeffa\u200bb', 1, 4),
    ),
    good('a name of one character', key('=', 1, 5)),
    bad('nothing', ''),
    bad('only a name', 'example.com/log'),
    bad('no key', `example.com/log+${id}`),
    bad('an empty key', `example.com/log+${id}+`),
    bad('no name', edit(plain, 'example.com/log', '')),
    bad('another name than its ID was made for', edit(plain, 'log', 'lag')),
    bad('another ID', edit(plain, id, '00000000')),
    bad('an ID of seven digits', edit(plain, id, id.slice(1))),
    bad('an ID of nine digits', edit(plain, id, `0${id}`)),
    bad('an ID in capitals', edit(plain, id, id.toUpperCase())),
    bad('an ID with a sign', edit(plain, id, `-${id.slice(1)}`)),
    bad('a plus in the name', edit(plain, 'example', 'exam+ple')),
    ...SPACES.map(([what, space]) => bad(`${what} in the name`, referenceVkeyOf(`a${space}b`, 1, publicKey))),
    bad('a tab in the name', referenceVkeyOf('a\tb', 1, publicKey)),
    bad('a newline at the end', `${plain}\n`),
    bad('a space at the end', `${plain} `),
    bad('a space at the start', ` ${plain}`),
    bad('base64 without padding', edit(referenceVkeyOf('a', 1, publicKey.slice(1)), '=', '')),
    bad(
      'URL-safe base64',
      plain.slice(0, -44) + plain.slice(-44).replaceAll('/', '_').replaceAll('+', '-').replace(/^A/, '_'),
    ),
    bad('one byte short', referenceVkeyOf('a', 1, publicKey.slice(1))),
    bad('one byte long', referenceVkeyOf('a', 1, Uint8Array.of(...publicKey, 0))),
    bad('type 0', referenceVkeyOf('a', 0, publicKey)),
    bad('type 2: ECDSA is not used here', referenceVkeyOf('a', 2, publicKey)),
    bad('type 5: RFC 6962 tree heads are not used here', referenceVkeyOf('a', 5, publicKey)),
    bad('type 255', referenceVkeyOf('a', 255, publicKey)),
    bad('type 6 with a key of 32 bytes', referenceVkeyOf('a', 6, publicKey)),
    bad('type 4 with a key of 1312 bytes', referenceVkeyOf('a', 4, referencePublicKey(key('a', 6, 2)))),
    bad('a public key of small order', referenceVkeyOf('a', 1, new Uint8Array(32))),
    bad('a public key that is not canonical', referenceVkeyOf('a', 1, new Uint8Array(32).fill(255))),
    bad('a signing key', referenceSigningKey(log)),
  ];
}

export function signingKeys(): Vector[] {
  const good = (desc: string, of: ReferenceKey): Vector => ({
    desc,
    signingKey: referenceSigningKey(of),
    vkey: referenceVkey(of),
    want: 'ok',
  });
  const bad = (desc: string, signingKey: string): Vector => ({ desc, signingKey, want: 'bad_signing_key' });
  const log = key('example.com/log', 1, 1);
  const plain = referenceSigningKey(log);
  const id = plain.split('+')[3] ?? '';
  const material = plain.split('+').slice(4).join('+');
  return [
    {
      desc: 'the example of golang.org/x/mod/sumdb/note',
      signingKey: 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz',
      vkey: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
      want: 'ok',
    },
    good('Ed25519, for notes', log),
    good('Ed25519, for cosignatures', key('witness.example', 4, 2)),
    good('ML-DSA-44: the seed of 32 bytes', key('witness.example', 6, 3)),
    bad('nothing', ''),
    bad('a vkey', referenceVkey(log)),
    bad('no prefix', edit(plain, 'PRIVATE+KEY+', '')),
    bad('a prefix in small letters', edit(plain, 'PRIVATE', 'private')),
    bad('another name', edit(plain, 'log', 'lag')),
    bad('no name', edit(plain, 'example.com/log', '')),
    bad('a space in the name', edit(plain, 'log', 'l g')),
    bad('another ID', edit(plain, id, '00000000')),
    bad('an ID in capitals', edit(plain, id, id.toUpperCase())),
    bad('a newline at the end', `${plain}\n`),
    bad('the last character missing', plain.slice(0, -1)),
    bad(
      'another seed',
      edit(plain, material, Buffer.from([1, ...new Uint8Array(32).fill(9)]).toString('base64')),
    ),
    bad('another type', edit(plain, material, Buffer.from([4, ...log.seed]).toString('base64'))),
    bad('an unknown type', edit(plain, material, Buffer.from([3, ...log.seed]).toString('base64'))),
    bad(
      'a seed of 31 bytes',
      edit(plain, material, Buffer.from([1, ...log.seed.slice(1)]).toString('base64')),
    ),
    bad(
      'a seed of 64 bytes',
      edit(plain, material, Buffer.from([1, ...log.seed, ...log.seed]).toString('base64')),
    ),
    bad('no material', edit(plain, material, '')),
  ];
}
