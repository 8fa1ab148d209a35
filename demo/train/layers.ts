// The layers of a transformer that are not matrix products, each with its gradient: layer norm, SiLU,
// causal attention, and cross-entropy over a softmax.
import { exp, log } from './exact.js';
import type { FlopCounter } from './kernels.js';

const EPSILON = 1e-5;

/** y = (x - mean) / deviation * gain + shift over each row of `width`; keeps 1/deviation and the mean. */
export function layerNorm(
  rows: number,
  width: number,
  x: Float32Array,
  gain: Float32Array,
  shift: Float32Array,
  y: Float32Array,
  stats: Float64Array,
): void {
  for (let i = 0; i < rows; i++) {
    const at = i * width;
    let mean = 0;
    for (let j = 0; j < width; j++) mean += x[at + j];
    mean /= width;
    let variance = 0;
    for (let j = 0; j < width; j++) variance += (x[at + j] - mean) * (x[at + j] - mean);
    const inverse = 1 / Math.sqrt(variance / width + EPSILON);
    for (let j = 0; j < width; j++) y[at + j] = (x[at + j] - mean) * inverse * gain[j] + shift[j];
    stats[2 * i] = mean;
    stats[2 * i + 1] = inverse;
  }
}

/** Adds the gradient of layerNorm to dx, dGain and dShift. */
export function layerNormBackward(
  rows: number,
  width: number,
  x: Float32Array,
  gain: Float32Array,
  stats: Float64Array,
  dy: Float32Array,
  dx: Float32Array,
  dGain: Float32Array,
  dShift: Float32Array,
): void {
  for (let i = 0; i < rows; i++) {
    const at = i * width;
    const mean = stats[2 * i];
    const inverse = stats[2 * i + 1];
    let sum = 0;
    let dot = 0;
    for (let j = 0; j < width; j++) {
      const d = dy[at + j] * gain[j];
      sum += d;
      dot += d * (x[at + j] - mean) * inverse;
    }
    for (let j = 0; j < width; j++) {
      const normal = (x[at + j] - mean) * inverse;
      dGain[j] += dy[at + j] * normal;
      dShift[j] += dy[at + j];
      dx[at + j] += inverse * (dy[at + j] * gain[j] - sum / width - (normal * dot) / width);
    }
  }
}

/** y = x / (1 + e^-x). */
export function silu(x: Float32Array, y: Float32Array): void {
  for (let i = 0; i < x.length; i++) y[i] = x[i] / (1 + exp(-x[i]));
}

/** dx = dy times the derivative of SiLU at x. May write over dy. */
export function siluBackward(x: Float32Array, dy: Float32Array, dx: Float32Array): void {
  for (let i = 0; i < x.length; i++) {
    const gate = 1 / (1 + exp(-x[i]));
    dx[i] = dy[i] * (gate + x[i] * gate * (1 - gate));
  }
}

/** Sizes of an attention layer: sequences, tokens in each, heads, width of a head. */
export type AttentionShape = { batch: number; length: number; heads: number; headWidth: number };

/**
 * Causal attention. `qkv` has rows of 3 * heads * headWidth: queries, keys, values. `weights` keeps the
 * softmax of each [batch, head, from, to], which the gradient needs.
 */
export function attention(
  flop: FlopCounter,
  { batch, length, heads, headWidth }: AttentionShape,
  qkv: Float32Array,
  weights: Float32Array,
  out: Float32Array,
): void {
  const width = heads * headWidth;
  const scale = 1 / Math.sqrt(headWidth);
  const scores = new Float64Array(length);
  const sums = new Float64Array(headWidth);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < length; i++) {
        const query = (b * length + i) * 3 * width + h * headWidth;
        let highest = -Infinity;
        for (let j = 0; j <= i; j++) {
          const key = (b * length + j) * 3 * width + width + h * headWidth;
          let score = 0;
          for (let c = 0; c < headWidth; c++) score += qkv[query + c] * qkv[key + c];
          score *= scale;
          scores[j] = score;
          if (score > highest) highest = score;
        }
        let total = 0;
        for (let j = 0; j <= i; j++) {
          const e = exp(scores[j] - highest);
          scores[j] = e;
          total += e;
        }
        const row = ((b * heads + h) * length + i) * length;
        sums.fill(0);
        for (let j = 0; j <= i; j++) {
          const weight = scores[j] / total;
          weights[row + j] = weight;
          const value = (b * length + j) * 3 * width + 2 * width + h * headWidth;
          for (let c = 0; c < headWidth; c++) sums[c] += weight * qkv[value + c];
        }
        const at = (b * length + i) * width + h * headWidth;
        for (let c = 0; c < headWidth; c++) out[at + c] = sums[c];
      }
    }
  }
  // Two products over the pairs (from, to) with to <= from.
  flop.count += 2 * 2 * batch * heads * ((length * (length + 1)) / 2) * headWidth;
}

/** Writes the gradient of attention to dqkv, which must be zero. */
export function attentionBackward(
  flop: FlopCounter,
  { batch, length, heads, headWidth }: AttentionShape,
  qkv: Float32Array,
  weights: Float32Array,
  dOut: Float32Array,
  dqkv: Float32Array,
): void {
  const width = heads * headWidth;
  const scale = 1 / Math.sqrt(headWidth);
  const dWeights = new Float64Array(length);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < length; i++) {
        const at = (b * length + i) * width + h * headWidth;
        const row = ((b * heads + h) * length + i) * length;
        let dot = 0;
        for (let j = 0; j <= i; j++) {
          const value = (b * length + j) * 3 * width + 2 * width + h * headWidth;
          const weight = weights[row + j];
          let d = 0;
          for (let c = 0; c < headWidth; c++) {
            d += dOut[at + c] * qkv[value + c];
            dqkv[value + c] += weight * dOut[at + c];
          }
          dWeights[j] = d;
          dot += d * weight;
        }
        const query = (b * length + i) * 3 * width + h * headWidth;
        for (let j = 0; j <= i; j++) {
          const key = (b * length + j) * 3 * width + width + h * headWidth;
          const dScore = weights[row + j] * (dWeights[j] - dot) * scale;
          for (let c = 0; c < headWidth; c++) {
            dqkv[query + c] += dScore * qkv[key + c];
            dqkv[key + c] += dScore * qkv[query + c];
          }
        }
      }
    }
  }
  flop.count += 4 * 2 * batch * heads * ((length * (length + 1)) / 2) * headWidth;
}

/**
 * Mean cross-entropy in nats of predicting `targets` from rows of logits; turns the logits into their
 * gradient in place.
 */
export function crossEntropy(
  rows: number,
  classes: number,
  logits: Float32Array,
  targets: Uint8Array,
): number {
  let loss = 0;
  for (let i = 0; i < rows; i++) {
    const at = i * classes;
    let highest = -Infinity;
    for (let j = 0; j < classes; j++) if (logits[at + j] > highest) highest = logits[at + j];
    let total = 0;
    for (let j = 0; j < classes; j++) total += exp(logits[at + j] - highest);
    loss += log(total) + highest - logits[at + targets[i]];
    for (let j = 0; j < classes; j++) {
      const probability = exp(logits[at + j] - highest) / total;
      logits[at + j] = (probability - (j === targets[i] ? 1 : 0)) / rows;
    }
  }
  return loss / rows;
}
