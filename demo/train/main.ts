#!/usr/bin/env node
// Trains the example model. See README.md in this folder.
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { EXAMPLE, makePlan } from './config.js';
import { Trainer } from './trainer.js';

const USAGE = `Usage: node dist/demo/train/main.js FOLDER [--steps N] [--resume FOLDER/checkpoint-N]
       node dist/demo/train/main.js --plan | --digest

FOLDER     where checkpoints and the final weights go
--steps    another number of steps than the example's 200: other weights, too
--resume   continue from a checkpoint
--plan     print what is known before the first step, as JSON
--digest   train in memory and print the SHA-256 of model.safetensors`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      plan: { type: 'boolean' },
      digest: { type: 'boolean' },
      resume: { type: 'string' },
      steps: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    console.log(USAGE);
  } else if (values.plan === true) {
    console.log(JSON.stringify(makePlan(EXAMPLE), null, 2));
  } else if (values.digest === true) {
    const trainer = new Trainer(EXAMPLE);
    while (trainer.step < EXAMPLE.maxSteps) trainer.trainStep();
    console.log(createHash('sha256').update(trainer.weights()).digest('hex'));
  } else if (positionals.length === 1) {
    const steps = Number(values.steps ?? EXAMPLE.maxSteps);
    if (!Number.isSafeInteger(steps) || steps < 1) {
      console.error(`--steps: expected a whole number, found ${values.steps ?? ''}`);
      return 2;
    }
    const trainer = new Trainer({ ...EXAMPLE, maxSteps: steps });
    if (values.resume !== undefined) trainer.resume(values.resume);
    await trainer.train(positionals[0], () => performance.now(), {
      onLog: (line) => console.log(JSON.stringify(line)),
      onCheckpoint: (folder, step, total_flos) =>
        console.log(JSON.stringify({ saved: folder, step, total_flos })),
    });
  } else {
    console.error(USAGE);
    return 2;
  }
  return 0;
}

process.exitCode = await main();
