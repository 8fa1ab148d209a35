import type { Soak } from './soak.js';

/** The long proofs by name. Each module is loaded only when it runs. */
export const soaks: Readonly<Record<string, () => Promise<Soak>>> = {
  fuzz: async () => (await import('../fuzz/soak.js')).default,
  kill: async () => (await import('../crash/soak.js')).default,
  'witness-kill': async () => (await import('./witness-kill.js')).default,
};
