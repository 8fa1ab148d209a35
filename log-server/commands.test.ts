import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { formatVkey, newSigningKey } from '../tlog/index.js';

const MAIN = fileURLToPath(new URL('main.js', import.meta.url));

const VKEY = formatVkey(newSigningKey('log.example/old', 1, new Uint8Array(32).fill(7)).vkey);

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function shell(t: TestContext): Promise<(args: string, env?: Record<string, string>) => Ran> {
  const cwd = await mkdtemp(join(tmpdir(), 'stele-'));
  t.after(() => rm(cwd, { recursive: true }));
  await writeFile(join(cwd, 'policy'), 'quorum none\n');
  return (args, env = {}) => {
    const options = {
      cwd,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], XDG_CONFIG_HOME: cwd, ...env },
    } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args.split(' ')], options);
    return { status, stdout, stderr };
  };
}

void test('init, fsck, recover: what they print, and their statuses', async (t) => {
  const run = await shell(t);
  const made = run('init -f log --origin log.example/x --policy policy');
  assert.deepEqual(
    [made.status, /^log\.example\/x\+[0-9a-f]{8}\+\S+\n$/.test(made.stdout)],
    [0, true],
    made.stderr,
  );
  const again = run('init -f log --origin log.example/x --policy policy');
  assert.equal(again.status, 2);
  assert.match(again.stderr, /\(not_empty\)/);
  const checked = run('fsck -f log --json');
  assert.deepEqual([checked.status, (JSON.parse(checked.stdout) as { ok: boolean }).ok], [0, true]);
  const nowhere = run('fsck -f nowhere --json');
  const answer = JSON.parse(nowhere.stdout) as { ok: boolean; error: { code: string } };
  assert.deepEqual([nowhere.status, answer.ok, nowhere.stderr], [2, false, '']);
  assert.equal(answer.error.code, 'no_log_here');
  const recovered = run('recover -f log');
  assert.equal(recovered.status, 0, recovered.stderr);
});

void test('usage errors end with 2, and say what was expected', async (t) => {
  const run = await shell(t);
  for (const [args, expected] of [
    ['serve --bogus', /unknown option '--bogus'/],
    ['nonsense', /unknown command 'nonsense'/],
    ['serve', /expected --folder/],
    ['serve -f x -l nowhere', /Expected host:port/],
    ['serve -f x --admission some', /Allowed choices are charter, none/],
    ['serve -f x', /expected the folder of a log at .*x, found none \(no_log_here\)/],
    ['add-key -f x', /\(no_log_here\)/],
    ['retire-key -f x', /missing required argument 'key id'/],
    ['upgrade -f x', /\(no_key\)/],
    ['init -f x --policy policy', /expected --origin/],
    ['init -f x --origin o --policy missing', /expected a file at missing, found none/],
    ['init -f x --origin o --policy policy --anchor-interval 1.5', /whole number/],
    ['init -f x --origin o --policy policy --predecessor policy', /expected --predecessor-vkey/],
    [`init -f x --origin o --policy policy --predecessor-vkey ${VKEY}`, /expected --predecessor, found none/],
    [
      `init -f x --origin o --policy policy --predecessor policy --predecessor-vkey ${VKEY}`,
      /policy: .*\(bad_predecessor\)/,
    ],
    ['init -f x --origin o --policy policy --operator O:n', /--operator.*identifier/],
    ['init -f x --origin o --policy policy --registrar o:n:zz', /--registrar.*64 lower-case hex/],
    ['init -f x --origin o --policy policy --origin x+y', /\(bad_signing_key\)\n {2}use/],
    ['fsck', /expected --folder/],
    ['fsck http://127.0.0.1:1/', /expected the log’s key/],
    ['freeze -f x', /\(no_charter\)/],
  ] as const) {
    const { status, stderr, stdout } = run(args);
    assert.deepEqual([status, stdout], [2, ''], args);
    assert.match(stderr, expected, args);
  }
  assert.equal(run('--help').status, 0);
  // A log that takes anything has no entry that could say which key signs from when on.
  assert.equal(run('init -f any --origin any.example --policy policy --admission none').status, 0);
  for (const args of ['add-key -f any', 'retire-key 00000000 -f any']) {
    const { status, stderr } = run(args);
    assert.deepEqual([status, /--admission none.*\(no_charter\)/.test(stderr)], [2, true], stderr);
  }
});

void test('a flag, then the environment, then ./stele.toml, then the user’s configuration', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'stele-'));
  t.after(() => rm(cwd, { recursive: true }));
  await writeFile(join(cwd, 'policy'), 'quorum none\n');
  await writeFile(
    join(cwd, 'stele.toml'),
    '["stele-log"]\nfolder = "from-file"\norigin = "file.example"\npolicy = "policy"\nanchor-interval = 60\n',
  );
  const run = (args: string[], env: Record<string, string> = {}): Ran => {
    const options = { cwd, encoding: 'utf8', env: { PATH: process.env['PATH'], ...env } } as const;
    return spawnSync(process.execPath, [MAIN, ...args], options);
  };
  assert.match(run(['init']).stdout, /^file\.example\+/);
  assert.match(
    run(['init'], { STELE_LOG_FOLDER: 'from-env', STELE_LOG_ORIGIN: 'env.example' }).stdout,
    /^env\.example\+/,
  );
  assert.match(
    run(['init', '-f', 'from-flag', '--origin', 'flag.example'], { STELE_LOG_FOLDER: 'x' }).stdout,
    /^flag\.example\+/,
  );
  assert.deepEqual((await readdir(cwd)).sort(), [
    'from-env',
    'from-file',
    'from-flag',
    'policy',
    'stele.toml',
  ]);
  await writeFile(join(cwd, 'stele.toml'), 'not toml');
  const bad = run(['init', '-f', 'y']);
  assert.equal(bad.status, 2);
  assert.match(bad.stderr, /\(bad_config\)/);
});
