import type { StepHook, StepName } from './storage/types.js';
import { STEPS } from './storage/types.js';

/** The steps of the pipeline outside storage that a crash can fall between. */
const SERVER_STEPS = [
  'sign:before',
  'sign:after',
  'cosign',
  'publish:before',
  'publish:after',
  'answer',
] as const;

/** Every named step: storage's and the pipeline's. */
export const ALL_STEPS: readonly LogStep[] = [...STEPS, ...SERVER_STEPS];

/** A named step of the pipeline or of storage. */
export type LogStep = StepName | (typeof SERVER_STEPS)[number];

/** Called, and awaited, at each step. Tests stall the pipeline or kill the process in it. */
export type LogStepHook = (name: LogStep) => void | Promise<void>;

/** A hook for storage out of one for all. */
export function storageHook(hook: LogStepHook): StepHook {
  return (name) => hook(name);
}
