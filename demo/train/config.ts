// The example run's settings: what a lab would commit to before it starts.
import { createHash } from 'node:crypto';
import { ALPHABET, makeCorpus, tokenize } from './corpus.js';
import { Random } from './exact.js';
import { Model, type ModelShape } from './model.js';

/** Everything that decides the weights, bit for bit. */
export type TrainingArguments = {
  seed: number;
  corpusSeed: number;
  sentences: number;
  perDeviceTrainBatchSize: number;
  maxSteps: number;
  learningRate: number;
  warmupSteps: number;
  maxGradNorm: number;
  loggingSteps: number;
  saveSteps: number;
  model: ModelShape;
};

/** The run of the demo: half a minute on an ordinary core, and a model that has learned something. */
export const EXAMPLE: TrainingArguments = {
  seed: 20,
  corpusSeed: 7,
  sentences: 4000,
  perDeviceTrainBatchSize: 8,
  maxSteps: 200,
  learningRate: 0.006,
  warmupSteps: 20,
  maxGradNorm: 1,
  loggingSteps: 10,
  saveSteps: 50,
  // The vocabulary is the alphabet, rounded up to what the kernels want.
  model: { vocabulary: Math.ceil(ALPHABET.length / 4) * 4, context: 64, width: 32, layers: 2, heads: 2 },
};

/** Training text cut into sequences of context + 1 tokens, and ones held out to measure the loss on. */
export type Dataset = { text: string; train: Uint8Array[]; held: Uint8Array[] };

export function makeDataset(args: TrainingArguments): Dataset {
  const text = makeCorpus(args.corpusSeed, args.sentences);
  const tokens = tokenize(text);
  const length = args.model.context + 1;
  const sequences: Uint8Array[] = [];
  for (let at = 0; at + length <= tokens.length; at += length)
    sequences.push(tokens.subarray(at, at + length));
  const held = sequences.splice(sequences.length - 4 * args.perDeviceTrainBatchSize);
  return { text, train: sequences, held };
}

/** The training sequence that each place of each step's batch takes: shuffled anew every epoch. */
export function makeDataOrder(args: TrainingArguments, sequences: number): Uint32Array {
  const random = new Random(args.seed);
  const order = new Uint32Array(args.maxSteps * args.perDeviceTrainBatchSize);
  const epoch = Uint32Array.from({ length: sequences }, (_, i) => i);
  for (let at = 0; at < order.length; at += sequences) {
    for (let i = sequences - 1; i > 0; i--) {
      const j = random.below(i + 1);
      [epoch[i], epoch[j]] = [epoch[j], epoch[i]];
    }
    order.set(epoch.subarray(0, Math.min(sequences, order.length - at)), at);
  }
  return order;
}

/** The learning rate of step `step` (from 0): a linear warm-up, then linear decay to a tenth. */
export function learningRate(args: TrainingArguments, step: number): number {
  if (step < args.warmupSteps) return (args.learningRate * (step + 1)) / args.warmupSteps;
  const left = (args.maxSteps - step) / (args.maxSteps - args.warmupSteps);
  return args.learningRate * (0.1 + 0.9 * left);
}

/** What can be declared before the first step. Digests are hex SHA-256. */
export type Plan = {
  arguments: TrainingArguments;
  parameters: number;
  activeParameters: number;
  tokens: number;
  /** Operations of all matrix products of all steps, forward and backward: exact. */
  plannedFlop: string;
  /** Of the training text, UTF-8. */
  dataDigest: string;
  /** Of the sequence numbers in the order of use, each four bytes, little-endian. */
  dataOrderDigest: string;
};

export function makePlan(args: TrainingArguments): Plan {
  const { text, train } = makeDataset(args);
  const order = makeDataOrder(args, train.length);
  const bytes = new DataView(new ArrayBuffer(order.length * 4));
  order.forEach((sequence, i) => bytes.setUint32(4 * i, sequence, true));
  // Every step does the same products, so one step counts for all.
  const model = new Model(args.model, args.perDeviceTrainBatchSize, args.seed);
  model.run(new Uint8Array(args.perDeviceTrainBatchSize * (args.model.context + 1)), true);
  return {
    arguments: args,
    parameters: model.parameterCount,
    activeParameters: model.activeParameterCount,
    tokens: args.maxSteps * args.perDeviceTrainBatchSize * args.model.context,
    plannedFlop: String(model.flop.count * args.maxSteps),
    dataDigest: createHash('sha256').update(text).digest('hex'),
    dataOrderDigest: createHash('sha256').update(new Uint8Array(bytes.buffer)).digest('hex'),
  };
}
