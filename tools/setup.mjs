// Makes `npm run demo` and `npm test` work alone in a fresh clone: installs what the lockfile names
// when it changed since the last install, then builds. `prepare` would run twice under npm ci.
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = `${root}node_modules/.stele-lock`;
const wanted = createHash('sha256')
  .update(readFileSync(`${root}package-lock.json`))
  .digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  // NODE_ENV=production would leave out the compiler.
  const done = spawnSync('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (done.status !== 0) {
    console.error('npm ci failed: see its message above; it needs the npm registry and Node 20.19 or newer.');
    process.exit(done.status ?? 1);
  }
  writeFileSync(stamp, wanted);
}
console.log('Building; the first time takes about a minute.');
await import('./build.mjs');
