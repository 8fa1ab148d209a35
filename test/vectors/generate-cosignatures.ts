// spec/vectors/cosignatures.json, subtrees.json.
import {
  referenceCheckpoint,
  referenceCosignatureLine,
  referenceCosignedMessage,
  referenceEd25519Message,
  referenceLineWith,
  referenceNoteLine,
  referenceSign,
  referenceSubtreeMessage,
  referenceVkey,
  u64,
} from '../reference/notes.js';
import type { ReferenceKey } from '../reference/notes.js';
import { edit } from './generate-keys.js';
import { flipBit, hex, type Vector } from './vector.js';

const key = (name: string, type: 1 | 4 | 6, fill: number): ReferenceKey => ({
  name,
  type,
  seed: new Uint8Array(32).fill(fill),
});
const ROOT = new Uint8Array(32).fill(0x5a);
const TEXT = referenceCheckpoint('log.example', 7, ROOT);
const EXTENDED = referenceCheckpoint('log.example', 7, ROOT, ['extension']);
const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** One line over one checkpoint's text, both types. */
export function cosignatures(): Vector[] {
  const [ed, pq] = [key('witness.example', 4, 11), key('witness.example', 6, 12)];
  const time = 1_679_315_147;
  const good = (desc: string, who: ReferenceKey, text: string, timestamp: number): Vector => ({
    desc,
    vkey: referenceVkey(who),
    text,
    line: referenceCosignatureLine(who, text, timestamp),
    timestamp,
    message: hex(referenceCosignedMessage(who, text, timestamp)),
    want: 'ok',
  });
  const bad = (
    desc: string,
    who: ReferenceKey,
    line: string,
    text = TEXT,
    want = 'bad_signature',
  ): Vector => ({
    desc,
    vkey: referenceVkey(who),
    text,
    line,
    want,
  });
  /** A line whose timestamp is one thing and whose signature covers another message. */
  const over = (who: ReferenceKey, timestamp: number | bigint, message: Uint8Array): string =>
    referenceLineWith(who, join(u64(timestamp), referenceSign(who, message)));
  const subtree = (name: string, timestamp: number, origin = 'log.example', start = 0, end = 7): Uint8Array =>
    referenceSubtreeMessage(name, timestamp, origin, start, end, ROOT);
  const message = referenceCosignedMessage(ed, TEXT, time);
  const signature = referenceSign(ed, message);
  const pqSignature = referenceSign(pq, referenceCosignedMessage(pq, TEXT, time));
  const long = referenceCheckpoint('x'.repeat(255), 7, ROOT);
  const late = 2n ** 53n;
  return [
    good('Ed25519', ed, TEXT, time),
    good('Ed25519 covers extension lines', ed, EXTENDED, time),
    good('Ed25519 over the empty tree', ed, referenceCheckpoint('log.example', 0, ROOT), time),
    good('Ed25519 at the largest timestamp held', ed, TEXT, Number.MAX_SAFE_INTEGER),
    good('ML-DSA-44', pq, TEXT, time),
    good('ML-DSA-44 does not cover extension lines', pq, EXTENDED, time),
    good('ML-DSA-44 without a time', pq, TEXT, 0),
    good('ML-DSA-44 with the longest origin', pq, long, time),
    good(
      'ML-DSA-44 with names counted as UTF-8',
      key('w\u00f6rld', 6, 13),
      referenceCheckpoint('l\u00f6g', 7, ROOT),
      time,
    ),
    bad('Ed25519 over another checkpoint', ed, referenceCosignatureLine(ed, edit(TEXT, '7', '8'), time)),
    bad(
      'Ed25519 over the checkpoint without its extension',
      ed,
      referenceCosignatureLine(ed, TEXT, time),
      EXTENDED,
    ),
    bad('Ed25519 with another timestamp in the line', ed, over(ed, time + 1, message)),
    bad('Ed25519 without header and time', ed, over(ed, time, Buffer.from(TEXT))),
    bad(
      'Ed25519 with a leading zero in the time',
      ed,
      over(ed, time, Buffer.from(edit(Buffer.from(message).toString(), 'time ', 'time 0'))),
    ),
    bad(
      'Ed25519 with another header',
      ed,
      over(ed, time, Buffer.from(edit(Buffer.from(message).toString(), '/v1', '/v2'))),
    ),
    bad('Ed25519 over the ML-DSA-44 message', ed, over(ed, time, subtree(ed.name, time))),
    bad(
      'Ed25519 with one bit turned over',
      ed,
      referenceLineWith(ed, join(u64(time), flipBit(signature, 100))),
    ),
    bad('Ed25519 without a timestamp', ed, referenceLineWith(ed, signature)),
    bad(
      'Ed25519, one byte too many',
      ed,
      referenceLineWith(ed, join(u64(time), signature, Uint8Array.of(0))),
    ),
    bad('Ed25519, little-endian timestamp', ed, referenceLineWith(ed, join(u64(time).reverse(), signature))),
    bad('Ed25519 at 2^53 seconds', ed, over(ed, late, referenceEd25519Message(TEXT, late))),
    bad(
      'Ed25519 at 2^63 seconds, above what the specification allows',
      ed,
      over(ed, 2n ** 63n, referenceEd25519Message(TEXT, 2n ** 63n)),
    ),
    bad(
      'Ed25519 by another key of that name',
      ed,
      referenceCosignatureLine(key(ed.name, 4, 99), TEXT, time),
      TEXT,
      'unknown_key',
    ),
    bad(
      'Ed25519 by a key of another name',
      ed,
      referenceCosignatureLine(key('w2.example', 4, 11), TEXT, time),
      TEXT,
      'unknown_key',
    ),
    bad(
      'a note signature by the same Ed25519 key',
      ed,
      referenceNoteLine(key(ed.name, 1, 11), TEXT),
      TEXT,
      'unknown_key',
    ),
    bad(
      'a note signature with the key ID of the cosigner',
      ed,
      referenceLineWith(ed, join(u64(time), referenceSign(ed, Buffer.from(TEXT)))),
    ),
    bad(
      'Ed25519 over a text that is no checkpoint',
      ed,
      referenceCosignatureLine(ed, 'hello\n', time),
      'hello\n',
    ),
    bad('two lines', ed, referenceCosignatureLine(ed, TEXT, time).repeat(2), TEXT, 'bad_note'),
    bad('no newline at the end', ed, referenceCosignatureLine(ed, TEXT, time).slice(0, -1), TEXT, 'bad_note'),
    bad('ML-DSA-44 over another checkpoint', pq, referenceCosignatureLine(pq, edit(TEXT, '7', '8'), time)),
    bad('ML-DSA-44 for another origin', pq, over(pq, time, subtree(pq.name, time, 'log2.example'))),
    bad('ML-DSA-44 under another cosigner name', pq, over(pq, time, subtree('w2.example', time))),
    bad('ML-DSA-44 with another timestamp in the line', pq, over(pq, time + 1, subtree(pq.name, time))),
    bad('ML-DSA-44 with a timestamp added to one without', pq, over(pq, time, subtree(pq.name, 0))),
    bad(
      'ML-DSA-44 over a subtree that starts later',
      pq,
      over(pq, 0, subtree(pq.name, 0, 'log.example', 4, 7)),
    ),
    bad('ML-DSA-44 over the Ed25519 message', pq, over(pq, time, referenceEd25519Message(TEXT, time))),
    bad(
      'ML-DSA-44 with one bit turned over',
      pq,
      referenceLineWith(pq, join(u64(time), flipBit(pqSignature, 9000))),
    ),
    bad(
      'ML-DSA-44, the last byte missing',
      pq,
      referenceLineWith(pq, join(u64(time), pqSignature.slice(0, -1))),
    ),
    bad(
      'ML-DSA-44 at 2^53 seconds',
      pq,
      over(pq, late, referenceSubtreeMessage(pq.name, late, 'log.example', 0, 7, ROOT)),
    ),
    bad(
      'ML-DSA-44 for an origin of 256 bytes',
      pq,
      referenceLineWith(pq, join(u64(time), pqSignature)),
      referenceCheckpoint('x'.repeat(256), 7, ROOT),
    ),
  ];
}

