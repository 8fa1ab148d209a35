/**
 * `npm run test:mutants [-- WORD]`: takes protections out one at a time and requires the named test to
 * turn red. A mutant that survives, a patch that no longer applies, or a test that is red to begin
 * with is a failure. WORD narrows the run to mutants whose file or description contains it.
 *
 * Works on a copy of the build: only the mutated file is transpiled again, so a mutant costs its test
 * and no more, and the checkout is never touched.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { mutants } from './list.js';
import type { Mutant } from './mutant.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const word = process.argv[2] ?? '';
const chosen = mutants.filter((m) => `${m.file} ${m.desc}`.includes(word));
const work = mkdtempSync(join(tmpdir(), 'stele-mutants-'));

function built(source: string): string {
  return join('dist', source.replace(/\.ts$/, '.js'));
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** Runs one test file in the copy; `undefined` when it was green, else the end of what it printed. */
function red(m: Mutant): string | undefined {
  const names = m.name === undefined ? [] : [`--test-name-pattern=/${literal(m.name)}/`];
  const run = spawnSync(process.execPath, ['--test', ...names, built(m.test)], {
    cwd: work,
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

function mutated(m: Mutant): string {
  const source = readFileSync(join(root, m.file), 'utf8');
  const at = source.indexOf(m.find);
  if (at < 0 || source.includes(m.find, at + 1)) {
    throw new Error(
      `the text to take out occurs ${at < 0 ? 'nowhere' : 'more than once'} in ${m.file}: ${m.find}`,
    );
  }
  const text = source.slice(0, at) + m.replace + source.slice(at + m.find.length);
  return ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  }).outputText;
}

let passed = 0;
let failed = 0;
function report(ok: boolean, line: string): void {
  if (ok) passed += 1;
  else failed += 1;
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${line}`);
}

try {
  for (const name of ['dist', 'spec', 'package.json', 'tlog/platform.d.ts']) {
    cpSync(join(root, name), join(work, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(work, 'node_modules'));

  const greenTests = new Map<string, string | undefined>();
  for (const m of chosen) {
    const key = `${m.test} ${m.name ?? ''}`;
    if (!greenTests.has(key)) greenTests.set(key, red(m));
    const before = greenTests.get(key);
    if (before !== undefined) {
      report(false, `${m.desc}: its test ${key} is red before anything was taken out\n${before}`);
      continue;
    }
    const target = join(work, built(m.file));
    const original = readFileSync(target);
    try {
      writeFileSync(target, mutated(m));
      report(red(m) !== undefined, `without ${m.desc} (${m.file}), ${m.test} turns red`);
    } catch (error) {
      report(false, `${m.desc}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      writeFileSync(target, original);
    }
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
