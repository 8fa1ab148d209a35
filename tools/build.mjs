// The build: generate types from the schemas, compile every project incrementally, then delete from
// dist/ what no longer has a source, since a deleted test would otherwise go on running.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const generator = new URL('./generate.mjs', import.meta.url);
if (existsSync(generator)) await import(generator.href);

const tsc = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'], {
  cwd: root,
  stdio: 'inherit',
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

const dist = join(root, 'dist');
for (const file of readdirSync(dist, { recursive: true })) {
  const made = /^(.*?)(\.d\.ts|\.js\.map|\.js)$/.exec(String(file));
  if (made && !existsSync(join(root, `${made[1]}.ts`))) rmSync(join(dist, relative('.', String(file))));
}
