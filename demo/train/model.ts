// A GPT-2-shaped character model: learned positions, pre-norm blocks, output tied to the embedding,
// SiLU instead of GELU. Tensor names and shapes are GPT-2's, so that other tools can read the weights.
import { Random } from './exact.js';
import { accumulateOuter, accumulateRows, FlopCounter, product, productTransposed } from './kernels.js';
import {
  attention,
  attentionBackward,
  crossEntropy,
  layerNorm,
  layerNormBackward,
  silu,
  siluBackward,
  type AttentionShape,
} from './layers.js';

/** Sizes of the model. `width` must be a multiple of 4 and of `heads`. */
export type ModelShape = {
  vocabulary: number;
  context: number;
  width: number;
  layers: number;
  heads: number;
};

/** A named weight with its gradient. */
export type Parameter = { name: string; shape: number[]; value: Float32Array; gradient: Float32Array };

type Block = {
  ln1: Parameter[];
  attn: Parameter[];
  attnOut: Parameter[];
  ln2: Parameter[];
  fc: Parameter[];
  fcOut: Parameter[];
  input: Float32Array;
  norm1: Float32Array;
  stats1: Float64Array;
  qkv: Float32Array;
  weights: Float32Array;
  mixed: Float32Array;
  middle: Float32Array;
  norm2: Float32Array;
  stats2: Float64Array;
  before: Float32Array;
  after: Float32Array;
};

export class Model {
  readonly shape: ModelShape;
  readonly batch: number;
  /** Every weight, in the order GPT-2 names them. */
  readonly parameters: Parameter[] = [];
  readonly flop: FlopCounter = new FlopCounter();
  readonly #wte: Parameter;
  readonly #wpe: Parameter;
  readonly #blocks: Block[] = [];
  readonly #lnF: Parameter[];
  readonly #final: Float32Array;
  readonly #finalNorm: Float32Array;
  readonly #finalStats: Float64Array;
  readonly #logits: Float32Array;
  readonly #wide: Float32Array;
  readonly #scratch: Float32Array;
  readonly #gradient: Float32Array;

