// Trains the example model and leaves what Hugging Face's Trainer leaves: checkpoint-N folders with
// weights and trainer_state.json, the losses, the totals. Every checkpoint also holds the optimizer,
// so that the steps after it can be computed again.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Adam } from './adam.js';
import { ALPHABET } from './corpus.js';
import { learningRate, makeDataOrder, makeDataset, type Dataset, type TrainingArguments } from './config.js';
import { Model } from './model.js';
import { formatSafetensors, parseSafetensors, type Tensor } from './safetensors.js';

/** One line of a Trainer's log_history. */
export type LogLine = Record<string, number>;

/** What a caller hears while the run goes on. Times are milliseconds of the given clock. */
export type TrainerEvents = {
  onLog?: (line: LogLine) => void;
  onCheckpoint?: (folder: string, step: number, totalFlos: number) => void | Promise<void>;
};

export class Trainer {
  readonly model: Model;
  readonly #args: TrainingArguments;
  readonly #data: Dataset;
  readonly #order: Uint32Array;
  readonly #adam: Adam;
  readonly #history: LogLine[] = [];
  #flosBefore = 0;

  constructor(args: TrainingArguments) {
    this.#args = args;
    this.model = new Model(args.model, args.perDeviceTrainBatchSize, args.seed);
    this.#data = makeDataset(args);
    this.#order = makeDataOrder(args, this.#data.train.length);
    this.#adam = new Adam(this.model.parameters);
  }

  /** Steps done. */
  get step(): number {
    return this.#adam.steps;
  }

  /** Operations of the matrix products so far: those of training, not of evaluation. */
  get totalFlos(): number {
    return this.#flosBefore + this.model.flop.count;
  }

