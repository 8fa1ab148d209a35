// spec/vectors/ed25519.json: signatures made on purpose so that verifiers of one kind or another
// accept them. Which they are by our rule is judged by the reference, and said here as well.
import {
  BASE,
  IDENTITY,
  L,
  P,
  add,
  decodePoint,
  encodePoint,
  expandSeed,
  fromInteger,
  hashScalar,
  multiply,
  negate,
  referenceSign,
  referenceVerify,
  smallOrder,
  toInteger,
  type ReferencePoint,
} from '../reference/ed25519.js';
import { flipBit, hex, utf8, type Vector } from './vector.js';

const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** Scalars that anybody may know. */
const secret = 0x5_7e1e_0000_0001n;
const nonce = 0x6_7e1e_0000_0003n;

/** The eight points of small order: multiples of what [L] leaves of a point outside the main subgroup. */
function torsion(): ReferencePoint[] {
  for (let y = 2n; ; y++) {
    const point = decodePoint(fromInteger(y));
    if (point === undefined) continue;
    const rest = multiply(L, point);
    if (smallOrder(rest) === 8) return [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n].map((n) => multiply(n, rest));
  }
}

/** The first of "message 0", "message 1", … for which this holds. */
function findMessage(holds: (message: Uint8Array) => boolean): Uint8Array {
  for (let i = 0; ; i++) {
    const message = utf8(`message ${i}`);
    if (holds(message)) return message;
  }
}

export function ed25519(): Vector[] {
  const out: Vector[] = [];
  const say = (
    accepted: boolean,
    desc: string,
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
  ): void => {
    if (referenceVerify(signature, message, publicKey) !== accepted)
      throw new Error(`the reference disagrees: ${desc}`);
    out.push({
      desc,
      publicKey: hex(publicKey),
      message: hex(message),
      signature: hex(signature),
      want: accepted ? 'ok' : 'rejected',
    });
  };
  /** S for the nonce r and the secret a: r + k*a. */
  const solve = (r: bigint, k: bigint, a: bigint): Uint8Array => fromInteger((r + k * a) % L);

  plain(say);
  const points = torsion();
  const eighth = points[1] ?? IDENTITY;
  const bigR = encodePoint(multiply(nonce, BASE));

  for (const [i, point] of points.entries()) {
    const key = encodePoint(point);
    const order = BigInt(smallOrder(point));
    const message = findMessage((m) => hashScalar(bigR, key, m) % order === 0n);
    say(
      false,
      `a key of order ${order} (multiple ${i} of the generator), the equation holds`,
      key,
      message,
      join(bigR, fromInteger(nonce)),
    );
  }
  const identity = encodePoint(IDENTITY);
  say(
    false,
    'key and R are the identity, S is 0: good for any message',
    identity,
    utf8('any'),
    join(identity, fromInteger(0n)),
  );
  say(false, 'all zeros', new Uint8Array(32), utf8('any'), new Uint8Array(64));

  // y = 1 and y = p - 1 again, spelled as only lenient decoders read them.
  const spelled: [string, bigint][] = [
    ['p + 1 instead of 1', P + 1n],
    ['1 with the sign bit set', 1n + 2n ** 255n],
    ['p + 1 with the sign bit set', P + 1n + 2n ** 255n],
    ['p - 1 with the sign bit set', P - 1n + 2n ** 255n],
    ['p instead of 0', P],
  ];
  for (const [spelling, value] of spelled) {
    const key = fromInteger(value);
    const message = findMessage((m) => hashScalar(bigR, key, m) % 4n === 0n);
    say(
      false,
      `a key whose y is ${spelling}, the equation holds`,
      key,
      message,
      join(bigR, fromInteger(nonce)),
    );
  }
  let offCurve = 2n;
  while (decodePoint(fromInteger(offCurve)) !== undefined) offCurve++;
  say(
    false,
    'a key that is not on the curve',
    fromInteger(offCurve),
    utf8('any'),
    join(bigR, fromInteger(nonce)),
  );
  let onCurve = 2n;
  while (decodePoint(fromInteger(onCurve)) === undefined) onCurve++;
  say(
    false,
    `a key of large order whose y is p + ${onCurve}`,
    fromInteger(P + onCurve),
    utf8('any'),
    join(bigR, fromInteger(nonce)),
  );

  const good = encodePoint(multiply(secret, BASE));
  for (const [spelling, value] of [['1', 1n], ...spelled] as const) {
    const r = fromInteger(value);
    // R decodes to a point of order 1, 2 or 4; only for the identity is S = k*a right everywhere.
    const k = hashScalar(r, good, utf8('small R'));
    say(
      spelling === '1',
      `R is of small order, its y ${spelling}`,
      good,
      utf8('small R'),
      join(r, solve(0n, k, secret)),
    );
  }

  const mixed = encodePoint(add(multiply(secret, BASE), eighth));
  const by8 = findMessage((m) => hashScalar(bigR, mixed, m) % 8n === 0n);
  say(
    true,
    'a key with a small-order part that k makes vanish',
    mixed,
    by8,
    join(bigR, solve(nonce, hashScalar(bigR, mixed, by8), secret)),
  );
  for (const rest of [1n, 2n, 4n]) {
    const message = findMessage((m) => hashScalar(bigR, mixed, m) % 8n === rest);
    const s = solve(nonce, hashScalar(bigR, mixed, message), secret);
    say(
      false,
      `a key with a small-order part, k = ${rest} modulo 8: good only times the cofactor`,
      mixed,
      message,
      join(bigR, s),
    );
  }
  points.slice(1).forEach((point, i) => {
    const shifted = encodePoint(add(multiply(nonce, BASE), point));
    const message = utf8('shifted R');
    const s = solve(nonce, hashScalar(shifted, good, message), secret);
    say(
      false,
      `R with small-order part ${i + 1}: good only times the cofactor`,
      good,
      message,
      join(shifted, s),
    );
  });
  for (const j of [1n, 3n, 6n]) {
    const matching = encodePoint(add(multiply(nonce, BASE), negate(multiply(j, eighth))));
    const message = findMessage((m) => hashScalar(matching, mixed, m) % 8n === j);
    const s = solve(nonce, hashScalar(matching, mixed, message), secret);
    say(
      true,
      `small-order parts of key and R that cancel, k = ${j} modulo 8`,
      mixed,
      message,
      join(matching, s),
    );
  }
  return out;
}

