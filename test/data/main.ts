// npm run test:data -- DIR: the public suites under DIR/vectors, which are not part of this repository.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runEd25519 } from './ed25519.js';
import { runMerkle } from './merkle.js';

function main(folder: string | undefined): number {
  if (folder === undefined || !existsSync(join(folder, 'vectors'))) {
    console.log(
      `no public test suites: expected a folder with vectors/ in it, found ${folder ?? 'no argument'}; nothing was run`,
    );
    return 0;
  }
  const vectors = join(folder, 'vectors');
  const results = [...runMerkle(join(vectors, 'merkle')), runEd25519(join(vectors, 'ed25519vectors.json'))];
  let passed = 0;
  let failed = 0;
  for (const result of results) {
    passed += result.passed;
    failed += result.failures.length;
    const notes = result.notes.map((note) => `; ${note}`).join('');
    console.log(`${result.name}: ${result.passed} passed, ${result.failures.length} failed${notes}`);
    for (const failure of result.failures) console.log(`  ${failure}`);
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = main(process.argv[2]);
