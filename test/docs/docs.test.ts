// What is made from the programs' own options: the reference, and the shells' completions.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { processContext } from '../../cli/context.js';
import { buildProgram } from '../../cli/program.js';
import { buildProgram as buildLog } from '../../log-server/commands.js';
import { completionScript } from '../../system/index.js';
import { configDoc } from './config.js';
import { metricsDoc } from './metrics.js';
import { OPENAPI_FILE, openapiDoc } from './openapi.js';

test('docs/config.md is what the programs say of themselves', async () => {
  const file = fileURLToPath(new URL('../../../docs/config.md', import.meta.url));
  assert.equal(readFileSync(file, 'utf8'), await configDoc(), 'npm run docs');
});

test('docs/metrics.md is what the servers say of their figures', () => {
  const file = fileURLToPath(new URL('../../../docs/metrics.md', import.meta.url));
  assert.equal(readFileSync(file, 'utf8'), metricsDoc(), 'npm run docs');
});

test('spec/http/log.openapi.json is what the log server checks with', () => {
  assert.equal(readFileSync(OPENAPI_FILE, 'utf8'), openapiDoc(), 'npm run docs');
});

/** What bash offers for a line, whose last word is being typed. */
function complete(script: string, ...words: string[]): string[] {
  const ask = `${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_${(words[0] ?? '').replaceAll('-', '_')}; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['-c', ask], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '');
  return stdout.split('\n').filter((line) => line !== '');
}

test('bash completes commands, options and choices, and leaves files to itself', async () => {
  const stele = completionScript(await buildProgram(processContext(), { status: 0 }), 'bash');
  assert.deepEqual(complete(stele, 'stele', 'pol'), ['policy']);
  assert.deepEqual(complete(stele, 'stele', 'policy', ''), ['lint', 'show']);
  assert.deepEqual(complete(stele, 'stele', 'verify', '--pol'), ['--policy']);
  assert.deepEqual(complete(stele, 'stele', 'verify', '--policy', ''), []);
  assert.deepEqual(complete(stele, 'stele', 'verify', 'po'), []);
  assert.deepEqual(complete(stele, 'stele', 'completion', 'z'), ['zsh']);
  assert.deepEqual(complete(stele, 'stele', 'get', 't'), ['terms']);
  assert.deepEqual(complete(stele, 'stele', 'record', 'run', '--outcome', 'a'), ['aborted']);
  assert.deepEqual(complete(stele, 'stele', 'search', '--type', 'run-f'), ['run-final']);
  const log = completionScript(
    buildLog(() => undefined),
    'bash',
  );
  assert.deepEqual(complete(log, 'stele-log', 'serve', '--log-level', 'a'), ['alarm']);
  assert.deepEqual(complete(log, 'stele-log', '-f', 'init', 'serve', '--admission', ''), ['charter', 'none']);
});
