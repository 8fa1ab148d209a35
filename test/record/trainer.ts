// A trainer's output folder as the tests want it: small files in the layout of Hugging Face's Trainer.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a state file says; HF writes compute as a float, and losses that are no numbers as NaN. */
export function stateText(step: number, ended = false): string {
  return `{
  "epoch": ${step / 1000},
  "global_step": ${step},
  "log_history": [
    { "loss": 2.5, "step": 1 },
    { "loss": NaN, "step": ${step} }${ended ? `,\n    { "train_runtime": 20.5, "step": ${step} }` : ''}
  ],
  "max_steps": 1000000,
  "num_input_tokens_seen": ${step * 512},
  "total_flos": ${step}.5e+15
}
`;
}

/** Writes a checkpoint folder, its state file last. */
export function writeCheckpoint(folder: string, step: number, weights = `weights of ${step}`): string {
  const path = join(folder, `checkpoint-${step}`);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'model-00001-of-00002.safetensors'), weights);
  writeFileSync(join(path, 'model-00002-of-00002.safetensors'), `more ${weights}`);
  writeFileSync(join(path, 'optimizer.pt'), `moments of ${step}`);
  writeFileSync(join(path, 'trainer_state.json'), stateText(step));
  return path;
}

/** What a trainer leaves at the top when it has ended. */
export function writeEnd(folder: string, step: number): void {
  writeFileSync(join(folder, 'model.safetensors'), `weights of ${step}`);
  writeFileSync(join(folder, 'config.json'), '{}\n');
  writeFileSync(join(folder, 'trainer_state.json'), stateText(step, true));
}
