// Whoever reads what a program says may go: neither its work nor its exit status hangs on him.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startScript, type Child } from './helpers/process.js';
import { runHere } from './helpers/run-here.js';

type Stream = 'stdout' | 'stderr';

/** Starts a program whose streams nobody reads: their other ends are closed before it writes anything. */
function start(t: TestContext, script: string, args: readonly string[], gone: readonly Stream[]): Child {
  const child = startScript(script, args);
  t.after(() => child.process.kill('SIGKILL'));
  for (const name of gone) child.process[name]?.destroy();
  return child;
}

test('a server outlives the reader of its messages', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'stele-readers-'));
  t.after(() => rmSync(root, { recursive: true, maxRetries: 5 }));
  const [log, witness, policy] = [join(root, 'log'), join(root, 'witness'), join(root, 'policy')];
  writeFileSync(policy, 'quorum none\n');
  const none = ['--admission', 'none'];
  for (const made of [
    ['stele-log', 'init', '-f', log, '--origin', 'log.example/readers', '--policy', policy, ...none],
    ['stele-witness', 'init', '-f', witness, '--name', 'witness.example/readers'],
  ])
    assert.equal((await runHere(made)).status, 0);
  const serve = (folder: string): string[] => ['serve', '-f', folder, '-l', '127.0.0.1:0'];
  for (const [script, args] of [
    ['log-server/main', [...serve(log), ...none]],
    ['witness/main', serve(witness)],
  ] as const) {
    const server = start(t, script, args, ['stderr']);
    // It has said on stderr that it serves by then, and says more when it ends.
    const url = await server.firstLine;
    assert.equal((await fetch(new URL('/healthz', url))).status, 200, script);
    server.process.kill('SIGTERM');
    assert.equal(await server.ended, 0, script);
  }
});

test('a command ends with its own status, whoever has stopped reading', async (t) => {
  const commands: readonly [script: string, args: readonly string[], status: number][] = [
    ['cli/main', ['completion', 'bash'], 0],
    ['cli/main', ['verify', 'nosuch'], 2],
    ['log-server/main', ['completion', 'bash'], 0],
    ['log-server/main', ['fsck', '--folder', 'nosuch'], 2],
    ['witness/main', ['completion', 'bash'], 0],
    ['witness/main', ['nosuch'], 2],
  ];
  for (const [script, args, status] of commands) {
    const command = start(t, script, args, ['stdout', 'stderr']);
    assert.equal(await command.ended, status, [script, ...args].join(' '));
  }
});

test('an answer that a full disk does not take is no verdict, and the error says what to do', () => {
  const full = openSync('/dev/full', 'w');
  for (const [script, program] of [
    ['cli/main', 'stele'],
    ['log-server/main', 'stele-log'],
    ['witness/main', 'stele-witness'],
  ] as const) {
    const file = fileURLToPath(new URL(`../${script}.js`, import.meta.url));
    const { status, stderr } = spawnSync(process.execPath, [file, 'completion', 'bash'], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
      timeout: 60_000,
    });
    assert.match(
      stderr,
      new RegExp(`^${program}: stdout: .*ENOSPC.* \\(output_failed\\)\n  free space.*\n$`),
    );
    assert.equal(status, 3, program);
  }
  closeSync(full);
});
