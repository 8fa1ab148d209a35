import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import type { Mutant } from './mutant.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** A text in a source file, which must occur exactly once, and what is to stand there instead. */
export type Patch = Pick<Mutant, 'file' | 'find' | 'replace'>;

/** Where a source file's build lies, from the root of the repository. */
export function built(source: string): string {
  return join('dist', source.replace(/\.ts$/, '.js'));
}

/** A copy of the build in which one file at a time is transpiled anew: the checkout is never touched. */
export class BuildCopy {
  readonly folder: string;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'stele-mutants-'));
    for (const name of ['dist', 'spec', 'docs', 'package.json', 'tlog/platform.d.ts', 'test/fixtures']) {
      cpSync(join(root, name), join(this.folder, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(this.folder, 'node_modules'));
  }

  /** The copy with the patch applied for as long as `work` runs. Throws if the patch does not apply. */
  async with<T>(patch: Patch, work: () => T | Promise<T>): Promise<T> {
    const target = join(this.folder, built(patch.file));
    const original = readFileSync(target);
    try {
      writeFileSync(target, transpiled(patched(patch)));
      return await work();
    } finally {
      writeFileSync(target, original);
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The source with the patch applied. Throws if it does not apply. */
export function patched({ file, find, replace }: Patch): string {
  const source = readFileSync(join(root, file), 'utf8');
  const at = source.indexOf(find);
  if (at < 0 || source.includes(find, at + 1)) {
    throw new Error(
      `the text to take out occurs ${at < 0 ? 'nowhere' : 'more than once'} in ${file}: ${find}`,
    );
  }
  return source.slice(0, at) + replace + source.slice(at + find.length);
}

function transpiled(source: string): string {
  return ts.transpileModule(source, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  }).outputText;
}