/** Honest signatures and what may happen to them on the way. */
function plain(
  say: (
    accepted: boolean,
    desc: string,
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
  ) => void,
): void {
  const seed = new Uint8Array(32).fill(0x42);
  const { publicKey } = expandSeed(seed);
  const lengths = [0, 1, 31, 32, 64, 111, 112, 128, 1000];
  for (const length of lengths) {
    const message = Uint8Array.from({ length }, (_, i) => i % 251);
    say(true, `an honest signature of ${length} bytes`, publicKey, message, referenceSign(message, seed));
  }
  const message = utf8('stele');
  const signature = referenceSign(message, seed);
  const [r, s] = [signature.slice(0, 32), signature.slice(32)];
  const plus = (n: bigint): Uint8Array => join(r, fromInteger(toInteger(s) + n * L));
  say(true, 'the signature the next ones are made from', publicKey, message, signature);
  say(false, 'S + L', publicKey, message, plus(1n));
  say(false, 'S + 8L', publicKey, message, plus(8n));
  say(false, 'S = L', publicKey, message, join(r, fromInteger(L)));
  say(false, 'S = 0', publicKey, message, join(r, fromInteger(0n)));
  say(false, 'S with its top bit set', publicKey, message, join(r, flipBit(s, 255)));
  say(false, 'the sign bit of R', publicKey, message, flipBit(signature, 255));
  say(false, 'one bit of R', publicKey, message, flipBit(signature, 0));
  say(false, 'one bit of S', publicKey, message, flipBit(signature, 256));
  say(false, 'R and S swapped', publicKey, message, join(s, r));
  say(false, 'one bit of the message', publicKey, flipBit(message, 3), signature);
  say(false, 'a line end after the message', publicKey, utf8('stele\n'), signature);
  say(false, 'the negated key', flipBit(publicKey, 255), message, signature);
  say(false, 'the key of another seed', expandSeed(new Uint8Array(32)).publicKey, message, signature);
  for (const length of [0, 32, 63])
    say(false, `a signature of ${length} bytes`, publicKey, message, signature.slice(0, length));
  say(false, 'a signature of 65 bytes', publicKey, message, join(signature, Uint8Array.of(0)));
  for (const length of [0, 31])
    say(false, `a key of ${length} bytes`, publicKey.slice(0, length), message, signature);
  say(false, 'a key of 33 bytes', join(publicKey, Uint8Array.of(0)), message, signature);
}
