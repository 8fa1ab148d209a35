// npm run vectors: writes spec/vectors/*.json again. The test next door fails if that changes anything.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { formatVectors, generators } from './generate.js';

const folder = fileURLToPath(new URL('../../../spec/vectors/', import.meta.url));
for (const [name, generate] of Object.entries(generators)) {
  const cases = generate();
  writeFileSync(`${folder}${name}`, formatVectors(cases));
  console.log(
    `${name}: ${cases.length} cases, ${cases.filter(({ want }) => want !== 'ok').length} of them wrong on purpose`,
  );
}