  /** `batch` sequences are worked on together; weights are drawn from `seed`. */
  constructor(shape: ModelShape, batch: number, seed: number) {
    this.shape = shape;
    this.batch = batch;
    const random = new Random(seed);
    const { vocabulary, context, width, layers, heads } = shape;
    const rows = batch * context;
    const make = (name: string, dims: number[], deviation: number, fill = 0): Parameter => {
      const size = dims.reduce((a, b) => a * b, 1);
      const value = new Float32Array(size).fill(fill);
      if (deviation > 0) for (let i = 0; i < size; i++) value[i] = random.normal() * deviation;
      const parameter = { name, shape: dims, value, gradient: new Float32Array(size) };
      this.parameters.push(parameter);
      return parameter;
    };
    const linear = (name: string, from: number, to: number, deviation: number): Parameter[] => [
      make(`${name}.weight`, [from, to], deviation),
      make(`${name}.bias`, [to], 0),
    ];
    const norm = (name: string): Parameter[] => [
      make(`${name}.weight`, [width], 0, 1),
      make(`${name}.bias`, [width], 0),
    ];
    this.#wte = make('transformer.wte.weight', [vocabulary, width], 0.08);
    this.#wpe = make('transformer.wpe.weight', [context, width], 0.02);
    for (let layer = 0; layer < layers; layer++) {
      const at = `transformer.h.${layer}`;
      const deviation = 0.6 / Math.sqrt(width);
      const residual = deviation / Math.sqrt(2 * layers);
      this.#blocks.push({
        ln1: norm(`${at}.ln_1`),
        attn: linear(`${at}.attn.c_attn`, width, 3 * width, deviation),
        attnOut: linear(`${at}.attn.c_proj`, width, width, residual),
        ln2: norm(`${at}.ln_2`),
        fc: linear(`${at}.mlp.c_fc`, width, 4 * width, deviation),
        fcOut: linear(`${at}.mlp.c_proj`, 4 * width, width, residual),
        input: new Float32Array(rows * width),
        norm1: new Float32Array(rows * width),
        stats1: new Float64Array(2 * rows),
        qkv: new Float32Array(rows * 3 * width),
        weights: new Float32Array(batch * heads * context * context),
        mixed: new Float32Array(rows * width),
        middle: new Float32Array(rows * width),
        norm2: new Float32Array(rows * width),
        stats2: new Float64Array(2 * rows),
        before: new Float32Array(rows * 4 * width),
        after: new Float32Array(rows * 4 * width),
      });
    }
    this.#lnF = norm('transformer.ln_f');
    this.#final = new Float32Array(rows * width);
    this.#finalNorm = new Float32Array(rows * width);
    this.#finalStats = new Float64Array(2 * rows);
    this.#logits = new Float32Array(rows * vocabulary);
    this.#wide = new Float32Array(rows * 4 * width);
    this.#scratch = new Float32Array(rows * width);
    this.#gradient = new Float32Array(rows * width);
  }

  /** How many numbers the model has learned; the tied output counts once. */
  get parameterCount(): number {
    return this.parameters.reduce((sum, p) => sum + p.value.length, 0);
  }

  /** Parameters that each token is multiplied with: all but the table of positions, which is looked up. */
  get activeParameterCount(): number {
    return this.parameterCount - this.#wpe.value.length;
  }

  get #attention(): AttentionShape {
    const { context, heads, width } = this.shape;
    return { batch: this.batch, length: context, heads, headWidth: width / heads };
  }

  /**
   * Mean loss in nats per token over `batch` sequences of `context` + 1 tokens, one after another.
   * With `learn`, also replaces every parameter's gradient.
   */
  run(tokens: Uint8Array, learn: boolean): number {
    const { vocabulary, context, width } = this.shape;
    const rows = this.batch * context;
    const { flop } = this;
    const targets = new Uint8Array(rows);
    const inputs = new Uint8Array(rows);
    for (let b = 0; b < this.batch; b++) {
      inputs.set(tokens.subarray(b * (context + 1), (b + 1) * (context + 1) - 1), b * context);
      targets.set(tokens.subarray(b * (context + 1) + 1, (b + 1) * (context + 1)), b * context);
    }
    let x = this.#blocks[0]?.input ?? this.#final;
    for (let i = 0; i < rows; i++) {
      const token = inputs[i] * width;
      const position = (i % context) * width;
      for (let j = 0; j < width; j++) {
        x[i * width + j] = this.#wte.value[token + j] + this.#wpe.value[position + j];
      }
    }
    for (const [n, block] of this.#blocks.entries()) {
      const next = this.#blocks[n + 1]?.input ?? this.#final;
      this.#forwardBlock(block, next, rows);
      x = next;
    }
    layerNorm(rows, width, x, this.#lnF[0].value, this.#lnF[1].value, this.#finalNorm, this.#finalStats);
    productTransposed(flop, [rows, width, vocabulary], this.#finalNorm, this.#wte.value, this.#logits, false);
    const loss = crossEntropy(rows, vocabulary, this.#logits, targets);
    if (learn) this.#backward(inputs, rows);
    return loss;
  }

  #forwardBlock(block: Block, out: Float32Array, rows: number): void {
    const { width } = this.shape;
    const { flop } = this;
    layerNorm(rows, width, block.input, block.ln1[0].value, block.ln1[1].value, block.norm1, block.stats1);
    product(flop, [rows, width, 3 * width], block.norm1, block.attn[0].value, block.attn[1].value, block.qkv);
    attention(flop, this.#attention, block.qkv, block.weights, block.mixed);
    product(
      flop,
      [rows, width, width],
      block.mixed,
      block.attnOut[0].value,
      block.attnOut[1].value,
      block.middle,
    );
    for (let i = 0; i < block.middle.length; i++) block.middle[i] += block.input[i];
    layerNorm(rows, width, block.middle, block.ln2[0].value, block.ln2[1].value, block.norm2, block.stats2);
    product(flop, [rows, width, 4 * width], block.norm2, block.fc[0].value, block.fc[1].value, block.before);
    silu(block.before, block.after);
    product(flop, [rows, 4 * width, width], block.after, block.fcOut[0].value, block.fcOut[1].value, out);
    for (let i = 0; i < out.length; i++) out[i] += block.middle[i];
  }

  #backward(inputs: Uint8Array, rows: number): void {
    const { vocabulary, context, width } = this.shape;
    const { flop } = this;
    for (const parameter of this.parameters) parameter.gradient.fill(0);
    const dx = this.#gradient;
    // The tied output: logits = finalNorm · wteᵀ.
    const zeros = new Float32Array(width);
    product(flop, [rows, vocabulary, width], this.#logits, this.#wte.value, zeros, this.#scratch);
    accumulateOuter(flop, [rows, vocabulary, width], this.#logits, this.#finalNorm, this.#wte.gradient);
    dx.fill(0);
    const [gain, shift] = this.#lnF;
    layerNormBackward(
      rows,
      width,
      this.#final,
      gain.value,
      this.#finalStats,
      this.#scratch,
      dx,
      gain.gradient,
      shift.gradient,
    );
    for (const block of this.#blocks.toReversed()) this.#backwardBlock(block, rows);
    for (let i = 0; i < rows; i++) {
      const token = inputs[i] * width;
      const position = (i % context) * width;
      for (let j = 0; j < width; j++) {
        this.#wte.gradient[token + j] += dx[i * width + j];
        this.#wpe.gradient[position + j] += dx[i * width + j];
      }
    }
  }

  /** dx holds the gradient of the block's output and, after, that of its input. */
  #backwardBlock(block: Block, rows: number): void {
    const { width } = this.shape;
    const { flop } = this;
    const dx = this.#gradient;
    const scratch = this.#scratch;
    const linearBackward = (
      [weight, bias]: Parameter[],
      from: number,
      to: number,
      x: Float32Array,
      dy: Float32Array,
      into: Float32Array,
    ): void => {
      accumulateOuter(flop, [rows, from, to], x, dy, weight.gradient);
      accumulateRows(rows, to, dy, bias.gradient);
      productTransposed(flop, [rows, to, from], dy, weight.value, into, false);
    };
    const wide = this.#wide;
    linearBackward(block.fcOut, 4 * width, width, block.after, dx, wide);
    siluBackward(block.before, wide, wide);
    linearBackward(block.fc, width, 4 * width, block.norm2, wide, scratch);
    const [gain2, shift2] = block.ln2;
    layerNormBackward(
      rows,
      width,
      block.middle,
      gain2.value,
      block.stats2,
      scratch,
      dx,
      gain2.gradient,
      shift2.gradient,
    );
    linearBackward(block.attnOut, width, width, block.mixed, dx, scratch);
    const dqkv = wide.subarray(0, rows * 3 * width);
    dqkv.fill(0);
    attentionBackward(flop, this.#attention, block.qkv, block.weights, scratch, dqkv);
    linearBackward(block.attn, width, 3 * width, block.norm1, dqkv, scratch);
    const [gain1, shift1] = block.ln1;
    layerNormBackward(
      rows,
      width,
      block.input,
      gain1.value,
      block.stats1,
      scratch,
      dx,
      gain1.gradient,
      shift1.gradient,
    );
  }
}
