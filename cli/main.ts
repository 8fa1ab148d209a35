#!/usr/bin/env node
import { outliveReaders } from '../system/readers.js';
import { processContext } from './context.js';
import { EXIT } from './errors.js';
import { run } from './program.js';

outliveReaders('stele');
let here = true;
try {
  process.cwd();
} catch {
  here = false;
  process.stderr.write(
    'stele: expected a working folder, found one that was deleted (unreadable)\n  cd to another\n',
  );
}
process.exitCode = here ? await run(process.argv.slice(2), processContext()) : EXIT.usage;
