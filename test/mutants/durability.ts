import type { Mutant } from './mutant.js';

const clocks = (name: string): { test: string; name: string } => ({
  test: 'test/clock-steps.test.ts',
  name,
});
const model = (name: string): { test: string; name: string } => ({
  test: 'test/durability/model.test.ts',
  name,
});

/**
 * Clocks that step, and the judge of the traces: what would make it blind. The syncs themselves are taken
 * out under strace by `npm run soak -- strace`, and errors swallowed by `npm run soak -- faults`.
 */
export const durabilityMutants: readonly Mutant[] = [
  {
    desc: 'the age of a cosignature by which the gate is passed',
    file: 'log-server/cosigning/verdict.ts',
    find: 'if (asked.gate && stale !== undefined) {',
    replace: 'if (asked.gate && stale === null) {',
    ...clocks('a log server whose clock is ahead'),
  },
  {
    desc: 'that a sync covers only what was written before it began',
    file: 'test/durability/disk-model.ts',
    find: 'const chunks = file ? [...file.chunks] : [];',
    replace: 'const chunks = file ? file.chunks : [];',
    ...model('a sync that began before a write'),
  },
  {
    desc: 'that a name needs a sync of its folder',
    file: 'test/durability/disk-model.ts',
    find: 'name.pending.push(file);',
    replace: 'name.settled = file;',
    ...model('bytes last from a sync'),
  },
  {
    desc: 'that a sync which failed is none',
    file: 'test/durability/disk-model.ts',
    find: 'if (result === undefined || result < 0 || call.injected) return;',
    replace: '',
    ...model('bytes last from a sync'),
  },
  {
    desc: 'that a rename may not have happened yet',
    file: 'test/durability/disk-model.ts',
    find: 'return [name.settled, ...name.pending].every((file) =>\n      file.chunks.some',
    replace: 'return [name.pending.at(-1) ?? name.settled].every((file) =>\n      file.chunks.some',
    ...model('until its folder is synced'),
  },
];