  /** One optimizer step; returns its loss and the gradient's norm. */
  trainStep(): { loss: number; gradNorm: number } {
    const { perDeviceTrainBatchSize: size, model } = this.#args;
    const tokens = new Uint8Array(size * (model.context + 1));
    for (let i = 0; i < size; i++) {
      const sequence = this.#data.train[this.#order[this.step * size + i]];
      tokens.set(sequence, i * (model.context + 1));
    }
    const rate = learningRate(this.#args, this.step);
    const loss = this.model.run(tokens, true);
    return { loss, gradNorm: this.#adam.step(rate, this.#args.maxGradNorm) };
  }

  /** Mean loss over the sequences held out. */
  evaluate(): number {
    const { perDeviceTrainBatchSize: size, model } = this.#args;
    const counted = this.model.flop.count;
    let sum = 0;
    const batches = this.#data.held.length / size;
    for (let b = 0; b < batches; b++) {
      const tokens = new Uint8Array(size * (model.context + 1));
      for (let i = 0; i < size; i++) tokens.set(this.#data.held[b * size + i], i * (model.context + 1));
      sum += this.model.run(tokens, false);
    }
    this.model.flop.count = counted;
    return sum / batches;
  }

  /** The weights as a safetensors file: the same bytes on every engine. */
  weights(): Uint8Array {
    return formatSafetensors(this.model.parameters, { format: 'pt' });
  }

  /** Trains to the last step. `now` is milliseconds since any fixed moment. */
  async train(folder: string, now: () => number, events: TrainerEvents = {}): Promise<void> {
    const args = this.#args;
    const begun = now();
    const begunAt = this.step;
    let sum = 0;
    let window = 0;
    mkdirSync(folder, { recursive: true });
    while (this.step < args.maxSteps) {
      const rate = learningRate(args, this.step);
      const { loss, gradNorm } = this.trainStep();
      sum += loss;
      window += loss;
      if (this.step % args.loggingSteps === 0) {
        this.#log(events, {
          epoch: this.#epoch(),
          grad_norm: gradNorm,
          learning_rate: rate,
          loss: round(window / args.loggingSteps, 4),
          step: this.step,
        });
        window = 0;
      }
      if (this.step % args.saveSteps === 0 || this.step === args.maxSteps) {
        this.#log(events, { epoch: this.#epoch(), eval_loss: round(this.evaluate(), 4), step: this.step });
        const checkpoint = join(folder, `checkpoint-${this.step}`);
        this.save(checkpoint);
        await events.onCheckpoint?.(checkpoint, this.step, this.totalFlos);
      }
    }
    const seconds = (now() - begun) / 1000;
    const steps = this.step - begunAt;
    const totals = {
      epoch: this.#epoch(),
      total_flos: this.totalFlos,
      train_loss: round(sum / Math.max(1, steps), 4),
      train_runtime: round(seconds, 4),
      train_samples_per_second: round((steps * args.perDeviceTrainBatchSize) / seconds, 3),
      train_steps_per_second: round(steps / seconds, 3),
    };
    this.#log(events, { ...totals, step: this.step });
    this.#writeModel(folder);
    writeJson(join(folder, 'train_results.json'), totals);
    writeJson(join(folder, 'all_results.json'), totals);
    writeJson(join(folder, 'trainer_state.json'), this.#state());
  }

  /** Writes a checkpoint folder; trainer_state.json last, so that its presence says it is whole. */
  save(folder: string): void {
    mkdirSync(folder, { recursive: true });
    this.#writeModel(folder);
    const moments: Tensor[] = this.model.parameters.flatMap(({ name, shape }, i) => [
      { name: `${name}.exp_avg`, shape, value: this.#adam.moments[i].m },
      { name: `${name}.exp_avg_sq`, shape, value: this.#adam.moments[i].v },
    ]);
    writeFileSync(
      join(folder, 'optimizer.safetensors'),
      formatSafetensors(moments, { step: String(this.step) }),
    );
    writeJson(join(folder, 'trainer_state.json'), this.#state());
  }

  /** Continues from a folder that `save` wrote, as if the run had never stopped. */
  resume(folder: string): void {
    const state = JSON.parse(readFileSync(join(folder, 'trainer_state.json'), 'utf8')) as {
      global_step: number;
      total_flos: number;
      log_history: LogLine[];
    };
    const weights = parseSafetensors(readFileSync(join(folder, 'model.safetensors')));
    const moments = parseSafetensors(readFileSync(join(folder, 'optimizer.safetensors')));
    for (const [i, parameter] of this.model.parameters.entries()) {
      parameter.value.set(weights[i].value);
      this.#adam.moments[i].m.set(moments[2 * i].value);
      this.#adam.moments[i].v.set(moments[2 * i + 1].value);
    }
    this.#adam.resume(state.global_step);
    this.#history.splice(0, this.#history.length, ...state.log_history);
    this.#flosBefore = state.total_flos;
    this.model.flop.count = 0;
  }

  #epoch(): number {
    return (this.step * this.#args.perDeviceTrainBatchSize) / this.#data.train.length;
  }

  #log(events: TrainerEvents, line: LogLine): void {
    this.#history.push(line);
    events.onLog?.(line);
  }

  #writeModel(folder: string): void {
    const { vocabulary, context, width, layers, heads } = this.#args.model;
    writeFileSync(join(folder, 'model.safetensors'), this.weights());
    writeJson(join(folder, 'config.json'), {
      architectures: ['GPT2LMHeadModel'],
      activation_function: 'silu',
      layer_norm_epsilon: 1e-5,
      model_type: 'gpt2',
      n_ctx: context,
      n_embd: width,
      n_head: heads,
      n_layer: layers,
      n_positions: context,
      tie_word_embeddings: true,
      torch_dtype: 'float32',
      vocab_size: vocabulary,
    });
    writeJson(join(folder, 'vocab.json'), Object.fromEntries(Array.from(ALPHABET, (c, i) => [c, i])));
    writeJson(join(folder, 'training_args.json'), this.#args);
  }

  #state(): object {
    const args = this.#args;
    const ended = this.step >= args.maxSteps;
    const { context } = args.model;
    return {
      best_metric: null,
      best_model_checkpoint: null,
      epoch: this.#epoch(),
      eval_steps: args.saveSteps,
      global_step: this.step,
      is_hyper_param_search: false,
      is_local_process_zero: true,
      is_world_process_zero: true,
      log_history: this.#history,
      logging_steps: args.loggingSteps,
      max_steps: args.maxSteps,
      num_input_tokens_seen: this.step * args.perDeviceTrainBatchSize * context,
      num_train_epochs: Math.ceil((args.maxSteps * args.perDeviceTrainBatchSize) / this.#data.train.length),
      save_steps: args.saveSteps,
      stateful_callbacks: {
        TrainerControl: {
          args: {
            should_epoch_stop: false,
            should_evaluate: false,
            should_log: false,
            should_save: true,
            should_training_stop: ended,
          },
          attributes: {},
        },
      },
      total_flos: this.totalFlos,
      train_batch_size: args.perDeviceTrainBatchSize,
      trial_name: null,
      trial_params: null,
    };
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
