import type { Soak } from './soak.js';

/** The long proofs by name. Each module is loaded only when it runs. */
export const soaks: Readonly<Record<string, () => Promise<Soak>>> = {
  strace: async () => (await import('../durability/strace-soak.js')).default,
  faults: async () => (await import('../durability/fault-soak.js')).default,
  'full-disk': async () => (await import('../durability/space-soak.js')).default,
  fuzz: async () => (await import('../fuzz/soak.js')).default,
  kill: async () => (await import('../crash/soak.js')).default,
  'witness-kill': async () => (await import('./witness-kill.js')).default,
  record: async () => (await import('./record.js')).default,
  simulation: async () => (await import('../simulation/soak.js')).default,
  'witness-attack': async () => (await import('./witness-attack.js')).default,
  scale: async () => (await import('./scale.js')).default,
  'log-attack': async () => (await import('./log-attack.js')).default,
  hammer: async () => (await import('./hammer.js')).default,
};