/** Subtree cosignatures, which stand in no note of ours: timestamp and signature in hex. */
export function subtrees(): Vector[] {
  const pq = key('witness.example', 6, 12);
  interface Fields {
    origin: string;
    start: number;
    end: number;
    hash: Uint8Array;
  }
  const plain: Fields = { origin: 'log.example', start: 4, end: 6, hash: ROOT };
  const sign = (signed: Fields, timestamp = 0, inLine = timestamp): Uint8Array =>
    join(
      u64(inLine),
      referenceSign(
        pq,
        referenceSubtreeMessage(pq.name, timestamp, signed.origin, signed.start, signed.end, signed.hash),
      ),
    );
  const vector = (desc: string, claimed: Fields, signature: Uint8Array, want: string): Vector => ({
    desc,
    vkey: referenceVkey(pq),
    ...claimed,
    hash: hex(claimed.hash),
    signature: hex(signature),
    want,
  });
  const whole = { ...plain, start: 0, end: 7 };
  const bad = (desc: string, claimed: Fields, signature: Uint8Array): Vector =>
    vector(desc, claimed, signature, 'bad_signature');
  return [
    vector('a subtree', plain, sign(plain), 'ok'),
    vector('a whole tree with a time', whole, sign(whole, 1000), 'ok'),
    vector('a whole tree without a time', whole, sign(whole), 'ok'),
    bad('another start', { ...plain, start: 2 }, sign(plain)),
    bad('another end', { ...plain, end: 5 }, sign(plain)),
    bad('another hash', { ...plain, hash: new Uint8Array(32) }, sign(plain)),
    bad('another origin', { ...plain, origin: 'log2.example' }, sign(plain)),
    bad('a time in the line only', plain, sign(plain, 0, 1000)),
    bad('a subtree that states a time, though properly signed', plain, sign(plain, 1000)),
    bad('an empty range', { ...plain, end: 4 }, sign({ ...plain, end: 4 })),
  ];
}
