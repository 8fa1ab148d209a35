/**
 * `npm run test:mutants [-- WORD]`: takes protections out one at a time and requires the named test to
 * turn red. A mutant that survives, a patch that no longer applies, or a test that is red to begin
 * with is a failure. WORD narrows the run to mutants whose file or description contains it.
 *
 * Works on a copy of the build: only the mutated file is transpiled again, so a mutant costs its test
 * and no more, and the checkout is never touched.
 */
import { spawnSync } from 'node:child_process';
import { BuildCopy, built } from './copy.js';
import { mutants } from './list.js';
import type { Mutant } from './mutant.js';

const word = process.argv[2] ?? '';
const chosen = mutants.filter((m) => `${m.file} ${m.desc}`.includes(word));
const copy = new BuildCopy();

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** Runs one test file in the copy; `undefined` when it was green, else the end of what it printed. */
function red(m: Mutant): string | undefined {
  const names = m.name === undefined ? [] : [`--test-name-pattern=/${literal(m.name)}/`];
  const run = spawnSync(process.execPath, ['--test', ...names, built(m.test)], {
    cwd: copy.folder,
    encoding: 'utf8',
    timeout: 180_000,
    killSignal: 'SIGKILL',
  });
  if (run.status === 0) {
    // A pattern that matches nothing is green too: such a row would prove nothing.
    return /^(?:# |ℹ )pass 0$/m.test(run.stdout) ? 'no test ran: the name matches nothing' : undefined;
  }
  return `${run.stdout}${run.stderr}`.slice(-1500);
}

let passed = 0;
let failed = 0;
function report(ok: boolean, line: string): void {
  if (ok) passed += 1;
  else failed += 1;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${line}`);
}

try {
  const greenTests = new Map<string, string | undefined>();
  for (const m of chosen) {
    const key = `${m.test} ${m.name ?? ''}`;
    if (!greenTests.has(key)) greenTests.set(key, red(m));
    const before = greenTests.get(key);
    if (before !== undefined) {
      report(false, `${m.desc}: its test ${key} is red before anything was taken out\n${before}`);
      continue;
    }
    try {
      const after = await copy.with(m, () => red(m));
      report(after !== undefined, `without ${m.desc} (${m.file}), ${m.test} turns red`);
    } catch (error) {
      report(false, `${m.desc}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
} finally {
  copy.remove();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
