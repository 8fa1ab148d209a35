// Runs every built test file under Node's own runner. The files are listed one by one: a quoted glob
// fails on Node 20 and a folder on Node 22. Arguments narrow the run: `npm test -- tlog witness/state`.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * A file that takes longer (with Node 20; a test, with later ones) fails instead of hanging, and so does one
 * that a child it left behind keeps from ending.
 */
const PATIENCE_MS = 600_000;

const root = fileURLToPath(new URL('..', import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(`${root}dist`, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('.test.js'))
  .filter((file) => wanted.length === 0 || wanted.some((prefix) => file.startsWith(prefix)))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}; expected a path prefix such as tlog/ or test/`);
  process.exit(1);
}
const run = spawnSync(
  process.execPath,
  [
    '--test',
    '--test-concurrency=2',
    `--test-timeout=${PATIENCE_MS}`,
    '--enable-source-maps',
    ...files.map((file) => `dist/${file}`),
  ],
  { cwd: root, stdio: 'inherit' },
);
process.exit(run.status ?? 1);
