/**
 * `npm run test:mutants [-- WORD]`: takes protections out one at a time and requires the named test to
 * turn red. A mutant that survives, a patch that no longer applies, or a test that is red to begin
 * with is a failure. WORD narrows the run to mutants whose file or description contains it.
 *
 * Works on copies of the build, one per core: only the mutated file is transpiled again, so a mutant
 * costs its test and no more, and the checkout is never touched.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { BuildCopy, built } from './copy.js';
import { mutants } from './list.js';
import type { Mutant } from './mutant.js';

/** Longer than any of the tests takes; a mutant that makes its test hang has turned it red. */
const TEST_TIMEOUT_MS = 180_000;

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** Runs one test file in a copy; `undefined` when it was green, else the end of what it printed. */
function red(m: Mutant, folder: string): Promise<string | undefined> {
  const names = m.name === undefined ? [] : [`--test-name-pattern=/${literal(m.name)}/`];
  const child = spawn(process.execPath, ['--test', '--test-reporter=tap', ...names, built(m.test)], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: the runner's children, and theirs, are ended with it.
    detached: true,
  });
  const patience = setTimeout(() => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, TEST_TIMEOUT_MS);
  let output = '';
  const take = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-20_000);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(patience);
      if (status !== 0) resolve(output.slice(-1500));
      // A pattern that matches nothing is green too: such a row would prove nothing.
      else resolve(/^# pass 0$/m.test(output) ? 'no test ran: the name matches nothing' : undefined);
    });
  });
}

/** Tests that were run before anything was taken out, each once. */
const untouched = new Map<string, Promise<string | undefined>>();

async function judge(m: Mutant, copy: BuildCopy): Promise<{ ok: boolean; line: string }> {
  const key = `${m.test} ${m.name ?? ''}`;
  let before = untouched.get(key);
  if (before === undefined) {
    before = red(m, copy.folder);
    untouched.set(key, before);
  }
  const output = await before;
  if (output !== undefined) {
    return { ok: false, line: `${m.desc}: its test ${key} is red before anything was taken out\n${output}` };
  }
  try {
    const after = await copy.with(m, () => red(m, copy.folder));
    return { ok: after !== undefined, line: `without ${m.desc} (${m.file}), ${m.test} turns red` };
  } catch (error) {
    return { ok: false, line: `${m.desc}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

const word = process.argv[2] ?? '';
const waiting = mutants.filter((m) => `${m.file} ${m.desc}`.includes(word));
let passed = 0;
let failed = 0;

async function worker(): Promise<void> {
  const copy = new BuildCopy();
  try {
    for (let m = waiting.shift(); m !== undefined; m = waiting.shift()) {
      const began = Date.now();
      const { ok, line } = await judge(m, copy);
      if (ok) passed += 1;
      else failed += 1;
      console.log(`${ok ? 'ok  ' : 'FAIL'} ${line} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    }
  } finally {
    copy.remove();
  }
}

await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker));
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
