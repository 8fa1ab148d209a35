// npm run docs: writes docs/config.md again. The test next door fails if that changes anything.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configDoc } from './config.js';

writeFileSync(fileURLToPath(new URL('../../../docs/config.md', import.meta.url)), configDoc());
