// The README's tour, as it stands there: every `sh` block, one after another, in one shell.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../..', import.meta.url));

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('the tour of the README runs as shown', async () => {
  const root = mkdtempSync(join(tmpdir(), 'stele-readme-'));
  const bin = join(root, 'bin');
  const work = join(root, 'work');
  for (const folder of [bin, work]) mkdirSync(folder);
  // What `npm link` puts on the PATH.
  const { bin: programs } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
  };
  for (const [name, file] of Object.entries(programs)) {
    writeFileSync(
      join(bin, name),
      `#!/bin/sh\nexec "${process.execPath}" "${join(repository, file)}" "$@"\n`,
      { mode: 0o755 },
    );
  }
  const readme = readFileSync(join(repository, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block ?? '');
  assert.ok(blocks.length >= 8);
  const ports = { '7380': await freePort(), '7381': await freePort() };
  const script = `set -eu\ntrap 'kill $(jobs -p)' EXIT\n${blocks.join('\n')}`.replaceAll(
    /:(7380|7381)\b/g,
    (_, port: string) => `:${ports[port as keyof typeof ports]}`,
  );

  const shell = spawn('bash', ['-c', script], {
    cwd: work,
    env: { PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: root, STELE: repository },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [shell.stdout, shell.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const status = await new Promise((resolve) => shell.once('close', resolve));
  assert.equal(status, 0, output);
  assert.match(output, /pass +weights/);
  assert.match(output, /c2sp\.org\/tlog-proof@v1/);
  rmSync(root, { recursive: true });
});
