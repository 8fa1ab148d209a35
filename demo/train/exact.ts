// exp, log, a seeded generator: functions whose bits are the same on every engine.
//
// ECMAScript leaves Math.exp, Math.log, Math.tanh and Math.pow to the implementation, and V8 has
// changed their bits between releases. IEEE 754 fixes + - * / and square root, so everything here
// is made of those, and a training run gives the same weights everywhere.

const LN2_HIGH = 6.9314718036912381649e-1; // ln 2 split in two, so that k * LN2_HIGH is exact
const LN2_LOW = 1.90821492927058770002e-10;
const INVERSE_LN2 = 1.442695040888963387;

/** 2^k for -1022 <= k <= 1023, by squaring: every step is exact. */
function powerOfTwo(k: number): number {
  let result = 1;
  let base = k < 0 ? 0.5 : 2;
  for (let n = Math.abs(k); n > 0; n = Math.floor(n / 2)) {
    if (n % 2 === 1) result *= base;
    if (n > 1) base *= base;
  }
  return result;
}

const POWERS: Float64Array = Float64Array.from({ length: 2046 }, (_, i) => powerOfTwo(i - 1022));

/**
 * e^x to within a few units in the last place: x = k ln 2 + r with |r| <= ln 2 / 2, then the Taylor
 * polynomial of degree 13 for e^r. 0 below -708 and e^709 above 709, so that it never overflows.
 */
export function exp(x: number): number {
  if (x < -708) return 0;
  const bounded = x > 709 ? 709 : x;
  const k = Math.floor(bounded * INVERSE_LN2 + 0.5);
  const r = bounded - k * LN2_HIGH - k * LN2_LOW;
  let p = 1 / 6227020800;
  p = p * r + 1 / 479001600;
  p = p * r + 1 / 39916800;
  p = p * r + 1 / 3628800;
  p = p * r + 1 / 362880;
  p = p * r + 1 / 40320;
  p = p * r + 1 / 5040;
  p = p * r + 1 / 720;
  p = p * r + 1 / 120;
  p = p * r + 1 / 24;
  p = p * r + 1 / 6;
  p = p * r + 0.5;
  p = p * r + 1;
  p = p * r + 1;
  return p * POWERS[k + 1022];
}

/** Natural logarithm of a finite x > 0: x = m 2^k with m in [2/3, 4/3], then 2 atanh((m-1)/(m+1)). */
export function log(x: number): number {
  let m = x;
  let k = 0;
  while (m > 4 / 3) {
    m /= 2;
    k += 1;
  }
  while (m < 2 / 3) {
    m *= 2;
    k -= 1;
  }
  const s = (m - 1) / (m + 1);
  const s2 = s * s;
  let sum = 0;
  for (let n = 27; n >= 1; n -= 2) sum = sum * s2 + 1 / n;
  return k * LN2_HIGH + (2 * s * sum + k * LN2_LOW);
}

/** A small seeded generator (xorshift32 steps, finished by a multiplication): integers only. */
export class Random {
  #state: number;

  /** `seed`: an integer from 0 to 2^32 - 1. */
  constructor(seed: number) {
    // xorshift never leaves zero, so the seed is mixed with a constant and zero is avoided.
    this.#state = (seed ^ 0x9e3779b9) >>> 0 || 1;
    for (let i = 0; i < 8; i++) this.uint32();
  }

  /** An integer from 0 to 2^32 - 1. */
  uint32(): number {
    let s = this.#state;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.#state = s >>> 0;
    return Math.imul(this.#state, 0x9e3779b1) >>> 0;
  }

  /** An integer from 0 to n - 1. Requires 0 < n < 2^21, so that the product is exact. */
  below(n: number): number {
    return Math.floor((this.uint32() * n) / 4294967296);
  }

  /** About normal, mean 0 and variance 1: the sum of twelve uniform numbers, less six. */
  normal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.uint32() / 4294967296;
    return sum;
  }
}
