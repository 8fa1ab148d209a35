// Every command of the three programs takes --json and answers with one object, whatever comes of it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { processContext } from '../cli/context.js';
import { buildProgram as buildStele, run as runStele } from '../cli/program.js';
import { buildProgram as buildLog, runCommand as runLog } from '../log-server/commands.js';
import { ANSWER_SCHEMA } from '../system/index.js';
import { buildProgram as buildWitness, runCommand as runWitness } from '../witness/commands.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAMS = [
  buildStele(processContext(), { status: 0 }),
  buildLog(() => undefined),
  buildWitness(() => undefined),
];

/** Every command that can be run: `stele policy lint`. */
function commandsOf(command: Command, path = command.name()): [string, Command][] {
  return command.commands.length === 0
    ? [[path, command]]
    : command.commands.flatMap((child) => commandsOf(child, `${path} ${child.name()}`));
}
const COMMANDS = PROGRAMS.flatMap((program) => commandsOf(program));

interface Ran {
  status: number;
  stdout: string;
  stderr: string;
}

/** The one object on stdout, its shape checked. */
function answerOf({ status, stdout, stderr }: Ran, line: string, ok: boolean): Record<string, unknown> {
  assert.match(stdout, /^\{.*\}\n$/, `${line}: ${stdout}${stderr}`);
  const answer = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual(Object.keys(answer), ['schema', 'ok', 'checks', 'result', 'error'], line);
  assert.equal(answer['schema'], ANSWER_SCHEMA, line);
  assert.equal(answer['ok'], ok, `${line}: ${stdout}`);
  assert.equal(answer['ok'], status === 0, `${line}: ${String(status)} ${stdout}`);
  for (const check of answer['checks'] as Record<string, unknown>[]) {
    assert.deepEqual(Object.keys(check), ['name', 'status', 'detail'], line);
    assert.ok(['pass', 'fail', 'not-checkable'].includes(String(check['status'])), line);
  }
  const { error } = answer;
  if (error === null) return answer;
  const { code, message, hint } = error as Record<string, unknown>;
  assert.match(String(code), /^[a-z_]+$/, line);
  assert.notEqual(code, 'internal', `${line}: ${stdout}`);
  assert.ok(typeof message === 'string' && message !== '', line);
  assert.ok(typeof hint === 'string' && hint !== '', `${line}: no hint for ${String(code)}`);
  return answer;
}

test('every command takes --json, and docs/json.md says what each answers', () => {
  assert.ok(COMMANDS.length > 25);
  const doc = readFileSync(join(repository, 'docs/json.md'), 'utf8');
  const rows = [...doc.matchAll(/^\| `(stele[^`]*|… completion)` \|/gm)].map(([, name = '']) => name);
  for (const [path, command] of COMMANDS) {
    assert.ok(
      command.options.some(({ long }) => long === '--json'),
      `${path} has no --json`,
    );
    const known = rows.some(
      (row) =>
        row === path ||
        (row.endsWith(' …') && path.startsWith(row.slice(0, -1))) ||
        path.endsWith(row.slice(1)),
    );
    assert.ok(known, `docs/json.md has no row for ${path}`);
  }
  for (const row of rows) {
    const prefix = row.replace(/ ?…/, '');
    assert.ok(
      COMMANDS.some(([path]) => path.startsWith(prefix) || path.endsWith(prefix)),
      `docs/json.md has a row for ${row}, which is no command`,
    );
  }
});

/** Runs one command line in this process. */
async function runHere(line: string): Promise<Ran> {
  const [program = '', ...words] = line.split(' ');
  let stdout = '';
  let stderr = '';
  const streams = {
    stdout: (text: string | Uint8Array) => void (stdout += Buffer.from(text).toString()),
    stderr: (text: string) => void (stderr += text),
  };
  const status =
    program === 'stele'
      ? await runStele(words, { ...processContext(), ...streams })
      : await (program === 'stele-log' ? runLog : runWitness)(words, streams);
  return { status, stdout, stderr };
}

test('a wrong command line is one object too, for every command', async () => {
  for (const line of [
    ...PROGRAMS.map((program) => program.name()),
    ...PROGRAMS.map((program) => `${program.name()} dance`),
    ...COMMANDS.map(([path]) => `${path} --no-such-option`),
  ]) {
    const ran = await runHere(`${line} --json`);
    assert.equal(ran.stderr, '', line);
    const { error } = answerOf(ran, line, false);
    assert.equal((error as { code: string }).code, 'usage', line);
    assert.equal(ran.status, 2, line);
  }
});
