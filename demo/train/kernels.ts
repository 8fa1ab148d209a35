// Matrix products over row-major float32 arrays, accumulated in float64 in one fixed order, and
// stored rounded to float32. Each counts its multiply-adds as two operations, as the FLOP figures of
// the field do.

/** Floating-point operations of matrix products so far: an exact integer. */
export class FlopCounter {
  count = 0;
}

/**
 * C[m,n] = A[m,k] · B[k,n] + bias[n].
 * Four rows of B at a time, so that the accumulators are loaded and stored a quarter as often.
 */
export function product(
  flop: FlopCounter,
  [rows, inner, columns]: readonly [number, number, number],
  a: Float32Array,
  b: Float32Array,
  bias: Float32Array,
  c: Float32Array,
): void {
  const sums = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) sums[j] = bias[j];
    const row = i * inner;
    for (let k = 0; k < inner; k += 4) {
      const a0 = a[row + k];
      const a1 = a[row + k + 1];
      const a2 = a[row + k + 2];
      const a3 = a[row + k + 3];
      const b0 = k * columns;
      const b1 = b0 + columns;
      const b2 = b1 + columns;
      const b3 = b2 + columns;
      for (let j = 0; j < columns; j++) {
        sums[j] += a0 * b[b0 + j] + a1 * b[b1 + j] + a2 * b[b2 + j] + a3 * b[b3 + j];
      }
    }
    const out = i * columns;
    for (let j = 0; j < columns; j++) c[out + j] = sums[j];
  }
  flop.count += 2 * rows * inner * columns;
}

/** C[m,n] (+)= A[m,k] · B[n,k]ᵀ. `add` keeps what C holds. Requires k a multiple of 4. */
export function productTransposed(
  flop: FlopCounter,
  [rows, inner, columns]: readonly [number, number, number],
  a: Float32Array,
  b: Float32Array,
  c: Float32Array,
  add: boolean,
): void {
  for (let i = 0; i < rows; i++) {
    const row = i * inner;
    for (let j = 0; j < columns; j++) {
      const other = j * inner;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let k = 0; k < inner; k += 4) {
        s0 += a[row + k] * b[other + k];
        s1 += a[row + k + 1] * b[other + k + 1];
        s2 += a[row + k + 2] * b[other + k + 2];
        s3 += a[row + k + 3] * b[other + k + 3];
      }
      const sum = s0 + s1 + (s2 + s3);
      const at = i * columns + j;
      c[at] = add ? c[at] + sum : sum;
    }
  }
  flop.count += 2 * rows * inner * columns;
}

/** C[k,n] += A[m,k]ᵀ · B[m,n]: the gradient of a weight. Requires m a multiple of 4. */
export function accumulateOuter(
  flop: FlopCounter,
  [rows, inner, columns]: readonly [number, number, number],
  a: Float32Array,
  b: Float32Array,
  c: Float32Array,
): void {
  const sums = new Float64Array(columns);
  for (let k = 0; k < inner; k++) {
    sums.fill(0);
    for (let i = 0; i < rows; i += 4) {
      const a0 = a[i * inner + k];
      const a1 = a[(i + 1) * inner + k];
      const a2 = a[(i + 2) * inner + k];
      const a3 = a[(i + 3) * inner + k];
      const b0 = i * columns;
      const b1 = b0 + columns;
      const b2 = b1 + columns;
      const b3 = b2 + columns;
      for (let j = 0; j < columns; j++) {
        sums[j] += a0 * b[b0 + j] + a1 * b[b1 + j] + a2 * b[b2 + j] + a3 * b[b3 + j];
      }
    }
    const out = k * columns;
    for (let j = 0; j < columns; j++) c[out + j] += sums[j];
  }
  flop.count += 2 * rows * inner * columns;
}

/** sum[n] += the rows of A[m,n]: the gradient of a bias. */
export function accumulateRows(rows: number, columns: number, a: Float32Array, sum: Float32Array): void {
  for (let j = 0; j < columns; j++) {
    let total = 0;
    for (let i = 0; i < rows; i++) total += a[i * columns + j];
    sum[j] += total;
  }
}
