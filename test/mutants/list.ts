import type { Mutant } from './mutant.js';
import { treeMutants } from './tree.js';

/** Every promise about crashes, attackers and limits, and the test that breaks without it. */
export const mutants: readonly Mutant[] = [...treeMutants];
