// Every command of the three programs takes --json and answers with one object, whatever comes of it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ANSWER_SCHEMA } from '../system/index.js';
import { ANSWERS } from './cli/answer-schema.js';
import { COMMANDS, PROGRAMS } from './helpers/commands.js';
import { runHere, type RanHere } from './helpers/run-here.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** The one object on stdout, its shape checked. */
function answerOf({ status, stdout, stderr }: RanHere, line: string, ok: boolean): Record<string, unknown> {
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
  const texts = new Map(
    [...doc.matchAll(/^\| `(stele[^`]*|… completion)` \| (.*) \|$/gm)].map(([, name = '', text = '']) => [
      name,
      text,
    ]),
  );
  const rows = [...texts.keys()];
  for (const [path, command] of COMMANDS) {
    assert.ok(
      command.options.some(({ long }) => long === '--json'),
      `${path} has no --json`,
    );
    const row = rows.find(
      (each) =>
        each === path ||
        (each.endsWith(' …') && path.startsWith(each.slice(0, -1))) ||
        path.endsWith(each.slice(1)),
    );
    assert.ok(row !== undefined, `docs/json.md has no row for ${path}`);
    const text = texts.get(row) ?? '';
    for (const field of fieldsOf(path))
      assert.ok(
        text.includes(`\`${field}\``) || text.startsWith('as of'),
        `${row}: says nothing of ${field}`,
      );
  }
  const commands = COMMANDS.map(([path]) => path);
  const described = Object.keys(ANSWERS.$defs).filter((name) => /^stele[ -]/.test(name));
  assert.deepEqual(described.sort(), commands.sort(), 'spec/cli.schema.json has $defs of all commands');
  for (const row of rows) {
    const prefix = row.replace(/ ?…/, '');
    assert.ok(
      COMMANDS.some(([path]) => path.startsWith(prefix) || path.endsWith(prefix)),
      `docs/json.md has a row for ${row}, which is no command`,
    );
  }
});

/** The fields of `result` of a command, as its schema names them; `policy` is the same for all that have it. */
function fieldsOf(path: string): string[] {
  const own = ANSWERS.$defs[path];
  const name = String(own?.['$ref']).replace('#/$defs/', '');
  const { properties = {} } = (ANSWERS.$defs[name] ?? own ?? {}) as { properties?: object };
  return Object.keys(properties).filter((field) => field !== 'policy');
}

test('a wrong command line is one object too, for every command', async () => {
  for (const line of [
    ...PROGRAMS.map((program) => program.name()),
    ...PROGRAMS.map((program) => `${program.name()} dance`),
    ...COMMANDS.map(([path]) => `${path} --no-such-option`),
  ]) {
    const ran = await runHere([...line.split(' '), '--json']);
    assert.equal(ran.stderr, '', line);
    const { error } = answerOf(ran, line, false);
    assert.equal((error as { code: string }).code, 'usage', line);
    assert.equal(ran.status, 2, line);
  }
});
